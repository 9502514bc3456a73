/* Who is alive, which rank holds which rows, and rows of norm 1. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "directions.h"
#include "exchange.h"
#include "threads.h"

enum { WIDTH = 37, LATENTS = 290, BLOCK = 18 };

static Team alone(void) {
  return (Team){.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
}

static void test_states_follow_norm_firings_and_rows_seen(void) {
  const Team self = alone();
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
  directions_clear(&rows);
}

/* Each row of a panel on one rank, in whole latent blocks; no row of another panel. */
static void test_panels_are_dealt_in_whole_blocks(void) {
  Team team;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  CU_ASSERT_EQUAL(shard_latent_block(LATENTS), BLOCK);
  int64_t holders[LATENTS] = {0};
  for (int64_t first = 0; first < LATENTS; first += 5 * BLOCK) {
    const int64_t past = first + 5 * BLOCK < LATENTS ? first + 5 * BLOCK : LATENTS;
    Directions panel;
    CU_ASSERT_EQUAL(directions_open_part(&panel, &team, LATENTS, WIDTH, (Shard){first, past}), OK);
    CU_ASSERT(panel.own.first >= first && panel.own.past <= past);
    CU_ASSERT_EQUAL(panel.own.first % BLOCK, panel.own.first == LATENTS ? LATENTS % BLOCK : 0);
    for (int64_t i = panel.own.first; i < panel.own.past; i++) {
      holders[i]++;
    }
    CU_ASSERT_EQUAL(directions_count(&team, &panel, DIRECTION_ALIVE), past - first);
    directions_clear(&panel);
  }
  exchange_sum(&team, holders, LATENTS);
  for (int64_t i = 0; i < LATENTS; i++) {
    CU_ASSERT_EQUAL(holders[i], 1);
  }
  team_close(&team);
}

static void fill(Directions *rows) {
  for (int64_t i = 0; i < rows->latents * WIDTH; i++) {
    rows->rows[i] = i / WIDTH == 5 ? 0.0F : (float)(i % 11) - 4.5F;
  }
}

static void test_rows_are_scaled_to_norm_one_and_zero_rows_stay(void) {
  enum { MANY = 3000 };
  const Team self = alone();
  Directions rows, again;
  int64_t wrong = 0;
  CU_ASSERT_EQUAL(directions_open(&rows, &self, MANY, WIDTH), OK);
  CU_ASSERT_EQUAL(directions_open(&again, &self, MANY, WIDTH), OK);
  fill(&rows);
  fill(&again);
  CU_ASSERT_EQUAL(directions_unit(&rows, "test"), OK);
  threads_set(3);
  CU_ASSERT_EQUAL(directions_unit(&again, "test"), OK);
  threads_set(1);
  for (int64_t i = 0; i < MANY; i++) {
    const double norm = sqrt(dense_square(rows.rows + i * WIDTH, WIDTH));
    wrong += fabs(norm - (i == 5 ? 0 : 1)) > 1e-7;
  }
  CU_ASSERT_EQUAL(wrong, 0);
  CU_ASSERT_EQUAL(memcmp(rows.rows, again.rows, MANY * WIDTH * sizeof(float)), 0);
  directions_clear(&rows);
  directions_clear(&again);
}

static void test_a_row_that_is_not_finite_is_named(void) {
  const Team self = alone();
  Directions rows;
  CU_ASSERT_EQUAL(directions_open(&rows, &self, LATENTS, WIDTH), OK);
  rows.rows[77 * WIDTH + 3] = INFINITY;
  CU_ASSERT_EQUAL(directions_unit(&rows, "8k.h5 /w_dec"), ERR_NUMERIC);
  CU_ASSERT(strstr(status_why(), "8k.h5 /w_dec: the row of latent 77 ") != NULL);
  directions_clear(&rows);
}

static const CheckFact FACTS[] = {
    {"states follow norm, firings and rows seen", test_states_follow_norm_firings_and_rows_seen},
    {"panels are dealt in whole blocks", test_panels_are_dealt_in_whole_blocks},
    {"rows are scaled to norm one and zero rows stay",
     test_rows_are_scaled_to_norm_one_and_zero_rows_stay},
    {"a row that is not finite is named", test_a_row_that_is_not_finite_is_named},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "directions", FACTS);
}
