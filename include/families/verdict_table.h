#ifndef VERDICT_TABLE_H
#define VERDICT_TABLE_H

#include "verdict.h"

/** The verdicts on one pair of dictionaries, child by child: columns of families.h5. Every status is
 *  also known at 41 other thresholds: tau_link 0.40, 0.41 .. 0.80. */

enum {
  VERDICT_STEPS = 41,
  VERDICT_MAIN = VERDICT_STEPS, /* the threshold in force */
  VERDICT_CUTS = VERDICT_STEPS + 1,
  VERDICT_BINS = 100 /* of 0.01 */
};

/** tau_link of a step 0 .. 40.
 *  ranks   local */
double verdict_step(int step);

/** The children that this rank owns; every column has `count` items if nothing else is said. */
typedef struct VerdictTable {
  int64_t count, filled;
  double link; /* at VERDICT_MAIN */
  uint8_t *status, *flags, *evidence;
  uint32_t *parent, *first_parent;                 /* pi(c), p1(c); LOOKUP_NONE: none */
  float *best, *second;                            /* s1, s2; nan: none */
  float *cosine, *cosine_centred, *encoder_cosine; /* of pi(c), nan: none */
  int64_t *both, *documents;
  float *p, *p_low, *p_high, *p_wide, *p_child, *lift; /* of pi(c); nan: insufficient evidence */
  float *jaccard, *masked_cosine;                      /* of pi(c), of the firings */
  /* at every threshold */
  uint8_t *status_at;           /* [count, VERDICT_CUTS] */
  uint64_t *takes_convinced;    /* bit t: pi(c) is `convinced` there, else p1(c) */
  uint32_t *convinced;          /* verdict_convinced(); LOOKUP_NONE: none */
  float *convinced_cosine;      /* with it */
  uint8_t *is_new;              /* verdict_is_new() */
  int64_t margin[VERDICT_BINS]; /* children by s1 - s2, where there are both */
  /* the DAG */
  int64_t *edge_start;   /* [count + 1] */
  int64_t edges, room;   /* in all own children */
  uint32_t *edge_parent; /* [edges] */
  float *edge_cosine, *edge_cosine_centred, *edge_encoder_cosine;
  int64_t *edge_both, *edge_both_wide; /* common rows */
  float *edge_p, *edge_trials;         /* P(parent | child), effective trials behind it */
  double *edge_product;                /* sum of f_c f_p */
} VerdictTable;

/** ranks   local
 *  count   in      own children
 *  link    in      tau_link in force
 *  fails   ERR_MEMORY; verdict_clear() is safe after it */
Status verdict_open(VerdictTable *table, int64_t count, double link) MUST_USE;
/** ranks local; safe on a zeroed struct */
void verdict_clear(VerdictTable *table);

/** The span fit of a child after near duplicates among its parents are one. */
typedef struct VerdictSpan {
  double r2;
  uint32_t parent[2]; /* the two heaviest; LOOKUP_NONE: none */
  double weight[2];
  double mutual; /* their cosine; nan: unknown, also where the collapse changed who is heaviest */
} VerdictSpan;

/** ranks   local
 *  representative  in  [span] of the parents of the fit, by descending weight; LOOKUP_NONE ends
 *  mutual  in      cosine of the first two */
VerdictSpan verdict_span(float r2, const uint32_t *representative, const float *weight,
                         int64_t span, float mutual);

/** What the verdicts on the next few children rest on. The candidates of a child are `near` places for
 *  those by cosine (collapsed, best first, LOOKUP_NONE behind them), then places for those by activation
 *  alone. */
typedef struct VerdictInput {
  const Evidence *evidence;                              /* holds the candidates */
  int64_t near;                                          /* places */
  const float *cosine, *cosine_centred, *encoder_cosine; /* [children, candidates] */
  const uint8_t *is_suggested;                           /* [children, candidates] */
  const int64_t *parent_narrow, *parent_wide; /* [children, candidates] rows where it fires */
  const float *last;          /* [children] the last stored cosine: s2 where no second is left */
  const VerdictSpan *span;    /* [children] */
  const uint8_t *state;       /* [children] DirectionState */
  const uint32_t *best_child; /* [children] the best child of p1(c) */
  int64_t first;              /* id of the first child */
} VerdictInput;

/** Fill the next children of a table. Sets the flag `dense`; the others need other pairs.
 *  ranks   local
 *  fails   ERR_MEMORY; verdict_clear() is safe after it */
Status verdict_add(VerdictTable *table, const VerdictInput *input,
                   const VerdictRules *rules) MUST_USE;

/** pi(c) at a threshold; LOOKUP_NONE: none.
 *  ranks   local */
uint32_t verdict_parent_at(const VerdictTable *table, int64_t child, int cut);

/** At which thresholds a child is `kept` (bit t).
 *  ranks   local */
uint64_t verdict_kept_at(const VerdictTable *table, int64_t child);
/** A child whose verdict_absorbs() holds with the kept child of its convinced parent: absorbed at all
 *  thresholds where that sibling is kept, unless it is kept itself.
 *  sibling_kept in   verdict_kept_at() of the sibling
 *  ranks   local */
void verdict_set_absorbed(VerdictTable *table, int64_t child, uint64_t sibling_kept);
/** A child that is new: novel where it is unmatched if a twin has a like feature, else flagged.
 *  ranks   local */
void verdict_set_new(VerdictTable *table, int64_t child, bool has_like);

/** The row of a near duplicate's representative, and putting it there with the flag.
 *  ranks   local */
typedef struct VerdictRow {
  uint8_t status, flags, evidence, unused;
  uint32_t parent, first_parent;
  float best, second, cosine, cosine_centred, encoder_cosine;
  float p, p_low, p_high, p_wide, p_child, lift, jaccard, masked_cosine;
  int64_t both, documents;
} VerdictRow;
VerdictRow verdict_row(const VerdictTable *table, int64_t child);
void verdict_set_duplicate(VerdictTable *table, int64_t child, const VerdictRow *row);
bool verdict_is_duplicate(const VerdictTable *table, int64_t child);

#endif
