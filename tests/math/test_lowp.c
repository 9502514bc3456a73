#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lowp.h"
#include "memory.h"
#include "random.h"
#include "threads.h"

/* Products in 8 bits against integer loops, and the sizes of what was lost against long double. */

typedef enum Kind { GAUSS, GRID, ENDS, ONE_HOT, HEAVY, POWER, TINY, HUGE_ONES, ZERO, KINDS } Kind;

static bool g_is_paired; /* are neighbours of right rows bound? */

static float element(Kind kind, int64_t row, int64_t column, int64_t width) {
  const double normal = random_normal(5, (uint64_t)(row * width + column));
  switch (kind) {
    case GRID:
      return (float)(random_below(6, (uint64_t)(row * width + column), 2 * LOWP_GRID + 1) -
                     LOWP_GRID) *
             0.125F;
    case ENDS: /* neighbours alike, and signs that change */
      return (row % 2 == 0 ? column / 2 % 2 : normal > 0) ? 1.0F : -1.0F;
    case ONE_HOT:
      return column == row % width ? -3.0F : 0.0F;
    case HEAVY: /* one coordinate rules the row */
      return (float)(column == 3 % width ? 300.0 * normal : normal);
    case POWER:
      return (float)(normal / (double)(column + 1));
    case TINY:
      return (float)(normal * pow(2.0, -60.0 - (double)(row % 80)));
    case HUGE_ONES:
      return (float)(normal * pow(2.0, 48.0 + (double)(row % 8)));
    case ZERO:
      return 0.0F;
    default:
      return (float)normal;
  }
}

static float *make_rows(Kind kind, int64_t count, int64_t width) {
  float *rows = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&rows, count * width, "rows"), OK);
  for (int64_t i = 0; i < count * width; i++) {
    rows[i] = element(kind, i / width, i % width, width);
  }
  return rows;
}

static int quantum(const Lowp *lowp, int64_t row, int64_t column) {
  const uint8_t byte = lowp->rows[row * lowp->stride + column];
  return lowp->is_left ? byte - LOWP_GRID - 1 : (int8_t)byte;
}

/* error and norm: never too small, and not by much too large. */
static bool is_row_true(const Lowp *lowp, const float *row, int64_t i) {
  long double lost = 0.0L;
  long double square = 0.0L;
  bool fits = true;
  for (int64_t j = 0; j < lowp->width; j++) {
    const int q = quantum(lowp, i, j);
    const long double value = (long double)lowp->scale[i] * q;
    lost += ((long double)row[j] - value) * ((long double)row[j] - value);
    square += value * value;
    const int next = j + 1 < lowp->width ? quantum(lowp, i, j + 1) : 0;
    fits = fits && abs(q) <= LOWP_GRID && abs(q) <= lowp->grid;
    fits = fits && (!g_is_paired || lowp->is_left || j % 2 == 1 || abs(q + next) <= 128);
  }
  const long double error = (long double)lowp->error[i];
  const long double norm = (long double)lowp->norm[i];
  return fits && error >= sqrtl(lost) && norm >= sqrtl(square) &&
         error <= 1.00001L * sqrtl(lost) + 1e-44L && norm <= 1.00001L * sqrtl(square) + 1e-44L;
}

static bool are_rows_true(const Lowp *lowp, const float *rows) {
  bool all = true;
  for (int64_t i = 0; i < lowp->count; i++) {
    all = all && is_row_true(lowp, rows + i * lowp->width, i);
  }
  return all;
}

static void check_rows(Kind kind, int64_t count, int64_t width, bool is_left) {
  float *rows = make_rows(kind, count, width);
  Lowp lowp = {0};
  CU_ASSERT_EQUAL(lowp_create(&lowp, rows, count, width, is_left), OK);
  CU_ASSERT(are_rows_true(&lowp, rows));
  if (kind == GRID) { /* grid / 8 is the largest, and of pairs: nothing is lost */
    for (int64_t j = 1; j < width; j += 2) {
      rows[j] = 0.0F;
    }
    rows[0] = (float)LOWP_GRID * 0.125F;
    lowp_fill(&lowp, rows, is_left);
    CU_ASSERT_EQUAL(lowp.error[0], 0.0F);
  }
  lowp.grid = 31; /* a coarser grid, until a fill for the other side */
  lowp_fill(&lowp, rows, is_left);
  CU_ASSERT(lowp.grid == 31 && are_rows_true(&lowp, rows));
  lowp_fill(&lowp, rows, !is_left);
  CU_ASSERT(lowp.grid == LOWP_GRID && are_rows_true(&lowp, rows));
  lowp_clear(&lowp);
  MEMORY_FREE(rows);
}

