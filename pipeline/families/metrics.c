#include "metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "directions.h"
#include "exchange.h"
#include "fixed.h"
#include "logarithm.h"
#include "memory.h"

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

int64_t metrics_shared(const uint32_t *row, int64_t count, const uint32_t *child_row,
                       const float *child_value, int64_t child_count, uint32_t *at, float *value) {
  int64_t shared = 0;
  for (int64_t i = 0, j = 0; i < count && j < child_count;) {
    if (row[i] == child_row[j]) {
      at[shared] = (uint32_t)i++;
      value[shared++] = child_value[j++];
    } else if (row[i] < child_row[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return shared;
}

double metrics_coverage(const float *value, const uint8_t *is_covered, int64_t count) {
  double all = 0, covered = 0;
  for (int64_t i = 0; i < count; ++i) {
    all += (double)value[i];
    covered += is_covered[i] ? (double)value[i] : 0;
  }
  return all > 0 ? covered / all : NAN;
}

int64_t metrics_mark(uint64_t *bits, const uint32_t *row, int64_t count, uint32_t *fresh) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t bit = (uint64_t)1 << (row[i] % 64);
    if ((bits[row[i] / 64] & bit) == 0) {
      bits[row[i] / 64] |= bit;
      fresh[found++] = row[i];
    }
  }
  return found;
}

void metrics_unmark(uint64_t *bits, const uint32_t *row, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    bits[row[i] / 64] = 0;
  }
}

