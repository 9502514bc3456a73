#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "check.h"
#include "memory.h"
#include "piece.h"
#include "team.h"

static Team g_team;

static Team *team(void) {
  if (g_team.size == 0) {
    CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  }
  return &g_team;
}

static int last(void) {
  return team()->size - 1;
}

static void test_a_team_has_all_ranks(void) {
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  CU_ASSERT_EQUAL(team()->rank, rank);
  CU_ASSERT_EQUAL(team()->size, size);
  CU_ASSERT_EQUAL(team()->node_size, size);
}

static void test_closing_leaves_an_mpi_that_ran_before(void) {
  Team other;
  int is_over;
  CU_ASSERT_EQUAL(team_open(&other, NULL, NULL), OK);
  team_close(&other);
  MPI_Finalized(&is_over);
  CU_ASSERT_FALSE(is_over);
  team_barrier(team());
}

static void test_all_well_is_agreed_in_silence(void) {
  const int64_t before = team_agreements();
  capture_begin();
  CU_ASSERT_EQUAL(team_agree(team(), OK), OK);
  CU_ASSERT_STRING_EQUAL(capture_end(), "");
  CU_ASSERT_EQUAL(team_agreements(), before + 1);
}

static Status agree_captured(Status mine, const char **text) {
  capture_begin();
  const Status status = team_agree(team(), mine);
  *text = capture_end();
  return status;
}

static void test_one_failed_rank_fails_all_with_its_reason(void) {
  for (int rank = 0; rank < team()->size; rank++) {
    const Status mine = rank == team()->rank ? RAISE(ERR_FILE, "x.txt: rank %d", rank) : OK;
    const char *text;
    CU_ASSERT_EQUAL(agree_captured(mine, &text), ERR_FILE);
    char why[80], line[200];
    snprintf(why, sizeof(why), "x.txt: rank %d", rank);
    CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), why));
    snprintf(line, sizeof(line),
             "cleave: %s (rank %d, 1 of %d ranks failed): test_team.c:", status_sentence(ERR_FILE),
             rank, team()->size);
    if (team()->rank != 0) {
      CU_ASSERT_STRING_EQUAL(text, "");
    } else if (team()->size > 1) {
      CU_ASSERT_EQUAL(strncmp(text, line, strlen(line)), 0);
      CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
    }
  }
}

static void test_the_highest_code_wins_then_the_lowest_rank(void) {
  const char *text;
  Status mine = RAISE(ERR_FILE, "minor on %d", team()->rank);
  if (team()->rank > 0) {
    mine = RAISE(ERR_MEMORY, "major on %d", team()->rank);
  }
  const bool is_alone = team()->size == 1;
  CU_ASSERT_EQUAL(agree_captured(mine, &text), is_alone ? ERR_FILE : ERR_MEMORY);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), is_alone ? "minor on 0" : "major on 1"));
}

static void test_a_failure_of_all_alike_names_no_rank(void) {
  const char *text;
  CU_ASSERT_EQUAL(agree_captured(RAISE(ERR_CONFIG, "run.yaml:3: k"), &text), ERR_CONFIG);
  CU_ASSERT_PTR_NULL(strstr(text, "rank"));
  CU_ASSERT_EQUAL(strstr(text, "run.yaml:3: k") != NULL, team()->rank == 0);
}

static Status walk(int fail_at) {
  for (int i = 0; i < 3; i++) {
    TRY_ALL(team(), i == fail_at && team()->rank == last() ? RAISE(ERR_DATA, "at %d", i) : OK);
  }
  return OK;
}

static void test_try_all_leaves_on_all_ranks_at_once(void) {
  for (int at = 0; at < 3; at++) {
    const int64_t before = team_agreements();
    capture_begin();
    CU_ASSERT_EQUAL(walk(at), ERR_DATA);
    capture_end();
    CU_ASSERT_EQUAL(team_agreements() - before, at + 1);
  }
  CU_ASSERT_EQUAL(walk(-1), OK);
}

static void test_a_report_is_one_line_of_rank_0(void) {
  capture_begin();
  team_report(team(), RAISE(ERR_USAGE, "no such flag"));
  const char *text = capture_end();
  CU_ASSERT_EQUAL(strncmp(text, "cleave: the command line is wrong: test_team.c:", 40) == 0,
                  team()->rank == 0);
  capture_begin();
  team_report(team(), OK);
  CU_ASSERT_STRING_EQUAL(capture_end(), "");
}

#ifdef CLEAVE_FAULTS
static void test_the_fault_switch_fails_one_agreement_of_one_rank(void) {
  char fault[40];
  snprintf(fault, sizeof(fault), "%d:%lld", last(), (long long)team_agreements() + 2);
  setenv("TEAM_FAULT", fault, 1);
  const char *text;
  CU_ASSERT_EQUAL(agree_captured(OK, &text), OK);
  CU_ASSERT_EQUAL(agree_captured(OK, &text), ERR_FAULT);
  CU_ASSERT_EQUAL(agree_captured(OK, &text), OK);
  unsetenv("TEAM_FAULT");
}
#endif

static void test_a_broadcast_may_be_cut_anywhere(void) {
  enum { BYTES = 103 };
  for (int root = 0; root < team()->size; root++) {
    for (int64_t piece = 0; piece <= 32; piece += 8) {
      unsigned char bytes[BYTES];
      for (int i = 0; i < BYTES; i++) {
        bytes[i] = (unsigned char)(team()->rank == root ? i * 5 : 0);
      }
      piece_set(piece);
      team_broadcast(team(), bytes, BYTES, root);
      for (int i = 0; i < BYTES; i++) {
        CU_ASSERT_EQUAL(bytes[i], (unsigned char)(i * 5));
      }
    }
  }
  piece_set(0);
  team_broadcast(team(), NULL, 0, 0);
}

static void test_any_is_true_where_one_rank_says_so(void) {
  CU_ASSERT_FALSE(team_any(team(), false));
  CU_ASSERT_TRUE(team_any(team(), team()->rank == last()));
}

static const CheckFact FACTS[] = {
    {"a team has all ranks", test_a_team_has_all_ranks},
    {"closing leaves an MPI that ran before", test_closing_leaves_an_mpi_that_ran_before},
    {"all well is agreed in silence", test_all_well_is_agreed_in_silence},
    {"one failed rank fails all with its reason", test_one_failed_rank_fails_all_with_its_reason},
    {"the highest code wins, then the lowest rank",
     test_the_highest_code_wins_then_the_lowest_rank},
    {"a failure of all alike names no rank", test_a_failure_of_all_alike_names_no_rank},
    {"TRY_ALL leaves on all ranks at once", test_try_all_leaves_on_all_ranks_at_once},
    {"a report is one line of rank 0", test_a_report_is_one_line_of_rank_0},
#ifdef CLEAVE_FAULTS
    {"the fault switch fails one agreement of one rank",
     test_the_fault_switch_fails_one_agreement_of_one_rank},
#endif
    {"a broadcast may be cut anywhere", test_a_broadcast_may_be_cut_anywhere},
    {"any is true where one rank says so", test_any_is_true_where_one_rank_says_so},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "team", FACTS);
}
