/* The simulated null against Gaussians, the isotropic null and itself at one rank. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "memory.h"
#include "null.h"
#include "random.h"
#include "ring.h"
#include "spread.h"
#include "threads.h"

enum { CHILDREN = 2000, PARENTS = 300, WIDTH = 64, DRAWS = 10000 };

static const Team SELF = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* A cloud: a mean, a power-law spectrum, and rows of very different length before they are made
   unit; power 0: isotropic. Only every `step`-th latent is alive, the same rows whatever the
   step. */
typedef struct Cloud {
  int64_t count, step;
  uint64_t key;
  double power;
} Cloud;

static void draw_row(const Cloud *cloud, int64_t index, float *row) {
  const double length = cloud->power > 0 ? 1 + 3 * random_uniform(cloud->key, (uint64_t)index) : 1;
  for (int64_t j = 0; j < WIDTH; ++j) {
    const double spread = cloud->power > 0 ? 1 / sqrt(1 + cloud->power * (double)j) : 1;
    const double mean = cloud->power > 0 && j % 16 == 5 ? 0.6 : 0;
    row[j] = (float)(mean + length * spread *
                                random_normal(cloud->key + 1, (uint64_t)(index * WIDTH + j)));
  }
}

static void cloud_open(const Team *team, const Cloud *cloud, Directions *out) {
  CU_ASSERT(directions_open(out, team, cloud->count * cloud->step, WIDTH) == OK);
  for (int64_t i = 0; i < shard_count(out->own); ++i) {
    const int64_t id = out->own.first + i;
    draw_row(cloud, id / cloud->step, out->rows + i * WIDTH);
    if (id % cloud->step != 0) {
      out->state[i] = DIRECTION_DEAD;
      out->is_left_out[i] = 1;
    }
  }
  CU_ASSERT(directions_unit(out, "test") == OK);
}

static const Cloud CHILD = {CHILDREN, 1, 10, 0.5}, PARENT = {PARENTS, 1, 20, 0.3};

static NullSimulated simulate(Team *team, const Cloud *child, const Cloud *parent, int64_t draws) {
  Directions children, parents;
  float mean[WIDTH];
  NullSimulated out;
  memset(&out, 0, sizeof out);
  cloud_open(team, child, &children);
  cloud_open(team, parent, &parents);
  CU_ASSERT(spread_mean(team, &children, mean) == OK);
  const NullJob job = {.child = &children,
                       .parent = &parents,
                       .child_mean = mean,
                       .child_name = "large",
                       .parent_name = "small",
                       .seed = 5,
                       .draws = draws,
                       .most = 8,
                       .span = 4};
  CU_ASSERT(null_simulate(team, &job, &out) == OK);
  directions_clear(&children);
  directions_clear(&parents);
  return out;
}

/* Mean and Cholesky factor of the covariance of the children, by naive loops. */
typedef struct Gaussian {
  double mean[WIDTH], factor[WIDTH][WIDTH];
} Gaussian;

static void gaussian_of(const Directions *rows, Gaussian *out) {
  memset(out, 0, sizeof *out);
  for (int64_t i = 0; i < CHILDREN * WIDTH; ++i) {
    out->mean[i % WIDTH] += (double)rows->rows[i] / CHILDREN;
  }
  for (int64_t i = 0; i < WIDTH; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < CHILDREN; ++r) {
        const float *row = rows->rows + r * WIDTH;
        sum += ((double)row[i] - out->mean[i]) * ((double)row[j] - out->mean[j]) / CHILDREN;
      }
      for (int64_t k = 0; k < j; ++k) {
        sum -= out->factor[i][k] * out->factor[j][k];
      }
      out->factor[i][j] = i == j ? sqrt(sum) : sum / out->factor[j][j];
    }
  }
}

static void draw_gaussian(const Gaussian *gaussian, int64_t index, float *row) {
  double normal[WIDTH];
  for (int64_t j = 0; j < WIDTH; ++j) {
    double value = gaussian->mean[j];
    normal[j] = random_normal(77, (uint64_t)(index * WIDTH + j));
    for (int64_t k = 0; k <= j; ++k) {
      value += gaussian->factor[j][k] * normal[k];
    }
    row[j] = (float)value;
  }
}

