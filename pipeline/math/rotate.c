#include "rotate.h"

#include "lanes.h"
#include "memory.h"
#include "random.h"
#include "threads.h"

enum { BLOCK = 64, ROWS_A_UNIT = 256 };

/* Element i of block b lies at i * blocks + b, so that a step of the transform adds and subtracts
 * long runs. */
static int64_t whole_of(int64_t width) {
  return width / BLOCK * BLOCK;
}

Status rotate_create(Rotate *out, int64_t width, uint64_t key) {
  *out = (Rotate){.width = width};
  TRY(MEMORY_NEW(&out->factor, width, "signs of columns"));
  for (int64_t j = 0; j < width; j++) {
    /* 1/8 = 1/sqrt(BLOCK) makes it orthogonal, without a rounding */
    const float size = j < whole_of(width) ? 0.125F : 1.0F;
    out->factor[j] = random_bits(key, (uint64_t)j) % 2 == 0 ? size : -size;
  }
  return OK;
}

void rotate_clear(Rotate *rotate) {
  MEMORY_FREE(rotate->factor);
  *rotate = (Rotate){0};
}

static void rotate_row(const Rotate *rotate, const float *restrict row, float *restrict out) {
  const int64_t whole = whole_of(rotate->width);
  for (int64_t j = 0; j < rotate->width; j++) {
    out[j] = rotate->factor[j] * row[j];
  }
  for (int64_t run = whole / 2; run >= whole / BLOCK && run > 0; run /= 2) {
    for (int64_t at = 0; at < whole; at += 2 * run) {
      lanes()->butterfly(out + at, out + at + run, run);
    }
  }
}

typedef struct Rotation {
  const Rotate *rotate;
  const float *rows;
  int64_t count;
  float *out;
} Rotation;

static Status rotate_unit(int64_t unit, int thread, void *context) {
  const Rotation *r = context;
  (void)thread;
  const int64_t past = (unit + 1) * ROWS_A_UNIT;
  for (int64_t i = unit * ROWS_A_UNIT; i < past && i < r->count; i++) {
    rotate_row(r->rotate, r->rows + i * r->rotate->width, r->out + i * r->rotate->width);
  }
  return OK;
}

void rotate_rows(const Rotate *rotate, const float *rows, int64_t count, float *out) {
  Rotation rotation = {.rotate = rotate, .rows = rows, .count = count, .out = out};
  const int64_t units = (count + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  if (threads_run(units, rotate_unit, &rotation) != OK) { /* no threads to be had: alone */
    for (int64_t unit = 0; unit < units; unit++) {
      (void)!rotate_unit(unit, 0, &rotation);
    }
  }
}
