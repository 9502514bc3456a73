#include "rope.h"

#include <stddef.h>

#include "memory.h"
#include "pointwise.h"

/* ln x for x > 0: x = m 2^n with m in [1/sqrt 2, sqrt 2), ln m = 2 artanh((m - 1) / (m + 1)). */
static double logarithm(double x) {
  const double ln_2 = 0.693147180559945309417;
  int n = 0;
  for (; x >= 1.41421356237309505; x *= 0.5) {
    ++n;
  }
  for (; x < 0.70710678118654752; x *= 2.0) {
    --n;
  }
  const double t = (x - 1.0) / (x + 1.0);
  double sum = 0.0, power = t;
  for (int k = 1; k < 40; k += 2, power *= t * t) {
    sum += power / k;
  }
  return 2.0 * sum + n * ln_2;
}

/* e^-x for x >= 0: Taylor's series of a small part of x, squared back up. */
static double decay(double x) {
  int halvings = 0;
  for (; x > 0.25; x *= 0.5) {
    ++halvings;
  }
  double sum = 1.0, term = 1.0;
  for (int k = 1; k < 16; ++k) {
    term *= -x / k;
    sum += term;
  }
  for (; halvings > 0; --halvings) {
    sum *= sum;
  }
  return sum;
}

/* cos x and sin x for |x| <= about 1 (frequencies are never above 1). */
static void small_angle(double x, double *cosine, double *sine) {
  double term = 1.0;
  *cosine = 0.0;
  *sine = 0.0;
  for (int k = 0; k < 24; k += 2) {
    *cosine += term;
    term *= x / (k + 1);
    *sine += term;
    term *= -x / (k + 2);
  }
}

/* Position p's angle by turning p times in double: after 10^6 turns the error is below 10^-9. */
static void fill_pair(Rope *rope, int64_t pair, double frequency) {
  double step_cosine, step_sine, cosine = 1.0, sine = 0.0;
  small_angle(frequency, &step_cosine, &step_sine);
  for (int64_t p = 0; p < rope->positions; ++p) {
    rope->cosine[p * rope->half + pair] = (float)cosine;
    rope->sine[p * rope->half + pair] = (float)sine;
    const double next = cosine * step_cosine - sine * step_sine;
    sine = cosine * step_sine + sine * step_cosine;
    cosine = next;
  }
}

Status rope_init(Rope *rope, int64_t positions, int64_t half, double base, double scale,
                 const float *factors) {
  *rope = (Rope){.positions = positions, .half = half};
  TRY(MEMORY_NEW(&rope->cosine, 2 * positions * half, "angles of the positions"));
  rope->sine = rope->cosine + positions * half;
  const double step = logarithm(base) / (double)half;
  for (int64_t pair = 0; pair < half; ++pair) {
    const double factor = factors == NULL ? 1.0 : (double)factors[pair];
    fill_pair(rope, pair, decay((double)pair * step) * scale / factor);
  }
  return OK;
}

void rope_clear(Rope *rope) {
  MEMORY_FREE(rope->cosine);
  *rope = (Rope){0};
}

void rope_apply(const Rope *rope, int64_t position, float *row, int64_t heads, int64_t head) {
  const int64_t at = position * rope->half;
  for (int64_t h = 0; h < heads; ++h) {
    pointwise_rotate(row + h * head, rope->cosine + at, rope->sine + at, rope->half);
  }
}
