#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "check.h"
#include "memory.h"
#include "sample.h"
#include "slab.h"

static void test_content_is_the_same_everywhere(void) {
  Team *team = sample_team();
  for (SampleOrder order = SAMPLE_BY_SHARD; order <= SAMPLE_BACKWARDS; order++) {
    char content[17] = "";
    CU_ASSERT_EQUAL(sample_write(team, "order.h5", order, content), OK);
    CU_ASSERT_STRING_EQUAL(content, SAMPLE_CONTENT);
  }
  CU_ASSERT_EQUAL(access(sample_path("order.h5.part"), F_OK), -1);
}

static void test_what_n_ranks_write_m_ranks_read(void) {
  const int most = sample_team()->size;
  Team writers, readers;
  for (int n = 1; n <= most; n++) {
    if (sample_subteam(n, &writers)) {
      CU_ASSERT_EQUAL(sample_write(&writers, "n.h5", SAMPLE_BY_SHARD, NULL), OK);
      sample_leave(&writers);
    }
    team_barrier(sample_team());
    for (int m = 1; m <= most; m++) {
      bool same = false;
      if (sample_subteam(m, &readers)) {
        CU_ASSERT_EQUAL(sample_read(&readers, "n.h5", &same), OK);
        CU_ASSERT_TRUE(same);
        sample_leave(&readers);
      }
    }
    team_barrier(sample_team());
  }
}

/* A piece of 24 bytes is shorter than some rows and holds several of others. */
static void test_transfers_in_pieces_change_nothing(void) {
  bool same = false;
  slab_set_piece(24);
  CU_ASSERT_EQUAL(sample_write(sample_team(), "pieces.h5", SAMPLE_BY_LAST_RANK, NULL), OK);
  CU_ASSERT_EQUAL(sample_read(sample_team(), "pieces.h5", &same), OK);
  CU_ASSERT_TRUE(same);
  slab_set_piece(0);
}

static void test_every_bf16_pattern_survives(void) {
  enum { COUNT = 65536 };
  static uint16_t values[COUNT], found[COUNT];
  Team *team = sample_team();
  for (int i = 0; i < COUNT; i++) {
    values[i] = (uint16_t)i;
  }
  Archive *archive;
  const ArchiveDataset dataset = {"/x", ARCHIVE_BF16, 1, {COUNT}, "all patterns", "1"};
  CU_ASSERT_EQUAL(archive_create(team, sample_path("bf16.h5"), "x 1", &archive), OK);
  CU_ASSERT_EQUAL(archive_add(archive, &dataset), OK);
  CU_ASSERT_EQUAL(archive_begin(archive), OK);
  CU_ASSERT_EQUAL(archive_write(archive, "/x", 0, team->rank == 0 ? COUNT : 0, values), OK);
  CU_ASSERT_EQUAL(archive_finish(&archive, NULL), OK);
  CU_ASSERT_EQUAL(archive_open(team, sample_path("bf16.h5"), "x 1", "x", &archive), OK);
  CU_ASSERT_EQUAL(archive_read(archive, "/x", 0, COUNT, found), OK);
  CU_ASSERT_EQUAL(memcmp(values, found, sizeof(values)), 0);
  archive_close(&archive);
}

static void test_one_rank_reads_alone(void) {
  Team *team = sample_team();
  Archive *archive;
  CU_ASSERT_EQUAL(sample_write(team, "alone.h5", SAMPLE_BY_SHARD, NULL), OK);
  CU_ASSERT_EQUAL(
      archive_open(team, sample_path("alone.h5"), SAMPLE_SCHEMA, "cleave-sample", &archive), OK);
  if (team->rank == team->size - 1) {
    for (uint32_t row = 0; row < SAMPLE_ROWS; row++) {
      uint32_t token = 1;
      CU_ASSERT_EQUAL(archive_read_here(archive, "/token", row, 1, &token), OK);
      CU_ASSERT_EQUAL(token, row * 65537);
    }
    CU_ASSERT_EQUAL(archive_read_here(archive, "/token", SAMPLE_ROWS, 1, NULL), ERR_FORMAT);
    CU_ASSERT_EQUAL(archive_read_here(archive, "/absent", 0, 1, NULL), ERR_FORMAT);
  }
  archive_close(&archive);
}

