/* Median, histogram and shares of values that lie on several ranks. */
#include <math.h>

#include "check.h"
#include "distribution.h"
#include "random.h"
#include "shard.h"

static void check_distribution(Team *team, const float *all, int64_t total, double median) {
  Distribution out;
  const Shard own = shard_of(total, 1, team->rank, team->size);
  distribution_of(team, all + own.first, shard_count(own), &out);
  CU_ASSERT_EQUAL(out.count, total);
  CU_ASSERT(out.median == median || (isnan(median) && isnan(out.median)));
}

static void test_distribution_is_exact_at_any_number_of_ranks(void) {
  Team team;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  const float values[] = {0.5F, -0.25F, 1.0F, 0.5F, 0.125F, 0.75F, 0.0F};
  check_distribution(&team, values, 7, 0.5);
  check_distribution(&team, values, 4, 0.5);
  check_distribution(&team, values, 2, 0.125);
  check_distribution(&team, values, 1, 0.5);
  check_distribution(&team, values, 0, (double)NAN);
  Distribution out;
  distribution_of(&team, values, team.rank == 0 ? 7 : 0, &out);
  CU_ASSERT_EQUAL(out.histogram[0], 2);
  CU_ASSERT_EQUAL(out.histogram[12], 1);
  CU_ASSERT_EQUAL(out.histogram[50], 2);
  CU_ASSERT_EQUAL(out.histogram[99], 1);
  CU_ASSERT_EQUAL(out.share[0], 4.0 / 7);
  CU_ASSERT_EQUAL(out.share[1], 4.0 / 7);
  CU_ASSERT_EQUAL(out.share[2], 2.0 / 7);
  team_close(&team);
}

/* Against sorting, of many values with equal ones among them. */
static void test_the_median_of_many_values_is_the_middle_one(void) {
  enum { MANY = 3001 };
  Team team;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  static float values[MANY];
  const uint64_t key = random_key(2, "values", "test");
  for (int64_t i = 0; i < MANY; i++) {
    values[i] = (float)random_below(key, (uint64_t)i, 900) / 500.0F - 0.8F;
  }
  int64_t below = 0, equal = 0;
  Distribution out;
  const Shard own = shard_of(MANY, 7, team.rank, team.size);
  distribution_of(&team, values + own.first, shard_count(own), &out);
  for (int64_t i = 0; i < MANY; i++) {
    below += (double)values[i] < out.median;
    equal += (double)values[i] == out.median;
  }
  CU_ASSERT(below <= MANY / 2 && below + equal > MANY / 2);
  team_close(&team);
}

static const CheckFact FACTS[] = {
    {"distribution is exact at any number of ranks",
     test_distribution_is_exact_at_any_number_of_ranks},
    {"the median of many values is the middle one",
     test_the_median_of_many_values_is_the_middle_one},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "distribution", FACTS);
}
