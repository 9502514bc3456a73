#include "metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "directions.h"
#include "exchange.h"
#include "fixed.h"

double metrics_mean(Team *team, const float *values, int64_t count, int64_t *counted) {
  double most = 0;
  int64_t sums[2] = {0, 0};
  for (int64_t i = 0; i < count; ++i) {
    sums[0] += !isnan(values[i]);
    most = fabs((double)values[i]) > most ? fabs((double)values[i]) : most;
  }
  exchange_max(team, &most, 1);
  exchange_sum(team, sums, 1);
  *counted = sums[0];
  if (*counted == 0) {
    return NAN;
  }
  const double scale = fixed_scale(most * (double)*counted);
  for (int64_t i = 0; i < count; ++i) {
    sums[1] += isnan(values[i]) ? 0 : fixed_of((double)values[i], scale);
  }
  exchange_sum(team, sums + 1, 1);
  return fixed_to(sums[1], scale) / (double)*counted;
}

void metrics_cover(const uint32_t *row, int64_t count, const uint32_t *child_row,
                   int64_t child_count, uint8_t *is_covered) {
  for (int64_t i = 0, j = 0; i < count && j < child_count;) {
    if (row[i] == child_row[j]) {
      is_covered[i++] = 1;
      ++j;
    } else if (row[i] < child_row[j]) {
      ++i;
    } else {
      ++j;
    }
  }
}

double metrics_coverage(const float *value, const uint8_t *is_covered, int64_t count) {
  double all = 0, covered = 0;
  for (int64_t i = 0; i < count; ++i) {
    all += (double)value[i];
    covered += is_covered[i] ? (double)value[i] : 0;
  }
  return all > 0 ? covered / all : NAN;
}

static int compare_tokens(const void *left, const void *right) {
  const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

int64_t metrics_commonest(uint32_t *tokens, int64_t count) {
  int64_t most = 0, run = 0;
  if (count > 0) {
    qsort(tokens, (size_t)count, sizeof *tokens, compare_tokens);
  }
  for (int64_t i = 0; i < count; ++i) {
    run = i > 0 && tokens[i] == tokens[i - 1] ? run + 1 : 1;
    most = run > most ? run : most;
  }
  return most;
}

/* Sums over parents, a and b their children in the level and in the twin. */
enum {
  SUM_PARENTS,
  SUM_A,
  SUM_B,
  SUM_AA,
  SUM_BB,
  SUM_AB,
  SUM_SPLIT_A,
  SUM_SPLIT_B,
  SUM_SPLIT_BOTH,
  SUMS
};

static void add_parent(int64_t *sums, int64_t a, int64_t b) {
  sums[SUM_PARENTS] += 1;
  sums[SUM_A] += a;
  sums[SUM_B] += b;
  sums[SUM_AA] += a * a;
  sums[SUM_BB] += b * b;
  sums[SUM_AB] += a * b;
  sums[SUM_SPLIT_A] += a >= 2;
  sums[SUM_SPLIT_B] += b >= 2;
  sums[SUM_SPLIT_BOTH] += a >= 2 && b >= 2;
}

static double correlation_of(const int64_t *sums) {
  const double n = (double)sums[SUM_PARENTS], a = (double)sums[SUM_A], b = (double)sums[SUM_B];
  const double spread_a = n * (double)sums[SUM_AA] - a * a;
  const double spread_b = n * (double)sums[SUM_BB] - b * b;
  const double common = n * (double)sums[SUM_AB] - a * b;
  return spread_a > 0 && spread_b > 0 ? common / (sqrt(spread_a) * sqrt(spread_b)) : NAN;
}

static double share_of(int64_t part, int64_t whole) {
  return whole > 0 ? (double)part / (double)whole : NAN;
}

void metrics_replication(Team *team, const int64_t *level, const int64_t *twin,
                         const uint8_t *state, int64_t count, MetricsReplication *out) {
  int64_t sums[SUMS] = {0};
  for (int64_t i = 0; i < count; ++i) {
    if (state[i] != DIRECTION_DEAD) {
      add_parent(sums, level[i], twin[i]);
    }
  }
  exchange_sum(team, sums, SUMS);
  *out = (MetricsReplication){.parents = sums[SUM_PARENTS],
                              .correlation = correlation_of(sums),
                              .split_again = share_of(sums[SUM_SPLIT_BOTH], sums[SUM_SPLIT_A]),
                              .split_any = share_of(sums[SUM_SPLIT_B], sums[SUM_PARENTS]),
                              .split_level = sums[SUM_SPLIT_A],
                              .split_twin = sums[SUM_SPLIT_B],
                              .split_both = sums[SUM_SPLIT_BOTH]};
}

/* A parent's place in the order by (in-degree, lower id first), as one integer. */
static uint64_t hub_key(int64_t degree, int64_t id) {
  const uint64_t most = UINT32_MAX;
  return ((uint64_t)degree < most ? (uint64_t)degree : most) << 32 | (most - (uint64_t)id);
}

static int64_t count_from(Team *team, int64_t first, const int64_t *degree, int64_t count,
                          uint64_t least) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    found += hub_key(degree[i], first + i) >= least;
  }
  exchange_sum(team, &found, 1);
  return found;
}

/* The wanted-th largest key over all ranks, bit by bit. */
static uint64_t key_of_rank(Team *team, int64_t first, const int64_t *degree, int64_t count,
                            int64_t wanted) {
  uint64_t key = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint64_t tried = key | (uint64_t)1 << bit;
    if (count_from(team, first, degree, count, tried) >= wanted) {
      key = tried;
    }
  }
  return key;
}

void metrics_hubs(Team *team, int64_t first, const int64_t *degree, const int64_t *firings,
                  const uint8_t *state, int64_t count, uint8_t *is_hub) {
  int64_t sums[3] = {count, 0, 0}; /* features, those that are not dead, their firings */
  for (int64_t i = 0; i < count; ++i) {
    sums[1] += state[i] != DIRECTION_DEAD;
    sums[2] += state[i] != DIRECTION_DEAD ? firings[i] : 0;
  }
  exchange_sum(team, sums, 3);
  const int64_t wanted = sums[0] >= 1000 ? sums[0] / 1000 : 1;
  const uint64_t least = key_of_rank(team, first, degree, count, wanted);
  const double often = 10 * (double)sums[2];
  for (int64_t i = 0; i < count; ++i) {
    const bool by_degree = degree[i] > 0 && hub_key(degree[i], first + i) >= least;
    const bool by_rate = (double)firings[i] * (double)sums[1] > often;
    is_hub[i] = by_degree || by_rate;
  }
}
