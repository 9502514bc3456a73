#include "tally.h"

#include <math.h>
#include <string.h>

#include "memory.h"
#include "random.h"
#include "select.h"

struct Tally {
  int64_t examples, intervals, per_interval;
  SelectKey *top;       /* [examples] */
  SelectKey *drawn;     /* [intervals, per_interval] */
  int64_t *drawn_count; /* [intervals] */
};

double tally_log10(double value) {
  /* value = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)). */
  int exponent;
  double m = frexp(value, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    exponent--;
  }
  const double s = (m - 1) / (m + 1);
  double series = 0;
  for (int i = 14; i >= 0; i--) {
    series = series * s * s + 1.0 / (2 * i + 1);
  }
  const double natural = exponent * 0.69314718055994531 + 2 * s * series;
  return natural * 0.43429448190325183;
}

TallySums tally_sums(const TallyList *list, int64_t rows) {
  TallySums sums = {.log10_density = -INFINITY};
  for (int64_t i = 0; i < list->count; i++) {
    const double value = (double)list->value[i];
    sums.sum += value;
    sums.sum_square += value * value;
    sums.maximum = list->value[i] > sums.maximum ? list->value[i] : sums.maximum;
  }
  if (list->count > 0) {
    sums.log10_density = (float)tally_log10((double)list->count / (double)rows);
  }
  return sums;
}

Status tally_create(Tally **out, int64_t examples, int64_t intervals, int64_t per_interval) {
  Tally *tally = NULL;
  *out = NULL;
  TRY(MEMORY_NEW(&tally, 1, "examples"));
  *tally = (Tally){.examples = examples, .intervals = intervals, .per_interval = per_interval};
  Status status = MEMORY_NEW(&tally->top, examples, "strongest activations");
  if (status == OK) {
    status = MEMORY_NEW(&tally->drawn, intervals * per_interval, "examples of intervals");
  }
  if (status == OK) {
    status = MEMORY_NEW(&tally->drawn_count, intervals, "counts of examples");
  }
  if (status != OK) {
    tally_destroy(&tally);
    return status;
  }
  *out = tally;
  return OK;
}

void tally_destroy(Tally **tally) {
  if (*tally != NULL) {
    MEMORY_FREE((*tally)->top);
    MEMORY_FREE((*tally)->drawn);
    MEMORY_FREE((*tally)->drawn_count);
    MEMORY_FREE(*tally);
  }
}

void tally_top(Tally *tally, const TallyList *list, int64_t *rows) {
  int64_t count = 0;
  for (int64_t i = 0; i < list->count; i++) {
    select_offer(tally->top, &count, tally->examples,
                 select_key(list->value[i], (int64_t)list->row[i]));
  }
  select_sort(tally->top, count);
  for (int64_t i = 0; i < tally->examples; i++) {
    rows[i] = i < count ? select_id(tally->top[i]) : -1;
  }
}

/* 0 is the highest interval; a value on a border belongs to the lower one. */
static int64_t interval_of(const Tally *tally, float value, float maximum) {
  const double place = (double)value / (double)maximum * (double)tally->intervals;
  int64_t index = (int64_t)place;
  index -= (double)index == place && index > 0;
  index = index < tally->intervals ? index : tally->intervals - 1;
  return tally->intervals - 1 - index;
}

/* A random number above, the row below: unique, never 0. */
static SelectKey draw(uint64_t key, uint32_t row) {
  return ((random_bits(key, row) | 0x100000000u) & 0xffffffff00000000u) | row;
}

void tally_intervals(Tally *tally, const TallyList *list, uint64_t key, int64_t *rows) {
  const int64_t per = tally->per_interval;
  const float maximum = tally_sums(list, 1).maximum;
  memset(tally->drawn_count, 0, (size_t)tally->intervals * sizeof(*tally->drawn_count));
  for (int64_t i = 0; i < list->count; i++) {
    const int64_t interval = interval_of(tally, list->value[i], maximum);
    select_offer(tally->drawn + interval * per, &tally->drawn_count[interval], per,
                 draw(key, list->row[i]));
  }
  for (int64_t n = 0; n < tally->intervals; n++) {
    SelectKey *drawn = tally->drawn + n * per;
    select_sort(drawn, tally->drawn_count[n]);
    for (int64_t i = 0; i < per; i++) {
      const bool is_there = i < tally->drawn_count[n];
      rows[n * per + i] = is_there ? (int64_t)(drawn[i] & 0xffffffffu) : -1;
    }
  }
}
