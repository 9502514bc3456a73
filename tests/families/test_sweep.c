#include <math.h>
#include <string.h>

#include "check.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"
#include "sweep.h"

enum { CHILDREN = 300, PARENTS = 40 };

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

static int64_t drawn(const char *what, int64_t index, int64_t bound) {
  return random_below(random_key(3, what, "sweep"), (uint64_t)index, bound);
}

/* Child c: its status changes at three thresholds, its parent at one; every 11th is a duplicate. */
static ChildStatus status_of(int64_t child, int cut) {
  int64_t part = 0;
  for (int64_t j = 0; j < 3; ++j) {
    part += cut >= drawn("turn", 3 * child + j, VERDICT_CUTS + 5);
  }
  return (ChildStatus)(1 + drawn("status", 4 * child + part, CHILD_STATUSES - 1));
}

static bool is_duplicate(int64_t child) {
  return child % 11 == 3;
}

static uint32_t parent_of(int64_t child, int cut) {
  const bool is_convinced = cut < drawn("parent", child, VERDICT_CUTS);
  return (uint32_t)drawn(is_convinced ? "convinced" : "first", child, PARENTS);
}

static float best_of(int64_t child) {
  return child % 7 == 0 ? NAN : (float)(0.3 + 0.006 * (double)drawn("best", child, 100));
}

static void fill(VerdictTable *table, uint8_t *state) {
  const Shard own = lookup_own(ranks(), CHILDREN);
  CU_ASSERT(verdict_open(table, shard_count(own), 0.443) == OK);
  for (int64_t i = 0; i < table->count; ++i) {
    const int64_t child = own.first + i;
    for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
      const uint64_t bit = (uint64_t)1 << cut;
      const bool is_convinced = cut < drawn("parent", child, VERDICT_CUTS);
      table->status_at[i * VERDICT_CUTS + cut] = (uint8_t)status_of(child, cut);
      table->takes_convinced[i] |= is_convinced ? bit : 0;
    }
    table->convinced[i] = (uint32_t)drawn("convinced", child, PARENTS);
    table->first_parent[i] = (uint32_t)drawn("first", child, PARENTS);
    table->best[i] = best_of(child);
    table->second[i] = child % 3 == 0 ? best_of(child) : NAN;
    table->flags[i] = is_duplicate(child) ? verdict_bit(FLAG_DUPLICATE) : 0;
    state[i] = (uint8_t)(child % 3);
  }
}

static double link_at(int cut) {
  return cut == VERDICT_MAIN ? 0.443 : verdict_step(cut);
}

static void test_children_are_counted_at_every_threshold(void) {
  static SweepChildren found;
  VerdictTable table;
  uint8_t state[CHILDREN];
  int64_t wrong = 0, children = 0;
  fill(&table, state);
  sweep_children(ranks(), &table, state, &found);
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    int64_t status[CHILD_STATUSES] = {0}, linked = 0, merged = 0;
    children = 0;
    for (int64_t c = 0; c < CHILDREN; ++c) {
      if (is_duplicate(c)) {
        continue;
      }
      const bool is_linked = (double)best_of(c) >= link_at(cut);
      ++status[status_of(c, cut)];
      children += c % 3 != DIRECTION_DEAD;
      linked += is_linked;
      merged += is_linked && c % 3 == 0;
    }
    wrong += memcmp(status, found.status[cut], sizeof status) != 0;
    wrong += linked != found.linked[cut] || merged != found.merged[cut];
  }
  CU_ASSERT(wrong == 0 && found.children == children && found.alive > 80);
  verdict_clear(&table);
}

static bool is_kind(ChildStatus status, int kind) {
  switch (kind) {
    case SWEEP_KEPT:
      return status == CHILD_KEPT || status == CHILD_KEPT_OPEN;
    case SWEEP_SPLIT:
      return status == CHILD_SPLIT || status == CHILD_SPLIT_OPEN;
    default:
      return status == CHILD_ABSORBED;
  }
}

static int64_t children_of(int64_t parent, int cut, int kind) {
  int64_t count = 0;
  for (int64_t c = 0; c < CHILDREN; ++c) {
    count += !is_duplicate(c) && parent_of(c, cut) == parent && is_kind(status_of(c, cut), kind);
  }
  return count;
}

