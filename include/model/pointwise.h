#ifndef POINTWISE_H
#define POINTWISE_H

#include <stdint.h>

/** The transformer's maths between the matrix products, on float32. Own polynomials, fixed lanes,
 *  no fma: the same bits on every CPU. ranks: all local. */

/** In place: e^(v - max) / sum. Entries more than 64 below the maximum come out as those 64 below
 *  (1e-28), never as subnormal. */
void pointwise_softmax(float *values, int64_t count);

/** log of the sum of e^logit in nats, to about 1e-6, of logits that come piece by piece, which are
 *  used up; all zero before the first. The pieces decide the last bits. */
typedef struct PointwiseMass {
  double largest, sum; /* of e^(logit - largest) */
} PointwiseMass;
void pointwise_mass_add(PointwiseMass *mass, float *logits, int64_t count);
double pointwise_mass_log(const PointwiseMass *mass);

/** -log softmax(logits)[chosen] in nats, to about 1e-6; `logits` are used up.
 *  chosen  in      below count */
double pointwise_surprise(float *logits, int64_t count, int64_t chosen);

/** Index of the largest value, the lowest of equal ones; count > 0. */
int64_t pointwise_likeliest(const float *logits, int64_t count);

/** gate = silu(gate) * up, and gate = gelu(gate) * up with the tanh form of gelu. Relative error
 *  below 1e-6. */
void pointwise_silu(float *gate, const float *up, int64_t count);
void pointwise_gelu(float *gate, const float *up, int64_t count);

/** out = x / sqrt(mean of x^2 + epsilon) * weight; out may be x.
 *  x, weight, out   [width] */
void pointwise_norm(const float *x, const float *weight, int64_t width, float epsilon, float *out);

/** y += x. */
void pointwise_add(float *y, const float *x, int64_t count);

/** Rotate pairs (x[i], x[i + half]) by the angles with these cosines and sines: [half] each. */
void pointwise_rotate(float *x, const float *cosine, const float *sine, int64_t half);

#endif
