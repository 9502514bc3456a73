#ifndef FIXED_H
#define FIXED_H

#include <stdint.h>

/** Sums in 64-bit fixed point: associative, so independent of order and rank count. */

/** A power of two such that values of magnitude <= bound, times it, stay below 2^50: the unit for a
 * sum whose partial sums are all bounded by `bound`. bound <= 0 gives 1. Exact function of bound's
 * exponent alone. ranks   local */
double fixed_scale(double bound);
/** round(value * scale), ties to even. |value * scale| < 2^51.
 *  ranks   local */
int64_t fixed_of(double value, double scale);
double fixed_to(int64_t sum, double scale);
/** sums[j] += round(factor * row[j] * scale) for j in [0, width); vectorised, the same bits on all
 * CPUs. */
void fixed_add_row(int64_t *sums, const float *row, int64_t width, double factor, double scale);

/** The same for four rows. */
void fixed_add_rows4(int64_t *sums, const float *const rows[4], int64_t width,
                     const float factors[4], double scale);

#endif
