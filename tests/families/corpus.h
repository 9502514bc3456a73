#ifndef CORPUS_H
#define CORPUS_H

#include "evidence.h"

/* A small corpus for the tests of evidence.h, with naive loops over it. */
enum { CHILDREN = 200, PARENTS = 70, K = 8, ACTIVE = 5, STORED = 10, ROWS = 1500 };

/* A corpus: documents of 1 to 40 rows; each row has STORED distinct latents, the first ACTIVE
   fire. */
typedef struct Corpus {
  uint32_t *document, *child, *parent;
  int64_t *start;
  float *value; /* of both */
  uint8_t *active;
  uint32_t *candidate; /* [CHILDREN, K] of all children */
  /* the children's firings by feature */
  int64_t *first;
  uint32_t *row;
  float *firing;
  int64_t piece; /* rows a chunk */
  int64_t room;  /* entries that are gathered at once; 0: none are */
  /* what was gathered */
  int64_t *gathered_start, gathers;
  uint32_t *gathered_id;
  uint8_t *gathered_active;
} Corpus;

void corpus_open(Corpus *corpus);
void corpus_close(Corpus *corpus);

/* The team of all ranks, opened at first use. */
Team *corpus_ranks(void);
/* The parents' codes, in chunks of corpus->piece rows, or gathered. */
EvidenceSource corpus_source(Corpus *corpus);
/* The children of this rank, and the first of them. */
EvidenceChildren corpus_children(const Corpus *corpus);
int64_t corpus_first_child(void);

/* The place of latent `id` among the first `most` of the row; -1: it is not there. */
int64_t corpus_find(const uint32_t *ids, int64_t row, int64_t most, uint32_t id);
EvidenceSums corpus_sums(const Corpus *corpus, uint32_t child, uint32_t parent, int64_t most);
/* Rows where a latent is among the first `most`. */
int64_t corpus_fired(const uint32_t *ids, int64_t most, uint32_t id);

#endif
