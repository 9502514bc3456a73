#include "contrast.h"

#include <math.h>
#include <stdlib.h>

int contrast_side(const ContrastTexts *texts, const ContrastSides *sides, int64_t text) {
  const uint32_t bit = (uint32_t)1 << texts->set[text];
  if (sides->half != CONTRAST_BOTH && texts->half[text] != sides->half) {
    return -1;
  }
  return (sides->positive & bit) != 0 ? 0 : ((sides->negative & bit) != 0 ? 1 : -1);
}

void contrast_count(const ContrastTexts *texts, const ContrastSides *sides, int64_t out[2]) {
  out[0] = out[1] = 0;
  for (int64_t t = 0; t < texts->count; ++t) {
    const int side = contrast_side(texts, sides, t);
    if (side >= 0) {
      ++out[side];
    }
  }
}

/* Strongest first; ties by text, so that sums have one order. */
static int compare_entries(const void *left, const void *right) {
  const ContrastEntry *a = left, *b = right;
  if (a->value != b->value) {
    return a->value > b->value ? -1 : 1;
  }
  return (a->text > b->text) - (a->text < b->text);
}

/* Twice the pairs that are in the right order, ties as one. */
static double twice_right(const ContrastTexts *texts, const ContrastSides *sides,
                          const ContrastEntry *entries, int64_t count, ContrastScore *out) {
  double right = 0;
  int64_t above[2] = {0, 0}; /* texts of larger values */
  for (int64_t first = 0, past = 0; first < count; first = past) {
    int64_t equal[2] = {0, 0};
    for (; past < count && entries[past].value == entries[first].value; ++past) {
      const int side = contrast_side(texts, sides, entries[past].text);
      if (side >= 0) {
        ++equal[side];
        out->mean[side] += (double)entries[past].value;
      }
    }
    right += (double)equal[1] * (2.0 * (double)above[0] + (double)equal[0]);
    above[0] += equal[0];
    above[1] += equal[1];
  }
  out->fired[0] = above[0];
  out->fired[1] = above[1];
  const int64_t silent[2] = {out->texts[0] - above[0], out->texts[1] - above[1]};
  return right + (double)silent[1] * (2.0 * (double)above[0] + (double)silent[0]);
}

/* Hanley and McNeil's variance of the area if it were `a`, as Newcombe simplifies it. */
static double variance_of(double a, double p, double n) {
  const double half = (p + n) / 2 - 1;
  return a * (1 - a) * (1 + half * ((1 - a) / (2 - a) + a / (1 + a))) / (p * n);
}

/* Between the area and `end` (0 or 1), where the area lies just 1.96 deviations away. Taking the deviation there and
 * not at the area itself is what keeps the interval of a perfect area from being a point. */
static double bound_towards(const ContrastScore *score, double end) {
  double inner = score->area, outer = end;
  for (int step = 0; step < 60; ++step) {
    const double middle = (inner + outer) / 2, away = score->area - middle;
    const double variance = variance_of(middle, (double)score->texts[0], (double)score->texts[1]);
    const bool is_inside = away * away <= 1.96 * 1.96 * variance;
    inner = is_inside ? middle : inner;
    outer = is_inside ? outer : middle;
  }
  return inner;
}

void contrast_score(const ContrastTexts *texts, const ContrastSides *sides, ContrastEntry *entries,
                    int64_t count, ContrastScore *out) {
  *out = (ContrastScore){.area = NAN, .low = NAN, .high = NAN};
  contrast_count(texts, sides, out->texts);
  if (count > 0) {
    qsort(entries, (size_t)count, sizeof(*entries), compare_entries);
  }
  const double right = twice_right(texts, sides, entries, count, out);
  for (int side = 0; side < 2; ++side) {
    out->mean[side] /= out->texts[side] > 0 ? (double)out->texts[side] : 1;
  }
  if (out->texts[0] > 0 && out->texts[1] > 0) {
    out->area = right / (2.0 * (double)out->texts[0] * (double)out->texts[1]);
    out->low = bound_towards(out, 0);
    out->high = bound_towards(out, 1);
  }
}