static void test_has_finds_datasets_and_groups(void) {
  Team *team = sample_team();
  Archive *archive;
  CU_ASSERT_EQUAL(sample_write(team, "has.h5", SAMPLE_BY_SHARD, NULL), OK);
  CU_ASSERT_EQUAL(
      archive_open(team, sample_path("has.h5"), SAMPLE_SCHEMA, "cleave-sample", &archive), OK);
  CU_ASSERT_TRUE(archive_has(archive, "/pair/8k/1k/cosine"));
  CU_ASSERT_TRUE(archive_has(archive, "/pair/8k"));
  CU_ASSERT_FALSE(archive_has(archive, "/pair/4k/1k/cosine"));
  CU_ASSERT_FALSE(archive_has(archive, "/absent"));
  CU_ASSERT_FALSE(archive_has(archive, ""));
  CU_ASSERT_TRUE(archive_is(archive, "/activation", ARCHIVE_BF16));
  CU_ASSERT_FALSE(archive_is(archive, "/activation", ARCHIVE_F32));
  CU_ASSERT_FALSE(archive_is(archive, "/absent", ARCHIVE_F32));
  archive_close(&archive);
  CU_ASSERT_PTR_NULL(archive);
  archive_close(&archive);
}

/* A rank without rows has no memory for them either. */
static void test_no_rows_need_no_memory(void) {
  Team *team = sample_team();
  Archive *archive;
  uint8_t flag = 0;
  const bool has_row = team->rank == 0;
  CU_ASSERT_EQUAL(sample_write(team, "none.h5", SAMPLE_BY_SHARD, NULL), OK);
  CU_ASSERT_EQUAL(
      archive_open(team, sample_path("none.h5"), SAMPLE_SCHEMA, "cleave-sample", &archive), OK);
  CU_ASSERT_EQUAL(archive_read(archive, "/flag", 0, has_row ? 1 : 0, has_row ? &flag : NULL), OK);
  CU_ASSERT_EQUAL(archive_read(archive, "/flag", 0, 0, NULL), OK);
  archive_close(&archive);
}

static void test_wrong_questions_are_answered_with_errors(void) {
  Team *team = sample_team();
  Archive *archive;
  int64_t shape[3], number;
  uint8_t bytes[8];
  char *text;
  CU_ASSERT_EQUAL(sample_write(team, "ask.h5", SAMPLE_BY_SHARD, NULL), OK);
  CU_ASSERT_EQUAL(
      archive_open(team, sample_path("ask.h5"), SAMPLE_SCHEMA, "cleave-sample", &archive), OK);
  CU_ASSERT_EQUAL(archive_shape(archive, "/absent", ARCHIVE_U8, 1, shape), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_shape(archive, "/flag", ARCHIVE_U32, 1, shape), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_shape(archive, "/flag", ARCHIVE_U8, 2, shape), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_shape(archive, "/activation", ARCHIVE_F32, 2, shape), ERR_FORMAT);
  const bool is_bad = team->rank == team->size - 1;
  CU_ASSERT_EQUAL(archive_read(archive, "/flag", is_bad ? SAMPLE_ROWS : 0, 1, bytes), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_read(archive, "/flag", 0, is_bad ? -1 : 1, bytes), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_get_text(archive, "/", "absent", &text), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_get_text(archive, "/absent", "name", &text), ERR_FORMAT);
  CU_ASSERT_EQUAL(archive_get_integer(archive, "/", "name", &number), ERR_FORMAT);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "ask.h5"));
  archive_close(&archive);
}

/* Both sides of a copy that may be cut short; rank 0 works. */
static void copy_file(const char *from, const char *to, int64_t length) {
  if (sample_team()->rank == 0) {
    static char bytes[1 << 20];
    const int source = open(sample_path(from), O_RDONLY);
    const int target = open(sample_path(to), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const ssize_t got = read(source, bytes, sizeof(bytes));
    CU_ASSERT_TRUE(got > length);
    CU_ASSERT_EQUAL(write(target, bytes, (size_t)length), length);
    close(source);
    close(target);
  }
  team_barrier(sample_team());
}

static void expect_refused(const char *name, const char *schema, Status code, const char *words) {
  Archive *archive;
  CU_ASSERT_EQUAL(archive_open(sample_team(), sample_path(name), schema, "cleave-sample", &archive),
                  code);
  CU_ASSERT_PTR_NULL(archive);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), name));
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), words));
}

