#include <dirent.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "spool.h"

static int files_in(const char *path) {
  int count = 0;
  DIR *folder = opendir(path);
  if (folder == NULL) {
    return -1;
  }
  while (readdir(folder) != NULL) {
    ++count;
  }
  closedir(folder);
  return count - 2; /* "." and ".." */
}

static void test_bytes_come_back_at_any_offset(void) {
  enum { COUNT = 2500000 }; /* more than two buffers */
  int32_t *values = NULL, *back = NULL;
  Spool *spool = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&values, COUNT, "values"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&back, COUNT, "values"), OK);
  CU_ASSERT_EQUAL(spool_open(&spool, check_folder()), OK);
  for (int32_t i = 0; i < COUNT; ++i) {
    values[i] = i;
  }
  const char *bytes = (const char *)values;
  for (int64_t done = 0, part = 1; done < 4 * COUNT; part = part * 3 + 1) {
    part = part < 4 * COUNT - done ? part : 4 * COUNT - done;
    CU_ASSERT_EQUAL(spool_append(spool, bytes + done, part), OK);
    done += part;
    CU_ASSERT_EQUAL(spool_length(spool), done);
  }
  CU_ASSERT_EQUAL(spool_read(spool, 0, back, 4 * COUNT), OK);
  CU_ASSERT_EQUAL(memcmp(back, values, 4 * COUNT), 0);
  CU_ASSERT_EQUAL(spool_read(spool, 4 * 1234567, back, 4), OK);
  CU_ASSERT_EQUAL(back[0], 1234567);
  MEMORY_FREE(values);
  MEMORY_FREE(back);
  spool_close(&spool);
  CU_ASSERT_PTR_NULL(spool);
  spool_close(&spool);
}

static void test_reading_and_appending_may_alternate(void) {
  Spool *spool = NULL;
  CU_ASSERT_EQUAL(spool_open(&spool, check_folder()), OK);
  for (int64_t i = 0; i < 1000; ++i) {
    int64_t back = -1;
    CU_ASSERT_EQUAL(spool_append(spool, &i, 8), OK);
    CU_ASSERT_EQUAL(spool_read(spool, 8 * (i / 2), &back, 8), OK);
    CU_ASSERT_EQUAL(back, i / 2);
  }
  CU_ASSERT_EQUAL(spool_append(spool, NULL, 0), OK);
  CU_ASSERT_EQUAL(spool_read(spool, 8000, NULL, 0), OK);
  CU_ASSERT_EQUAL(spool_length(spool), 8000);
  spool_close(&spool);
}

static void test_the_file_has_no_name(void) {
  Spool *spool = NULL;
  CU_ASSERT_EQUAL(files_in(check_folder()), 0);
  CU_ASSERT_EQUAL(spool_open(&spool, check_folder()), OK);
  CU_ASSERT_EQUAL(spool_append(spool, "abc", 3), OK);
  CU_ASSERT_EQUAL(files_in(check_folder()), 0);
  spool_close(&spool);
}

static void test_a_missing_folder_is_named(void) {
  Spool *spool = NULL;
  CU_ASSERT_EQUAL(spool_open(&spool, "/no/such/folder"), ERR_FILE);
  CU_ASSERT_PTR_NULL(spool);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "/no/such/folder: no temporary file there"));
}

static const CheckFact FACTS[] = {
    {"bytes come back at any offset", test_bytes_come_back_at_any_offset},
    {"reading and appending may alternate", test_reading_and_appending_may_alternate},
    {"the file has no name", test_the_file_has_no_name},
    {"a missing folder is named", test_a_missing_folder_is_named},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "spool", FACTS);
}
