#include "fixed.h"

#include <math.h>

#include "lanes.h"

/* 2^50 leaves room for 2^13 times the bound before 64 bits overflow, and rounding stays within the
 * 2^51 that the magic addition can do. The exponent is kept in a range in which scale and 1 / scale
 * are normal numbers. */
double fixed_scale(double bound) {
  int exponent = 0;
  if (!(bound > 0.0) || isinf(bound)) {
    return 1.0;
  }
  (void)frexp(bound, &exponent);
  exponent = exponent < -900 ? -900 : exponent;
  return ldexp(1.0, 50 - exponent);
}

int64_t fixed_of(double value, double scale) {
  const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
  union {
    double value;
    int64_t bits;
  } rounded = {.value = value * scale + magic};
  return rounded.bits - 0x4338000000000000;
}

double fixed_to(int64_t sum, double scale) {
  return (double)sum / scale;
}

void fixed_add_row(int64_t *sums, const float *row, int64_t width, double factor, double scale) {
  lanes()->fixed_add(sums, row, width, factor * scale);
}

void fixed_add_rows4(int64_t *sums, const float *const rows[4], int64_t width,
                     const float factors[4], double scale) {
  double scaled[4];
  for (int i = 0; i < 4; i++) {
    scaled[i] = (double)factors[i] * scale;
  }
  lanes()->fixed_add4(sums, rows, width, scaled);
}
