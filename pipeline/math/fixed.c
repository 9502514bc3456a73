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

static void add_four(const FixedRows *waiting) {
  double scaled[4];
  for (int i = 0; i < 4; i++) {
    scaled[i] = (double)waiting->factors[i] * waiting->scale;
  }
  lanes()->fixed_add4(waiting->sums, (const float *const *)waiting->rows, waiting->width, scaled);
}

void fixed_push(FixedRows *waiting, const float *row, float factor) {
  waiting->rows[waiting->count] = row;
  waiting->factors[waiting->count++] = factor;
  if (waiting->count == 4) {
    add_four(waiting);
    waiting->count = 0;
  }
}

void fixed_flush(FixedRows *waiting) {
  for (int i = 0; i < waiting->count; i++) {
    fixed_add_row(waiting->sums, waiting->rows[i], waiting->width, (double)waiting->factors[i],
                  waiting->scale);
  }
  waiting->count = 0;
}
