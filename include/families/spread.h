#ifndef SPREAD_H
#define SPREAD_H

#include <stdint.h>

#include "directions.h"
#include "status.h"
#include "team.h"

/** How the alive unit rows of a dictionary lie in space: their mean, then their covariance about it.
 *  Rows may come in panels. Sums over rows are made in fixed point, so the results have the same
 *  bits at any number of ranks, threads and panels. */
typedef struct Spread {
  int64_t latents, width; /* of the dictionary */
  const float *mean;      /* [width] borrowed; NULL: the rows are summed, not their products */
  int64_t alive;          /* rows summed */
  int64_t *sums;          /* fixed point: [width], or [width, width], upper triangle */
} Spread;

/** ranks   local
 *  mean    in      NULL to find the mean; else what spread_mean_of() gave: the covariance about it
 *  fails   ERR_MEMORY (8 width^2 bytes a rank for the covariance) */
Status spread_open(Spread *spread, int64_t latents, int64_t width, const float *mean) MUST_USE;
/** Add the alive rows of a panel or of the whole dictionary.
 *  ranks   local
 *  rows    in      after directions_unit()
 *  fails   ERR_MEMORY */
Status spread_add(Spread *spread, const Directions *rows) MUST_USE;
/** All ranks' sums together; nothing may be added after it.
 *  ranks   collective */
void spread_join(Spread *spread, Team *team);
/** ranks   local */
void spread_clear(Spread *spread);

/** Mean of the alive rows; zero when none is alive.
 *  ranks   local, like those below: after spread_join(), the same on all ranks
 *  mean    out     [width] */
void spread_mean_of(const Spread *spread, float *mean);
/** Effective dimension (tr S)^2 / tr(S^2), S the covariance: the number of dimensions that an
 *  isotropic cloud of the same sharpness would have. 0 when all alive rows are equal (or there are
 *  none). */
double spread_dimension_of(const Spread *spread);
/** The covariance, symmetric; zero when none is alive.
 *  out     out     [width, width] */
void spread_covariance_of(const Spread *spread, double *out);

/** The mean of a dictionary that is whole in memory.
 *  ranks   collective
 *  mean    out     [width], the same on all ranks
 *  fails   ERR_MEMORY */
Status spread_mean(Team *team, const Directions *rows, float *mean) MUST_USE;
/** Its effective dimension.
 *  ranks   collective
 *  mean    in      of spread_mean()
 *  out     out     the same on all ranks
 *  fails   ERR_MEMORY */
Status spread_dimension(Team *team, const Directions *rows, const float *mean,
                        double *out) MUST_USE;

#endif
