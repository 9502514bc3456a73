/* Messages beyond 2^31 bytes, for real: every word arrives, and those around the borders of pieces are right. */
#include "check.h"
#include "exchange.h"
#include "memory.h"

static Team g_team;

/* A little more than 2^31 bytes, and no multiple of a piece. */
enum { WORDS = (1 << 28) + 1021 };

static int64_t word_of(int rank, int64_t i) {
  return (int64_t)((uint64_t)(i + 1) * 0x9E3779B97F4A7C15u >> 20) + rank;
}

static int64_t *words(int rank) {
  int64_t *all = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&all, WORDS, "words"), OK);
  for (int64_t i = 0; all != NULL && rank >= 0 && i < WORDS; i++) {
    all[i] = word_of(rank, i);
  }
  return all;
}

static int64_t count_wrong(const int64_t *got, int rank) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < WORDS; i++) {
    wrong += got[i] != word_of(rank, i);
  }
  return wrong;
}

static void test_ring(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  const int before = (g_team.rank + g_team.size - 1) % g_team.size;
  const int64_t bytes = (int64_t)WORDS * (int64_t)sizeof(int64_t);
  int64_t *sent = words(g_team.rank), *got = words(-1);
  const int64_t taken = exchange_bytes();
  exchange_ring(&g_team, sent, bytes, got, bytes);
  CU_ASSERT_EQUAL(count_wrong(got, before), 0);
  CU_ASSERT_EQUAL(exchange_bytes() - taken, bytes);
  MEMORY_FREE(sent);
  MEMORY_FREE(got);
  team_close(&g_team);
}

static void test_sum(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  int64_t *values = words(g_team.rank), wrong = 0;
  exchange_sum(&g_team, values, WORDS);
  for (int64_t i = 0; i < WORDS; i++) {
    wrong += values[i] != 2 * word_of(0, i) + 1;
  }
  CU_ASSERT_EQUAL(wrong, 0);
  MEMORY_FREE(values);
  team_close(&g_team);
}

/* Rank 0 has all there is for rank 1, which has nothing. */
static void test_all_to_all(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  const bool is_first = g_team.rank == 0;
  const int64_t sent[2] = {0, is_first ? WORDS : 0}, received[2] = {is_first ? 0 : WORDS, 0};
  int64_t *mine = is_first ? words(0) : NULL, *got = is_first ? NULL : words(-1);
  exchange_all_to_all(&g_team, mine, sent, got, received, sizeof(int64_t));
  CU_ASSERT_TRUE(is_first || count_wrong(got, 0) == 0);
  MEMORY_FREE(mine);
  MEMORY_FREE(got);
  team_close(&g_team);
}

static void test_gather(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  const int64_t counts[2] = {WORDS, 7};
  int64_t *all = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&all, WORDS + 7, "words"), OK);
  int64_t *mine = all + (g_team.rank == 0 ? 0 : WORDS);
  for (int64_t i = 0; i < counts[g_team.rank]; i++) {
    mine[i] = word_of(g_team.rank, i);
  }
  exchange_gather(&g_team, mine, counts, sizeof(*all), all);
  CU_ASSERT_EQUAL(count_wrong(all, 0), 0);
  CU_ASSERT_EQUAL(all[WORDS + 6], word_of(1, 6));
  MEMORY_FREE(all);
  team_close(&g_team);
}

static const CheckFact FACTS[] = {
    {"to the next rank", test_ring},
    {"summed", test_sum},
    {"from one rank to another", test_all_to_all},
    {"gathered", test_gather},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "exchange_large", FACTS);
}
