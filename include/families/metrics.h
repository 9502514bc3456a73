#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "status.h"
#include "team.h"

/** Figures of families and pairs. Sums over ranks are integers or fixed point, so every figure has
 *  the same bits at any number of ranks. */

/** Mean of the values that are not nan.
 *  ranks   collective
 *  values  in      [count] this rank's
 *  counted out     how many over all ranks
 *  returns the mean, nan when there are none */
double metrics_mean(Team *team, const float *values, int64_t count, int64_t *counted);

/** Coverage of a parent by its children: the share of its activation on the rows where at least one
 *  child fires as well, cov(p) = sum of f_p over those rows / sum of f_p over all.
 *  metrics_shared lists the parent's firings that a child shares, and returns how many;
 *  metrics_coverage sums.
 *  ranks   local
 *  row, child_row  in  rows where parent and child fire, ascending
 *  at, value       out [count] the parent's firings (0: the first); the child's activations there */
int64_t metrics_shared(const uint32_t *row, int64_t count, const uint32_t *child_row,
                       const float *child_value, int64_t child_count, uint32_t *at, float *value);
double metrics_coverage(const float *value, const uint8_t *is_covered, int64_t count);

/** Token purity of a feature: the share of its firings that fall on its most frequent token. The
 *  purity of a family is that of its leaves (features without forest children) together: firings
 *  on each leaf's most frequent token / firings of the leaves. 1: every leaf is one token.
 *  metrics_commonest returns how often the most frequent token occurs.
 *  ranks   local
 *  tokens  in/out  [count], sorted by the call
 *  token   out     the most frequent one, ties to the lower id; as it is when there is none */
int64_t metrics_commonest(uint32_t *tokens, int64_t count, uint32_t *token);

/** Entropy, in bits, of a distribution given as counts; the same bits on every CPU (libm's logarithm
 *  chooses by CPU). Of a family: of its leaves' most frequent tokens, a leaf counting as often as it
 *  fires. 0: all leaves have the same.
 *  ranks   local
 *  returns nan when all counts are 0 */
double metrics_entropy(const int64_t *counts, int64_t count);

/** Bitmap of rows: how many rows lie in at least one of several lists.
 *  metrics_mark sets the rows of a list and returns how many were new; metrics_unmark clears rows.
 *  ranks   local
 *  bits    in/out  [(rows + 63) / 64]
 *  fresh   out     the new rows, room for `count` */
int64_t metrics_mark(uint64_t *bits, const uint32_t *row, int64_t count, uint32_t *fresh);
void metrics_unmark(uint64_t *bits, const uint32_t *row, int64_t count);

/** Bins of equally many features by firing rate, rarest first: cut by (firings, id), over all ranks.
 *  ranks   collective
 *  first   in      id of this rank's first feature
 *  counts  in      [count] 1: the feature counts; the others get bin 0
 *  bin     out     [count] below METRICS_BINS
 *  fails   ERR_MEMORY */
enum { METRICS_BINS = 16 };
Status metrics_rate_bins(Team *team, int64_t first, const int64_t *firings, const uint8_t *counts,
                         int64_t count, uint8_t *bin) MUST_USE;

/** Do the same parents split with another seed? */
typedef struct MetricsReplication {
  int64_t parents;    /* that count */
  double correlation; /* Pearson, of the children counts per parent; nan: no spread */
  double within;      /* the same inside the bins: after each bin's means are subtracted */
  double split_again; /* of the parents with >= 2 children in the level, share that has them in
                         the twin too; nan: none has */
  double split_any;   /* share of all parents with >= 2 children in the twin */
  int64_t split_level, split_twin, split_both;
} MetricsReplication;

/** ranks   collective
 *  level, twin  in  [count] children of the own parents in the level and in its twin
 *  counts       in  [count] 1: the parent counts (neither dead nor a duplicate)
 *  bin          in  [count] of metrics_rate_bins() */
void metrics_replication(Team *team, const int64_t *level, const int64_t *twin,
                         const uint8_t *counts, const uint8_t *bin, int64_t count,
                         MetricsReplication *out);

/** Children a parent, over the parents with at least one. */
typedef struct MetricsChildren {
  int64_t parents, children, most;
  double mean, dispersion; /* variance / mean; all nan without parents */
  double median, p90, p99; /* the smallest count that so large a share of parents does not exceed */
  double top_share;        /* of the children, under the top 1 % of parents (at least one) */
} MetricsChildren;

/** ranks   collective
 *  children in     [count] of the own parents
 *  fails   ERR_MEMORY */
Status metrics_children(Team *team, const int64_t *children, int64_t count,
                        MetricsChildren *out) MUST_USE;

/** Which parents are hubs: the top 0.1 % (at least one) by in-degree, ties to the lower id, and those
 *  that fire more than 10 times as often as the mean of the features that are not dead.
 *  ranks   collective
 *  first   in      id of this rank's first feature
 *  degree, firings, state  in  [count] of the own features
 *  is_hub  out     [count] */
void metrics_hubs(Team *team, int64_t first, const int64_t *degree, const int64_t *firings,
                  const uint8_t *state, int64_t count, uint8_t *is_hub);

#endif
