#include "pointwise.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "exponential.h"
#include "logarithm.h"

/* One source, compiled for three kinds of CPU and chosen at load time. Without fma and without
 * reordered sums all three give the same bits. */
#if defined(__x86_64__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define CLONES
#endif

enum { LANES = 16 };

/* e^-|x|, and e^-64 where that is less: nothing here ever becomes subnormal, which would cost a
 * hundred cycles an entry. The bound is taken on the bits, as integers: GCC makes a branch of a
 * float comparison with a constant and then computes both ways for all.
 * 2^n e^r with |r| <= ln 2 / 2: adding 1.5 * 2^23 rounds to the nearest integer, which then stands
 * in the low bits. The polynomial is Cephes' (public domain): below 2 units in the last place. */
static inline __attribute__((always_inline)) float decay(float x) {
  const float shift = 12582912.0f;
  const uint32_t bits_of_64 = 0x42800000u;
  uint32_t bits, power;
  memcpy(&bits, &x, sizeof bits);
  bits &= 0x7fffffffu;
  bits = bits < bits_of_64 ? bits : bits_of_64;
  bits |= 0x80000000u;
  memcpy(&x, &bits, sizeof x);
  const float shifted = x * 1.44269504f + shift;
  const float n = shifted - shift;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  memcpy(&power, &shifted, sizeof power);
  memcpy(&bits, &p, sizeof bits);
  bits += power << 23; /* the exponent field takes n; the rest of `power` is shifted out */
  memcpy(&p, &bits, sizeof p);
  return p;
}

/* 1 / (1 + e^-x) from e^-|x|. */
static inline __attribute__((always_inline)) float logistic(float x) {
  const float e = decay(x);
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

CLONES static float largest_of(const float *values, int64_t count) {
  float lanes[LANES];
  int64_t i = 0;
  for (int lane = 0; lane < LANES; ++lane) {
    lanes[lane] = values[0];
  }
  for (; i + LANES <= count; i += LANES) {
    for (int lane = 0; lane < LANES; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  for (; i < count; ++i) {
    lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
  }
  for (int lane = 1; lane < LANES; ++lane) {
    lanes[0] = lanes[lane] > lanes[0] ? lanes[lane] : lanes[0];
  }
  return lanes[0];
}

CLONES static void exponentials(float *values, int64_t count, float largest) {
  for (int64_t i = 0; i < count; ++i) {
    values[i] = decay(values[i] - largest);
  }
}

CLONES static float sum_of(const float *values, int64_t count) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    for (int lane = 0; lane < LANES; ++lane) {
      lanes[lane] += values[i + lane];
    }
  }
  for (int lane = 0; i < count; ++i, ++lane) {
    lanes[lane] += values[i];
  }
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) {
      lanes[lane] += lanes[lane + half];
    }
  }
  return lanes[0];
}

CLONES static void scale(float *values, int64_t count, float factor) {
  for (int64_t i = 0; i < count; ++i) {
    values[i] *= factor;
  }
}

void pointwise_softmax(float *values, int64_t count) {
  if (count == 0) {
    return;
  }
  exponentials(values, count, largest_of(values, count));
  scale(values, count, 1.0f / sum_of(values, count));
}

void pointwise_mass_add(PointwiseMass *mass, float *logits, int64_t count) {
  if (count == 0) {
    return;
  }
  const float own = largest_of(logits, count);
  if (mass->sum == 0) {
    mass->largest = (double)own;
  }
  const double largest = mass->largest > (double)own ? mass->largest : (double)own;
  exponentials(logits, count, (float)largest);
  mass->sum = mass->sum * exponential(mass->largest - largest) + (double)sum_of(logits, count);
  mass->largest = largest;
}

double pointwise_mass_log(const PointwiseMass *mass) {
  return logarithm(mass->sum) + mass->largest;
}

double pointwise_surprise(float *logits, int64_t count, int64_t chosen) {
  PointwiseMass mass = {0};
  const float own = logits[chosen];
  pointwise_mass_add(&mass, logits, count);
  return pointwise_mass_log(&mass) - (double)own;
}

int64_t pointwise_likeliest(const float *logits, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; ++i) {
    best = logits[i] > logits[best] ? i : best;
  }
  return best;
}

CLONES void pointwise_silu(float *restrict gate, const float *restrict up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    gate[i] = gate[i] * logistic(gate[i]) * up[i];
  }
}

/* 0.5 (1 + tanh u) is the logistic function of 2 u. */
CLONES void pointwise_gelu(float *restrict gate, const float *restrict up, int64_t count) {
  const float twice_root = 1.5957691216f; /* 2 sqrt(2 / pi) */
  for (int64_t i = 0; i < count; ++i) {
    const float x = gate[i];
    const float u = twice_root * (x + 0.044715f * x * x * x);
    gate[i] = x * logistic(u) * up[i];
  }
}

CLONES static void scale_by_weight(const float *x, const float *weight, int64_t width, float factor,
                                   float *out) {
  for (int64_t i = 0; i < width; ++i) {
    out[i] = x[i] * factor * weight[i];
  }
}

void pointwise_norm(const float *x, const float *weight, int64_t width, float epsilon, float *out) {
  const double mean = dense_square(x, width) / (double)width;
  scale_by_weight(x, weight, width, (float)(1.0 / sqrt(mean + (double)epsilon)), out);
}

CLONES void pointwise_add(float *restrict y, const float *restrict x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] += x[i];
  }
}

CLONES void pointwise_rotate(float *restrict x, const float *restrict cosine,
                             const float *restrict sine, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cosine[i] - b * sine[i];
    x[i + half] = a * sine[i] + b * cosine[i];
  }
}
