#include <math.h>

#include "check.h"
#include "contrast.h"
#include "random.h"

enum { TEXTS = 60 };

static uint8_t g_set[TEXTS], g_half[TEXTS];
static float g_value[TEXTS];
static const ContrastTexts ALL = {TEXTS, g_set, g_half};

/* Three sets; coarse values, so that there are ties, and silent texts. */
static int64_t draw(uint64_t salt, ContrastEntry *entries) {
  int64_t count = 0;
  for (uint64_t t = 0; t < TEXTS; ++t) {
    g_set[t] = (uint8_t)(t % 3);
    g_half[t] = t % 2 == 1;
    const double chance = random_uniform(salt, t) + (t % 3 == 0 ? 0.2 : 0);
    g_value[t] = chance > 0.5 ? (float)(floor(chance * 10) / 10) : 0;
    if (g_value[t] > 0) {
      entries[count++] = (ContrastEntry){(uint32_t)t, g_value[t]};
    }
  }
  return count;
}

static bool is_on(uint32_t sets, int half, int64_t t) {
  return (sets >> g_set[t] & 1) != 0 && (half == CONTRAST_BOTH || g_half[t] == half);
}

static void compare(const ContrastSides *sides, const ContrastScore *score) {
  double right = 0, pairs = 0, mean = 0;
  int64_t fired = 0, texts = 0;
  for (int64_t p = 0; p < TEXTS; ++p) {
    for (int64_t n = 0; n < TEXTS; ++n) {
      if (is_on(sides->positive, sides->half, p) && is_on(sides->negative, sides->half, n)) {
        right += g_value[p] > g_value[n] ? 1 : (g_value[p] == g_value[n] ? 0.5 : 0);
        pairs += 1;
      }
    }
    if (is_on(sides->positive, sides->half, p)) {
      ++texts;
      fired += g_value[p] > 0;
      mean += (double)g_value[p];
    }
  }
  CU_ASSERT_DOUBLE_EQUAL(score->area, right / pairs, 1e-12);
  CU_ASSERT(score->texts[0] == texts && score->fired[0] == fired);
  CU_ASSERT_DOUBLE_EQUAL(score->mean[0], mean / (double)texts, 1e-12);
  CU_ASSERT(score->low <= score->area && score->area <= score->high);
}

static void test_the_area_is_that_of_all_pairs(void) {
  const ContrastSides sides[] = {
      {1, 2, CONTRAST_BOTH}, {1, 6, CONTRAST_BOTH}, {3, 4, 0}, {1, 2, 1}, {4, 1, 1}};
  ContrastEntry entries[TEXTS];
  ContrastScore score;
  for (uint64_t salt = 0; salt < 20; ++salt) {
    const int64_t count = draw(salt, entries);
    for (int i = 0; i < 5; ++i) {
      contrast_score(&ALL, &sides[i], entries, count, &score);
      compare(&sides[i], &score);
    }
  }
}

static void test_perfect_useless_and_empty(void) {
  ContrastEntry entries[TEXTS];
  ContrastScore score;
  int64_t count = 0;
  (void)draw(1, entries);
  for (uint32_t t = 0; t < TEXTS; t += 3) {
    entries[count++] = (ContrastEntry){t, 1 + (float)t};
  }
  contrast_score(&ALL, &(ContrastSides){1, 6, CONTRAST_BOTH}, entries, count, &score);
  CU_ASSERT(score.area == 1 && score.high == 1 && score.low > 0.8 && score.low < 0.95 &&
            score.fired[1] == 0 && score.mean[1] == 0);
  contrast_score(&ALL, &(ContrastSides){2, 4, CONTRAST_BOTH}, entries, count, &score);
  CU_ASSERT(score.area == 0.5); /* silent on both sides */
  contrast_score(&ALL, &(ContrastSides){6, 1, CONTRAST_BOTH}, entries, count, &score);
  CU_ASSERT(score.area == 0);
  contrast_score(&ALL, &(ContrastSides){1, 8, CONTRAST_BOTH}, NULL, 0, &score);
  CU_ASSERT(isnan(score.area) && isnan(score.low) && score.texts[1] == 0);
}

/* 1.96 deviations from the area, as they would be at the end of the interval. */
static void test_the_interval_is_newcombes(void) {
  enum { P = 51, N = 58 };
  static uint8_t set[P + N], half[P + N];
  static ContrastEntry entries[P + N];
  const ContrastTexts texts = {P + N, set, half};
  ContrastScore score;
  for (uint32_t t = 0; t < P + N; ++t) { /* positives stand above all negatives but for a part */
    set[t] = t >= P;
    entries[t] = (ContrastEntry){t, t >= P ? 10 + (float)(t - P) : (t < 46 ? 100 : 5 + (float)t)};
  }
  contrast_score(&texts, &(ContrastSides){1, 2, CONTRAST_BOTH}, entries, P + N, &score);
  CU_ASSERT(score.area > 0.95 && score.area < 0.99);
  for (int side = 0; side < 2; ++side) {
    const double a = side == 0 ? score.low : score.high, error = (score.area - a) / 1.96;
    const double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a), mean = (P + N) / 2.0 - 1;
    CU_ASSERT_DOUBLE_EQUAL(
        error * error, (a * (1 - a) + mean * (q1 - a * a) + mean * (q2 - a * a)) / (P * N), 1e-9);
  }
}

static const CheckFact FACTS[] = {
    {"the area is that of all pairs", test_the_area_is_that_of_all_pairs},
    {"perfect, useless, empty", test_perfect_useless_and_empty},
    {"the interval is Newcombe's", test_the_interval_is_newcombes},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "contrast", FACTS);
}
