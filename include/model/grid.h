#ifndef GRID_H
#define GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "lowp.h"
#include "status.h"

/** Products of rows with latents, both rounded to integers of at most GRID_MOST in magnitude times a step a row. The
 *  integers, the steps and the products are the same on every CPU: 8-bit products where this one has them (lowp.h),
 *  float32 ones of blocks whose sums stay below 2^24 elsewhere. ranks: all local. */
enum { GRID_MOST = 63 };

typedef struct Grid {
  int64_t width, rows_most, latents_most;
  int64_t rows, latents; /* set last */
  bool is_lowp;
  Lowp left, right;              /* where is_lowp */
  float *left_rows, *right_rows; /* elsewhere, in blocks of columns */
  float *left_step, *right_step; /* of rows, of latents */
  float *left_norm, *right_norm; /* of step times integers, rounded up */
} Grid;

/** fails   ERR_MEMORY; grid_clear() is safe after it */
Status grid_create(Grid *grid, int64_t width, int64_t rows_most, int64_t latents_most) MUST_USE;
void grid_clear(Grid *grid);

/** Put rows [count, width] on the grid: as rows, or as latents. By all threads.
 *  needs   count at most what grid_create() was told
 *  fails   ERR_MEMORY */
Status grid_set_rows(Grid *grid, const float *rows, int64_t count) MUST_USE;
Status grid_set_latents(Grid *grid, const float *rows, int64_t count) MUST_USE;

/** Exact integer products of rows [first, first + count) with all latents; the real ones are about
 *  left_step * right_step times them.
 *  room    out     [count, latents] scratch, of float32 products
 *  out     out     [count, latents]
 *  fails   ERR_MEMORY */
Status grid_multiply(const Grid *grid, int64_t first, int64_t count, float *room,
                     int32_t *out) MUST_USE;

#endif
