#include <stdint.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "threads.h"

static bool is_zero(const char *bytes, int64_t first, int64_t past) {
  for (int64_t i = first; i < past; ++i) {
    if (bytes[i] != 0) {
      return false;
    }
  }
  return true;
}

static void test_blocks_are_aligned_and_zero(void) {
  static const int64_t SIZES[] = {0, 1, 63, 64, 65, 4096, (1 << 20) - 1, 1 << 20, 5 << 20};
  for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); ++i) {
    for (int round = 0; round < 2; ++round) { /* the second meets dirty memory of the first */
      char *bytes = NULL;
      if (MEMORY_NEW(&bytes, SIZES[i], "bytes") != OK || bytes == NULL) {
        CU_FAIL("no memory");
        return;
      }
      CU_ASSERT_EQUAL((uintptr_t)bytes % 64, 0);
      CU_ASSERT_TRUE(is_zero(bytes, 0, SIZES[i]));
      memset(bytes, 0xff, (size_t)SIZES[i]);
      MEMORY_FREE(bytes);
      CU_ASSERT_PTR_NULL(bytes);
    }
  }
}

static void test_impossible_sizes_fail(void) {
  double *values = (double *)1;
  CU_ASSERT_EQUAL(MEMORY_NEW(&values, -1, "values"), ERR_MEMORY);
  CU_ASSERT_PTR_NULL(values);
  CU_ASSERT_EQUAL(MEMORY_NEW(&values, INT64_MAX / 4, "rows of the batch"), ERR_MEMORY);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "rows of the batch"));
  CU_ASSERT_EQUAL(MEMORY_NEW(&values, INT64_MAX, "values"), ERR_MEMORY);
#ifndef __SANITIZE_ADDRESS__ /* which ends the program on its own */
  CU_ASSERT_EQUAL(MEMORY_NEW(&values, INT64_C(1) << 56, "rows of the batch"), ERR_MEMORY);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "rows of the batch: 576460752.303 GB"));
#endif
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void test_resize_keeps_content_and_zeroes_the_rest(void) {
  char *bytes = NULL;
  CU_ASSERT_EQUAL(MEMORY_RESIZE(&bytes, 10, "bytes"), OK);
  memset(bytes, 7, 10);
  static const int64_t SIZES[] = {20, 100, 3 << 20, 4 << 20, 30, 10};
  for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); ++i) {
    CU_ASSERT_EQUAL(MEMORY_RESIZE(&bytes, SIZES[i], "bytes"), OK);
    CU_ASSERT_EQUAL(bytes[0] + bytes[9], 14);
    CU_ASSERT_TRUE(is_zero(bytes, 10, SIZES[i]));
    CU_ASSERT_EQUAL(memory_bytes(), SIZES[i]);
  }
  const char *before = bytes;
  CU_ASSERT_EQUAL(MEMORY_RESIZE(&bytes, -5, "bytes"), ERR_MEMORY);
  CU_ASSERT_PTR_EQUAL(bytes, before);
  CU_ASSERT_EQUAL(bytes[9], 7);
  MEMORY_FREE(bytes);
}

static void test_the_balance_and_the_peak_count(void) {
  CU_ASSERT_EQUAL(memory_blocks(), 0);
  CU_ASSERT_EQUAL(memory_bytes(), 0);
  float *a = NULL, *b = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&a, 10 << 20, "a"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&b, 5, "b"), OK);
  CU_ASSERT_EQUAL(memory_blocks(), 2);
  CU_ASSERT_EQUAL(memory_bytes(), (40 << 20) + 20);
  MEMORY_FREE(a);
  MEMORY_FREE(b);
  MEMORY_FREE(b);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
  CU_ASSERT_EQUAL(memory_bytes(), 0);
  CU_ASSERT_TRUE(memory_peak() >= (40 << 20) + 20);
}

static Status take_and_release(int64_t unit, int thread, void *context) {
  (void)thread;
  (void)context;
  char *bytes = NULL;
  TRY(MEMORY_NEW(&bytes, unit % 100, "bytes"));
  MEMORY_FREE(bytes);
  return OK;
}

static void test_threads_keep_the_balance(void) {
  threads_set(4);
  CU_ASSERT_EQUAL(threads_run(20000, take_and_release, NULL), OK);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
  CU_ASSERT_EQUAL(memory_bytes(), 0);
  threads_set(1);
}

static void test_a_text_is_copied(void) {
  char *copy = NULL;
  CU_ASSERT_EQUAL(memory_copy_text(&copy, "abc"), OK);
  CU_ASSERT_STRING_EQUAL(copy, "abc");
  MEMORY_FREE(copy);
  CU_ASSERT_EQUAL(memory_copy_text(&copy, ""), OK);
  CU_ASSERT_STRING_EQUAL(copy, "");
  MEMORY_FREE(copy);
}

static const CheckFact FACTS[] = {
    {"blocks are aligned and zero", test_blocks_are_aligned_and_zero},
    {"impossible sizes fail", test_impossible_sizes_fail},
    {"resize keeps content and zeroes the rest", test_resize_keeps_content_and_zeroes_the_rest},
    {"the balance and the peak count", test_the_balance_and_the_peak_count},
    {"threads keep the balance", test_threads_keep_the_balance},
    {"a text is copied", test_a_text_is_copied},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "memory", FACTS);
}
