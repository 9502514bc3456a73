/* The isotropic null against published figures. */
#include <math.h>

#include "check.h"
#include "null.h"

/* Median and 99.9 % of the largest cosine among 2^20, 2^22, 2^25 random parents as reported, to
 * three digits (three of them are one too high in the last place: hence 6e-4). */
static const struct TableRow {
  int64_t dimension;
  double median[3], high[3];
} TABLE[] = {
    {64, {.559, .584, .618}, {.662, .680, .704}},   {128, {.411, .432, .460}, {.498, .514, .536}},
    {256, {.296, .312, .334}, {.364, .376, .394}},  {512, {.212, .223, .239}, {.261, .270, .284}},
    {1024, {.150, .159, .170}, {.186, .193, .203}}, {2048, {.107, .113, .121}, {.132, .137, .144}},
    {4096, {.076, .080, .086}, {.094, .097, .102}}, {8192, {.053, .056, .061}, {.066, .069, .072}},
};
static const int64_t PARENTS[3] = {1048576, 4194304, 33554432};

static void test_quantiles_equal_the_table_of_the_beta_distribution(void) {
  for (size_t r = 0; r < sizeof(TABLE) / sizeof(TABLE[0]); r++) {
    for (int m = 0; m < 3; m++) {
      const int64_t dimension = TABLE[r].dimension;
      CU_ASSERT_DOUBLE_EQUAL(null_quantile(dimension, PARENTS[m], 0.5), TABLE[r].median[m], 6e-4);
      CU_ASSERT_DOUBLE_EQUAL(null_quantile(dimension, PARENTS[m], 0.999), TABLE[r].high[m], 6e-4);
    }
  }
}

static void test_quantiles_equal_a_finer_integral(void) {
  /* By 10 times as many steps and libm's pow. */
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(128, 4194304, 0.5), 0.4314830777, 1e-8);
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(256, 1048576, 0.999), 0.3634884049, 1e-8);
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(4096, 1048576, 0.5), 0.0754748756, 1e-8);
}

static void test_three_dimensions_have_uniform_cosines(void) {
  /* One cosine is uniform in [-1, 1]: the largest of m is <= t with probability ((1 + t) / 2)^m. */
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(3, 1, 0.5), 0.0, 1e-9);
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(3, 1, 0.25), -0.5, 1e-9);
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(3, 2, 0.25), 0.0, 1e-9);
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(3, 2, 0.81), 0.8, 1e-9);
  CU_ASSERT_DOUBLE_EQUAL(null_quantile(0, 2, 0.81), 0.8, 1e-9);
}

static void test_odd_and_even_dimensions_agree_with_closed_forms(void) {
  /* P(one <= t) = 1/2 + (3 t - t^3) / 4 in five, 1/2 + (t sqrt(1 - t^2) + asin t) / pi in four. */
  const double five = null_quantile(5, 1, 0.9);
  CU_ASSERT_DOUBLE_EQUAL(0.5 + (3 * five - five * five * five) / 4, 0.9, 1e-9);
  const double four = null_quantile(4, 1, 0.9);
  const double pi = acos(-1.0);
  CU_ASSERT_DOUBLE_EQUAL(0.5 + (four * sqrt(1 - four * four) + asin(four)) / pi, 0.9, 1e-5);
}

static void test_no_parents_have_no_null(void) {
  CU_ASSERT(isnan(null_quantile(100, 0, 0.5)));
}

static void test_a_pair_enters_at_the_smaller_dimension_rounded(void) {
  CU_ASSERT_EQUAL(null_dimension(284.2, 208.6), 209);
  CU_ASSERT_EQUAL(null_dimension(146.4, 208.6), 146);
  CU_ASSERT_EQUAL(null_dimension(0, 12), 0);
}

static const CheckFact FACTS[] = {
    {"quantiles equal the table of the beta distribution",
     test_quantiles_equal_the_table_of_the_beta_distribution},
    {"quantiles equal a finer integral", test_quantiles_equal_a_finer_integral},
    {"three dimensions have uniform cosines", test_three_dimensions_have_uniform_cosines},
    {"odd and even dimensions agree with closed forms",
     test_odd_and_even_dimensions_agree_with_closed_forms},
    {"no parents have no null", test_no_parents_have_no_null},
    {"a pair enters at the smaller dimension, rounded",
     test_a_pair_enters_at_the_smaller_dimension_rounded},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "null", FACTS);
}