static int compare_tokens(const void *left, const void *right) {
  const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

int64_t metrics_commonest(uint32_t *tokens, int64_t count, uint32_t *token) {
  int64_t most = 0, run = 0;
  if (count > 0) {
    qsort(tokens, (size_t)count, sizeof *tokens, compare_tokens);
  }
  for (int64_t i = 0; i < count; ++i) {
    run = i > 0 && tokens[i] == tokens[i - 1] ? run + 1 : 1;
    *token = run > most ? tokens[i] : *token;
    most = run > most ? run : most;
  }
  return most;
}

double metrics_entropy(const int64_t *counts, int64_t count) {
  double all = 0, bits = 0;
  for (int64_t i = 0; i < count; ++i) {
    all += (double)counts[i];
  }
  for (int64_t i = 0; i < count; ++i) {
    bits += counts[i] > 0 ? (double)counts[i] / all * logarithm(all / (double)counts[i]) : 0;
  }
  return all > 0 ? bits / 0.69314718055994530942 : NAN; /* ln 2 */
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

/* Sums of squares and products around the means. */
typedef struct Spread {
  double a, b, both;
} Spread;

static void add_spread(Spread *spread, const int64_t *sums) {
  const double n = (double)sums[SUM_PARENTS], a = (double)sums[SUM_A], b = (double)sums[SUM_B];
  if (sums[SUM_PARENTS] > 0) {
    spread->a += (n * (double)sums[SUM_AA] - a * a) / n;
    spread->b += (n * (double)sums[SUM_BB] - b * b) / n;
    spread->both += (n * (double)sums[SUM_AB] - a * b) / n;
  }
}

static double correlation_of(const Spread *spread) {
  return spread->a > 0 && spread->b > 0 ? spread->both / (sqrt(spread->a) * sqrt(spread->b)) : NAN;
}

static double share_of(int64_t part, int64_t whole) {
  return whole > 0 ? (double)part / (double)whole : NAN;
}

void metrics_replication(Team *team, const int64_t *level, const int64_t *twin,
                         const uint8_t *counts, const uint8_t *bin, int64_t count,
                         MetricsReplication *out) {
  int64_t sums[METRICS_BINS][SUMS] = {{0}}, all[SUMS] = {0};
  Spread whole = {0}, within = {0};
  for (int64_t i = 0; i < count; ++i) {
    if (counts[i]) {
      add_parent(sums[bin[i]], level[i], twin[i]);
    }
  }
  exchange_sum(team, &sums[0][0], (int64_t)METRICS_BINS * SUMS);
  for (int b = 0; b < METRICS_BINS; ++b) {
    add_spread(&within, sums[b]);
    for (int s = 0; s < SUMS; ++s) {
      all[s] += sums[b][s];
    }
  }
  add_spread(&whole, all);
  *out = (MetricsReplication){.parents = all[SUM_PARENTS],
                              .correlation = correlation_of(&whole),
                              .within = correlation_of(&within),
                              .split_again = share_of(all[SUM_SPLIT_BOTH], all[SUM_SPLIT_A]),
                              .split_any = share_of(all[SUM_SPLIT_B], all[SUM_PARENTS]),
                              .split_level = all[SUM_SPLIT_A],
                              .split_twin = all[SUM_SPLIT_B],
                              .split_both = all[SUM_SPLIT_BOTH]};
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

/* The wanted[s]-th smallest key (1-based) of all ranks' keys, bit by bit: the largest value that
   fewer keys lie below. UINT64_MAX is no key, and found where there are fewer. */
static void smallest_keys(Team *team, const uint64_t *keys, int64_t count, const int64_t *wanted,
                          int searches, uint64_t *found) {
  int64_t below[METRICS_BINS];
  ASSERT(searches <= METRICS_BINS);
  memset(found, 0, (size_t)searches * sizeof *found);
  for (int bit = 63; bit >= 0; --bit) {
    for (int s = 0; s < searches; ++s) {
      const uint64_t tried = found[s] | (uint64_t)1 << bit;
      below[s] = 0;
      for (int64_t i = 0; i < count; ++i) {
        below[s] += keys[i] < tried;
      }
    }
    exchange_sum(team, below, searches);
    for (int s = 0; s < searches; ++s) {
      found[s] |= below[s] < wanted[s] ? (uint64_t)1 << bit : 0;
    }
  }
}

Status metrics_rate_bins(Team *team, int64_t first, const int64_t *firings, const uint8_t *counts,
                         int64_t count, uint8_t *bin) {
  uint64_t *keys = NULL, edges[METRICS_BINS - 1];
  int64_t wanted[METRICS_BINS - 1], all = 0;
  TRY_NEW(team, &keys, count, "firing rates");
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t rate = firings[i] < UINT32_MAX ? (uint64_t)firings[i] : UINT32_MAX - 1;
    keys[i] = counts[i] ? rate << 32 | (uint64_t)(first + i) : UINT64_MAX;
    all += counts[i] != 0;
  }
  exchange_sum(team, &all, 1);
  for (int b = 0; b + 1 < METRICS_BINS; ++b) {
    wanted[b] = all * (b + 1) / METRICS_BINS;
  }
  smallest_keys(team, keys, count, wanted, METRICS_BINS - 1, edges);
  for (int64_t i = 0; i < count; ++i) {
    bin[i] = 0;
    for (int b = 0; counts[i] && b + 1 < METRICS_BINS; ++b) {
      bin[i] = (uint8_t)(bin[i] + (keys[i] > edges[b]));
    }
  }
  MEMORY_FREE(keys);
  return OK;
}

/* Sums over the parents with children. */
enum { WITH_CHILDREN, ALL_CHILDREN, SQUARES, CHILDREN_SUMS };

/* Of the children, how many belong to the `top` parents with most; `least` is the count of the last
   of these. */
static int64_t children_of_top(Team *team, const int64_t *children, int64_t count, int64_t top,
                               int64_t least) {
  int64_t above[2] = {0}; /* parents, their children */
  for (int64_t i = 0; i < count; ++i) {
    above[0] += children[i] > least;
    above[1] += children[i] > least ? children[i] : 0;
  }
  exchange_sum(team, above, 2);
  return above[1] + (top - above[0]) * least;
}

static void describe_children(Team *team, const int64_t *children, const uint64_t *keys,
                              int64_t count, const int64_t *sums, MetricsChildren *out) {
  enum { MEDIAN, P90, P99, TOP, MOST, SEARCHES };
  const int64_t n = sums[WITH_CHILDREN], top = n >= 100 ? n / 100 : 1;
  const int64_t wanted[SEARCHES] = {(n + 1) / 2, (9 * n + 9) / 10, (99 * n + 99) / 100, n - top + 1,
                                    n};
  uint64_t found[SEARCHES];
  smallest_keys(team, keys, count, wanted, SEARCHES, found);
  const double parents = (double)n, all = (double)sums[ALL_CHILDREN];
  const double spread = (double)sums[SQUARES] - all * all / parents;
  *out = (MetricsChildren){
      .parents = n,
      .children = sums[ALL_CHILDREN],
      .most = (int64_t)found[MOST],
      .mean = all / parents,
      .dispersion = spread / all,
      .median = (double)found[MEDIAN],
      .p90 = (double)found[P90],
      .p99 = (double)found[P99],
      .top_share = share_of(children_of_top(team, children, count, top, (int64_t)found[TOP]),
                            sums[ALL_CHILDREN])};
}

Status metrics_children(Team *team, const int64_t *children, int64_t count, MetricsChildren *out) {
  int64_t sums[CHILDREN_SUMS] = {0};
  uint64_t *keys = NULL;
  TRY_NEW(team, &keys, count, "counts of children");
  for (int64_t i = 0; i < count; ++i) {
    keys[i] = children[i] > 0 ? (uint64_t)children[i] : UINT64_MAX;
    sums[WITH_CHILDREN] += children[i] > 0;
    sums[ALL_CHILDREN] += children[i];
    sums[SQUARES] += children[i] * children[i];
  }
  exchange_sum(team, sums, CHILDREN_SUMS);
  if (sums[WITH_CHILDREN] > 0) {
    describe_children(team, children, keys, count, sums, out);
  } else {
    *out = (MetricsChildren){
        .mean = NAN, .dispersion = NAN, .median = NAN, .p90 = NAN, .p99 = NAN, .top_share = NAN};
  }
  MEMORY_FREE(keys);
  return OK;
}
