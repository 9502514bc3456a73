#include "grid.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "lanes.h"
#include "memory.h"
#include "threads.h"

/* Products of COLUMNS integers of at most GRID_MOST sum to less than 2^24: float32 is exact. */
enum { COLUMNS = 4096, ROWS_A_UNIT = 64 };
_Static_assert((int)GRID_MOST <= (int)LOWP_EVEN_GRID, "the same picks on every CPU");

static Status make_floats(Grid *grid) {
  TRY(MEMORY_NEW(&grid->left_rows, grid->rows_most * grid->width, "rows on a grid"));
  TRY(MEMORY_NEW(&grid->right_rows, grid->latents_most * grid->width, "latents on a grid"));
  TRY(MEMORY_NEW(&grid->left_step, grid->rows_most, "steps of a grid"));
  TRY(MEMORY_NEW(&grid->right_step, grid->latents_most, "steps of a grid"));
  TRY(MEMORY_NEW(&grid->left_norm, grid->rows_most, "norms on a grid"));
  return MEMORY_NEW(&grid->right_norm, grid->latents_most, "norms on a grid");
}

static Status make_bytes(Grid *grid) {
  TRY(lowp_create(&grid->left, NULL, grid->rows_most, grid->width, true));
  TRY(lowp_create(&grid->right, NULL, grid->latents_most, grid->width, false));
  grid->left.grid = grid->right.grid = GRID_MOST;
  grid->left_step = grid->left.scale;
  grid->left_norm = grid->left.norm;
  grid->right_step = grid->right.scale;
  grid->right_norm = grid->right.norm;
  return OK;
}

Status grid_create(Grid *grid, int64_t width, int64_t rows_most, int64_t latents_most) {
  *grid = (Grid){.width = width, .rows_most = rows_most, .latents_most = latents_most};
  grid->is_lowp = lowp_is_open() && width <= LOWP_WIDEST;
  const Status status = grid->is_lowp ? make_bytes(grid) : make_floats(grid);
  if (status != OK) {
    grid_clear(grid);
  }
  return status;
}

void grid_clear(Grid *grid) {
  if (grid->is_lowp) {
    lowp_clear(&grid->left);
    lowp_clear(&grid->right);
  } else {
    MEMORY_FREE(grid->left_step);
    MEMORY_FREE(grid->right_step);
    MEMORY_FREE(grid->left_norm);
    MEMORY_FREE(grid->right_norm);
  }
  MEMORY_FREE(grid->left_rows);
  MEMORY_FREE(grid->right_rows);
  *grid = (Grid){0};
}

/* Columns [0, width) are kept a block of COLUMNS at a time, [count, columns] each, so that the BLAS
 * sees dense rows. */
static float *block_at(float *rows, int64_t count, int64_t column) {
  return rows + count * column;
}

static int64_t columns_at(const Grid *grid, int64_t column) {
  return grid->width - column < COLUMNS ? grid->width - column : COLUMNS;
}

typedef struct Setting {
  const Grid *grid;
  const float *from;
  int64_t count;
  float *to, *step, *norm;
} Setting;

/* As lowp.c does it. Adding 1.5 * 2^23 rounds to an integer. */
static void set_row(const Setting *setting, int64_t at) {
  const Grid *grid = setting->grid;
  const float magic = 12582912.0F;
  const float *row = setting->from + at * grid->width;
  const float most = lanes()->largest(row, grid->width);
  const bool is_kept = most >= 0x1p-60F && most <= 0x1p50F;
  const float inverse = is_kept ? (float)GRID_MOST / most : 0.0F;
  double square = 0.0;
  for (int64_t column = 0; column < grid->width; column += COLUMNS) {
    const int64_t columns = columns_at(grid, column);
    float *to = block_at(setting->to, setting->count, column) + at * columns;
    for (int64_t j = 0; j < columns; j++) {
      to[j] = (row[column + j] * inverse + magic) - magic;
      square += (double)to[j] * (double)to[j];
    }
  }
  setting->step[at] = is_kept ? most / (float)GRID_MOST : 0.0F;
  setting->norm[at] =
      nextafterf((float)((double)setting->step[at] * sqrt(square) * (1 + 0x1p-20)), INFINITY);
}

static Status set_unit(int64_t unit, int thread, void *context) {
  const Setting *setting = context;
  (void)thread;
  for (int64_t at = unit * ROWS_A_UNIT; at < (unit + 1) * ROWS_A_UNIT && at < setting->count;
       at++) {
    set_row(setting, at);
  }
  return OK;
}

static Status set(const Setting *setting) {
  return threads_run((setting->count + ROWS_A_UNIT - 1) / ROWS_A_UNIT, set_unit, (void *)setting);
}

static Status fill(Lowp *lowp, const float *rows, int64_t count, bool is_left) {
  lowp->count = count;
  lowp_fill(lowp, rows, is_left);
  return OK;
}

Status grid_set_rows(Grid *grid, const float *rows, int64_t count) {
  grid->rows = count;
  return grid->is_lowp ? fill(&grid->left, rows, count, true)
                       : set(&(Setting){grid, rows, count, grid->left_rows, grid->left_step,
                                        grid->left_norm});
}

Status grid_set_latents(Grid *grid, const float *rows, int64_t count) {
  grid->latents = count;
  return grid->is_lowp ? fill(&grid->right, rows, count, false)
                       : set(&(Setting){grid, rows, count, grid->right_rows, grid->right_step,
                                        grid->right_norm});
}

Status grid_multiply(const Grid *grid, int64_t first, int64_t count, float *room, int32_t *out) {
  const int64_t latents = grid->latents;
  if (grid->is_lowp) {
    return lowp_gemm(&grid->left, first, count, &grid->right, 0, latents, out);
  }
  memset(out, 0, (size_t)(count * latents) * sizeof(*out));
  for (int64_t column = 0; column < grid->width; column += COLUMNS) {
    const int64_t columns = columns_at(grid, column);
    dense_gemm(block_at(grid->left_rows, grid->rows, column) + first * columns, count,
               block_at(grid->right_rows, latents, column), latents, columns, room);
    for (int64_t i = 0; i < count * latents; i++) {
      out[i] += (int32_t)room[i];
    }
  }
  return OK;
}
