#include <math.h>
#include <string.h>

#include "alike.h"
#include "check.h"
#include "dense.h"
#include "random.h"
#include "threads.h"

/* Against plain loops, with other numbers of threads: the same bits. */

enum { ROWS = 9, WIDTH = 203, MANY = 150 };

static float g_rows[ROWS * WIDTH];

static void fill(void) {
  for (int64_t i = 0; i < ROWS * WIDTH; i++) {
    g_rows[i] = 5.0F + (float)random_normal(8, (uint64_t)i);
  }
}

static double plain_spread(void) {
  double spread = 0.0;
  for (int j = 0; j < WIDTH; j++) {
    double mean = 0.0;
    for (int i = 0; i < ROWS; i++) {
      mean += (double)g_rows[i * WIDTH + j] / ROWS;
    }
    for (int i = 0; i < ROWS; i++) {
      spread += pow((double)g_rows[i * WIDTH + j] - mean, 2.0);
    }
  }
  return spread;
}

static void count_each(void *context, int64_t first, int64_t count) {
  int *met = context;
  for (int64_t i = first; i < first + count; i++) {
    met[i]++;
  }
}

static void test_every_item_is_met_once(void) {
  for (int threads = 1; threads <= 4; threads++) {
    int met[MANY + 1] = {0};
    threads_set(threads);
    CU_ASSERT_EQUAL(alike_start(MANY, count_each, met), OK);
    alike_run(0, count_each, met);
    alike_run(64, count_each, met);
    for (int i = 0; i <= MANY; i++) {
      CU_ASSERT_EQUAL(met[i], i < 64 ? 2 : (i < MANY ? 1 : 0));
    }
  }
}

static void test_spread_is_about_the_mean(void) {
  double room[2 * WIDTH], first = 0.0;
  fill();
  for (int threads = 1; threads <= 3; threads++) {
    threads_set(threads);
    const double spread = alike_spread(g_rows, ROWS, WIDTH, room);
    first = threads == 1 ? spread : first;
    CU_ASSERT(fabs(spread - plain_spread()) < 1e-10 * spread);
    CU_ASSERT_EQUAL(spread, first);
    CU_ASSERT_EQUAL(alike_spread(g_rows, 1, WIDTH, room), 0.0);
    CU_ASSERT_EQUAL(alike_spread(g_rows, 0, WIDTH, room), 0.0);
  }
}

static void test_squares_and_sums_are_those_of_rows_in_order(void) {
  float want[WIDTH] = {0};
  fill();
  for (int i = 0; i < ROWS; i++) {
    dense_add(want, g_rows + i * WIDTH, WIDTH, 0.3F);
  }
  for (int threads = 1; threads <= 3; threads++) {
    double squares[ROWS];
    float sum[WIDTH] = {0};
    threads_set(threads);
    alike_squares(g_rows, ROWS, WIDTH, squares);
    alike_add(sum, g_rows, ROWS, WIDTH, 0.3F);
    CU_ASSERT_EQUAL(memcmp(sum, want, sizeof(sum)), 0);
    for (int i = 0; i < ROWS; i++) {
      CU_ASSERT_EQUAL(squares[i], dense_square(g_rows + i * WIDTH, WIDTH));
    }
  }
}

static const CheckFact FACTS[] = {
    {"every item is met once, by any number of threads", test_every_item_is_met_once},
    {"the spread of rows is about their mean", test_spread_is_about_the_mean},
    {"squares and sums are those of rows in order",
     test_squares_and_sums_are_those_of_rows_in_order},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "alike", FACTS);
}
