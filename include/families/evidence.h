#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdint.h>

#include "shard.h"
#include "status.h"
#include "team.h"

/** Do parents fire where their children fire? Counts over the sparse codes of a pair of
 *  dictionaries: each rank counts its own children against their candidate parents. All counts are
 *  integers, so they are exact at any number of ranks. */

/** Sums over documents, x = rows of the document where child and candidate both fire, n = rows where
 *  the child fires. */
typedef struct EvidenceSums {
  int64_t both;   /* sum of x */
  int64_t square; /* sum of x^2 */
  int64_t cross;  /* sum of x n */
} EvidenceSums;

/** Sparse codes of some rows. */
typedef struct EvidenceCodes {
  const int64_t *start;  /* [rows + 1]; the entries of row r are id[start[r] - start[0]] and on */
  const uint32_t *id;    /* latents */
  const uint8_t *active; /* 1: fires; 0: among the next k of a TopK row only */
} EvidenceCodes;

typedef struct EvidenceRows {
  int64_t rows;
  const int64_t *document; /* [rows] ascending, also from one call to the next */
  EvidenceCodes child, parent;
} EvidenceRows;

typedef struct Evidence {
  Shard own;                 /* this rank's children */
  int64_t candidates;        /* a child */
  int64_t children, parents; /* of the whole dictionaries */
  const uint32_t *candidate; /* [own, candidates], borrowed; LOOKUP_NONE: none */
  EvidenceSums *narrow;      /* [own, candidates] a parent fires when it is active */
  EvidenceSums *wide;        /* [own, candidates] ... or among the next k */
  int64_t *fired;            /* [own] rows where the child fires */
  int64_t *fired_square;     /* [own] sum over documents of n^2 */
  int64_t *documents;        /* [own] documents where the child fires */
  Shard own_parents;
  int64_t *parent_narrow, *parent_wide; /* [own_parents] rows where the parent fires */
  int64_t rows;                         /* counted so far */
  /* of the document that is being counted */
  int64_t document, touched_count;
  int64_t *touched;                /* [own] children that fired */
  uint32_t *now;                   /* [own] n */
  uint32_t *now_narrow, *now_wide; /* [own, candidates] x */
  uint8_t *mark;                   /* [parents] 0, or what a parent is in the current row */
} Evidence;

/** Start counting.
 *  ranks   local
 *  candidate in    [own children, candidates], kept (borrowed) until evidence_close(); the children
 *                  are those of lookup_own(children)
 *  fails   ERR_MEMORY, ERR_FORMAT (an id that is no parent); evidence_close() is safe after both */
Status evidence_open(Evidence *evidence, const Team *team, int64_t children, int64_t parents,
                     const uint32_t *candidate, int64_t candidates) MUST_USE;
/** ranks local; safe on a zeroed struct */
void evidence_close(Evidence *evidence);

/** Count rows. Every rank gets all rows of the corpus, in order, in pieces of any size.
 *  ranks   local
 *  fails   ERR_FORMAT: documents out of order, a latent outside its dictionary */
Status evidence_count(Evidence *evidence, const EvidenceRows *rows) MUST_USE;
/** The last document ends here.
 *  ranks   local */
void evidence_end(Evidence *evidence);

/** How often the candidates fire, active or among 2k, from the ranks that counted them.
 *  ranks   collective
 *  narrow, wide  out  [own, candidates]; 0 where there is no candidate */
Status evidence_of_parents(Team *team, const Evidence *evidence, int64_t *narrow,
                           int64_t *wide) MUST_USE;

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
 *  child   in      index among the own children */
EvidenceShare evidence_share(const Evidence *evidence, const EvidenceSums *sums, int64_t child,
                             int64_t parent_fired, const EvidenceRules *rules);

/** Wilson 95 % interval of a share p observed on n (effective) trials, n > 0.
 *  ranks   local */
void evidence_wilson(double p, double n, double *low, double *high);

/** Verdict on one way of counting, and on both: open where the two differ.
 *  ranks   local */
EvidenceVerdict evidence_judge(const EvidenceShare *share, const EvidenceRules *rules);
EvidenceVerdict evidence_judge_both(const EvidenceShare *narrow, const EvidenceShare *wide,
                                    const EvidenceRules *rules);

#endif
