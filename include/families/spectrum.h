#ifndef SPECTRUM_H
#define SPECTRUM_H

#include <stdint.h>

#include "status.h"
#include "team.h"

enum { SPECTRUM_WIDEST = 32000 };

/** Eigenvalues of a covariance by ScaLAPACK's pdsyevd on a block-cyclic grid of the ranks. Shown,
 *  decides nothing: the last digits depend on the number of ranks, so callers print 6 digits.
 *  ranks   collective
 *  width   in      at most SPECTRUM_WIDEST: ScaLAPACK counts its room in int
 *  covariance in   [width, width] symmetric, the same on all ranks
 *  values  out     [width] descending, the same on all ranks
 *  fails   ERR_MEMORY, ERR_NUMERIC (pdsyevd did not converge) */
Status spectrum_of(Team *team, const double *covariance, int64_t width, double *values) MUST_USE;

#endif
