#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "random.h"
#include "select.h"

enum { COUNT = 500 };

static void test_keys_order_scores_then_low_ids(void) {
  const float scores[] = {-INFINITY, -3.0F, -1e-40F, 0.0F, 1e-40F, 2.0F, 2.5F, INFINITY};
  for (int i = 0; i + 1 < 8; i++) {
    CU_ASSERT(select_key(scores[i], 0) < select_key(scores[i + 1], 4000000000));
    CU_ASSERT(select_key(scores[i], 8) < select_key(scores[i], 7));
  }
  CU_ASSERT(select_key(-INFINITY, 4294967294) > 0);
}

static void test_keys_give_back_score_and_id(void) {
  const SelectKey key = select_key(-1.25F, 4294967294);
  CU_ASSERT_EQUAL(select_score(key), -1.25F);
  CU_ASSERT_EQUAL(select_id(key), 4294967294);
  CU_ASSERT_EQUAL(select_key(-0.0F, 3), select_key(0.0F, 3));
}

static int descending(const void *a, const void *b) {
  const SelectKey x = *(const SelectKey *)a;
  const SelectKey y = *(const SelectKey *)b;
  return x < y ? 1 : -(x > y);
}

/* Scores on a coarse grid, so that many tie. */
static void fill(SelectKey *keys, uint64_t seed) {
  for (int64_t i = 0; i < COUNT; i++) {
    keys[i] = select_key((float)random_below(seed, (uint64_t)i, 20), i);
  }
}

static void test_heap_keeps_the_best(void) {
  SelectKey all[COUNT], heap[COUNT];
  for (int64_t k = 0; k <= COUNT + 1; k = 2 * k + 1) {
    int64_t count = 0;
    const int64_t capacity = k < COUNT ? k : COUNT;
    fill(all, 3);
    for (int64_t i = 0; i < COUNT; i++) {
      select_offer(heap, &count, capacity, all[i]);
    }
    qsort(all, COUNT, sizeof(all[0]), descending);
    CU_ASSERT_EQUAL(count, capacity);
    CU_ASSERT_EQUAL(select_worst(heap, count, capacity), capacity == 0 ? 0 : all[capacity - 1]);
    select_sort(heap, count);
    for (int64_t i = 0; i < count; i++) {
      CU_ASSERT_EQUAL(heap[i], all[i]);
    }
  }
}

static void test_room_means_no_worst(void) {
  SelectKey heap[2];
  int64_t count = 0;
  select_offer(heap, &count, 2, select_key(5.0F, 1));
  CU_ASSERT_EQUAL(select_worst(heap, count, 2), 0);
}

static void test_nth_is_that_of_a_sort(void) {
  SelectKey keys[COUNT], sorted[COUNT];
  for (int64_t n = 1; n <= COUNT; n += 7) {
    fill(keys, (uint64_t)n);
    fill(sorted, (uint64_t)n);
    qsort(sorted, COUNT, sizeof(sorted[0]), descending);
    CU_ASSERT_EQUAL(select_nth(keys, COUNT, n), sorted[n - 1]);
  }
  fill(keys, 1);
  CU_ASSERT_EQUAL(select_nth(keys, COUNT, 0), 0);
  CU_ASSERT_EQUAL(select_nth(keys, COUNT, COUNT + 1), 0);
  CU_ASSERT_EQUAL(select_nth(NULL, 0, 1), 0);
}

static const CheckFact FACTS[] = {
    {"keys order by score, ties by the lower id", test_keys_order_scores_then_low_ids},
    {"a key gives back its score and id", test_keys_give_back_score_and_id},
    {"a heap keeps the best and sorts them", test_heap_keeps_the_best},
    {"a heap with room has no worst key", test_room_means_no_worst},
    {"the n-th best is that of a sort", test_nth_is_that_of_a_sort},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "select", FACTS);
}
