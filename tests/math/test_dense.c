#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lanes.h"
#include "random.h"

enum { WIDTH = 203, ROWS = 9 };

static void fill(float *values, int64_t count, uint64_t key) {
  for (int64_t i = 0; i < count; i++) {
    values[i] = (float)random_normal(key, (uint64_t)i);
  }
}

static void test_four_dots_are_four_dots(void) {
  float a[WIDTH], rows[4 * WIDTH], out[4];
  fill(a, WIDTH, 1);
  fill(rows, 4 * WIDTH, 2);
  const float *const four[4] = {rows, rows + WIDTH, rows + 2 * WIDTH, rows + 3 * WIDTH};
  dense_dot4(a, four, WIDTH, out);
  for (int r = 0; r < 4; r++) {
    CU_ASSERT_EQUAL(out[r], dense_dot(a, four[r], WIDTH));
    CU_ASSERT_EQUAL(out[r], dense_dot(four[r], a, WIDTH));
  }
}

static void test_square_is_close_to_a_plain_sum(void) {
  float a[WIDTH];
  double sum = 0.0;
  fill(a, WIDTH, 3);
  for (int i = 0; i < WIDTH; i++) {
    sum += (double)a[i] * (double)a[i];
  }
  CU_ASSERT(fabs(dense_square(a, WIDTH) - sum) < 1e-12 * sum);
  CU_ASSERT_EQUAL(dense_square(a, 0), 0.0);
}

static void test_add_is_fma(void) {
  float x[WIDTH], y[WIDTH], want[WIDTH];
  fill(x, WIDTH, 4);
  fill(y, WIDTH, 5);
  for (int i = 0; i < WIDTH; i++) {
    want[i] = fmaf(0.3F, x[i], y[i]);
  }
  dense_add(y, x, WIDTH, 0.3F);
  CU_ASSERT_EQUAL(memcmp(y, want, sizeof(y)), 0);
}

static void test_gemm_is_within_its_error(void) {
  float a[ROWS * WIDTH], b[ROWS * WIDTH], out[ROWS * ROWS];
  fill(a, ROWS * WIDTH, 6);
  fill(b, ROWS * WIDTH, 7);
  dense_open();
  dense_gemm(a, ROWS, b, ROWS, WIDTH, out);
  for (int i = 0; i < ROWS; i++) {
    for (int j = 0; j < ROWS; j++) {
      const float *x = a + i * WIDTH;
      const float *y = b + j * WIDTH;
      const double norms = sqrt(dense_square(x, WIDTH) * dense_square(y, WIDTH));
      const double gap = fabs((double)out[i * ROWS + j] - (double)dense_dot(x, y, WIDTH));
      CU_ASSERT(gap <= dense_gemm_error(WIDTH) * norms);
    }
  }
  CU_ASSERT(strlen(dense_core()) > 0);
}

/* Told apart by CPU: a BLAS that knows it is left alone, one that fell back to its oldest kernels is not. */
static void test_core_of_newer_cpus(void) {
  const bool has_wide = strcmp(lanes_widest(), "plain") != 0;
  CU_ASSERT_PTR_NULL(dense_core_instead("Haswell"));
  CU_ASSERT_PTR_NULL(dense_core_instead("SkylakeX"));
  CU_ASSERT_EQUAL(dense_core_instead("Prescott") != NULL, has_wide);
}

static void test_gemm_of_nothing(void) {
  float out[4] = {1.0F, 1.0F, 1.0F, 1.0F};
  dense_gemm(NULL, 0, NULL, 5, 3, out);
  CU_ASSERT_EQUAL(out[0], 1.0F);
  dense_gemm(NULL, 2, NULL, 2, 0, out);
  CU_ASSERT_EQUAL(out[3], 0.0F);
}

static void test_bf16_rounds_to_nearest_even(void) {
  const float values[] = {1.0F, 1.00390625F, 1.01171875F, -3.0e38F, (float)NAN, 3.4e38F};
  const uint16_t want[] = {0x3f80, 0x3f80, 0x3f82, 0xff62, 0x7fc0, 0x7f80};
  uint16_t bits[6];
  float back[6];
  dense_to_bf16(values, 6, bits);
  for (int i = 0; i < 6; i++) {
    CU_ASSERT_EQUAL(bits[i] & (isnan(values[i]) ? 0x7fc0 : 0xffff), want[i]);
  }
  dense_from_bf16(bits, 6, back);
  CU_ASSERT_EQUAL(back[2], 1.015625F);
  CU_ASSERT(isnan(back[4]));
}

static void test_bf16_widens_and_narrows_to_itself(void) {
  for (uint32_t bits = 0; bits < 0x10000U; bits++) {
    const uint16_t in = (uint16_t)bits;
    uint16_t out = 0;
    float value = 0.0F;
    dense_from_bf16(&in, 1, &value);
    dense_to_bf16(&value, 1, &out);
    if (isnan(value) ? (out & 0x7fc0) != 0x7fc0 : out != in) {
      CU_FAIL("bf16 value changed");
    }
  }
}

static const CheckFact FACTS[] = {
    {"four dot products at once have the bits of single ones", test_four_dots_are_four_dots},
    {"the sum of squares is exact to double", test_square_is_close_to_a_plain_sum},
    {"a row is added by fma", test_add_is_fma},
    {"the BLAS stays within the stated error of the fixed order", test_gemm_is_within_its_error},
    {"a BLAS that does not know the CPU is told what it has", test_core_of_newer_cpus},
    {"empty matrices are fine", test_gemm_of_nothing},
    {"bfloat16 rounds to nearest even", test_bf16_rounds_to_nearest_even},
    {"every bfloat16 survives float32", test_bf16_widens_and_narrows_to_itself},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "dense", FACTS);
}