static void test_parents_have_their_children_at_every_threshold(void) {
  const Shard own = lookup_own(ranks(), PARENTS);
  VerdictTable table;
  SweepForest forest;
  uint8_t state[CHILDREN];
  int64_t wrong = 0;
  fill(&table, state);
  CU_ASSERT(sweep_forest(ranks(), PARENTS, &table, &forest) == OK);
  CU_ASSERT(forest.parents == shard_count(own));
  for (int64_t p = 0; p < forest.parents; ++p) {
    for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
      int64_t all = 0;
      for (int kind = 0; kind < SWEEP_KINDS; ++kind) {
        const int64_t want = children_of(own.first + p, cut, kind);
        wrong += forest.count[kind][p * VERDICT_CUTS + cut] != want;
        all += want;
      }
      wrong += sweep_forest_children(&forest, p, cut) != all;
    }
  }
  CU_ASSERT(wrong == 0);
  sweep_forest_clear(&forest);
  verdict_clear(&table);
}

static void test_parent_statuses_are_counted(void) {
  static SweepParents found;
  const Shard own = lookup_own(ranks(), PARENTS);
  VerdictTable table;
  SweepForest forest;
  uint8_t state[CHILDREN], counts[PARENTS], is_linked[PARENTS];
  float link[PARENTS];
  int64_t wrong = 0;
  fill(&table, state);
  CU_ASSERT(sweep_forest(ranks(), PARENTS, &table, &forest) == OK);
  for (int64_t p = 0; p < forest.parents; ++p) {
    state[p] = (own.first + p) % 9 == 0 ? DIRECTION_DEAD : DIRECTION_ALIVE;
    counts[p] = (own.first + p) % 5 != 1;
    link[p] = (float)(0.35 + 0.01 * (double)(own.first + p));
    is_linked[p] = (own.first + p) % 2 == 0;
  }
  sweep_parents(ranks(), &forest, state, counts, link, is_linked, &found);
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    int64_t status[PARENT_STATUSES] = {0}, grown = 0;
    for (int64_t p = 0; p < PARENTS; ++p) {
      const int64_t kept = children_of(p, cut, SWEEP_KEPT),
                    split = children_of(p, cut, SWEEP_SPLIT);
      const bool has_edge = cut == VERDICT_MAIN
                                ? p % 2 == 0
                                : (double)(float)(0.35 + 0.01 * (double)p) >= link_at(cut);
      if (p % 5 != 1) {
        ++status[verdict_parent(p % 9 == 0 ? DIRECTION_DEAD : DIRECTION_ALIVE, kept, split,
                                has_edge)];
        grown += kept + split + children_of(p, cut, SWEEP_ABSORBED) > 0;
      }
    }
    wrong += memcmp(status, found.status[cut], sizeof status) != 0 || grown != found.grown[cut];
  }
  CU_ASSERT(wrong == 0);
  sweep_forest_clear(&forest);
  verdict_clear(&table);
}

static void test_the_null_says_how_many_links_are_false(void) {
  int64_t histogram[VERDICT_BINS] = {0};
  CU_ASSERT(isnan(sweep_null_share(histogram, 0)));
  histogram[39] = 90;
  histogram[40] = 6;
  histogram[80] = 4;
  CU_ASSERT_DOUBLE_EQUAL(sweep_null_share(histogram, 0), 0.10, 1e-15);
  CU_ASSERT_DOUBLE_EQUAL(sweep_null_share(histogram, 1), 0.04, 1e-15);
  CU_ASSERT_DOUBLE_EQUAL(sweep_null_share(histogram, 40), 0.04, 1e-15);
  CU_ASSERT_DOUBLE_EQUAL(sweep_false_share(0.04, 1000, 160), 0.25, 1e-15);
  CU_ASSERT(isnan(sweep_false_share(0.04, 1000, 0)));
}

static const CheckFact FACTS[] = {
    {"children are counted at every threshold", test_children_are_counted_at_every_threshold},
    {"parents have their children at every threshold",
     test_parents_have_their_children_at_every_threshold},
    {"parent statuses are counted", test_parent_statuses_are_counted},
    {"the null says how many links are false", test_the_null_says_how_many_links_are_false},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "sweep", FACTS);
}
