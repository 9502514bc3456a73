#include <string.h>

#include "check.h"
#include "exchange.h"
#include "piece.h"
#include "random.h"

static Team g_team;
enum { ITEMS = 37, RANKS_MOST = 16 };

static Team *team(void) {
  if (g_team.size == 0) {
    CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  }
  return &g_team;
}

/* What rank `rank` holds at `index`: full 64-bit range, so that sums wrap. */
static int64_t value_of(int rank, int64_t index) {
  return (int64_t)random_bits((uint64_t)rank + 1, (uint64_t)index);
}

/* Each test runs with messages whole and cut into pieces of 8, 16 and 24 bytes. */
static void in_pieces(void (*test)(void)) {
  for (int64_t piece = 0; piece <= 24; piece += 8) {
    piece_set(piece);
    test();
  }
  piece_set(0);
}

static void sum_once(void) {
  int64_t values[ITEMS];
  for (int i = 0; i < ITEMS; i++) {
    values[i] = value_of(team()->rank, i);
  }
  exchange_sum(team(), values, ITEMS);
  for (int i = 0; i < ITEMS; i++) {
    uint64_t wanted = 0;
    for (int rank = 0; rank < team()->size; rank++) {
      wanted += (uint64_t)value_of(rank, i);
    }
    CU_ASSERT_EQUAL((uint64_t)values[i], wanted);
  }
}

static void test_sums_wrap_and_are_exact(void) {
  in_pieces(sum_once);
  exchange_sum(team(), NULL, 0);
}

static void max_once(void) {
  double values[ITEMS];
  int64_t integers[ITEMS];
  for (int i = 0; i < ITEMS; i++) {
    integers[i] = value_of(team()->rank, i);
    values[i] = (double)(integers[i] >> 11);
  }
  exchange_max(team(), values, ITEMS);
  exchange_max_integer(team(), integers, ITEMS);
  for (int i = 0; i < ITEMS; i++) {
    int64_t wanted = INT64_MIN;
    for (int rank = 0; rank < team()->size; rank++) {
      wanted = value_of(rank, i) > wanted ? value_of(rank, i) : wanted;
    }
    CU_ASSERT_EQUAL(integers[i], wanted);
    CU_ASSERT_EQUAL(values[i], (double)(wanted >> 11));
  }
}

static void test_maxima_are_those_of_all_ranks(void) {
  in_pieces(max_once);
}

static void test_the_offset_is_the_sum_of_lower_ranks(void) {
  int64_t total, wanted = 0;
  const int64_t offset = exchange_offset(team(), 10 + team()->rank, &total);
  for (int rank = 0; rank < team()->rank; rank++) {
    wanted += 10 + rank;
  }
  CU_ASSERT_EQUAL(offset, wanted);
  CU_ASSERT_EQUAL(total, 10 * team()->size + team()->size * (team()->size - 1) / 2);
}

/* Odd counts; some ranks have nothing. */
static int64_t count_of(int from, int to) {
  return (from + to) % 3 == 0 ? 0 : 1 + 5 * from + 3 * to;
}

/* Item `index` from one rank to another: 3 bytes, so that pieces cut items. */
static void make_item(unsigned char *item, int from, int to, int64_t index) {
  const int64_t value = value_of(from * RANKS_MOST + to, index);
  memcpy(item, &value, 3);
}

static void check_items(const unsigned char *at, int from, int to, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    unsigned char wanted[3];
    make_item(wanted, from, to, i);
    CU_ASSERT_EQUAL(memcmp(at + 3 * i, wanted, 3), 0);
  }
}

static void gather_once(void) {
  static unsigned char mine[3 * 200], all[3 * 200 * RANKS_MOST];
  int64_t counts[RANKS_MOST];
  for (int rank = 0; rank < team()->size; rank++) {
    counts[rank] = count_of(rank, 1);
  }
  for (int64_t i = 0; i < counts[team()->rank]; i++) {
    make_item(mine + 3 * i, team()->rank, 0, i);
  }
  exchange_gather(team(), mine, counts, 3, all);
  const unsigned char *at = all;
  for (int rank = 0; rank < team()->size; rank++) {
    check_items(at, rank, 0, counts[rank]);
    at += 3 * counts[rank];
  }
}

