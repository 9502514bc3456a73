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

/** Many rows into the same sums, taken four at a time: the sums are loaded and stored once for all
 * four. Start with {.sums, .width, .scale}; the sums hold all rows after fixed_flush. ranks   local */
typedef struct FixedRows {
  int64_t *sums; /* [width] */
  int64_t width;
  double scale;
  int count;            /* that wait */
  const float *rows[4]; /* borrowed until fixed_flush */
  float factors[4];
} FixedRows;
void fixed_push(FixedRows *waiting, const float *row, float factor);
void fixed_flush(FixedRows *waiting);

#endif
