#include <math.h>
#include <string.h>

#include "check.h"
#include "directions.h"
#include "exchange.h"
#include "lookup.h"
#include "memory.h"
#include "metrics.h"
#include "random.h"

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* Values of all ranks together, dealt to this rank. */
static float value_of(int64_t i) {
  const double noise = random_uniform(random_key(3, "test", "mean"), (uint64_t)i);
  return i % 10 == 9 ? NAN : (float)(noise * (i % 17 == 0 ? 1e6 : 1));
}

static void test_means_have_the_same_bits_at_any_rank_count(void) {
  enum { VALUES = 4000 };
  static float values[VALUES];
  Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  int64_t count = 0, counted, counted_alone;
  for (int64_t i = 0; i < VALUES; ++i) {
    values[i] = value_of(i);
  }
  const double alone = metrics_mean(&self, values, VALUES, &counted_alone);
  for (int64_t i = ranks()->rank; i < VALUES; i += ranks()->size) {
    values[count++] = value_of(i);
  }
  const double mean = metrics_mean(ranks(), values, count, &counted);
  CU_ASSERT(mean == alone && counted == counted_alone && counted == 3600);
  CU_ASSERT(isnan(metrics_mean(ranks(), values, 0, &counted)) && counted == 0);
}

/* Marks which of four firings a child shares; its activation on row r is r. */
static void cover(const uint32_t *row, const uint32_t *child_row, int64_t count,
                  uint8_t *is_covered) {
  uint32_t at[4];
  float child_value[3], value[4];
  for (int64_t i = 0; i < count; ++i) {
    child_value[i] = (float)child_row[i];
  }
  const int64_t shared = metrics_shared(row, 4, child_row, child_value, count, at, value);
  for (int64_t i = 0; i < shared; ++i) {
    CU_ASSERT(at[i] < 4 && value[i] == (float)row[at[i]]);
    is_covered[at[i]] = 1;
  }
}

static void test_coverage_is_the_share_of_activation_on_common_rows(void) {
  const uint32_t row[] = {2, 5, 7, 9}, first[] = {1, 5, 6}, second[] = {5, 9};
  const float value[] = {1, 2, 3, 4};
  uint8_t is_covered[4] = {0};
  CU_ASSERT(metrics_coverage(value, is_covered, 4) == 0);
  cover(row, first, 3, is_covered);
  cover(row, second, 2, is_covered);
  CU_ASSERT_DOUBLE_EQUAL(metrics_coverage(value, is_covered, 4), 0.6, 1e-15);
  CU_ASSERT(isnan(metrics_coverage(value, is_covered, 0)));
}

static void test_the_commonest_token_is_counted(void) {
  uint32_t tokens[] = {5, 1, 5, 9, 1, 5};
  uint32_t tied[] = {8, 2, 8, 2, 9}, token = 77;
  CU_ASSERT(metrics_commonest(tokens, 0, &token) == 0 && token == 77);
  CU_ASSERT(metrics_commonest(tokens, 6, &token) == 3 && token == 5);
  CU_ASSERT(metrics_commonest(tokens, 1, &token) == 1 && token == 1);
  CU_ASSERT(metrics_commonest(tied, 5, &token) == 2 && token == 2);
}

static void test_entropy_is_that_of_libm(void) {
  int64_t counts[1000], all = 0;
  double bits = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    counts[i] = i % 7 == 0 ? 0 : i * i * i;
    all += counts[i];
  }
  for (int64_t i = 0; i < 1000; ++i) {
    const double share = (double)counts[i] / (double)all;
    bits -= counts[i] > 0 ? share * log2(share) : 0;
  }
  CU_ASSERT_DOUBLE_EQUAL(metrics_entropy(counts, 1000), bits, 1e-13);
  const int64_t even[] = {3, 3, 0, 3, 3}, alone[] = {0, INT64_C(1) << 60};
  CU_ASSERT_DOUBLE_EQUAL(metrics_entropy(even, 5), 2, 1e-15);
  CU_ASSERT(metrics_entropy(alone, 2) == 0 && isnan(metrics_entropy(alone, 1)));
  CU_ASSERT(isnan(metrics_entropy(NULL, 0)));
}

