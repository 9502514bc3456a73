#include <math.h>

#include "codes.h"
#include "memory.h"
#include "select.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

typedef struct Ordering {
  const char *place;
  int64_t first, rows, latents, longest;
  const int64_t *start;
  uint32_t *id;
  float *value;
  SelectKey *keys; /* [threads, longest] */
} Ordering;

static Status check_entry(const Ordering *o, int64_t row, int64_t at) {
  if (o->id[at] >= o->latents) {
    return RAISE(ERR_DATA, "%s: row %lld: latent %u of %lld", o->place, (long long)(o->first + row),
                 o->id[at], (long long)o->latents);
  }
  if (!isfinite(o->value[at]) || o->value[at] <= 0) {
    return RAISE(ERR_DATA, "%s: row %lld: latent %u has value %g: values are finite and above 0",
                 o->place, (long long)(o->first + row), o->id[at], (double)o->value[at]);
  }
  return OK;
}

/* Equal ids stand next to each other once the keys are the ids. */
static Status check_twice(const Ordering *o, int64_t row, SelectKey *keys, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    keys[i] = (SelectKey)o->id[o->start[row] + i] + 1;
  }
  select_sort(keys, count);
  for (int64_t i = 1; i < count; i++) {
    if (keys[i] == keys[i - 1]) {
      return RAISE(ERR_DATA, "%s: row %lld: latent %lld stands there twice", o->place,
                   (long long)(o->first + row), (long long)keys[i] - 1);
    }
  }
  return OK;
}

static Status order_row(const Ordering *o, int64_t row, SelectKey *keys) {
  const int64_t start = o->start[row];
  const int64_t count = o->start[row + 1] - start;
  for (int64_t i = 0; i < count; i++) {
    TRY(check_entry(o, row, start + i));
  }
  TRY(check_twice(o, row, keys, count));
  for (int64_t i = 0; i < count; i++) {
    keys[i] = select_key(o->value[start + i], o->id[start + i]);
  }
  select_sort(keys, count);
  for (int64_t i = 0; i < count; i++) {
    o->id[start + i] = (uint32_t)select_id(keys[i]);
    o->value[start + i] = select_score(keys[i]);
  }
  return OK;
}

static Status order_unit(int64_t unit, int thread, void *context) {
  const Ordering *o = context;
  const int64_t first = unit * ROWS_A_UNIT;
  for (int64_t row = first; row < first + ROWS_A_UNIT && row < o->rows; row++) {
    TRY(order_row(o, row, o->keys + thread * o->longest));
  }
  return OK;
}

Status codes_order(const char *place, int64_t first, int64_t rows, const int64_t *start,
                   int64_t latents, uint32_t *id, float *value) {
  Ordering ordering = {.place = place,
                       .first = first,
                       .rows = rows,
                       .latents = latents,
                       .start = start,
                       .id = id,
                       .value = value};
  for (int64_t row = 0; row < rows; row++) {
    const int64_t count = start[row + 1] - start[row];
    ordering.longest = count > ordering.longest ? count : ordering.longest;
  }
  TRY(MEMORY_NEW(&ordering.keys, threads_count() * ordering.longest, "codes of a row"));
  const Status status = threads_run((rows + ROWS_A_UNIT - 1) / ROWS_A_UNIT, order_unit, &ordering);
  MEMORY_FREE(ordering.keys);
  return status;
}
