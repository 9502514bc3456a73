#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive.h"
#include "check.h"
#include "sample.h"
#include "stamp.h"

/* One rank fails alone at each agreement in turn, until the work has fewer of them. A rank that
 * waits for another would run into the test's time limit; memory that is not given back fails the
 * runner. */

typedef Status (*Work)(void);

static Status write_sample(void) {
  return sample_write(sample_team(), "fault.h5", SAMPLE_BY_SHARD, NULL);
}

static Status read_sample(void) {
  bool same;
  return sample_read(sample_team(), "good.h5", &same);
}

static Status check_stamp(void) {
  Stamp stamp;
  bool done;
  stamp_open(&stamp, "sample 1");
  TRY(stamp_add_file(&stamp, sample_team(), sample_path("good.h5")));
  return stamp_check(&stamp, sample_team(), sample_path("good.h5"), true, &done);
}

static int64_t fail_everywhere(Work work, int rank) {
  int64_t nth = 0;
  Status status = ERR_FAULT;
  while (status == ERR_FAULT && nth < 1000) {
    char fault[40];
    nth++;
    snprintf(fault, sizeof(fault), "%d:%" PRId64, rank, team_agreements() + nth);
    setenv("TEAM_FAULT", fault, 1);
    status = work();
    CU_ASSERT_TRUE(status == OK || status == ERR_FAULT);
    if (status != OK) {
      CU_ASSERT_FALSE(sample_is_there("fault.h5"));
    }
  }
  unsetenv("TEAM_FAULT");
  return nth - 1;
}

static void fail_on_every_rank(Work work, int64_t least) {
  for (int rank = 0; rank < sample_team()->size; rank++) {
    const int64_t points = fail_everywhere(work, rank);
    CU_ASSERT_TRUE(points >= least && points < 1000);
    if (sample_team()->rank == 0) {
      remove(sample_path("fault.h5"));
    }
    team_barrier(sample_team());
  }
}

static void test_a_fault_while_writing_leaves_no_file(void) {
  fail_on_every_rank(write_sample, 30);
}

static void test_a_fault_while_reading_ends_all_ranks(void) {
  CU_ASSERT_EQUAL(sample_write(sample_team(), "good.h5", SAMPLE_BY_SHARD, NULL), OK);
  fail_on_every_rank(read_sample, 20);
}

static void test_a_fault_while_checking_a_stamp_ends_all_ranks(void) {
  CU_ASSERT_EQUAL(sample_write(sample_team(), "good.h5", SAMPLE_BY_SHARD, NULL), OK);
  fail_on_every_rank(check_stamp, 2);
}

static const CheckFact FACTS[] = {
    {"a fault while writing leaves no file", test_a_fault_while_writing_leaves_no_file},
    {"a fault while reading ends all ranks", test_a_fault_while_reading_ends_all_ranks},
    {"a fault while checking a stamp ends all ranks",
     test_a_fault_while_checking_a_stamp_ends_all_ranks},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "faults", FACTS);
}