static void test_errors_are_bounds(void) {
  for (Kind kind = GAUSS; kind < KINDS; kind++) {
    check_rows(kind, 90, 70, false);
    check_rows(kind, 90, 64, true);
    check_rows(kind, 5, 640, true);
    check_rows(kind, 3, 3, false);
  }
}

static bool is_product(const Lowp *left, int64_t first, int64_t m, const Lowp *right,
                       int64_t second, int64_t n, const int32_t *out) {
  for (int64_t i = 0; i < m * n; i++) {
    int32_t sum = 0;
    for (int64_t c = 0; c < left->width; c++) {
      sum += quantum(left, first + i / n, c) * quantum(right, second + i % n, c);
    }
    if (out[i] != sum) {
      return false;
    }
  }
  return true;
}

typedef struct Product {
  Lowp left, right;
  int64_t m, n;
  int32_t *out; /* [units, m, n] */
  bool failed;
} Product;

/* Each unit takes other rows, so that threads multiply at once. */
static Status multiply(int64_t unit, int thread, void *context) {
  Product *p = context;
  (void)thread;
  return lowp_gemm(&p->left, unit, p->m, &p->right, 2 * unit, p->n, p->out + unit * p->m * p->n);
}

static void check_product(Kind kind, int64_t m, int64_t n, int64_t width) {
  enum { UNITS = 3 };
  float *left = make_rows(kind, m + UNITS, width);
  float *right = make_rows(kind == GAUSS ? GRID : kind, n + 2 * UNITS, width);
  Product p = {.m = m, .n = n};
  CU_ASSERT_EQUAL(lowp_create(&p.left, left, m + UNITS, width, true), OK);
  CU_ASSERT_EQUAL(lowp_create(&p.right, right, n + 2 * UNITS, width, false), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&p.out, UNITS * m * n, "products"), OK);
  CU_ASSERT_EQUAL(threads_run(UNITS, multiply, &p), OK);
  for (int64_t unit = 0; unit < UNITS; unit++) {
    CU_ASSERT(is_product(&p.left, unit, m, &p.right, 2 * unit, n, p.out + unit * m * n));
  }
  lowp_clear(&p.left);
  lowp_clear(&p.right);
  MEMORY_FREE(p.out);
  MEMORY_FREE(left);
  MEMORY_FREE(right);
}

static void test_products_are_exact(void) {
  for (int threads = 1; threads <= 3; threads++) {
    threads_set(threads);
    check_product(GAUSS, 33, 47, 70);
    check_product(ENDS, 33, 47, 71);
    check_product(ENDS, 300, 520, 640);
    check_product(ONE_HOT, 64, 64, 640);
    check_product(HEAVY, 1, 200, 63);
    check_product(GRID, 130, 1, 1);
    check_product(ZERO, 5, 4, 8);
    check_product(GAUSS, 2, 3, 4096);
  }
  threads_set(1);
}

/* Whole tiles of packed rows and the rest, and again when other rows have taken their place. */
static void check_packed(int64_t m, int64_t n, int64_t width) {
  float *left = make_rows(ENDS, m, width);
  int32_t *out = NULL;
  Lowp l = {0}, r = {0};
  CU_ASSERT_EQUAL(lowp_create(&l, left, m, width, true), OK);
  CU_ASSERT_EQUAL(lowp_create(&r, NULL, n, width, false), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&out, m * LOWP_TILE, "products"), OK);
  for (Kind kind = GAUSS; kind <= ENDS; kind++) {
    Lowp plain = {0};
    float *right = make_rows(kind, n, width);
    CU_ASSERT_EQUAL(lowp_create(&plain, right, n, width, false), OK);
    lowp_fill(&r, right, false);
    CU_ASSERT_EQUAL(lowp_pack(&r), OK);
    for (int64_t first = 0; first < n; first += LOWP_TILE) {
      const int64_t count = n - first < LOWP_TILE ? n - first : LOWP_TILE;
      CU_ASSERT_EQUAL(lowp_multiply(&l, 0, m, &r, first, out), OK);
      for (int64_t i = 0; i < m * count; i++) {
        out[i] += r.shift[first + i % count];
      }
      CU_ASSERT(is_product(&l, 0, m, &plain, first, count, out));
    }
    lowp_clear(&plain);
    MEMORY_FREE(right);
  }
  lowp_clear(&l);
  lowp_clear(&r);
  MEMORY_FREE(out);
  MEMORY_FREE(left);
}

