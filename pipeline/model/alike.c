#include "alike.h"

#include <string.h>

#include "dense.h"
#include "lanes.h"
#include "threads.h"

enum { SLICE = 64 };

typedef struct Slices {
  int64_t count;
  AlikeSlice run;
  void *context;
} Slices;

static Status run_slice(int64_t unit, int thread, void *context) {
  const Slices *slices = context;
  const int64_t first = unit * SLICE, left = slices->count - first;
  (void)thread;
  slices->run(slices->context, first, left < SLICE ? left : SLICE);
  return OK;
}

Status alike_start(int64_t count, AlikeSlice run, void *context) {
  Slices slices = {count, run, context};
  TRY(threads_start());
  return threads_run((count + SLICE - 1) / SLICE, run_slice, &slices);
}

void alike_run(int64_t count, AlikeSlice run, void *context) {
  const Status status = alike_start(count, run, context);
  ASSERT(status == OK);
}

typedef struct Matrix {
  const float *rows; /* [count, width] */
  int64_t count, width;
  double *squares;       /* [count] */
  double *sums, *square; /* [width] of the columns */
  float *sum;            /* [width] */
  float factor;
} Matrix;

static void square_rows(void *context, int64_t first, int64_t count) {
  const Matrix *m = context;
  for (int64_t i = first; i < first + count; i++) {
    m->squares[i] = dense_square(m->rows + i * m->width, m->width);
  }
}

void alike_squares(const float *rows, int64_t count, int64_t width, double *squares) {
  Matrix m = {.rows = rows, .count = count, .width = width, .squares = squares};
  alike_run(count, square_rows, &m);
}

static void add_moments(void *context, int64_t first, int64_t count) {
  const Matrix *m = context;
  for (int64_t i = 0; i < m->count; i++) {
    lanes()->moments(m->sums + first, m->square + first, m->rows + i * m->width + first, count);
  }
}

static double spread_of(const Matrix *m) {
  double spread = 0.0;
  for (int64_t j = 0; j < m->width && m->count > 0; j++) {
    spread += m->square[j] - m->sums[j] * m->sums[j] / (double)m->count;
  }
  return spread > 0.0 ? spread : 0.0;
}

double alike_spread(const float *rows, int64_t count, int64_t width, double *room) {
  Matrix m = {.rows = rows, .count = count, .width = width, .sums = room, .square = room + width};
  memset(room, 0, (size_t)(2 * width) * sizeof(*room));
  alike_run(width, add_moments, &m);
  return spread_of(&m);
}

static void add_columns(void *context, int64_t first, int64_t count) {
  const Matrix *m = context;
  for (int64_t i = 0; i < m->count; i++) {
    dense_add(m->sum + first, m->rows + i * m->width + first, count, m->factor);
  }
}

void alike_add(float *sum, const float *rows, int64_t count, int64_t width, float factor) {
  Matrix m = {.rows = rows, .count = count, .width = width, .sum = sum, .factor = factor};
  alike_run(width, add_columns, &m);
}
