#ifndef SWEEP_H
#define SWEEP_H

#include "team.h"
#include "verdict_table.h"

/** Every count at 41 thresholds and at the one in force: tau_link is swept, the rest stays. Near
 *  duplicates are not counted. */

/** Of the children of one pair. */
typedef struct SweepChildren {
  int64_t status[VERDICT_CUTS][CHILD_STATUSES];
  int64_t linked[VERDICT_CUTS]; /* not dead, with an edge */
  int64_t merged[VERDICT_CUTS]; /* with two or more */
  int64_t children, alive;      /* not dead; alive */
} SweepChildren;

/** ranks   collective
 *  state   in      [table->count] DirectionState of the children
 *  out     out     over all ranks */
void sweep_children(Team *team, const VerdictTable *table, const uint8_t *state,
                    SweepChildren *out);

/** Share of the null children whose best cosine reaches the threshold of a step, of a histogram of their
 *  best cosines in bins of 0.01 over [0, 1]; nan without any.
 *  ranks   local */
double sweep_null_share(const int64_t *histogram, int step);
/** False links expected among those observed: null share x children / linked; nan without links.
 *  ranks   local */
double sweep_false_share(double null_share, int64_t children, int64_t linked);

/** Forest children of this rank's parents. */
enum { SWEEP_KEPT, SWEEP_SPLIT, SWEEP_ABSORBED, SWEEP_KINDS };
typedef struct SweepForest {
  int64_t parents;             /* own */
  int32_t *count[SWEEP_KINDS]; /* [parents, VERDICT_CUTS] */
} SweepForest;

/** ranks   collective
 *  parents in      of the whole dictionary
 *  fails   ERR_MEMORY; sweep_forest_clear() is safe after it */
Status sweep_forest(Team *team, int64_t parents, const VerdictTable *table,
                    SweepForest *out) MUST_USE;
/** ranks local; safe on a zeroed struct */
void sweep_forest_clear(SweepForest *forest);
/** Forest children of an own parent at a threshold.
 *  ranks   local */
int64_t sweep_forest_children(const SweepForest *forest, int64_t parent, int cut);

/** Of the parents of one level. */
typedef struct SweepParents {
  int64_t status[VERDICT_CUTS][PARENT_STATUSES];
  int64_t grown[VERDICT_CUTS]; /* with a forest child */
} SweepParents;

/** ranks   collective
 *  state   in      [own] DirectionState
 *  counts  in      [own] 1: counted (no duplicate)
 *  link    in      [own] the largest cosine of a child from any larger level; -2: none
 *  is_linked in    [own] has it an edge at the thresholds in force? */
void sweep_parents(Team *team, const SweepForest *forest, const uint8_t *state,
                   const uint8_t *counts, const float *link, const uint8_t *is_linked,
                   SweepParents *out);

#endif
