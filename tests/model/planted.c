#include "planted.h"

#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "memory.h"
#include "random.h"

void planted_open(Planted *p, int64_t directions, int64_t width, int64_t active, uint64_t key) {
  *p = (Planted){.directions = directions, .width = width, .active = active, .key = key};
  CU_ASSERT_EQUAL(MEMORY_NEW(&p->rows, directions * width, "planted directions"), OK);
  for (int64_t i = 0; i < directions; i++) {
    float *row = p->rows + i * width;
    for (int64_t j = 0; j < width; j++) {
      row[j] = (float)random_normal(key, (uint64_t)(i * width + j));
    }
    const float factor = (float)(1.0 / sqrt(dense_square(row, width)));
    for (int64_t j = 0; j < width; j++) {
      row[j] *= factor;
    }
  }
}

void planted_close(Planted *p) {
  MEMORY_FREE(p->rows);
}

/* 13/12 is the mean square of a coefficient. */
void planted_fill(const Planted *p, int64_t first, int64_t count, float *out) {
  const double scale = sqrt((double)p->width / (double)p->active / (13.0 / 12.0));
  memset(out, 0, (size_t)(count * p->width) * sizeof(*out));
  for (int64_t i = 0; i < count * p->active; i++) {
    const uint64_t at = (uint64_t)(first * p->active + i);
    const int64_t which = random_below(p->key + 1, at, p->directions);
    const double size = scale * (0.5 + random_uniform(p->key + 2, at));
    dense_add(out + i / p->active * p->width, p->rows + which * p->width, p->width, (float)size);
  }
}
