/* Mean and covariance against loops, in any panels, at any number of ranks. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "memory.h"
#include "random.h"
#include "spread.h"

enum { WIDTH = 37, LATENTS = 290 }; /* in blocks of 18 */

static Team team;

/* Rows of falling spread; some dead, some unseen. */
static void open_part(Directions *out, const Team *ranks, Shard part) {
  const uint64_t key = random_key(3, "cloud", "test");
  CU_ASSERT_EQUAL(directions_open_part(out, ranks, LATENTS, WIDTH, part), OK);
  for (int64_t i = out->own.first; i < out->own.past; i++) {
    float *row = out->rows + (i - out->own.first) * WIDTH;
    for (int64_t j = 0; j < WIDTH && i % 50 != 3; j++) {
      const double sharp = 1.0 / (double)(1 + j);
      row[j] = (float)(0.1 + sharp * random_normal(key, (uint64_t)(i * WIDTH + j)));
    }
  }
  directions_judge(out, NULL, 0);
  for (int64_t i = out->own.first; i < out->own.past; i++) {
    if (i % 50 == 7) {
      out->state[i - out->own.first] = DIRECTION_UNSEEN;
    }
  }
  CU_ASSERT_EQUAL(directions_unit(out, "test"), OK);
}

/* The sums of panels of so many rows; about `mean`, or for it. */
static void sum_panels(Spread *spread, Team *ranks, int64_t rows, const float *mean) {
  CU_ASSERT_EQUAL(spread_open(spread, LATENTS, WIDTH, mean), OK);
  for (int64_t first = 0; first < LATENTS; first += rows) {
    Directions panel;
    open_part(&panel, ranks, (Shard){first, first + rows < LATENTS ? first + rows : LATENTS});
    CU_ASSERT_EQUAL(spread_add(spread, &panel), OK);
    directions_clear(&panel);
  }
  spread_join(spread, ranks);
}

static void naive(double *mean, double *covariance, int64_t *alive) {
  const Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  Directions whole;
  open_part(&whole, &self, (Shard){0, LATENTS});
  memset(mean, 0, WIDTH * sizeof(*mean));
  memset(covariance, 0, (size_t)WIDTH * WIDTH * sizeof(*covariance));
  *alive = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t i = 0; i < LATENTS; i++) {
      const float *row = whole.rows + i * WIDTH;
      const bool is_alive = whole.state[i] == DIRECTION_ALIVE;
      *alive += is_alive && pass == 0;
      for (int64_t a = 0; a < WIDTH && is_alive; a++) {
        mean[a] += pass == 0 ? (double)row[a] : 0;
        for (int64_t b = 0; b < WIDTH && pass == 1; b++) {
          covariance[a * WIDTH + b] += ((double)row[a] - mean[a]) * ((double)row[b] - mean[b]);
        }
      }
    }
    for (int64_t a = 0; a < WIDTH && pass == 0; a++) {
      mean[a] /= (double)*alive;
    }
  }
  for (int64_t a = 0; a < (int64_t)WIDTH * WIDTH; a++) {
    covariance[a] /= (double)*alive;
  }
  directions_clear(&whole);
}

static void test_mean_and_covariance_equal_loops(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  static double wanted[WIDTH * WIDTH], found[WIDTH * WIDTH];
  double wanted_mean[WIDTH], trace = 0, square = 0, worst = 0;
  float mean[WIDTH];
  int64_t alive = 0;
  Spread spread;
  naive(wanted_mean, wanted, &alive);
  sum_panels(&spread, &team, LATENTS, NULL);
  CU_ASSERT_EQUAL(spread.alive, alive);
  spread_mean_of(&spread, mean);
  spread_clear(&spread);
  for (int64_t j = 0; j < WIDTH; j++) {
    CU_ASSERT_DOUBLE_EQUAL(mean[j], wanted_mean[j], 1e-7);
  }
  sum_panels(&spread, &team, LATENTS, mean);
  spread_covariance_of(&spread, found);
  for (int64_t i = 0; i < (int64_t)WIDTH * WIDTH; i++) {
    worst = fmax(worst, fabs(found[i] - wanted[i]));
    square += wanted[i] * wanted[i];
    trace += i % (WIDTH + 1) == 0 ? wanted[i] : 0;
  }
  CU_ASSERT(worst < 1e-7);
  CU_ASSERT_DOUBLE_EQUAL(spread_dimension_of(&spread), trace * trace / square, 1e-3);
  spread_clear(&spread);
  team_close(&team);
}

static void test_panels_and_ranks_change_no_bit(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  float mean[WIDTH];
  Spread alone, spread;
  for (int about = 0; about < 2; about++) {
    sum_panels(&alone, &self, LATENTS, about == 0 ? NULL : mean);
    for (int64_t rows = 18; rows < 120; rows += 54) {
      sum_panels(&spread, &team, rows, about == 0 ? NULL : mean);
      const size_t entries = (size_t)(about == 0 ? WIDTH : WIDTH * WIDTH);
      CU_ASSERT_EQUAL(spread.alive, alone.alive);
      CU_ASSERT_EQUAL(memcmp(spread.sums, alone.sums, entries * sizeof(*alone.sums)), 0);
      spread_clear(&spread);
    }
    if (about == 0) {
      spread_mean_of(&alone, mean);
    }
    spread_clear(&alone);
  }
  team_close(&team);
}

static void test_nobody_alive_has_mean_and_covariance_zero(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  Directions rows;
  Spread spread;
  float mean[WIDTH];
  double covariance[WIDTH * WIDTH];
  CU_ASSERT_EQUAL(directions_open(&rows, &team, LATENTS, WIDTH), OK);
  directions_judge(&rows, NULL, 0);
  CU_ASSERT_EQUAL(spread_mean(&team, &rows, mean), OK);
  CU_ASSERT_EQUAL(spread_open(&spread, LATENTS, WIDTH, mean), OK);
  CU_ASSERT_EQUAL(spread_add(&spread, &rows), OK);
  spread_join(&spread, &team);
  spread_covariance_of(&spread, covariance);
  for (int64_t i = 0; i < (int64_t)WIDTH * WIDTH; i++) {
    CU_ASSERT(covariance[i] == 0 && mean[i % WIDTH] == 0);
  }
  CU_ASSERT_EQUAL(spread_dimension_of(&spread), 0.0);
  spread_clear(&spread);
  directions_clear(&rows);
  team_close(&team);
}

static const CheckFact FACTS[] = {
    {"mean and covariance equal loops", test_mean_and_covariance_equal_loops},
    {"panels and ranks change no bit", test_panels_and_ranks_change_no_bit},
    {"nobody alive has mean and covariance zero", test_nobody_alive_has_mean_and_covariance_zero},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "spread", FACTS);
}
