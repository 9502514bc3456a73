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
 *  metrics_cover marks the rows that a child shares; metrics_coverage sums.
 *  ranks   local
 *  row, child_row  in  rows where parent and child fire, ascending
 *  is_covered      in/out [count], 0 at first */
void metrics_cover(const uint32_t *row, int64_t count, const uint32_t *child_row,
                   int64_t child_count, uint8_t *is_covered);
double metrics_coverage(const float *value, const uint8_t *is_covered, int64_t count);

/** Token purity of a feature: the share of its firings that fall on its most frequent token. The
 *  purity of a family is that of its leaves (features without forest children) together: firings
 *  on each leaf's most frequent token / firings of the leaves. 1: every leaf is one token.
 *  metrics_commonest returns how often the most frequent token occurs.
 *  ranks   local
 *  tokens  in/out  [count], sorted by the call */
int64_t metrics_commonest(uint32_t *tokens, int64_t count);

/** Do the same parents split with another seed? */
typedef struct MetricsReplication {
  int64_t parents;    /* that count: not dead */
  double correlation; /* Pearson, of the children counts per parent; nan: no spread */
  double split_again; /* of the parents with >= 2 children in the level, share that has them in
                         the twin too; nan: none has */
  double split_any;   /* share of all parents with >= 2 children in the twin */
  int64_t split_level, split_twin, split_both;
} MetricsReplication;

/** ranks   collective
 *  level, twin  in  [count] children of the own parents in the level and in its twin
 *  state        in  [count] DirectionState of the parents */
void metrics_replication(Team *team, const int64_t *level, const int64_t *twin,
                         const uint8_t *state, int64_t count, MetricsReplication *out);

/** Which parents are hubs: the top 0.1 % (at least one) by in-degree, ties to the lower id, and those
 *  that fire more than 10 times as often as the mean of the features that are not dead.
 *  ranks   collective
 *  first   in      id of this rank's first feature
 *  degree, firings, state  in  [count] of the own features
 *  is_hub  out     [count] */
void metrics_hubs(Team *team, int64_t first, const int64_t *degree, const int64_t *firings,
                  const uint8_t *state, int64_t count, uint8_t *is_hub);

#endif
