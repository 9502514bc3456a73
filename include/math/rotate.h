#ifndef ROTATE_H
#define ROTATE_H

#include <stdint.h>

#include "status.h"

/** An orthogonal map that spreads outlier coordinates, so that rows keep more in 8 bits: keyed signs,
 *  then Hadamard transforms of blocks of 64 columns, which lie width / 64 apart (the last columns,
 *  which make no block, are left as they are). Dot products stay what they were up to rounding: see
 *  screen_tile.c for the bound, which allows for it on both sides.
 *  ranks   all local */
typedef struct Rotate {
  int64_t width;
  float *factor; /* [width] the sign, times the transform's 1/8 */
} Rotate;

Status rotate_create(Rotate *out, int64_t width, uint64_t key) MUST_USE;
void rotate_clear(Rotate *rotate);
/** out = rotated rows [count, width], by all threads; out and rows do not overlap. */
void rotate_rows(const Rotate *rotate, const float *rows, int64_t count, float *out);

#endif