/* Descending. */
static int by_value(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x < y) - (x > y);
}

static void gaussian_null(float *best) {
  Directions children, parents;
  Gaussian gaussian;
  cloud_open(&SELF, &CHILD, &children);
  cloud_open(&SELF, &PARENT, &parents);
  gaussian_of(&children, &gaussian);
  for (int64_t i = 0; i < DRAWS; ++i) {
    float row[WIDTH];
    draw_gaussian(&gaussian, i, row);
    best[i] = -1;
    for (int64_t p = 0; p < PARENTS; ++p) {
      const float dot = dense_dot(row, parents.rows + p * WIDTH, WIDTH);
      best[i] = fmaxf(best[i], dot / (float)sqrt(dense_square(row, WIDTH)));
    }
  }
  qsort(best, DRAWS, sizeof *best, by_value);
  directions_clear(&children);
  directions_clear(&parents);
}

static void test_quantiles_agree_with_a_gaussian_of_the_same_covariance(void) {
  float *best = NULL;
  const NullSimulated found = simulate(ranks(), &CHILD, &PARENT, DRAWS);
  CU_ASSERT(MEMORY_NEW(&best, DRAWS, "cosines") == OK);
  gaussian_null(best);
  CU_ASSERT_DOUBLE_EQUAL(found.best_median.value, (double)best[DRAWS / 2], 0.02);
  CU_ASSERT_DOUBLE_EQUAL(found.best_999.value, (double)best[DRAWS / 1000], 0.05);
  /* An isotropic null lies elsewhere: the agreement is not for nothing. */
  CU_ASSERT(found.best_median.value > null_quantile(WIDTH, PARENTS, 0.5) + 0.05);
  CU_ASSERT(found.draws == DRAWS && found.best_median.low < found.best_median.value &&
            found.best_median.value < found.best_median.high);
  MEMORY_FREE(best);
}

static void test_isotropic_children_have_the_isotropic_null(void) {
  const Cloud child = {CHILDREN, 1, 30, 0}, parent = {PARENTS, 1, 40, 0};
  const NullSimulated found = simulate(ranks(), &child, &parent, DRAWS);
  CU_ASSERT_DOUBLE_EQUAL(found.best_median.value, null_quantile(WIDTH, PARENTS, 0.5), 0.01);
  CU_ASSERT_DOUBLE_EQUAL(found.best_999.value, null_quantile(WIDTH, PARENTS, 0.999), 0.03);
  /* Four parents rebuild more than one does, and not all. */
  const double square = found.best_median.value * found.best_median.value;
  CU_ASSERT(found.r2_median.value > 1.5 * square && found.r2_999.value < 0.9);
  int64_t sum = 0, below = 0;
  for (int b = 0; b < 100; ++b) {
    sum += found.histogram[b];
    below += (b + 1) * 0.01 <= found.best_median.value ? found.histogram[b] : 0;
  }
  CU_ASSERT(sum == DRAWS && below <= DRAWS / 2 && below > DRAWS / 4);
}

static void test_bytes_do_not_depend_on_ranks_threads_and_blocks(void) {
  Team self = SELF;
  const NullSimulated alone = simulate(&self, &CHILD, &PARENT, 1500);
  const NullSimulated all = simulate(ranks(), &CHILD, &PARENT, 1500);
  threads_set(3);
  ring_set_rows(23);
  const NullSimulated blocks = simulate(ranks(), &CHILD, &PARENT, 1500);
  threads_set(1);
  ring_set_rows(0);
  CU_ASSERT(memcmp(&alone, &all, sizeof all) == 0);
  CU_ASSERT(memcmp(&alone, &blocks, sizeof all) == 0);
}

