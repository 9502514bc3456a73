#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "threads.h"

enum { UNITS = 1000, MOST = 9 };

typedef struct Work {
  atomic_int done[UNITS];
  atomic_int inside[MOST]; /* is a unit running under this thread number? */
  atomic_int collisions;
  int64_t fails_from; /* these units fail */
} Work;

static Work g_work;

static Status count_unit(int64_t unit, int thread, void *context) {
  Work *work = context;
  if (thread < 0 || thread >= threads_count() || atomic_exchange(&work->inside[thread], 1) != 0) {
    atomic_fetch_add(&work->collisions, 1);
  }
  atomic_fetch_add(&work->done[unit], 1);
  atomic_store(&work->inside[thread], 0);
  return unit >= work->fails_from ? RAISE(ERR_DATA, "unit %d is bad", (int)unit) : OK;
}

static void expect_all_done_once(int64_t units) {
  memset(&g_work, 0, sizeof(g_work));
  g_work.fails_from = UNITS;
  CU_ASSERT_EQUAL(threads_run(units, count_unit, &g_work), OK);
  CU_ASSERT_EQUAL(g_work.collisions, 0);
  for (int64_t i = 0; i < UNITS; ++i) {
    if (g_work.done[i] != (i < units)) {
      CU_FAIL("a unit was not run once");
    }
  }
}

static void test_each_unit_runs_once_at_any_count(void) {
  static const int COUNTS[] = {1, 2, 3, 8, 2, 1, 5, 9, 4}; /* up and down: the pool is rebuilt */
  static const int64_t SIZES[] = {0, 1, 2, 7, UNITS};
  for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); ++i) {
    threads_set(COUNTS[i]);
    CU_ASSERT_EQUAL(threads_count(), COUNTS[i]);
    for (size_t j = 0; j < sizeof(SIZES) / sizeof(SIZES[0]); ++j) {
      expect_all_done_once(SIZES[j]);
    }
  }
  threads_set(1);
}

static void test_many_short_runs_follow_each_other(void) {
  threads_set(4);
  for (int i = 0; i < 2000; ++i) {
    memset(&g_work, 0, sizeof(g_work));
    g_work.fails_from = UNITS;
    if (threads_run(5, count_unit, &g_work) != OK || g_work.done[4] != 1) {
      CU_FAIL("a short run went wrong");
    }
  }
  threads_set(1);
}

static void expect_failure(int64_t from) {
  memset(&g_work, 0, sizeof(g_work));
  g_work.fails_from = from;
  status_set_why("stale");
  CU_ASSERT_EQUAL(threads_run(UNITS, count_unit, &g_work), ERR_DATA);
  int unit = -1, done = 0;
  for (int i = 0; i < UNITS; ++i) {
    done += g_work.done[i];
  }
  const char *found = strstr(status_why(), "unit ");
  CU_ASSERT_PTR_NOT_NULL(found);
  for (unit = 0; found != NULL && found[5] >= '0' && found[5] <= '9'; ++found) {
    unit = 10 * unit + (found[5] - '0');
  }
  /* Units are handed out in order, so the first bad one is always begun and is the lowest seen. */
  CU_ASSERT_EQUAL(unit, from);
  CU_ASSERT_TRUE(done < UNITS);
}

static void test_a_failure_stops_the_run_and_brings_its_reason(void) {
  for (int count = 1; count <= 8; count += 3) {
    threads_set(count);
    expect_failure(0);
    expect_failure(300);
    expect_all_done_once(UNITS);
  }
  threads_set(1);
}

static Status split_again(int64_t unit, int thread, void *context) {
  (void)unit;
  (void)thread;
  return threads_run(10, count_unit, context);
}

static void test_a_unit_may_run_units_of_its_own(void) {
  threads_set(4);
  memset(&g_work, 0, sizeof(g_work));
  g_work.fails_from = UNITS;
  CU_ASSERT_EQUAL(threads_run(50, split_again, &g_work), OK);
  CU_ASSERT_EQUAL(g_work.collisions, 0);
  CU_ASSERT_EQUAL(g_work.done[9], 50);
  threads_set(1);
}

static const CheckFact FACTS[] = {
    {"each unit runs once at any count", test_each_unit_runs_once_at_any_count},
    {"many short runs follow each other", test_many_short_runs_follow_each_other},
    {"a failure stops the run and brings its reason",
     test_a_failure_stops_the_run_and_brings_its_reason},
    {"a unit may run units of its own", test_a_unit_may_run_units_of_its_own},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "threads", FACTS);
}
