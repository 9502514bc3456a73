/* Goes wrong on purpose on the last rank, as the first argument says: "fail", "forget" or "leak". */
#include <mpi.h>

#include "check.h"
#include "memory.h"

static bool is_last(void) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return rank == size - 1;
}

static void fail(void) {
  CU_ASSERT_FALSE(is_last());
}

static char *g_kept;

static void forget(void) {
  if (is_last()) {
    CU_ASSERT_EQUAL(MEMORY_NEW(&g_kept, 77, "what is never given back"), OK);
  }
}

/* Nothing points to it any more. */
static void leak(void) {
  forget();
  g_kept = NULL;
}

static const CheckFact FACTS[] = {{"fail", fail}, {"forget", forget}, {"leak", leak}};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "planted", FACTS);
}