/* Items index, index + ranks, ... of five. */
static int64_t deal(const int64_t *all, int64_t *mine) {
  int64_t count = 0;
  for (int64_t i = ranks()->rank; i < 5; i += ranks()->size) {
    mine[count++] = all[i];
  }
  return count;
}

static void test_replication_equals_a_hand_calculation(void) {
  const int64_t all_level[] = {0, 2, 3, 1, 9}, all_twin[] = {1, 2, 1, 0, 9};
  const int64_t all_counts[] = {1, 1, 1, 1, 0}, all_bin[] = {0, 0, 3, 3, 3};
  int64_t level[5], twin[5], counted[5], binned[5];
  uint8_t counts[5], bin[5];
  MetricsReplication found;
  const int64_t count = deal(all_level, level);
  (void)deal(all_twin, twin);
  (void)deal(all_counts, counted);
  (void)deal(all_bin, binned);
  for (int64_t i = 0; i < count; ++i) {
    counts[i] = (uint8_t)counted[i];
    bin[i] = (uint8_t)binned[i];
  }
  metrics_replication(ranks(), level, twin, counts, bin, count, &found);
  CU_ASSERT(found.parents == 4 && found.split_level == 2 && found.split_twin == 1);
  CU_ASSERT_DOUBLE_EQUAL(found.correlation, 1 / sqrt(5.0 * 2.0), 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(found.within, 2 / sqrt(4.0 * 1.0), 1e-12); /* (1 + 1) / sqrt(2+2, .5+.5) */
  CU_ASSERT_DOUBLE_EQUAL(found.split_again, 0.5, 1e-15);
  CU_ASSERT_DOUBLE_EQUAL(found.split_any, 0.25, 1e-15);
  metrics_replication(ranks(), level, twin, counts, bin, 0, &found);
  CU_ASSERT(isnan(found.correlation) && isnan(found.split_again) && isnan(found.split_any));
  CU_ASSERT(isnan(found.within));
}

static void test_rate_bins_hold_equally_many(void) {
  enum { FEATURES = 170 };
  const Shard own = lookup_own(ranks(), FEATURES);
  int64_t firings[FEATURES], sizes[METRICS_BINS] = {0}, wrong = 0;
  uint8_t counts[FEATURES], bin[FEATURES];
  for (int64_t i = 0; i < shard_count(own); ++i) {
    const int64_t id = own.first + i;
    firings[i] = id * 7 % FEATURES / 3; /* with ties */
    counts[i] = id % 17 != 5;           /* 160 of them */
  }
  CU_ASSERT(metrics_rate_bins(ranks(), own.first, firings, counts, shard_count(own), bin) == OK);
  for (int64_t i = 0; i < shard_count(own); ++i) {
    sizes[bin[i]] += counts[i];
    wrong += !counts[i] && bin[i] != 0;
    for (int64_t j = 0; j < shard_count(own); ++j) {
      wrong += counts[i] && counts[j] && firings[i] < firings[j] && bin[i] > bin[j];
    }
  }
  exchange_sum(ranks(), sizes, METRICS_BINS);
  for (int b = 0; b < METRICS_BINS; ++b) {
    wrong += sizes[b] != 10;
  }
  CU_ASSERT(wrong == 0);
}

static void test_children_a_parent_equal_a_sorted_list(void) {
  enum { PARENTS_HERE = 400 }; /* 200 without; the others 1 .. 100, twice */
  int64_t children[PARENTS_HERE], count = 0;
  MetricsChildren found;
  for (int64_t i = ranks()->rank; i < PARENTS_HERE; i += ranks()->size) {
    children[count++] = i % 2 == 0 ? 0 : i / 4 % 100 + 1;
  }
  CU_ASSERT(metrics_children(ranks(), children, count, &found) == OK);
  CU_ASSERT(found.parents == 200 && found.children == 10100 && found.most == 100);
  CU_ASSERT(found.mean == 50.5 && found.median == 50 && found.p90 == 90 && found.p99 == 99);
  CU_ASSERT_DOUBLE_EQUAL(found.dispersion, 9999.0 / 12 / 50.5, 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(found.top_share, 200.0 / 10100, 1e-15); /* the two with 100 */
  CU_ASSERT(metrics_children(ranks(), children, 0, &found) == OK);
  CU_ASSERT(found.parents == 0 && found.most == 0 && isnan(found.mean) && isnan(found.top_share));
}

static void test_rows_of_a_union_count_once(void) {
  const uint32_t first[] = {3, 64, 190}, second[] = {3, 65, 190, 191};
  uint64_t bits[3] = {0};
  uint32_t fresh[7];
  CU_ASSERT(metrics_mark(bits, first, 3, fresh) == 3);
  CU_ASSERT(metrics_mark(bits, second, 4, fresh + 3) == 2 && fresh[3] == 65 && fresh[4] == 191);
  metrics_unmark(bits, fresh, 5);
  CU_ASSERT(bits[0] == 0 && bits[1] == 0 && bits[2] == 0);
}

/* Hubs of `total` features, degree and firings by id; returns the mask of their ids modulo 64. */
static uint64_t hubs_of(int64_t total, const int64_t *degree, const int64_t *firings) {
  const Shard own = lookup_own(ranks(), total);
  uint8_t *state = NULL, *is_hub = NULL;
  int64_t mask = 0;
  CU_ASSERT(MEMORY_NEW(&state, shard_count(own), "states") == OK);
  CU_ASSERT(MEMORY_NEW(&is_hub, shard_count(own), "hubs") == OK);
  memset(state, DIRECTION_ALIVE, (size_t)shard_count(own));
  metrics_hubs(ranks(), own.first, degree + own.first, firings + own.first, state, shard_count(own),
               is_hub);
  for (int64_t i = 0; i < shard_count(own); ++i) {
    mask += is_hub[i] ? (int64_t)1 << ((own.first + i) % 64) : 0;
  }
  exchange_sum(ranks(), &mask, 1);
  MEMORY_FREE(state);
  MEMORY_FREE(is_hub);
  return (uint64_t)mask;
}

static void test_hubs_are_the_top_by_degree_or_fire_often(void) {
  static int64_t degree[2000], firings[2000];
  for (int64_t i = 0; i < 2000; ++i) {
    firings[i] = 1;
  }
  CU_ASSERT(hubs_of(60, degree, firings) == 0); /* nobody has children */
  degree[7] = degree[30] = 4;
  degree[31] = 3;
  CU_ASSERT(hubs_of(60, degree, firings) == (uint64_t)1 << 7); /* ties: the lower id */
  CU_ASSERT(hubs_of(2000, degree, firings) == ((uint64_t)1 << 7 | (uint64_t)1 << 30));
  firings[12] = 100;
  CU_ASSERT(hubs_of(60, degree, firings) == ((uint64_t)1 << 7 | (uint64_t)1 << 12));
  CU_ASSERT(hubs_of(1, degree, firings) == 0); /* more ranks than features */
}

static const CheckFact FACTS[] = {
    {"means have the same bits at any rank count", test_means_have_the_same_bits_at_any_rank_count},
    {"coverage is the share of activation on common rows",
     test_coverage_is_the_share_of_activation_on_common_rows},
    {"the commonest token is counted", test_the_commonest_token_is_counted},
    {"entropy is that of libm's logarithm", test_entropy_is_that_of_libm},
    {"replication equals a hand calculation", test_replication_equals_a_hand_calculation},
    {"rate bins hold equally many", test_rate_bins_hold_equally_many},
    {"children a parent equal a sorted list", test_children_a_parent_equal_a_sorted_list},
    {"rows of a union count once", test_rows_of_a_union_count_once},
    {"hubs are the top by degree or fire often", test_hubs_are_the_top_by_degree_or_fire_often},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "metrics", FACTS);
}
