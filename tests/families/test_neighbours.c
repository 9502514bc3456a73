/* Neighbours between and inside dictionaries against naive loops, at any number of ranks. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "exchange.h"
#include "lowp.h"
#include "memory.h"
#include "neighbours.h"
#include "random.h"
#include "ring.h"
#include "threads.h"

enum { WIDTH = 48, MOST = 8, ROWS_MOST = 512 };

static Team team;
static bool is_sparse; /* most rows are dead */

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
  for (int64_t i = 0; i < latents && is_sparse; i++) {
    if (random_below(key, (uint64_t)(latents * WIDTH + i), 3) > 0) {
      memset(rows + i * WIDTH, 0, WIDTH * sizeof(float));
    }
  }
}

static void open_part(Directions *out, const Team *ranks, int64_t latents, const char *name,
                      Shard part) {
  static float rows[ROWS_MOST * WIDTH];
  make_rows(rows, latents, name);
  CU_ASSERT_EQUAL(directions_open_part(out, ranks, latents, WIDTH, part), OK);
  const int64_t count = shard_count(out->own);
  memcpy(out->rows, rows + out->own.first * WIDTH, (size_t)(count * WIDTH) * sizeof(float));
  directions_judge(out, NULL, 0);
  CU_ASSERT_EQUAL(directions_unit(out, "test"), OK);
}

