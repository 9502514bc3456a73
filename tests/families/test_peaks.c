#include "check.h"
#include "peaks.h"
#include "random.h"

enum { MOST = 500 };

/* Ids with gaps, masses with ties; each points to one of the heavier ones, or to itself. */
static int64_t draw(uint64_t salt, Peak *peaks) {
  const int64_t count = 1 + (int64_t)(random_uniform(salt, 0) * (MOST - 1));
  for (int64_t i = 0; i < count; ++i) {
    const double mass = (double)(int)(random_uniform(salt, (uint64_t)(i + 1)) * 40);
    peaks[i] = (Peak){.mass = mass, .id = (uint32_t)(3 * i + 1), .next = (uint32_t)(3 * i + 1)};
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t other = (int64_t)(random_uniform(salt + 1, (uint64_t)i) * (double)count * 0.999);
    if (peaks_compare(&peaks[other], &peaks[i]) < 0) {
      peaks[i].next = peaks[other].id;
    }
  }
  return count;
}

static void test_every_feature_learns_the_head_of_its_group(void) {
  for (uint64_t trial = 0; trial < 40; ++trial) {
    Peak before[MOST], after[MOST];
    const int64_t count = draw(2 * trial, before);
    int64_t heads = 0;
    for (int64_t i = 0; i < count; ++i) {
      after[i] = before[i];
    }
    CU_ASSERT(peaks_climb(after, count) == OK);
    for (int64_t i = 0; i < count; ++i) {
      int64_t at = i;
      while (before[at].next != before[at].id) {
        at = (before[at].next - 1) / 3;
      }
      CU_ASSERT(after[i].next == before[at].id && after[i].id == before[i].id);
      heads += at == i;
    }
    CU_ASSERT(heads > 0);
  }
}

static void test_equal_masses_are_ordered_by_id(void) {
  const Peak first = {2, 5, 5}, second = {2, 9, 9}, heavy = {3, 7, 7};
  CU_ASSERT(peaks_compare(&first, &second) < 0 && peaks_compare(&second, &first) > 0);
  CU_ASSERT(peaks_compare(&heavy, &first) < 0 && peaks_compare(&first, &first) == 0);
}

static void test_pointers_that_lead_nowhere_are_refused(void) {
  Peak circle[] = {{2, 1, 4}, {2, 4, 1}};
  Peak missing[] = {{2, 1, 3}, {3, 4, 4}};
  Peak lighter[] = {{2, 1, 4}, {1, 4, 4}};
  CU_ASSERT(peaks_climb(circle, 2) == ERR_FORMAT);
  CU_ASSERT(peaks_climb(missing, 2) == ERR_FORMAT);
  CU_ASSERT(peaks_climb(lighter, 2) == ERR_FORMAT);
  CU_ASSERT(peaks_climb(circle, 0) == OK);
}

static const CheckFact FACTS[] = {
    {"every feature learns the head of its group", test_every_feature_learns_the_head_of_its_group},
    {"equal masses are ordered by id", test_equal_masses_are_ordered_by_id},
    {"pointers that lead nowhere are refused", test_pointers_that_lead_nowhere_are_refused},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "peaks", FACTS);
}
