/* Neighbours between and inside dictionaries against naive loops, at any number of ranks. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "memory.h"
#include "neighbours.h"
#include "random.h"
#include "threads.h"

enum { WIDTH = 48, MOST = 8, ROWS_MOST = 512 };

static Team team;

/* A whole dictionary: row 5 repeats row 2, rows 4 and 9 are dead, the rest random with a mean. */
static void make_rows(float *rows, int64_t latents, const char *name) {
  const uint64_t key = random_key(7, "test rows", name);
  for (int64_t i = 0; i < latents; i++) {
    for (int64_t j = 0; j < WIDTH; j++) {
      const double value = 0.2 + random_normal(key, (uint64_t)(i * WIDTH + j));
      rows[i * WIDTH + j] = i == 4 || i == 9 ? 0.0F : (float)value;
    }
  }
  if (latents > 5) {
    memcpy(rows + 5 * WIDTH, rows + 2 * WIDTH, WIDTH * sizeof(float));
  }
}

static void open_rows(Directions *out, const Team *ranks, int64_t latents, const char *name) {
  static float rows[ROWS_MOST * WIDTH];
  make_rows(rows, latents, name);
  CU_ASSERT_EQUAL(directions_open(out, ranks, latents, WIDTH), OK);
  const int64_t count = shard_count(out->own);
  memcpy(out->rows, rows + out->own.first * WIDTH, (size_t)(count * WIDTH) * sizeof(float));
  directions_judge(out, NULL, 0);
  CU_ASSERT_EQUAL(directions_unit(out, "test"), OK);
}

static void begin(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
}

static void end(void) {
  team_close(&team);
}

static Team alone(void) {
  return (Team){.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
}

/* The best of `base` for row `id` of `from` (both whole), by loops. */
static int64_t naive(const Directions *from, int64_t id, const Directions *base, bool is_own,
                     SelectKey *keys) {
  int64_t count = 0;
  for (int64_t i = 0; i < base->latents && !from->is_left_out[id]; i++) {
    if (!base->is_left_out[i] && !(is_own && i == id)) {
      const float cosine = dense_dot(from->rows + id * WIDTH, base->rows + i * WIDTH, WIDTH);
      select_offer(keys, &count, MOST, select_key(cosine, i));
    }
  }
  select_sort(keys, count);
  return count;
}

static int64_t differences(const Neighbours *lists, Shard own, const Directions *from,
                           const Directions *base, bool is_own) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < lists->count; i++) {
    SelectKey keys[MOST] = {0};
    const int64_t count = naive(from, own.first + i, base, is_own, keys);
    wrong += count != lists->counts[i];
    wrong += memcmp(keys, lists->keys + i * MOST, sizeof(keys)) != 0;
  }
  return wrong;
}

