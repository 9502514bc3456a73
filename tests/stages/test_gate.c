#include <math.h>
#include <string.h>

#include "check.h"
#include "gate.h"

static bool passes(bool is_import, double l0, double stated, double explained, const char *words) {
  const Gate gate = {is_import, l0, stated, explained};
  Text sentence = {0};
  CU_ASSERT_EQUAL(gate_judge(&gate, &sentence), OK);
  const bool is_well = sentence.length == 0;
  CU_ASSERT(is_well || strstr(text_chars(&sentence), words) != NULL);
  CU_ASSERT(is_well || strstr(text_chars(&sentence), "missing BOS") != NULL);
  text_clear(&sentence);
  return is_well;
}

static void test_more_than_a_factor_of_two_does_not_pass(void) {
  CU_ASSERT(passes(true, 100, 50, 0.8, ""));
  CU_ASSERT(passes(true, 25, 50, 0.8, ""));
  CU_ASSERT_FALSE(
      passes(true, 101, 50, 0.8, "101.0 active latents a row where its maker states 50.0"));
  CU_ASSERT_FALSE(passes(true, 24.9, 50, 0.8, "states 50.0: wrong layer"));
  CU_ASSERT_FALSE(passes(true, 0, 50, 0.8, "0.0 active latents"));
}

static void test_little_variance_explained_does_not_pass(void) {
  CU_ASSERT(passes(true, 50, 50, 0.3, ""));
  CU_ASSERT_FALSE(passes(true, 50, 50, 0.29, "0.29 of the variance explained: wrong layer"));
  CU_ASSERT_FALSE(passes(true, 50, NAN, -3, "-3 of the variance"));
  CU_ASSERT_FALSE(passes(true, 500, 50, 0.1, "states 50.0; 0.1 of the variance"));
}

static void test_what_nobody_says_or_knows_passes(void) {
  CU_ASSERT(passes(true, 500, NAN, 0.8, ""));
  CU_ASSERT(passes(true, 50, 50, NAN, ""));
  CU_ASSERT(passes(true, 5000, NAN, NAN, ""));
  CU_ASSERT(passes(false, 500, 50, 0.1, ""));
}

static void test_classes_are_those_of_published_sets(void) {
  const double small[] = {0, 10, 20, 24.9}, medium[] = {25, 30, 60, 74.9}, big[] = {75, 90, 150};
  for (int i = 0; i < 4; i++) {
    CU_ASSERT_STRING_EQUAL(gate_class(small[i]), "small");
    CU_ASSERT_STRING_EQUAL(gate_class(medium[i]), "medium");
    CU_ASSERT(i == 3 || strcmp(gate_class(big[i]), "big") == 0);
  }
}

static const CheckFact FACTS[] = {
    {"more than a factor of two does not pass", test_more_than_a_factor_of_two_does_not_pass},
    {"little variance explained does not pass", test_little_variance_explained_does_not_pass},
    {"what nobody says or knows passes", test_what_nobody_says_or_knows_passes},
    {"classes are those of published sets", test_classes_are_those_of_published_sets},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "gate", FACTS);
}