/* Rank r brings r items, the first none; then nobody brings any. */
static void collect_once(void) {
  const int64_t count = team()->rank;
  int64_t mine[RANKS_MOST], total = -1, wrong = 0;
  void *got = NULL;
  for (int64_t i = 0; i < count; i++) {
    mine[i] = value_of(team()->rank, i);
  }
  CU_ASSERT_EQUAL(exchange_collect(team(), mine, count, sizeof(*mine), &got, &total, "items"), OK);
  CU_ASSERT_EQUAL(total, team()->size * (team()->size - 1) / 2);
  const int64_t *all = got;
  for (int rank = 0, at = 0; rank < team()->size; rank++) {
    for (int64_t i = 0; i < rank; i++) {
      wrong += all[at++] != value_of(rank, i);
    }
  }
  CU_ASSERT_EQUAL(wrong, 0);
  MEMORY_FREE(got);
  CU_ASSERT_EQUAL(exchange_collect(team(), NULL, 0, sizeof(*mine), &got, &total, "items"), OK);
  CU_ASSERT_EQUAL(total, 0);
  MEMORY_FREE(got);
}

static void test_lists_of_any_length_are_collected(void) {
  in_pieces(collect_once);
}

static void test_a_gather_keeps_rank_order(void) {
  in_pieces(gather_once);
}

static void all_to_all_once(void) {
  static unsigned char send[3 * 200 * RANKS_MOST], receive[3 * 200 * RANKS_MOST];
  int64_t counts[RANKS_MOST], received[RANKS_MOST];
  unsigned char *put = send;
  for (int to = 0; to < team()->size; to++) {
    counts[to] = count_of(team()->rank, to);
    for (int64_t i = 0; i < counts[to]; i++, put += 3) {
      make_item(put, team()->rank, to, i);
    }
  }
  exchange_counts(team(), counts, received);
  exchange_all_to_all(team(), send, counts, receive, received, 3);
  const unsigned char *at = receive;
  for (int from = 0; from < team()->size; from++) {
    CU_ASSERT_EQUAL(received[from], count_of(from, team()->rank));
    check_items(at, from, team()->rank, received[from]);
    at += 3 * received[from];
  }
}

static void test_everyone_gets_what_was_sent_to_it(void) {
  in_pieces(all_to_all_once);
}

static void ring_once(void) {
  static unsigned char send[3 * 200], receive[3 * 200];
  const int size = team()->size, from = (team()->rank + size - 1) % size;
  const int64_t mine = count_of(team()->rank, 1), theirs = count_of(from, 1);
  for (int64_t i = 0; i < mine; i++) {
    make_item(send + 3 * i, team()->rank, 0, i);
  }
  memset(receive, 0, sizeof(receive));
  exchange_ring(team(), send, 3 * mine, receive, 3 * theirs);
  check_items(receive, from, 0, theirs);
}

static void test_the_ring_brings_the_previous_rank_s_block(void) {
  in_pieces(ring_once);
  exchange_ring(team(), NULL, 0, NULL, 0);
}

static const CheckFact FACTS[] = {
    {"sums wrap and are exact", test_sums_wrap_and_are_exact},
    {"maxima are those of all ranks", test_maxima_are_those_of_all_ranks},
    {"the offset is the sum of lower ranks", test_the_offset_is_the_sum_of_lower_ranks},
    {"a gather keeps rank order", test_a_gather_keeps_rank_order},
    {"lists of any length are collected", test_lists_of_any_length_are_collected},
    {"everyone gets what was sent to it", test_everyone_gets_what_was_sent_to_it},
    {"the ring brings the previous rank's block", test_the_ring_brings_the_previous_rank_s_block},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "exchange", FACTS);
}
