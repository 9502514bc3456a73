#include "check.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

static char g_folder[512];

static void remove_tree(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) {
    return;
  }
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    char inner[4096];
    struct stat state;
    snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
    if (lstat(inner, &state) == 0 && S_ISDIR(state.st_mode)) {
      remove_tree(inner);
    } else {
      unlink(inner);
    }
  }
  closedir(folder);
  rmdir(path);
}

static void make_folder(int rank, bool with_ranks) {
  if (rank == 0) {
    const char *base = getenv("TMPDIR");
    snprintf(g_folder, sizeof(g_folder), "%s/cleave-check-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(g_folder) == NULL) {
      perror(g_folder);
      g_folder[0] = '\0';
    }
  }
  if (with_ranks) {
    MPI_Bcast(g_folder, sizeof(g_folder), MPI_CHAR, 0, MPI_COMM_WORLD);
  }
}

const char *check_folder(void) {
  return g_folder;
}

/* CU_BRM_SILENT still prints a summary, so the other ranks run without CUnit's own reporter. */
static void run_quietly(int rank) {
  CU_run_all_tests();
  for (CU_pFailureRecord failure = CU_get_failure_list(); failure != NULL;
       failure = failure->pNext) {
    fprintf(stderr, "[%d] %s: %s:%u: %s\n", rank,
            failure->pTest != NULL ? failure->pTest->pName : "?", failure->strFileName,
            failure->uiLineNumber, failure->strCondition);
  }
}

static bool add_facts(int argc, char **argv, const char *suite, const CheckFact *facts, int count) {
  CU_pSuite place = CU_add_suite(suite, NULL, NULL);
  for (int i = 0; i < count && place != NULL; ++i) {
    const bool wanted = argc < 2 || strstr(facts[i].name, argv[1]) != NULL;
    if (wanted && CU_add_test(place, facts[i].name, facts[i].test) == NULL) {
      return false;
    }
  }
  return place != NULL;
}

/* Failures of this rank: asserts, and memory that the tests did not give back. */
static int count_failures(int rank) {
  const int64_t blocks = memory_blocks();
  if (blocks != 0) {
    fprintf(stderr, "[%d] %lld blocks of memory were not given back\n", rank, (long long)blocks);
  }
  return (int)CU_get_number_of_failures() + (blocks != 0);
}

static int run_facts(int argc, char **argv, const char *suite, const CheckFact *facts, int count,
                     int rank) {
  if (g_folder[0] == '\0' || CU_initialize_registry() != CUE_SUCCESS ||
      !add_facts(argc, argv, suite, facts, count)) {
    fprintf(stderr, "[%d] %s: the tests could not be set up: %s\n", rank, suite,
            CU_get_error_msg());
    return 1;
  }
  if (rank == 0) {
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
  } else {
    run_quietly(rank);
  }
  return count_failures(rank);
}

int check_run(int argc, char **argv, const char *suite, const CheckFact *facts, int count,
              bool with_ranks) {
  int rank = 0, size = 1, provided = 0;
  if (with_ranks) {
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
  }
  make_folder(rank, with_ranks);
  int failures = run_facts(argc, argv, suite, facts, count, rank);
  if (with_ranks) {
    MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  }
  if (rank == 0) {
    printf("check %s: %u tests, %u asserts, %d failures on %d rank%s\n", suite,
           CU_get_number_of_tests_run(), CU_get_number_of_asserts(), failures, size,
           size == 1 ? "" : "s");
    fflush(stdout);
    remove_tree(g_folder);
  }
  CU_cleanup_registry();
  if (with_ranks) {
    MPI_Finalize();
  }
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
