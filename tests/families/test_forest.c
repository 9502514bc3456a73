#include <math.h>
#include <string.h>

#include "check.h"
#include "exchange.h"
#include "forest.h"
#include "memory.h"
#include "metrics.h"
#include "random.h"

enum { CHILDREN = 300, PARENTS = 40 };

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* The planted links: child c has parent (7 c) mod 40 and a status that depends on c. */
static uint32_t parent_of(int64_t child) {
  return (uint32_t)(child * 7 % PARENTS);
}

static ChildStatus status_of(int64_t child) {
  static const ChildStatus STATUSES[] = {CHILD_SPLIT, CHILD_RELATED,    CHILD_KEPT_OPEN,
                                         CHILD_DEAD,  CHILD_SPLIT_OPEN, CHILD_UNSEEN,
                                         CHILD_KEPT,  CHILD_ABSORBED};
  return STATUSES[child % 8];
}

/* The part of a table that the forest looks at. */
typedef struct Links {
  Shard own;
  uint8_t status[CHILDREN], state[CHILDREN], flags[CHILDREN];
  uint32_t parent[CHILDREN];
  VerdictTable table;
} Links;

static bool is_duplicate(int64_t child) {
  return child % 23 == 20;
}

static void links_fill(Links *links) {
  links->own = lookup_own(ranks(), CHILDREN);
  for (int64_t i = 0; i < shard_count(links->own); ++i) {
    const ChildStatus status = status_of(links->own.first + i);
    links->status[i] = (uint8_t)status;
    links->state[i] = status == CHILD_DEAD     ? DIRECTION_DEAD
                      : status == CHILD_UNSEEN ? DIRECTION_UNSEEN
                                               : DIRECTION_ALIVE;
    links->flags[i] = is_duplicate(links->own.first + i) ? verdict_bit(FLAG_DUPLICATE) : 0;
    links->parent[i] = status == CHILD_DEAD ? LOOKUP_NONE : parent_of(links->own.first + i);
  }
  links->table = (VerdictTable){.count = shard_count(links->own),
                                .status = links->status,
                                .flags = links->flags,
                                .parent = links->parent};
}

static void test_lookups_fetch_what_is_meant(void) {
  const Shard own = lookup_own(ranks(), PARENTS);
  int64_t items[PARENTS], got[100], wrong = 0;
  uint32_t wanted[100];
  for (int64_t i = own.first; i < own.past; ++i) {
    items[i - own.first] = i * i;
  }
  const int64_t count = ranks()->rank == 0 ? 0 : 100 - ranks()->rank; /* lists differ */
  for (int64_t i = 0; i < count; ++i) {
    wanted[i] = i % 9 == 8 ? LOOKUP_NONE : (uint32_t)(i * 13 % PARENTS);
    got[i] = -5;
  }
  CU_ASSERT(lookup_items(ranks(), PARENTS, items, sizeof *items, wanted, count, got) == OK);
  for (int64_t i = 0; i < count; ++i) {
    wrong += got[i] != (i % 9 == 8 ? -5 : (int64_t)wanted[i] * wanted[i]);
  }
  CU_ASSERT(wrong == 0);
}

static void test_long_lists_go_in_rounds(void) {
  enum { LONG = (1 << 20) + 77 };
  const Shard own = lookup_own(ranks(), PARENTS);
  uint32_t *wanted = NULL, *got = NULL, items[PARENTS];
  int64_t wrong = 0, sums[PARENTS] = {0};
  const int64_t count = ranks()->rank == ranks()->size - 1 ? LONG : 3;
  CU_ASSERT(MEMORY_NEW(&wanted, count, "ids") == OK);
  CU_ASSERT(MEMORY_NEW(&got, count, "items") == OK);
  for (int64_t i = 0; i < shard_count(own); ++i) {
    items[i] = (uint32_t)(own.first + i + 1000);
  }
  for (int64_t i = 0; i < count; ++i) {
    wanted[i] = (uint32_t)(i % PARENTS);
  }
  CU_ASSERT(lookup_items(ranks(), PARENTS, items, sizeof *items, wanted, count, got) == OK);
  for (int64_t i = 0; i < count; ++i) {
    wrong += got[i] != wanted[i] + 1000;
  }
  CU_ASSERT(wrong == 0);
  CU_ASSERT(lookup_add(ranks(), PARENTS, wanted, NULL, count, sums) == OK);
  for (int64_t i = own.first; i < own.past; ++i) {
    const int64_t of_long = LONG / PARENTS + (i < LONG % PARENTS);
    wrong += sums[i - own.first] != of_long + (i < 3 ? ranks()->size - 1 : 0);
  }
  CU_ASSERT(wrong == 0);
  MEMORY_FREE(wanted);
  MEMORY_FREE(got);
}

