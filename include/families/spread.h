#ifndef SPREAD_H
#define SPREAD_H

#include "directions.h"
#include "status.h"
#include "team.h"

/** How the alive unit rows of a dictionary lie in space. Sums over rows are made in fixed point,
 *  so the results have the same bits at any number of ranks and threads. */

/** Mean of the alive rows; zero when none is alive.
 *  ranks   collective
 *  rows    in      after directions_unit()
 *  mean    out     [width], the same on all ranks
 *  fails   ERR_MEMORY */
Status spread_mean(Team *team, const Directions *rows, float *mean) MUST_USE;

/** Effective dimension (tr S)^2 / tr(S^2) of the alive rows, S their covariance: the number of
 *  dimensions that an isotropic cloud of the same sharpness would have. 0 when all alive rows
 *  are equal (or there are none).
 *  ranks   collective
 *  rows    in      after directions_unit()
 *  mean    in      of spread_mean()
 *  out     out     the same on all ranks
 *  fails   ERR_MEMORY (8 width^2 bytes a rank) */
Status spread_dimension(Team *team, const Directions *rows, const float *mean,
                        double *out) MUST_USE;

#endif