static void test_only_alive_children_make_the_null(void) {
  const Cloud sparse = {CHILDREN, 3, CHILD.key, CHILD.power};
  const NullSimulated all = simulate(ranks(), &CHILD, &PARENT, 2000);
  const NullSimulated some = simulate(ranks(), &sparse, &PARENT, 2000);
  CU_ASSERT_DOUBLE_EQUAL(all.best_median.value, some.best_median.value, 1e-6); /* the mean's unit */
  CU_ASSERT_DOUBLE_EQUAL(all.r2_999.value, some.r2_999.value, 1e-6);
}

static void test_draws_depend_on_seed_and_names(void) {
  Directions children, parents;
  float mean[WIDTH];
  double median[4];
  cloud_open(ranks(), &CHILD, &children);
  cloud_open(ranks(), &PARENT, &parents);
  CU_ASSERT(spread_mean(ranks(), &children, mean) == OK);
  for (int i = 0; i < 4; ++i) {
    const NullJob job = {&children, &parents, mean, i == 1 ? "b" : "a", i == 2 ? "d" : "c", i == 3,
                         300,       4,        1};
    NullSimulated out;
    CU_ASSERT(null_simulate(ranks(), &job, &out) == OK);
    median[i] = out.best_median.value;
    for (int j = 0; j < i; ++j) {
      CU_ASSERT(median[i] != median[j]);
    }
  }
  directions_clear(&children);
  directions_clear(&parents);
}

static void kill(Directions *rows) {
  const size_t count = (size_t)shard_count(rows->own);
  memset(rows->state, DIRECTION_DEAD, count);
  memset(rows->is_left_out, 1, count);
}

static void test_without_children_or_parents_there_is_no_null(void) {
  for (int dead = 0; dead < 2; ++dead) {
    Directions rows[2];
    const float mean[WIDTH] = {0};
    NullSimulated out;
    cloud_open(ranks(), &CHILD, &rows[0]);
    cloud_open(ranks(), &PARENT, &rows[1]);
    kill(&rows[dead]);
    const NullJob job = {&rows[0], &rows[1], mean, "a", "b", 1, 200, 4, 2};
    CU_ASSERT(null_simulate(ranks(), &job, &out) == OK);
    CU_ASSERT(out.draws == 0 && isnan(out.best_median.value) && isnan(out.r2_999.high));
    directions_clear(&rows[0]);
    directions_clear(&rows[1]);
  }
}

static void test_bounds_equal_exact_binomials(void) {
  const int64_t cases[][4] = {{100, 500, 40, 61},
                              {1000, 999, 997, 1001},
                              {100000, 500, 49690, 50311},
                              {100000, 999, 99880, 99920},
                              {20000, 999, 19971, 19989},
                              {7, 500, 1, 7},
                              {3, 500, 0, 4},
                              {1, 500, 0, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    int64_t low, high;
    null_bounds(cases[i][0], cases[i][1], &low, &high);
    CU_ASSERT(low == cases[i][2] && high == cases[i][3]);
  }
}

static void test_few_draws_have_no_upper_bound(void) {
  const NullSimulated found = simulate(ranks(), &CHILD, &PARENT, 1000);
  CU_ASSERT(isnan(found.best_999.high) && !isnan(found.best_999.low));
  CU_ASSERT(found.best_999.low < found.best_999.value);
}

static const CheckFact FACTS[] = {
    {"quantiles agree with a Gaussian of the same covariance",
     test_quantiles_agree_with_a_gaussian_of_the_same_covariance},
    {"isotropic children have the isotropic null", test_isotropic_children_have_the_isotropic_null},
    {"bytes do not depend on ranks, threads and blocks",
     test_bytes_do_not_depend_on_ranks_threads_and_blocks},
    {"only alive children make the null", test_only_alive_children_make_the_null},
    {"draws depend on seed and names", test_draws_depend_on_seed_and_names},
    {"without children or parents there is no null",
     test_without_children_or_parents_there_is_no_null},
    {"bounds equal exact binomials", test_bounds_equal_exact_binomials},
    {"few draws have no upper bound", test_few_draws_have_no_upper_bound},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "simulated", FACTS);
}