static void test_values_are_added_where_they_belong(void) {
  const Shard own = lookup_own(ranks(), PARENTS);
  int64_t sums[PARENTS] = {0}, values[PARENTS], wrong = 0;
  uint32_t to[PARENTS];
  const int64_t count = ranks()->rank == 0 ? PARENTS : 0; /* the others bring nothing */
  for (int64_t i = 0; i < PARENTS; ++i) {
    to[i] = i == 5 ? LOOKUP_NONE : (uint32_t)i;
    values[i] = 10 * i;
  }
  CU_ASSERT(lookup_add(ranks(), PARENTS, count > 0 ? to : NULL, count > 0 ? values : NULL, count,
                       sums) == OK);
  for (int64_t i = own.first; i < own.past; ++i) {
    wrong += sums[i - own.first] != (i == 5 ? 0 : 10 * i);
  }
  CU_ASSERT(wrong == 0);
}

static void test_children_are_sorted_under_their_parents(void) {
  static Links links;
  ForestChildren children;
  int64_t wrong = 0;
  links_fill(&links);
  CU_ASSERT(forest_children(ranks(), CHILDREN, PARENTS, &links.table, &children) == OK);
  const Shard own = lookup_own(ranks(), PARENTS);
  CU_ASSERT(children.parents == shard_count(own));
  for (int64_t p = 0; p < children.parents; ++p) {
    int64_t at = children.start[p], kept = 0, split = 0, absorbed = 0;
    for (int64_t c = 0; c < CHILDREN; ++c) {
      if (parent_of(c) == own.first + p && verdict_in_forest(status_of(c)) && !is_duplicate(c)) {
        wrong += children.child[at] != c || children.status[at] != status_of(c);
        kept += verdict_is_kept(status_of(c));
        split += verdict_is_split(status_of(c));
        absorbed += status_of(c) == CHILD_ABSORBED;
        ++at;
      }
    }
    const ForestCounts counts = forest_counts(&children, p);
    wrong += at != children.start[p + 1] || counts.kept != kept || counts.split != split ||
             counts.absorbed != absorbed || counts.all != kept + split + absorbed;
  }
  CU_ASSERT(wrong == 0);
  forest_clear(&children);
}

static void test_roots_follow_edges_down(void) {
  static Links links;
  static ForestRoot below[PARENTS], roots[CHILDREN];
  int64_t wrong = 0;
  links_fill(&links);
  const Shard own = lookup_own(ranks(), PARENTS);
  for (int64_t p = 0; p < shard_count(own); ++p) { /* even parents stem from features of level 0 */
    const uint32_t id = (uint32_t)(own.first + p);
    below[p] = id % 2 == 0 ? (ForestRoot){0, id / 2} : (ForestRoot){1, id};
  }
  forest_plant(links.own, links.state, 2, roots);
  CU_ASSERT(forest_grow(ranks(), PARENTS, below, &links.table, roots) == OK);
  for (int64_t i = 0; i < shard_count(links.own); ++i) {
    const int64_t c = links.own.first + i;
    const uint32_t p = parent_of(c);
    ForestRoot right = {2, (uint32_t)c};
    if (status_of(c) == CHILD_DEAD) {
      right = (ForestRoot){LOOKUP_NONE, LOOKUP_NONE};
    } else if (verdict_in_forest(status_of(c))) {
      right = p % 2 == 0 ? (ForestRoot){0, p / 2} : (ForestRoot){1, p};
    }
    wrong += roots[i].level != right.level || roots[i].id != right.id;
  }
  CU_ASSERT(wrong == 0);
}

static void test_duplicates_stand_where_their_representatives_stand(void) {
  const Shard own = lookup_own(ranks(), CHILDREN);
  static ForestRoot roots[CHILDREN];
  uint32_t representative[CHILDREN];
  int64_t wrong = 0;
  for (int64_t i = 0; i < shard_count(own); ++i) {
    const uint32_t id = (uint32_t)(own.first + i);
    roots[i] = (ForestRoot){id % 3, id};
    representative[i] = id % 5 == 4 ? id / 2 - id / 2 % 5 : id; /* a lower one, itself none */
  }
  CU_ASSERT(forest_join(ranks(), CHILDREN, representative, roots) == OK);
  for (int64_t i = 0; i < shard_count(own); ++i) {
    wrong += roots[i].id != representative[i] || roots[i].level != representative[i] % 3;
  }
  CU_ASSERT(wrong == 0);
}

