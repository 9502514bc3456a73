#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdint.h>

#include "shard.h"
#include "status.h"
#include "team.h"

/** Do parents fire where their children fire? By child: a rank walks the firings of its own
 *  children, row by row, and looks at what the parents did there. The parents' codes come in chunks
 *  of rows; threads take children. Counts are integers and a child is whole on one rank, so every
 *  number has the same bits at any number of ranks and threads. "Parents" may be any dictionary
 *  with codes of the same rows: a smaller level, a twin, the children's own.
 *  No function here communicates: each rank works on children of its own (all or some of them). */

/** Firings of some children: the by-feature lists of codes/NAME.h5. Borrowed. */
typedef struct EvidenceChildren {
  int64_t count;
  const int64_t *start; /* [count + 1]; firings of child c: start[c] - start[0] and on */
  const uint32_t *row;  /* ascending within a child */
  const float *value;   /* activation there */
  const char *place;    /* where they come from, for messages: "codes/8k.h5" */
} EvidenceChildren;

/** The parents' sparse codes of rows [first, first + rows). */
typedef struct EvidenceChunk {
  int64_t first, rows;
  const uint32_t *document; /* [rows] ascending, also from one chunk to the next */
  const int64_t *start;     /* [rows + 1]; entries of row r: start[r] - start[0] and on */
  const uint32_t *id;       /* latents */
  const float *value;
  const uint8_t *active; /* 1: fires; 0: among the next k of a TopK row only */
} EvidenceChunk;

/** Where chunks come from. `read` fills a chunk that begins at row `first` and has at least one
 *  row; `gather` (NULL: cannot) one with the codes of some rows, which ascend, as if they were rows
 *  0, 1, ..., without documents and values. Arrays of a chunk last until the next call.
 *  ranks   local; called by one thread */
typedef struct EvidenceSource {
  int64_t rows, entries; /* of the corpus */
  int64_t parents;       /* of the parents' dictionary */
  int64_t room;          /* entries of a chunk, about: what may be gathered at once */
  Status (*read)(void *context, int64_t first, EvidenceChunk *chunk);
  Status (*gather)(void *context, const uint32_t *row, int64_t count, EvidenceChunk *chunk);
  void *context;
  const char *place; /* where they come from, for messages: "codes/1k.h5" */
} EvidenceSource;

/** Rows where each of the parents [of.first, of.past) fires.
 *  ranks   local
 *  narrow  out     [of] active; wide out [of] active or among the next k
 *  fails   ERR_FORMAT (an id that is no parent; rows or documents out of order), what the source
 *          fails with */
Status evidence_fired(const EvidenceSource *source, Shard of, int64_t *narrow,
                      int64_t *wide) MUST_USE;

/** Candidates by activation: for each child the `most` parents of highest P(parent | child) among
 *  all with lift >= lift_min and at least two common rows (active ones); ties to the lower id.
 *  Children are taken in tiles whose counters fit into about `bytes`, and the source is read once a
 *  tile; or, where that would be more, the rows of some children are gathered at a time.
 *  ranks   local
 *  parent_fired in   [source->parents] rows where each parent fires (active)
 *  out     out     [children, most] best first; LOOKUP_NONE: none
 *  fails   ERR_MEMORY (8 bytes a parent and thread beside `bytes`), ERR_FORMAT (an id that is no
 *          parent), what the source fails with */
typedef struct EvidenceSuggest {
  const EvidenceChildren *children;
  const EvidenceSource *source;
  const uint32_t *parent_fired;
  double lift_min;
  int64_t most, bytes;
} EvidenceSuggest;
Status evidence_suggest(const EvidenceSuggest *suggest, uint32_t *out) MUST_USE;

/** Sums over documents, x = rows of the document where child and candidate both fire, n = rows
 *  where the child fires. */
typedef struct EvidenceSums {
  int64_t both;   /* sum of x */
  int64_t square; /* sum of x^2 */
  int64_t cross;  /* sum of x n */
} EvidenceSums;

