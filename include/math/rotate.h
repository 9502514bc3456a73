#ifndef ROTATE_H
#define ROTATE_H

#include <stdint.h>

#include "status.h"

/** An orthogonal map that spreads outlier coordinates, so that rows keep more in 8 bits: keyed signs,
 *  a keyed permutation, then Hadamard transforms of blocks of 64 (the last, incomplete block is left
 *  as it is). Dot products stay what they were up to rounding: see screen_tile.c for the
 *  bound, which allows for it on both sides.
 *  ranks   all local */
typedef struct Rotate {
  int64_t width;
  uint32_t *from; /* [width] */
  float *sign;    /* [width] 1 or -1 */
} Rotate;

Status rotate_create(Rotate *out, int64_t width, uint64_t key) MUST_USE;
void rotate_clear(Rotate *rotate);
/** out = rotated rows [count, width], by all threads; out and rows do not overlap. */
void rotate_rows(const Rotate *rotate, const float *rows, int64_t count, float *out);

#endif