static void test_unusable_files_are_refused_with_the_remedy(void) {
  CU_ASSERT_EQUAL(sample_write(sample_team(), "whole.h5", SAMPLE_BY_SHARD, NULL), OK);
  expect_refused("absent.h5", SAMPLE_SCHEMA, ERR_MISSING, "run cleave-sample first");
  expect_refused("whole.h5", "other 2", ERR_FORMAT, "\"sample 1\" found, \"other 2\" wanted");
  expect_refused(".", SAMPLE_SCHEMA, ERR_FORMAT, "not an HDF5 file: run cleave-sample again");
  const int64_t lengths[] = {0, 5, 100, 1000, 4000};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    copy_file("whole.h5", "cut.h5", lengths[i]);
    expect_refused("cut.h5", SAMPLE_SCHEMA, ERR_FORMAT, "run cleave-sample");
  }
  if (sample_team()->rank == 0) {
    FILE *file = fopen(sample_path("text.h5"), "w");
    fputs("not HDF5 at all, but long enough to look at\n", file);
    fclose(file);
  }
  team_barrier(sample_team());
  expect_refused("text.h5", SAMPLE_SCHEMA, ERR_FORMAT, "not an HDF5 file");
}

static Archive *start(const char *name, int64_t rows) {
  Archive *archive;
  const ArchiveDataset dataset = {"/x", ARCHIVE_U32, 1, {rows}, "x", "1"};
  CU_ASSERT_EQUAL(archive_create(sample_team(), sample_path(name), "x 1", &archive), OK);
  CU_ASSERT_EQUAL(archive_add(archive, &dataset), OK);
  CU_ASSERT_EQUAL(archive_begin(archive), OK);
  return archive;
}

static void test_rows_left_out_or_written_twice_make_no_file(void) {
  Team *team = sample_team();
  const uint32_t data[4] = {0};
  const int64_t once = team->rank == 0 ? 1 : 0;
  Archive *archive = start("holes.h5", 4);
  CU_ASSERT_EQUAL(archive_write(archive, "/x", 0, 3 * once, data), OK);
  CU_ASSERT_EQUAL(archive_finish(&archive, NULL), ERR_DATA);
  CU_ASSERT_PTR_NULL(archive);
  CU_ASSERT_FALSE(sample_is_there("holes.h5"));
  archive = start("twice.h5", 4);
  CU_ASSERT_EQUAL(archive_write(archive, "/x", 0, 2 * once, data), OK);
  CU_ASSERT_EQUAL(archive_write(archive, "/x", 1, 2 * once, data), OK);
  CU_ASSERT_EQUAL(archive_finish(&archive, NULL), ERR_DATA);
  CU_ASSERT_FALSE(sample_is_there("twice.h5"));
}

static void test_rows_outside_are_refused_on_all_ranks(void) {
  Team *team = sample_team();
  const uint32_t data[4] = {0};
  Archive *archive = start("outside.h5", 4);
  const bool is_bad = team->rank == team->size - 1;
  CU_ASSERT_EQUAL(archive_write(archive, "/x", is_bad ? 3 : 0, is_bad ? 2 : 0, data), ERR_DATA);
  CU_ASSERT_EQUAL(archive_write(archive, "/x", is_bad ? -1 : 0, is_bad, data), ERR_DATA);
  CU_ASSERT_EQUAL(archive_write(archive, "/y", 0, 1, data), ERR_DATA);
  archive_abandon(&archive);
  CU_ASSERT_FALSE(sample_is_there("outside.h5"));
}

static void test_impossible_datasets_are_refused(void) {
  Archive *archive;
  CU_ASSERT_EQUAL(archive_create(sample_team(), sample_path("bad.h5"), "x 1", &archive), OK);
  const ArchiveDataset datasets[] = {
      {"/x", ARCHIVE_U8, 1, {4}, "the first one is fine", "1"},
      {"/x", ARCHIVE_U8, 1, {4}, "twice", "1"},
      {"x", ARCHIVE_U8, 1, {4}, "no slash", "1"},
      {"/", ARCHIVE_U8, 1, {4}, "the root", "1"},
      {"/a", ARCHIVE_U8, 0, {0}, "no dimension", "1"},
      {"/b", ARCHIVE_U8, ARCHIVE_DIMS + 1, {1, 1, 1}, "too many", "1"},
      {"/c", ARCHIVE_U8, 1, {-1}, "negative", "1"},
      {"/d", ARCHIVE_F64, 2, {1, 1 << 28}, "a row too long", "1"},
      {"/e", ARCHIVE_F64, 2, {INT64_MAX / 8, 2}, "too large", "1"},
  };
  CU_ASSERT_EQUAL(archive_add(archive, &datasets[0]), OK);
  for (size_t i = 1; i < sizeof(datasets) / sizeof(datasets[0]); i++) {
    CU_ASSERT_EQUAL(archive_add(archive, &datasets[i]), ERR_DATA);
  }
  archive_abandon(&archive);
  CU_ASSERT_FALSE(sample_is_there("bad.h5"));
}

