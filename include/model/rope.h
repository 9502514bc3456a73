#ifndef ROPE_H
#define ROPE_H

#include <stdint.h>

#include "status.h"

/** Rotary position embedding: the angles of all positions, and their application to queries and
 *  keys. Pairs are (x[i], x[i + half]); weights stored for adjacent pairs are reordered when they
 *  are loaded. ranks: all local. */
typedef struct Rope {
  float *cosine, *sine; /* [positions, half] */
  int64_t positions, half;
} Rope;

/** Angles of pair i at position p: p * scale / factors[i] * base^(-i / half). No libm: the same
 *  bits on every CPU.
 *  base     in      > 1
 *  factors  in      [half] divisors, or NULL
 *  fails    ERR_MEMORY */
Status rope_init(Rope *rope, int64_t positions, int64_t half, double base, double scale,
                 const float *factors) MUST_USE;
void rope_clear(Rope *rope);

/** Rotate the first 2 * half entries of each of `heads` heads of one row at `position`. */
void rope_apply(const Rope *rope, int64_t position, float *row, int64_t heads, int64_t head);

#endif