static void open_rows(Directions *out, const Team *ranks, int64_t latents, const char *name) {
  open_part(out, ranks, latents, name, (Shard){0, latents});
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

/* Panel after panel of `rows` children, as many as there are. */
static int64_t differences_in_panels(int64_t children, const Directions *parent, Neighbours *down,
                                     int64_t rows, const Directions *whole[2]) {
  int64_t wrong = 0;
  for (int64_t first = 0; first < children; first += rows) {
    const int64_t past = first + rows < children ? first + rows : children;
    Directions panel;
    Neighbours up;
    open_part(&panel, &team, children, "child", (Shard){first, past});
    CU_ASSERT_EQUAL(neighbours_open(&up, shard_count(panel.own), MOST), OK);
    const NeighboursJob job = {.child = &panel, .parent = parent, .parents = &up, .children = down};
    CU_ASSERT_EQUAL(neighbours_meet(&team, &job), OK);
    neighbours_sort(&up);
    wrong += differences(&up, panel.own, whole[0], whole[1], false);
    neighbours_clear(&up);
    directions_clear(&panel);
  }
  return wrong;
}

/* 300 latents come in blocks of 18. */
static void test_panels_and_blocks_change_nothing(void) {
  begin();
  Directions parent, whole_child, whole_parent;
  const Team self = alone();
  open_rows(&parent, &team, 130, "parent");
  open_rows(&whole_child, &self, 300, "child");
  open_rows(&whole_parent, &self, 130, "parent");
  const Directions *whole[2] = {&whole_child, &whole_parent};
  for (int64_t rows = 18; rows <= 90; rows += 72) {
    Neighbours down;
    ring_set_rows(rows == 18 ? 7 : 1);
    threads_set(2);
    CU_ASSERT_EQUAL(neighbours_open(&down, shard_count(parent.own), MOST), OK);
    CU_ASSERT_EQUAL(differences_in_panels(300, &parent, &down, rows, whole), 0);
    neighbours_sort(&down);
    CU_ASSERT_EQUAL(differences(&down, parent.own, &whole_parent, &whole_child, false), 0);
    neighbours_clear(&down);
  }
  ring_set_rows(0);
  threads_set(1);
  directions_clear(&parent);
  directions_clear(&whole_child);
  directions_clear(&whole_parent);
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

static int64_t own_panel(const Directions *rows, Neighbours *lists, Shard part,
                         const Directions *whole, NeighboursWatch *watch) {
  Directions panel;
  Neighbours nearest;
  open_part(&panel, &team, rows->latents, "own", part);
  CU_ASSERT_EQUAL(neighbours_open(&nearest, shard_count(panel.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_take(&team, &panel, lists, &nearest), OK);
  const NeighboursJob job = {
      .child = &panel, .parent = rows, .parents = &nearest, .children = lists, .watch = watch};
  CU_ASSERT_EQUAL(neighbours_meet_own(&team, &job), OK);
  neighbours_sort(&nearest);
  const int64_t wrong = differences(&nearest, panel.own, whole, whole, true);
  neighbours_clear(&nearest);
  directions_clear(&panel);
  return wrong;
}

/* 200 latents come in blocks of 12: four panels, three of which meet later rows. */
static void test_own_neighbours_need_each_pair_once(void) {
  begin();
  Directions rows, whole;
  Progress bar;
  Neighbours lists;
  const Team self = alone();
  open_rows(&rows, &team, 200, "own");
  open_rows(&whole, &self, 200, "own");
  progress_open(&bar, &team, "test", "pairs", 200 * 200);
  NeighboursWatch watch = {.bar = &bar};
  ring_set_rows(11);
  CU_ASSERT_EQUAL(neighbours_open(&lists, shard_count(rows.own), MOST), OK);
  for (int64_t first = 0; first < 200; first += 60) {
    const Shard part = {first, first + 60 < 200 ? first + 60 : 200};
    CU_ASSERT_EQUAL(own_panel(&rows, &lists, part, &whole, &watch), 0);
  }
  ring_set_rows(0);
  CU_ASSERT_EQUAL(watch.done, 60 * 200 + 60 * 140 + 60 * 80 + 20 * 20);
  neighbours_clear(&lists);
  directions_clear(&rows);
  directions_clear(&whole);
  end();
}

/* The sample's pairs by loops over whole dictionaries. */
static void naive_sample(Sample *sample, const Directions *child, const Directions *parent) {
  for (int64_t c = 0; c < child->latents; c++) {
    const uint64_t key = random_subkey(sample->key, (uint64_t)c);
    for (uint64_t i = 0; i < SAMPLE_EACH && !child->is_left_out[c]; i++) {
      const int64_t p = random_below(key, i, parent->latents);
      const double cosine =
          (double)dense_dot(child->rows + c * WIDTH, parent->rows + p * WIDTH, WIDTH);
      const int64_t bin = (int64_t)floor(cosine * 100) + 100;
      if (!parent->is_left_out[p]) {
        sample->histogram[bin > 199 ? 199 : bin]++;
        sample->pairs++;
      }
    }
  }
}

static void test_the_sample_of_all_cosines_equals_naive_loops(void) {
  begin();
  Directions parent, whole_child, whole_parent;
  const Team self = alone();
  Sample sample = {.key = random_key(1, "sample", "test")};
  Sample wanted = sample;
  open_rows(&parent, &team, 130, "parent");
  open_rows(&whole_child, &self, 300, "child");
  open_rows(&whole_parent, &self, 130, "parent");
  ring_set_rows(9);
  for (int64_t first = 0; first < 300; first += 90) {
    Directions panel;
    Neighbours up;
    open_part(&panel, &team, 300, "child", (Shard){first, first + 90 < 300 ? first + 90 : 300});
    CU_ASSERT_EQUAL(neighbours_open(&up, shard_count(panel.own), MOST), OK);
    const NeighboursJob job = {
        .child = &panel, .parent = &parent, .parents = &up, .sample = &sample};
    CU_ASSERT_EQUAL(neighbours_meet(&team, &job), OK);
    neighbours_clear(&up);
    directions_clear(&panel);
  }
  ring_set_rows(0);
  exchange_sum(&team, sample.histogram, SAMPLE_BINS);
  exchange_sum(&team, &sample.pairs, 1);
  naive_sample(&wanted, &whole_child, &whole_parent);
  CU_ASSERT_EQUAL(memcmp(&sample, &wanted, sizeof(sample)), 0);
  directions_clear(&parent);
  directions_clear(&whole_child);
  directions_clear(&whole_parent);
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

static void test_dictionaries_of_mostly_dead_rows_are_packed(void) {
  is_sparse = true;
  test_both_ways_equal_naive_loops();
  test_ranks_without_rows_change_nothing();
  test_panels_and_blocks_change_nothing();
  test_own_neighbours_need_each_pair_once();
  is_sparse = false;
}

/* From here on the screen multiplies integers, where the CPU can. */
static void test_screening_in_8_bits_changes_nothing(void) {
  const char *why = NULL;
  CU_ASSERT(lowp_open(&why) == lowp_is_open());
  begin();
  check_pair(500, 300);
  ring_set_rows(50);
  threads_set(2);
  check_pair(300, 500);
  threads_set(1);
  ring_set_rows(0);
  end();
  test_panels_and_blocks_change_nothing();
  test_own_neighbours_need_each_pair_once();
  test_dictionaries_of_mostly_dead_rows_are_packed();
}

static const CheckFact FACTS[] = {
    {"both ways equal naive loops", test_both_ways_equal_naive_loops},
    {"panels and blocks change nothing", test_panels_and_blocks_change_nothing},
    {"ranks without rows change nothing", test_ranks_without_rows_change_nothing},
    {"threads change nothing", test_threads_change_nothing},
    {"own neighbours leave out the row itself and keep its double",
     test_own_neighbours_leave_out_the_row_itself_and_keep_its_double},
    {"own neighbours need each pair once", test_own_neighbours_need_each_pair_once},
    {"the sample of all cosines equals naive loops",
     test_the_sample_of_all_cosines_equals_naive_loops},
    {"dead rows have and are no neighbours", test_dead_rows_have_and_are_no_neighbours},
    {"scores of other rows equal naive loops", test_scores_of_other_rows_equal_naive_loops},
    {"progress ends at all pairs", test_progress_ends_at_all_pairs},
    {"dictionaries of mostly dead rows are packed",
     test_dictionaries_of_mostly_dead_rows_are_packed},
    {"screening in 8 bits changes nothing", test_screening_in_8_bits_changes_nothing},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "neighbours", FACTS);
}
