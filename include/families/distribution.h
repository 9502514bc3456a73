#ifndef DISTRIBUTION_H
#define DISTRIBUTION_H

#include <stdint.h>

#include "status.h"
#include "team.h"

enum { DISTRIBUTION_BINS = 100, DISTRIBUTION_CUTS = 3 };

/** The cosines at which shares are quoted: 0.40, 0.50, 0.70. */
extern const double DISTRIBUTION_CUT[DISTRIBUTION_CUTS];

/** The distribution of the best cosines of a pair. */
typedef struct Distribution {
  int64_t count;                        /* values over all ranks */
  int64_t histogram[DISTRIBUTION_BINS]; /* bins of 0.01 over [0, 1]; below 0 in the first */
  double median;                        /* nan when there are none */
  double share[DISTRIBUTION_CUTS];      /* of the values at or above each cut; nan: none */
} Distribution;

/** ranks   collective
 *  values  in      [count] this rank's values, no nan; count may be 0
 *  out     out     the same on all ranks. The median is exact: the middle value (the mean of the
 *                  two middle ones of an even number), found by counting, byte by byte, over an
 *                  integer image of the values */
void distribution_of(Team *team, const float *values, int64_t count, Distribution *out);

/** The value of 0-based place `place` in ascending order over all ranks.
 *  ranks   collective
 *  values  in      [count] this rank's values, no nan
 *  place   in      below the sum of the counts */
float distribution_value(Team *team, const float *values, int64_t count, int64_t place);

#endif
