/* The runner itself, on ranks. */
#include <mpi.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

static void test_all_ranks_share_one_folder(void) {
  char first[512] = {0};
  strncpy(first, check_folder(), sizeof(first) - 1);
  MPI_Bcast(first, sizeof(first), MPI_CHAR, 0, MPI_COMM_WORLD);
  CU_ASSERT_STRING_EQUAL(first, check_folder());
  struct stat state;
  CU_ASSERT_EQUAL(stat(check_folder(), &state), 0);
  CU_ASSERT_TRUE(S_ISDIR(state.st_mode));
}

static const CheckFact FACTS[] = {
    {"all ranks share one folder", test_all_ranks_share_one_folder},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "folder", FACTS);
}
