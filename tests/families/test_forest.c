#include <string.h>

#include "check.h"
#include "forest.h"
#include "memory.h"

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
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "forest", FACTS);
}
