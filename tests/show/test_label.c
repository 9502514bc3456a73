#include <string.h>

#include "check.h"
#include "label.h"

static const int64_t TOKEN_ROWS[6] = {500, 300, 100, 50, 40, 10};

static void find(const uint32_t *tokens, const float *values, int64_t firings, uint32_t *best) {
  Label *label = NULL;
  CU_ASSERT_EQUAL(label_create(&label, TOKEN_ROWS, 6), OK);
  CU_ASSERT_EQUAL(label_find(label, tokens, values, firings, best), OK);
  uint32_t again[LABEL_TOKENS];
  CU_ASSERT_EQUAL(label_find(label, tokens, values, firings, again), OK);
  CU_ASSERT_EQUAL(memcmp(best, again, sizeof(again)), 0);
  label_destroy(&label);
}

static void test_surplus_counts_not_frequency(void) {
  /* Token 0 is half of all rows and half of the firings: no surplus. Token 4 fires three times. */
  const uint32_t tokens[] = {0, 4, 0, 4, 0, 4};
  const float values[] = {1, 1, 1, 1, 1, 1};
  uint32_t best[LABEL_TOKENS];
  find(tokens, values, 6, best);
  CU_ASSERT_EQUAL(best[0], 4);
  CU_ASSERT_EQUAL(best[1], LABEL_NONE);
}

static void test_strong_activations_weigh_more(void) {
  const uint32_t tokens[] = {3, 4, 3, 4};
  const float values[] = {1, 4, 1, 4};
  uint32_t best[LABEL_TOKENS];
  find(tokens, values, 4, best);
  CU_ASSERT_EQUAL(best[0], 4);
  CU_ASSERT_EQUAL(best[1], 3);
  CU_ASSERT_EQUAL(best[2], LABEL_NONE);
}

static void test_no_firing_gives_no_token(void) {
  uint32_t best[LABEL_TOKENS];
  find(NULL, NULL, 0, best);
  for (int i = 0; i < LABEL_TOKENS; i++) {
    CU_ASSERT_EQUAL(best[i], LABEL_NONE);
  }
}

static void test_five_best_in_order_and_ties_to_the_lower_token(void) {
  static const int64_t even[8] = {10, 10, 10, 10, 10, 10, 10, 930};
  const uint32_t tokens[] = {6, 5, 5, 4, 4, 4, 3, 2, 1, 0};
  const float values[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  Label *label = NULL;
  uint32_t best[LABEL_TOKENS];
  CU_ASSERT_EQUAL(label_create(&label, even, 8), OK);
  CU_ASSERT_EQUAL(label_find(label, tokens, values, 10, best), OK);
  const uint32_t expected[LABEL_TOKENS] = {4, 5, 0, 1, 2};
  CU_ASSERT_EQUAL(memcmp(best, expected, sizeof(best)), 0);
  label_destroy(&label);
}

static void test_a_token_outside_the_vocabulary_is_refused(void) {
  const uint32_t tokens[] = {2, 6};
  const float values[] = {1, 1};
  Label *label = NULL;
  uint32_t best[LABEL_TOKENS];
  CU_ASSERT_EQUAL(label_create(&label, TOKEN_ROWS, 6), OK);
  CU_ASSERT_EQUAL(label_find(label, tokens, values, 2, best), ERR_DATA);
  CU_ASSERT_EQUAL(label_find(label, tokens, values, 1, best), OK);
  CU_ASSERT_EQUAL(best[0], 2);
  label_destroy(&label);
}

static const CheckFact FACTS[] = {
    {"surplus counts, not frequency", test_surplus_counts_not_frequency},
    {"strong activations weigh more", test_strong_activations_weigh_more},
    {"no firing gives no token", test_no_firing_gives_no_token},
    {"five best in order and ties to the lower token",
     test_five_best_in_order_and_ties_to_the_lower_token},
    {"a token outside the vocabulary is refused", test_a_token_outside_the_vocabulary_is_refused},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "label", FACTS);
}
