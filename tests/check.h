#ifndef CHECK_H
#define CHECK_H

#include <CUnit/CUnit.h>
#include <stdbool.h>

/** The runner of all CUnit programs. A program is a table of facts and
 *  `int main(int argc, char **argv) { return CHECK_MAIN(argc, argv, "shard", FACTS); }`
 *  (plain process) or CHECK_MAIN_RANKS (starts and ends MPI; rank 0 reports, failures are summed over ranks so
 *  that every rank exits non-zero). Never use CU_*_FATAL in a multi-rank test: it leaves on one rank alone. */
typedef struct CheckFact {
  const char *name; /* the fact it proves: "empty rank gets no rows" */
  void (*test)(void);
} CheckFact;

int check_run(int argc, char **argv, const char *suite, const CheckFact *facts, int count,
              bool with_ranks);
#define CHECK_COUNT(facts) ((int)(sizeof(facts) / sizeof((facts)[0])))
#define CHECK_MAIN(argc, argv, suite, facts) \
  check_run((argc), (argv), (suite), (facts), CHECK_COUNT(facts), false)
#define CHECK_MAIN_RANKS(argc, argv, suite, facts) \
  check_run((argc), (argv), (suite), (facts), CHECK_COUNT(facts), true)

/** A folder for this process group's scratch files, made fresh; the same on all ranks. Removed by check_run at the
 *  end. */
const char *check_folder(void);

#endif
