/* Codes made elsewhere: their order, their errors, and that nothing depends on who brings them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "codes.h"
#include "exchange.h"
#include "memory.h"
#include "random.h"
#include "shard.h"

enum { LATENTS = 130, ROWS = 60, BATCH = 25, MOST = 9 };

static Team team;
static int64_t start[ROWS + 1];
static uint32_t id[ROWS * MOST], token[ROWS];
static float value[ROWS * MOST];
static uint8_t is_held_out[ROWS];

/* Rows of 0 to MOST - 1 codes of different latents, in no order. */
static void make_codes(void) {
  const uint64_t key = random_key(2, "test codes", "");
  int64_t count = 0;
  for (int64_t r = 0; r < ROWS; r++) {
    start[r] = count;
    for (int64_t i = 0; i < r % MOST; i++) {
      id[count] = (uint32_t)((17 * i * i + 5 * i + r) % LATENTS);
      value[count] = (float)(0.1 + random_uniform(key, (uint64_t)(count / 2))); /* ties */
      count++;
    }
    token[r] = (uint32_t)(r % 7);
    is_held_out[r] = r % 3 == 0;
  }
  start[ROWS] = count;
}

static void test_order_is_by_value_then_id(void) {
  make_codes();
  CU_ASSERT_EQUAL(codes_order("a file", 0, ROWS, start, LATENTS, id, value), OK);
  for (int64_t r = 0; r < ROWS; r++) {
    for (int64_t i = start[r] + 1; i < start[r + 1]; i++) {
      CU_ASSERT(value[i] < value[i - 1] || (value[i] == value[i - 1] && id[i] > id[i - 1]));
    }
  }
}

static void expect(const char *words, uint32_t one_id, float one_value) {
  const int64_t place = start[20] + 1; /* row 20 has two codes */
  make_codes();
  id[place] = one_id;
  value[place] = one_value;
  CU_ASSERT_EQUAL(codes_order("a file", 100, ROWS, start, LATENTS, id, value), ERR_DATA);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), words));
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "a file: row 120"));
}

static void test_codes_that_cannot_be_are_refused(void) {
  make_codes();
  const uint32_t twin = id[start[20]];
  expect("latent 130 of 130", LATENTS, 1);
  expect("latent 4294967295 of 130", UINT32_MAX, 1);
  expect("value nan", 3, NAN);
  expect("value inf", 3, INFINITY);
  expect("value 0", 3, 0);
  expect("value -1", 3, -1);
  expect("twice", twin, 1);
}

/* Rows [first, past) of all codes as this rank's part of a batch. */
static Status add(Codes *codes, int64_t first, int64_t past) {
  int64_t places[ROWS + 1];
  for (int64_t r = first; r <= past; r++) {
    places[r - first] = start[r] - start[first];
  }
  const CodesBatch batch = {.first = first,
                            .rows = past - first,
                            .start = places,
                            .id = id + start[first],
                            .value = value + start[first],
                            .token = token + first,
                            .is_held_out = is_held_out + first};
  return codes_add(codes, &batch);
}

static Codes *keep(int way) {
  Codes *codes = NULL;
  CU_ASSERT_EQUAL(codes_create(&codes, &team, LATENTS, check_folder()), OK);
  for (int64_t first = 0; first < ROWS; first += BATCH) {
    const int64_t rows = ROWS - first < BATCH ? ROWS - first : BATCH;
    const Shard even = shard_of(rows, 1, team.rank, team.size);
    const int64_t all = team.rank == team.size - 1 ? rows : 0; /* the last rank brings all */
    CU_ASSERT_EQUAL(way == 0 ? add(codes, first + even.first, first + even.past)
                             : add(codes, first, first + all),
                    OK);
  }
  return codes;
}

static void check_parts(Codes *codes) {
  int64_t totals[3] = {0, 0, 0}; /* rows, entries, wrong */
  for (int64_t p = 0; p < codes_parts(codes); p++) {
    CodesPart part;
    CU_ASSERT_EQUAL(codes_part(codes, p, &part), OK);
    totals[0] += part.rows;
    totals[1] += part.entries;
    totals[2] += part.rows > 0 && part.first_entry != start[part.first_row];
    for (int64_t r = 0; r < part.rows; r++) {
      totals[2] += part.row_start[r] != start[part.first_row + r];
    }
    for (int64_t i = 0; i < part.entries; i++) {
      totals[2] += part.id[i] != id[part.first_entry + i] || part.active[i] != 1 ||
                   part.value[i] != value[part.first_entry + i];
    }
  }
  exchange_sum(&team, totals, 3);
  CU_ASSERT_EQUAL(totals[0], ROWS);
  CU_ASSERT_EQUAL(totals[1], start[ROWS]);
  CU_ASSERT_EQUAL(totals[2], 0);
  CU_ASSERT_EQUAL(codes_rows(codes), ROWS);
  CU_ASSERT_EQUAL(codes_entries(codes), start[ROWS]);
}

/* Firing number `place` of latent `latent`, by loops; false when there are fewer. */
static bool find_firing(int64_t latent, int64_t place, int64_t *row, float *found) {
  for (*row = 0; *row < ROWS; ++*row) {
    for (int64_t i = start[*row]; i < start[*row + 1]; i++) {
      if (id[i] == latent && place-- == 0) {
        *found = value[i];
        return true;
      }
    }
  }
  return false;
}

static void check_firings(Codes *codes) {
  const Shard own = shard_of(LATENTS, shard_latent_block(LATENTS), team.rank, team.size);
  CodesFirings firings;
  CU_ASSERT_EQUAL(codes_firings(codes, &firings), OK);
  CU_ASSERT_EQUAL(firings.total, start[ROWS]);
  for (int64_t latent = own.first; latent < own.past; latent++) {
    const int64_t first = firings.start[latent - own.first];
    const int64_t count = firings.start[latent - own.first + 1] - first;
    int64_t row = 0, held_out = 0;
    float wanted = 0;
    CU_ASSERT_FALSE(find_firing(latent, count, &row, &wanted));
    for (int64_t i = 0; i < count; i++) {
      CU_ASSERT(find_firing(latent, i, &row, &wanted));
      CU_ASSERT_EQUAL(firings.row[first + i], row);
      CU_ASSERT_EQUAL(firings.value[first + i], wanted);
      CU_ASSERT_EQUAL(firings.token[first + i], token[row]);
      held_out += is_held_out[row];
    }
    CU_ASSERT_EQUAL(firings.held_out[latent - own.first], held_out);
  }
}

static void test_nothing_depends_on_who_brings_the_rows(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  make_codes();
  CU_ASSERT_EQUAL(codes_order("a file", 0, ROWS, start, LATENTS, id, value), OK);
  for (int way = 0; way < 2; way++) {
    Codes *codes = keep(way);
    check_parts(codes);
    check_firings(codes);
    codes_destroy(&codes);
  }
  team_close(&team);
}

static const CheckFact FACTS[] = {
    {"order is by value then id", test_order_is_by_value_then_id},
    {"codes that cannot be are refused", test_codes_that_cannot_be_are_refused},
    {"nothing depends on who brings the rows", test_nothing_depends_on_who_brings_the_rows},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "codes", FACTS);
}
