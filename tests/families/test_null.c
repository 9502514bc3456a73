/* The isotropic null against published figures, and how directions spread. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "distribution.h"
#include "memory.h"
#include "null.h"
#include "random.h"
#include "spread.h"

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

enum { WIDTH = 37, LATENTS = 290 };

static void open_cloud(Directions *out, const Team *team) {
  const uint64_t key = random_key(3, "cloud", "test");
  CU_ASSERT_EQUAL(directions_open(out, team, LATENTS, WIDTH), OK);
  for (int64_t i = out->own.first; i < out->own.past; i++) {
    float *row = out->rows + (i - out->own.first) * WIDTH;
    for (int64_t j = 0; j < WIDTH; j++) {
      const double sharp = 1.0 / (double)(1 + j);
      row[j] = (float)(0.1 + sharp * random_normal(key, (uint64_t)(i * WIDTH + j)));
    }
    if (i % 50 == 3) {
      memset(row, 0, WIDTH * sizeof(float));
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

static double naive_dimension(const Directions *whole) {
  double mean[WIDTH] = {0}, trace = 0, square = 0, alive = 0;
  for (int64_t i = 0; i < LATENTS; i++) {
    const bool is_alive = whole->state[i] == DIRECTION_ALIVE;
    alive += is_alive;
    for (int64_t j = 0; j < WIDTH && is_alive; j++) {
      mean[j] += (double)whole->rows[i * WIDTH + j];
    }
  }
  for (int64_t a = 0; a < WIDTH; a++) {
    for (int64_t b = 0; b < WIDTH; b++) {
      double entry = 0;
      for (int64_t i = 0; i < LATENTS; i++) {
        if (whole->state[i] == DIRECTION_ALIVE) {
          const float *row = whole->rows + i * WIDTH;
          entry += ((double)row[a] - mean[a] / alive) * ((double)row[b] - mean[b] / alive);
        }
      }
      square += entry * entry;
      trace += a == b ? entry : 0;
    }
  }
  return trace * trace / square;
}

static void test_effective_dimension_equals_loops_and_does_not_depend_on_ranks(void) {
  Team team;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  Directions part, whole;
  float mean[WIDTH], mean_alone[WIDTH];
  double dimension = 0, dimension_alone = 0;
  open_cloud(&part, &team);
  open_cloud(&whole, &self);
  CU_ASSERT_EQUAL(spread_mean(&team, &part, mean), OK);
  CU_ASSERT_EQUAL(spread_mean(&self, &whole, mean_alone), OK);
  CU_ASSERT_EQUAL(memcmp(mean, mean_alone, sizeof(mean)), 0);
  CU_ASSERT_EQUAL(spread_dimension(&team, &part, mean, &dimension), OK);
  CU_ASSERT_EQUAL(spread_dimension(&self, &whole, mean_alone, &dimension_alone), OK);
  CU_ASSERT_EQUAL(dimension, dimension_alone);
  CU_ASSERT_DOUBLE_EQUAL(dimension, naive_dimension(&whole), 1e-4 * dimension);
  directions_clear(&part);
  directions_clear(&whole);
  team_close(&team);
}

static void test_a_cloud_without_extent_has_dimension_zero(void) {
  Team team;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  Directions rows;
  float mean[WIDTH];
  double dimension = 1;
  CU_ASSERT_EQUAL(directions_open(&rows, &team, 5, WIDTH), OK);
  directions_judge(&rows, NULL, 0);
  CU_ASSERT_EQUAL(directions_count(&team, &rows, DIRECTION_DEAD), 5);
  CU_ASSERT_EQUAL(spread_mean(&team, &rows, mean), OK);
  CU_ASSERT_EQUAL(spread_dimension(&team, &rows, mean, &dimension), OK);
  CU_ASSERT_EQUAL(dimension, 0.0);
  directions_clear(&rows);
  team_close(&team);
}

static void test_states_follow_norm_firings_and_rows_seen(void) {
  Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  Directions rows;
  CU_ASSERT_EQUAL(directions_open(&rows, &self, 3, WIDTH), OK);
  rows.rows[0] = 2;
  rows.rows[WIDTH] = 1;
  const int64_t firings[3] = {0, 1, 1};
  directions_judge(&rows, firings, DIRECTION_DEAD_ROWS - 1);
  CU_ASSERT_EQUAL(rows.state[0], DIRECTION_UNSEEN);
  CU_ASSERT_EQUAL(rows.state[1], DIRECTION_ALIVE);
  CU_ASSERT_EQUAL(rows.state[2], DIRECTION_DEAD);
  directions_judge(&rows, firings, DIRECTION_DEAD_ROWS);
  CU_ASSERT_EQUAL(rows.state[0], DIRECTION_DEAD);
  CU_ASSERT_EQUAL(rows.is_left_out[0], 1);
  rows.rows[0] = NAN;
  CU_ASSERT_EQUAL(directions_unit(&rows, "test"), ERR_NUMERIC);
  directions_clear(&rows);
}

static void check_distribution(Team *team, const float *all, int64_t total, double median) {
  Distribution out;
  const Shard own = shard_of(total, 1, team->rank, team->size);
  distribution_of(team, all + own.first, shard_count(own), &out);
  CU_ASSERT_EQUAL(out.count, total);
  CU_ASSERT(out.median == median || (isnan(median) && isnan(out.median)));
}

static void test_distribution_is_exact_at_any_number_of_ranks(void) {
  Team team;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  const float values[] = {0.5F, -0.25F, 1.0F, 0.5F, 0.125F, 0.75F, 0.0F};
  check_distribution(&team, values, 7, 0.5);
  check_distribution(&team, values, 4, 0.5);
  check_distribution(&team, values, 2, 0.125);
  check_distribution(&team, values, 1, 0.5);
  check_distribution(&team, values, 0, (double)NAN);
  Distribution out;
  distribution_of(&team, values, team.rank == 0 ? 7 : 0, &out);
  CU_ASSERT_EQUAL(out.histogram[0], 2);
  CU_ASSERT_EQUAL(out.histogram[12], 1);
  CU_ASSERT_EQUAL(out.histogram[50], 2);
  CU_ASSERT_EQUAL(out.histogram[99], 1);
  CU_ASSERT_EQUAL(out.share[0], 4.0 / 7);
  CU_ASSERT_EQUAL(out.share[1], 4.0 / 7);
  CU_ASSERT_EQUAL(out.share[2], 2.0 / 7);
  team_close(&team);
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
    {"effective dimension equals loops and does not depend on ranks",
     test_effective_dimension_equals_loops_and_does_not_depend_on_ranks},
    {"a cloud without extent has dimension zero", test_a_cloud_without_extent_has_dimension_zero},
    {"states follow norm, firings and rows seen", test_states_follow_norm_firings_and_rows_seen},
    {"distribution is exact at any number of ranks",
     test_distribution_is_exact_at_any_number_of_ranks},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "null", FACTS);
}