static void test_chains_agree_first_later_or_never(void) {
  enum { WIDTH = 2 };
  const Shard own = lookup_own(ranks(), PARENTS);
  uint32_t above[PARENTS];
  for (int64_t p = 0; p < shard_count(own); ++p) {
    above[p] = own.first + p == 3 ? LOOKUP_NONE : (uint32_t)(100 + own.first + p);
  }
  const uint32_t chain[] = {1, 2, 1, 2, 1, 2, LOOKUP_NONE, LOOKUP_NONE, 1, LOOKUP_NONE, 3, 2};
  const uint32_t direct[] = {101, 102, 103, 101, LOOKUP_NONE, 102};
  const uint8_t right[] = {3, 1, 0, FOREST_NO_CHAIN, FOREST_NO_CHAIN, FOREST_NO_CHAIN};
  uint8_t agrees[6];
  const int64_t count = ranks()->rank % 2 == 0 ? 6 : 0;
  CU_ASSERT(forest_consistency(ranks(), PARENTS, chain, WIDTH, above, direct, count, agrees) == OK);
  CU_ASSERT(memcmp(agrees, right, (size_t)count) == 0);
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

static void test_coverage_is_the_share_of_activation_on_common_rows(void) {
  const uint32_t row[] = {2, 5, 7, 9}, first[] = {1, 5, 6}, second[] = {5, 9};
  const float value[] = {1, 2, 3, 4};
  uint8_t is_covered[4] = {0};
  CU_ASSERT(metrics_coverage(value, is_covered, 4) == 0);
  metrics_cover(row, 4, first, 3, is_covered);
  metrics_cover(row, 4, second, 2, is_covered);
  CU_ASSERT_DOUBLE_EQUAL(metrics_coverage(value, is_covered, 4), 0.6, 1e-15);
  CU_ASSERT(isnan(metrics_coverage(value, is_covered, 0)));
}

static void test_the_commonest_token_is_counted(void) {
  uint32_t tokens[] = {5, 1, 5, 9, 1, 5};
  CU_ASSERT(metrics_commonest(tokens, 6) == 3);
  CU_ASSERT(metrics_commonest(tokens, 1) == 1);
  CU_ASSERT(metrics_commonest(tokens, 0) == 0);
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

static void test_the_largest_value_stays(void) {
  const Shard own = lookup_own(ranks(), PARENTS);
  float largest[PARENTS], values[PARENTS];
  uint32_t to[PARENTS];
  int64_t wrong = 0;
  for (int64_t i = 0; i < PARENTS; ++i) {
    largest[i] = -2;
    to[i] = i % 4 == 3 ? LOOKUP_NONE : (uint32_t)(i / 2);
    values[i] = (float)(i * (ranks()->rank + 1));
  }
  CU_ASSERT(lookup_max(ranks(), PARENTS, to, values, PARENTS, largest) == OK);
  for (int64_t i = own.first; i < own.past; ++i) {
    const int64_t last = i % 2 == 0 ? 2 * i + 1 : 2 * i; /* of the two that name it */
    const float want = i < PARENTS / 2 ? (float)(last * ranks()->size) : -2;
    wrong += largest[i - own.first] != want;
  }
  CU_ASSERT(wrong == 0);
  CU_ASSERT(lookup_max(ranks(), PARENTS, NULL, NULL, 0, largest) == OK);
}

static const CheckFact FACTS[] = {
    {"lookups fetch what is meant", test_lookups_fetch_what_is_meant},
    {"long lists go in rounds", test_long_lists_go_in_rounds},
    {"values are added where they belong", test_values_are_added_where_they_belong},
    {"the largest value stays", test_the_largest_value_stays},
    {"children are sorted under their parents", test_children_are_sorted_under_their_parents},
    {"roots follow edges down", test_roots_follow_edges_down},
    {"duplicates stand where their representatives stand",
     test_duplicates_stand_where_their_representatives_stand},
    {"chains agree first, later or never", test_chains_agree_first_later_or_never},
    {"means have the same bits at any rank count", test_means_have_the_same_bits_at_any_rank_count},
    {"coverage is the share of activation on common rows",
     test_coverage_is_the_share_of_activation_on_common_rows},
    {"the commonest token is counted", test_the_commonest_token_is_counted},
    {"replication equals a hand calculation", test_replication_equals_a_hand_calculation},
    {"rate bins hold equally many", test_rate_bins_hold_equally_many},
    {"children a parent equal a sorted list", test_children_a_parent_equal_a_sorted_list},
    {"rows of a union count once", test_rows_of_a_union_count_once},
    {"hubs are the top by degree or fire often", test_hubs_are_the_top_by_degree_or_fire_often},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "forest", FACTS);
}