typedef struct Evidence {
  int64_t children;          /* of this rank */
  int64_t candidates;        /* a child */
  const uint32_t *candidate; /* [children, candidates], borrowed; LOOKUP_NONE: none */
  EvidenceSums *narrow;      /* [children, candidates] a candidate fires when it is active */
  EvidenceSums *wide;        /* [children, candidates] ... or among the next k */
  double *product;           /* [children, candidates] sum of f_c f_p (active), in row order */
  double *square;            /* [children, candidates] sum of f_p^2 where the child fires */
  int64_t *fired;            /* [children] rows where the child fires */
  int64_t *fired_square;     /* [children] sum over documents of n^2 */
  int64_t *documents;        /* [children] documents where the child fires */
  double *value_square;      /* [children] sum of f_c^2 */
  int64_t rows;              /* of the corpus */
} Evidence;

/** Count the candidates of every child over all rows.
 *  ranks   local
 *  candidate in    [children, candidates], no parent twice for a child; kept (borrowed) until
 *                  evidence_close()
 *  fails   ERR_MEMORY, ERR_FORMAT (an id that is no parent or is named twice; rows or documents out
 *          of order), what the source fails with; evidence_close() is safe after all of them */
Status evidence_count(Evidence *evidence, const EvidenceChildren *children,
                      const EvidenceSource *source, const uint32_t *candidate,
                      int64_t candidates) MUST_USE;
/** ranks local; safe on a zeroed struct */
void evidence_close(Evidence *evidence);

/** Cosine of the activations over the rows where the child fires; nan where one of them is 0.
 *  ranks   local
 *  at      in      child * candidates + candidate */
double evidence_masked_cosine(const Evidence *evidence, int64_t at);

/** What makes evidence. */
typedef struct EvidenceRules {
  double p_min, lift_min;
  int64_t firings_min, documents_min;
} EvidenceRules;

typedef enum EvidenceVerdict {
  EVIDENCE_OPEN = 0,
  EVIDENCE_NO = 1,
  EVIDENCE_YES = 2
} EvidenceVerdict;

/** P(parent | child) with its document-wise Wilson 95 % interval. All nan when the child fires too
 *  rarely or in too few documents to say anything. */
typedef struct EvidenceShare {
  double p, low, high;
  double lift; /* p / share of rows where the parent fires */
} EvidenceShare;

/** ranks   local
 *  child   in      index among the children counted */
EvidenceShare evidence_share(const Evidence *evidence, const EvidenceSums *sums, int64_t child,
                             int64_t parent_fired, const EvidenceRules *rules);

/** The trials behind it, n_eff: at most the rows where the child fires, which must be there in two
 *  documents.
 *  ranks   local */
double evidence_trials(const Evidence *evidence, const EvidenceSums *sums, int64_t child);

/** Wilson 95 % interval of a share p observed on n (effective) trials, n > 0.
 *  ranks   local */
void evidence_wilson(double p, double n, double *low, double *high);

/** Verdict on one way of counting, and on both: open where the two differ.
 *  ranks   local */
EvidenceVerdict evidence_judge(const EvidenceShare *share, const EvidenceRules *rules);
EvidenceVerdict evidence_judge_both(const EvidenceShare *narrow, const EvidenceShare *wide,
                                    const EvidenceRules *rules);

/** Is P(parent | child) more than frequency alone gives? Other parents of the chosen one's
 *  frequency: drawn from its bin of log2 of the rows where it fires, bins a quarter of an octave
 *  wide, by a keyed permutation for each child. evidence_count() counts them, evidence_rank()
 *  compares.
 *  ranks   local */
typedef struct EvidenceMatched {
  int64_t children, first; /* how many, and the id of the first (enters the draw) */
  const uint32_t *chosen;  /* [children] parents; LOOKUP_NONE: none */
  int64_t parents;
  const uint32_t *parent_fired; /* [parents] */
  uint64_t key;                 /* of the pair */
  int64_t most;                 /* others a child */
} EvidenceMatched;

/** ranks   local
 *  out     out     [children, most] distinct others; LOOKUP_NONE where the bin holds fewer, and
 *                  where the chosen parent never fires
 *  fails   ERR_MEMORY (4 bytes a parent), ERR_FORMAT (chosen is no parent) */
Status evidence_matched(const EvidenceMatched *matched, uint32_t *out) MUST_USE;

/** The place of `both` common rows among a child's candidates: 1 + those with at least as many.
 *  With `others` candidates there, 1 is best and others + 1 worst.
 *  ranks   local
 *  others  out     how many candidates the child has */
int64_t evidence_rank(const Evidence *evidence, int64_t child, int64_t both, int64_t *others);

#endif
