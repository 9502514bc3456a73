#include <stdio.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "shelf.h"
#include "toy_team.h"

enum { ROWS = 70001, COLUMNS = 3 }; /* more blocks than a shelf keeps */

static Team team;

static Status write_file(const char *path, const uint32_t *values) {
  const ArchiveDataset dataset = {.name = "/values",
                                  .type = ARCHIVE_U32,
                                  .dims = 2,
                                  .shape = {ROWS * 20, COLUMNS, 0},
                                  .meaning = "numbers",
                                  .unit = "1"};
  Archive *out = NULL;
  TRY(archive_create(&team, path, "test 1", &out));
  TRY(archive_add(out, &dataset));
  TRY(archive_begin(out));
  TRY(archive_write(out, "/values", 0, team.rank == 0 ? ROWS * 20 : 0, values));
  return archive_finish(&out, NULL);
}

static void test_reads_are_those_of_the_file(void) {
  char path[1024];
  uint32_t *values = NULL, *found = NULL;
  Archive *archive = NULL;
  Shelf *shelf = NULL;
  team = toy_team(MPI_COMM_WORLD);
  snprintf(path, sizeof(path), "%s/shelf.h5", check_folder());
  CU_ASSERT(MEMORY_NEW(&values, ROWS * 20 * COLUMNS, "values") == OK);
  CU_ASSERT(MEMORY_NEW(&found, 40000 * COLUMNS, "values") == OK);
  for (int64_t i = 0; i < ROWS * 20 * COLUMNS; ++i) {
    values[i] = (uint32_t)(i * 2654435761u);
  }
  CU_ASSERT(write_file(path, values) == OK);
  CU_ASSERT(archive_open(&team, path, "test 1", "a test", &archive) == OK);
  CU_ASSERT(shelf_open(&shelf, &team, archive, "/values", ARCHIVE_U32, 2) == OK);
  CU_ASSERT(shelf_rows(shelf) == ROWS * 20 && shelf_shape(shelf, 1) == COLUMNS);
  for (int64_t i = 0; i < 400; ++i) { /* here and there, also over blocks' ends, also nothing */
    const int64_t first = (i * 104729 + team.rank) % (ROWS * 20 - 40000);
    const int64_t rows = i % 50 == 0 ? 40000 : i % 7;
    CU_ASSERT(shelf_read(shelf, first, rows, found) == OK);
    CU_ASSERT(memcmp(found, values + first * COLUMNS, (size_t)rows * COLUMNS * 4) == 0);
  }
  CU_ASSERT(shelf_read(shelf, ROWS * 20 - 1, 1, found) == OK);
  CU_ASSERT(shelf_read(shelf, ROWS * 20, 0, found) == OK);
  CU_ASSERT(shelf_read(shelf, ROWS * 20, 1, found) == ERR_FORMAT);
  CU_ASSERT(shelf_read(shelf, -1, 1, found) == ERR_FORMAT);
  shelf_close(&shelf);
  CU_ASSERT(shelf_open(&shelf, &team, archive, "/values", ARCHIVE_F32, 2) == ERR_FORMAT);
  CU_ASSERT(shelf == NULL);
  archive_close(&archive);
  MEMORY_FREE(found);
  MEMORY_FREE(values);
}

static const CheckFact FACTS[] = {
    {"reads are those of the file, wherever blocks end", test_reads_are_those_of_the_file},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "shelf", FACTS);
}