static void test_packed_rows_multiply_the_same(void) {
  for (int threads = 1; threads <= 3; threads++) {
    threads_set(threads);
    check_packed(1, 2 * LOWP_TILE, 64);
    check_packed(300, LOWP_TILE + 31, 70);
    check_packed(13, 30, 640);
    check_packed(5, 3 * LOWP_TILE + 1, 4100);
  }
  threads_set(1);
}

static void test_fewer_rows_fill_the_same_memory(void) {
  float *rows = make_rows(GAUSS, 300, 48);
  Lowp lowp = {0}, wanted = {0};
  CU_ASSERT_EQUAL(lowp_create(&lowp, NULL, 600, 48, true), OK);
  CU_ASSERT_EQUAL(lowp_create(&wanted, rows, 300, 48, true), OK);
  lowp.count = 300;
  threads_set(2);
  lowp_fill(&lowp, rows, true);
  threads_set(1);
  CU_ASSERT_EQUAL(memcmp(lowp.rows, wanted.rows, (size_t)(300 * lowp.stride)), 0);
  CU_ASSERT_EQUAL(memcmp(lowp.error, wanted.error, 300 * sizeof(float)), 0);
  lowp_clear(&lowp);
  lowp_clear(&wanted);
  MEMORY_FREE(rows);
}

/* A row that holds a NaN or an infinity has no bound; its neighbours are as ever. */
static void test_broken_rows_say_so(void) {
  const float broken[] = {NAN, INFINITY, -INFINITY};
  for (int side = 0; side < 2; side++) {
    for (int64_t at = 0; at < 70; at += 23) {
      float *rows = make_rows(GAUSS, 4, 70);
      Lowp lowp = {0};
      for (int64_t i = 0; i < 3; i++) {
        rows[i * 70 + at] = broken[i];
      }
      CU_ASSERT_EQUAL(lowp_create(&lowp, rows, 4, 70, side == 0), OK);
      CU_ASSERT_FALSE(isfinite(lowp.error[0]) || isfinite(lowp.error[1]) ||
                      isfinite(lowp.error[2]));
      CU_ASSERT(is_row_true(&lowp, rows + 3 * 70, 3));
      lowp_clear(&lowp);
      MEMORY_FREE(rows);
    }
  }
}

static void test_off_is_off(void) {
  const char *why = NULL;
  setenv("CLEAVE_LOWP", "off", 1);
  CU_ASSERT_FALSE(lowp_open(&why));
  CU_ASSERT_FALSE(lowp_is_open());
  CU_ASSERT_PTR_NOT_NULL(strstr(why, "CLEAVE_LOWP"));
  unsetenv("CLEAVE_LOWP");
  CU_ASSERT(lowp_open(&why));
  CU_ASSERT_PTR_NULL(strstr(why, "float32"));
}

static const CheckFact FACTS[] = {
    {"what is lost is bounded, and the bound is tight", test_errors_are_bounds},
    {"products are those of integer loops, in any number of threads", test_products_are_exact},
    {"packed rows multiply the same", test_packed_rows_multiply_the_same},
    {"fewer rows than there is memory for", test_fewer_rows_fill_the_same_memory},
    {"rows with a NaN or an infinity have no finite bound", test_broken_rows_say_so},
    {"CLEAVE_LOWP=off", test_off_is_off},
};

int main(int argc, char **argv) {
  const char *why = NULL;
  dense_open();
  lowp_open(&why);
  g_is_paired = strstr(why, "16 bits") != NULL;
  return CHECK_MAIN(argc, argv, "lowp", FACTS);
}