static void check_pair(int64_t children, int64_t parents) {
  Directions child, parent, whole_child, whole_parent;
  const Team self = alone();
  open_rows(&child, &team, children, "child");
  open_rows(&parent, &team, parents, "parent");
  open_rows(&whole_child, &self, children, "child");
  open_rows(&whole_parent, &self, parents, "parent");
  Neighbours up, down;
  CU_ASSERT_EQUAL(neighbours_open(&up, shard_count(child.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_open(&down, shard_count(parent.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find(&team, &child, &parent, &up, &down, NULL), OK);
  CU_ASSERT_EQUAL(differences(&up, child.own, &whole_child, &whole_parent, false), 0);
  CU_ASSERT_EQUAL(differences(&down, parent.own, &whole_parent, &whole_child, false), 0);
  neighbours_clear(&up);
  neighbours_clear(&down);
  directions_clear(&child);
  directions_clear(&parent);
  directions_clear(&whole_child);
  directions_clear(&whole_parent);
}

static void test_both_ways_equal_naive_loops(void) {
  begin();
  check_pair(300, 130);
  end();
}

static void test_ranks_without_rows_change_nothing(void) {
  begin();
  check_pair(7, 2);
  check_pair(40, 1);
  check_pair(1, 40);
  end();
}

static void test_threads_change_nothing(void) {
  begin();
  threads_set(3);
  check_pair(300, 130);
  threads_set(1);
  end();
}

static void test_own_neighbours_leave_out_the_row_itself_and_keep_its_double(void) {
  begin();
  Directions rows, whole;
  const Team self = alone();
  open_rows(&rows, &team, 200, "own");
  open_rows(&whole, &self, 200, "own");
  Neighbours nearest;
  CU_ASSERT_EQUAL(neighbours_open(&nearest, shard_count(rows.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find_own(&team, &rows, &nearest, NULL), OK);
  CU_ASSERT_EQUAL(differences(&nearest, rows.own, &whole, &whole, true), 0);
  for (int64_t i = 0; i < nearest.count; i++) {
    if (rows.own.first + i == 2 || rows.own.first + i == 5) {
      CU_ASSERT_EQUAL(select_id(nearest.keys[i * MOST]), 7 - (rows.own.first + i));
    }
  }
  neighbours_clear(&nearest);
  directions_clear(&rows);
  directions_clear(&whole);
  end();
}

static void test_dead_rows_have_and_are_no_neighbours(void) {
  begin();
  Directions child, parent;
  open_rows(&child, &team, 60, "child");
  open_rows(&parent, &team, 60, "parent");
  Neighbours up, down;
  uint32_t ids[60 * MOST];
  float cosines[60 * MOST];
  CU_ASSERT_EQUAL(neighbours_open(&up, shard_count(child.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_open(&down, shard_count(parent.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find(&team, &child, &parent, &up, &down, NULL), OK);
  neighbours_unpack(&up, ids, cosines);
  for (int64_t i = 0; i < up.count * MOST; i++) {
    const int64_t id = child.own.first + i / MOST;
    const bool is_dead = id == 4 || id == 9;
    CU_ASSERT_EQUAL(ids[i] == UINT32_MAX, is_dead);
    CU_ASSERT_EQUAL(isnan(cosines[i]) != 0, is_dead);
    CU_ASSERT(ids[i] != 4 && ids[i] != 9);
    CU_ASSERT(is_dead || (cosines[i] >= -1 && cosines[i] <= 1));
  }
  neighbours_clear(&up);
  neighbours_clear(&down);
  directions_clear(&child);
  directions_clear(&parent);
  end();
}

static void test_scores_of_other_rows_equal_naive_loops(void) {
  begin();
  Directions child, parent, other_child, other_parent, whole_child, whole_parent;
  const Team self = alone();
  open_rows(&child, &team, 120, "child");
  open_rows(&parent, &team, 3, "parent");
  open_rows(&other_child, &team, 120, "other child");
  open_rows(&other_parent, &team, 3, "other parent");
  open_rows(&whole_child, &self, 120, "other child");
  open_rows(&whole_parent, &self, 3, "other parent");
  Neighbours up, down;
  float scores[120 * MOST];
  CU_ASSERT_EQUAL(neighbours_open(&up, shard_count(child.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_open(&down, shard_count(parent.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find(&team, &child, &parent, &up, &down, NULL), OK);
  CU_ASSERT_EQUAL(neighbours_score(&team, &other_child, &other_parent, &up, scores), OK);
  for (int64_t i = 0; i < up.count * MOST; i++) {
    const int64_t id = child.own.first + i / MOST;
    if (i % MOST >= up.counts[i / MOST]) {
      CU_ASSERT(isnan(scores[i]));
      continue;
    }
    const int64_t parent_id = select_id(up.keys[i]);
    CU_ASSERT_EQUAL(scores[i], dense_dot(whole_child.rows + id * WIDTH,
                                         whole_parent.rows + parent_id * WIDTH, WIDTH));
  }
  neighbours_clear(&up);
  neighbours_clear(&down);
  directions_clear(&child);
  directions_clear(&parent);
  directions_clear(&other_child);
  directions_clear(&other_parent);
  directions_clear(&whole_child);
  directions_clear(&whole_parent);
  end();
}

static void test_progress_ends_at_all_pairs(void) {
  begin();
  Directions rows;
  Progress bar;
  open_rows(&rows, &team, 90, "own");
  progress_open(&bar, &team, "test", "pairs", 90 * 90);
  NeighboursWatch watch = {.bar = &bar};
  Neighbours nearest;
  CU_ASSERT_EQUAL(neighbours_open(&nearest, shard_count(rows.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find_own(&team, &rows, &nearest, &watch), OK);
  CU_ASSERT(nearest.count == 0 || watch.done == 90 * 90);
  neighbours_clear(&nearest);
  directions_clear(&rows);
  end();
}

static const CheckFact FACTS[] = {
    {"both ways equal naive loops", test_both_ways_equal_naive_loops},
    {"ranks without rows change nothing", test_ranks_without_rows_change_nothing},
    {"threads change nothing", test_threads_change_nothing},
    {"own neighbours leave out the row itself and keep its double",
     test_own_neighbours_leave_out_the_row_itself_and_keep_its_double},
    {"dead rows have and are no neighbours", test_dead_rows_have_and_are_no_neighbours},
    {"scores of other rows equal naive loops", test_scores_of_other_rows_equal_naive_loops},
    {"progress ends at all pairs", test_progress_ends_at_all_pairs},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "neighbours", FACTS);
}