static void test_abandoning_leaves_what_was_there_before(void) {
  Archive *archive = NULL;
  bool same = false;
  archive_abandon(&archive);
  CU_ASSERT_EQUAL(sample_write(sample_team(), "kept.h5", SAMPLE_BY_SHARD, NULL), OK);
  archive = start("kept.h5", 1000);
  archive_abandon(&archive);
  CU_ASSERT_PTR_NULL(archive);
  CU_ASSERT_EQUAL(access(sample_path("kept.h5.part"), F_OK), -1);
  CU_ASSERT_EQUAL(sample_read(sample_team(), "kept.h5", &same), OK);
  CU_ASSERT_TRUE(same);
}

static void test_a_place_that_cannot_be_written_is_seen_first(void) {
  Archive *archive;
  CU_ASSERT_EQUAL(archive_create(sample_team(), "/proc/none/x.h5", "x 1", &archive), ERR_FILE);
  CU_ASSERT_PTR_NULL(archive);
}

static void test_folders_on_the_way_are_made(void) {
  bool same = false;
  CU_ASSERT_EQUAL(sample_write(sample_team(), "a/b/c.h5", SAMPLE_BY_SHARD, NULL), OK);
  CU_ASSERT_EQUAL(sample_read(sample_team(), "a/b/c.h5", &same), OK);
  CU_ASSERT_TRUE(same);
}

enum { MANY = 60 };

static Status add_many(Archive *archive) {
  for (int i = 0; i < MANY; i++) {
    char name[64];
    snprintf(name, sizeof(name), "/group%d/below%d/x%d", i % 40, i % 7, i);
    const ArchiveDataset dataset = {name, ARCHIVE_U8, 1, {i % 5}, "many small datasets", "1"};
    TRY(archive_add(archive, &dataset));
    TRY(archive_set_integer(archive, name, "an attribute with a long name", i));
  }
  return archive_begin(archive);
}

static off_t size_of(const char *name) {
  struct stat state = {0};
  CU_ASSERT_EQUAL(stat(sample_path(name), &state), 0);
  return state.st_size;
}

static void test_no_file_outgrows_its_reservation(void) {
  Team *team = sample_team();
  Archive *archive;
  const uint8_t data[5] = {0};
  CU_ASSERT_EQUAL(archive_create(team, sample_path("many.h5"), "x 1", &archive), OK);
  CU_ASSERT_EQUAL(add_many(archive), OK);
  const off_t reserved = size_of("many.h5.part");
  for (int i = 0; i < MANY; i++) {
    char name[64];
    snprintf(name, sizeof(name), "/group%d/below%d/x%d", i % 40, i % 7, i);
    CU_ASSERT_EQUAL(archive_write(archive, name, 0, team->rank == 0 ? i % 5 : 0, data), OK);
  }
  CU_ASSERT_EQUAL(archive_finish(&archive, NULL), OK);
  CU_ASSERT_TRUE(size_of("many.h5") <= reserved);
}

static const CheckFact FACTS[] = {
    {"content is the same at any rank count, in any order", test_content_is_the_same_everywhere},
    {"what n ranks write m ranks read", test_what_n_ranks_write_m_ranks_read},
    {"transfers in pieces change nothing", test_transfers_in_pieces_change_nothing},
    {"every bf16 pattern survives", test_every_bf16_pattern_survives},
    {"one rank reads alone", test_one_rank_reads_alone},
    {"no rows need no memory", test_no_rows_need_no_memory},
    {"has finds datasets and groups", test_has_finds_datasets_and_groups},
    {"wrong questions are answered with errors", test_wrong_questions_are_answered_with_errors},
    {"unusable files are refused with the remedy", test_unusable_files_are_refused_with_the_remedy},
    {"rows left out or written twice make no file",
     test_rows_left_out_or_written_twice_make_no_file},
    {"rows outside are refused on all ranks", test_rows_outside_are_refused_on_all_ranks},
    {"impossible datasets are refused", test_impossible_datasets_are_refused},
    {"abandoning leaves what was there before", test_abandoning_leaves_what_was_there_before},
    {"a place that cannot be written is seen first",
     test_a_place_that_cannot_be_written_is_seen_first},
    {"folders on the way are made", test_folders_on_the_way_are_made},
    {"no file outgrows its reservation", test_no_file_outgrows_its_reservation},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "archive", FACTS);
}
