#include <float.h>
#include <math.h>

#include "check.h"
#include "fixed.h"
#include "random.h"

static void test_scale_is_power_of_two_below_2_50(void) {
  const double bounds[] = {1e-300, 1e-20, 0.1, 0.5, 1.0, 3.7, 1e10, 1e300};
  for (int i = 0; i < 8; i++) {
    int exponent = 0;
    const double scale = fixed_scale(bounds[i]);
    CU_ASSERT_EQUAL(frexp(scale, &exponent), 0.5);
    CU_ASSERT(bounds[i] * scale < 0x1p50);
    CU_ASSERT(bounds[i] < 1e-270 || bounds[i] * scale >= 0x1p48);
  }
}

static void test_scale_of_nothing_is_one(void) {
  CU_ASSERT_EQUAL(fixed_scale(0.0), 1.0);
  CU_ASSERT_EQUAL(fixed_scale(-1.0), 1.0);
  CU_ASSERT_EQUAL(fixed_scale((double)NAN), 1.0);
  CU_ASSERT_EQUAL(fixed_scale((double)INFINITY), 1.0);
}

static void test_rounds_to_nearest_even(void) {
  CU_ASSERT_EQUAL(fixed_of(2.5, 1.0), 2);
  CU_ASSERT_EQUAL(fixed_of(3.5, 1.0), 4);
  CU_ASSERT_EQUAL(fixed_of(-2.5, 1.0), -2);
  CU_ASSERT_EQUAL(fixed_of(-0.75, 4.0), -3);
  CU_ASSERT_EQUAL(fixed_of(0x1p51 - 1.0, 1.0), (int64_t)0x7ffffffffffff);
  CU_ASSERT_EQUAL(fixed_to(-3, 4.0), -0.75);
}

static void test_row_is_added_element_by_element(void) {
  enum { WIDTH = 77 };
  float row[WIDTH];
  int64_t sums[WIDTH];
  const double scale = fixed_scale(10.0);
  for (int j = 0; j < WIDTH; j++) {
    row[j] = (float)random_normal(1, (uint64_t)j);
    sums[j] = j - 30;
  }
  fixed_add_row(sums, row, WIDTH, 0.7, scale);
  for (int j = 0; j < WIDTH; j++) {
    CU_ASSERT_EQUAL(sums[j], j - 30 + fixed_of(0.7 * scale * (double)row[j], 1.0));
    CU_ASSERT(fabs(fixed_to(sums[j] - (j - 30), scale) - 0.7 * (double)row[j]) < 1e-13);
  }
}

static const CheckFact FACTS[] = {
    {"the scale is a power of two that keeps sums below 2^50",
     test_scale_is_power_of_two_below_2_50},
    {"no bound, no scale", test_scale_of_nothing_is_one},
    {"values are rounded to the nearest, ties to even", test_rounds_to_nearest_even},
    {"a row is added as its elements would be", test_row_is_added_element_by_element},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "fixed", FACTS);
}
