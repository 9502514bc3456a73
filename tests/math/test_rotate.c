#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lanes.h"
#include "memory.h"
#include "random.h"
#include "rotate.h"
#include "threads.h"

enum { ROWS = 40 };

/* The matrix of the map, by rotating unit vectors, has orthonormal columns. */
static void check_orthogonal(int64_t width) {
  Rotate rotate = {0};
  float *unit = NULL, *out = NULL;
  CU_ASSERT_EQUAL(rotate_create(&rotate, width, 9), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&unit, width * width, "rows"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&out, width * width, "rows"), OK);
  for (int64_t i = 0; i < width; i++) {
    unit[i * width + i] = 1.0F;
  }
  rotate_rows(&rotate, unit, width, out);
  double worst = 0.0;
  for (int64_t i = 0; i < width * width; i++) {
    const double dot = (double)dense_dot(out + i / width * width, out + i % width * width, width);
    worst = fmax(worst, fabs(dot - (i / width == i % width ? 1.0 : 0.0)));
  }
  CU_ASSERT(worst == 0.0); /* entries are 0, 1 or 1/8 */
  rotate_clear(&rotate);
  MEMORY_FREE(unit);
  MEMORY_FREE(out);
}

static void test_rows_are_turned_only(void) {
  const int64_t widths[] = {1, 3, 63, 64, 70, 128, 200};
  for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
    check_orthogonal(widths[i]);
  }
}

/* 14 u |x||w| is what the screen's bound allows for. */
static void test_dot_products_stay(void) {
  enum { WIDTH = 640 };
  Rotate rotate = {0};
  float *rows = NULL, *out = NULL;
  CU_ASSERT_EQUAL(rotate_create(&rotate, WIDTH, 9), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&rows, ROWS * WIDTH, "rows"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&out, ROWS * WIDTH, "rows"), OK);
  for (int64_t i = 0; i < ROWS * WIDTH; i++) {
    const double size = i % 7 == 0 ? 1e4 : 1.0;
    rows[i] = (float)(size * random_normal(4, (uint64_t)i));
  }
  rotate_rows(&rotate, rows, ROWS, out);
  double worst = 0.0;
  for (int64_t i = 0; i < ROWS * ROWS; i++) {
    const float *a = rows + i / ROWS * WIDTH, *b = rows + i % ROWS * WIDTH;
    const float *c = out + i / ROWS * WIDTH, *d = out + i % ROWS * WIDTH;
    double before = 0.0, after = 0.0;
    for (int64_t j = 0; j < WIDTH; j++) {
      before += (double)a[j] * (double)b[j];
      after += (double)c[j] * (double)d[j];
    }
    const double product = sqrt(dense_square(a, WIDTH) * dense_square(b, WIDTH));
    worst = fmax(worst, fabs(before - after) / product);
  }
  CU_ASSERT(worst > 0.0 && worst < 14 * 0x1p-24);
  rotate_clear(&rotate);
  MEMORY_FREE(rows);
  MEMORY_FREE(out);
}

static void test_an_outlier_is_spread(void) {
  enum { WIDTH = 576 };
  Rotate rotate = {0};
  float row[WIDTH], out[WIDTH];
  CU_ASSERT_EQUAL(rotate_create(&rotate, WIDTH, 9), OK);
  for (int64_t j = 0; j < WIDTH; j++) {
    row[j] = (float)random_normal(8, (uint64_t)j) * (j == 100 ? 100.0F : 1.0F);
  }
  rotate_rows(&rotate, row, 1, out);
  CU_ASSERT(lanes()->largest(out, WIDTH) < 0.25F * lanes()->largest(row, WIDTH));
  rotate_clear(&rotate);
}

static void test_keys_and_threads(void) {
  enum { WIDTH = 100 };
  Rotate one = {0}, other = {0};
  static float rows[600 * WIDTH], a[600 * WIDTH], b[600 * WIDTH];
  for (int64_t i = 0; i < 600 * WIDTH; i++) {
    rows[i] = (float)random_normal(3, (uint64_t)i);
  }
  CU_ASSERT_EQUAL(rotate_create(&one, WIDTH, 1), OK);
  CU_ASSERT_EQUAL(rotate_create(&other, WIDTH, 2), OK);
  rotate_rows(&one, rows, 600, a);
  threads_set(2);
  rotate_rows(&one, rows, 600, b);
  threads_set(1);
  CU_ASSERT_EQUAL(memcmp(a, b, sizeof(a)), 0);
  rotate_rows(&other, rows, 600, b);
  CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof(a)), 0);
  rotate_clear(&one);
  rotate_clear(&other);
}

static const CheckFact FACTS[] = {
    {"lengths and angles stay, at every width", test_rows_are_turned_only},
    {"dot products stay within the bound", test_dot_products_stay},
    {"one large coordinate is spread over a block", test_an_outlier_is_spread},
    {"another key is another rotation, another thread is not", test_keys_and_threads},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "rotate", FACTS);
}
