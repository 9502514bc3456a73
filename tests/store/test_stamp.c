#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "check.h"
#include "sample.h"
#include "stamp.h"

static Status write_stamped(const char *name, const Stamp *stamp) {
  char text[17];
  Archive *archive;
  TRY(archive_create(sample_team(), sample_path(name), "x 1", &archive));
  Status status = archive_begin(archive);
  if (status == OK && stamp != NULL) {
    status = archive_note_text(archive, "/", "stamp", stamp_text(stamp, text));
  }
  if (status != OK) {
    archive_abandon(&archive);
    return status;
  }
  return archive_finish(&archive, NULL);
}

static void write_text(const char *name, const char *text) {
  if (sample_team()->rank == 0) {
    FILE *file = fopen(sample_path(name), "w");
    CU_ASSERT_PTR_NOT_NULL(file);
    fputs(text, file);
    fclose(file);
  }
  team_barrier(sample_team());
}

static void test_parts_and_their_order_count(void) {
  Stamp first, second;
  stamp_open(&first, "x 1");
  stamp_open(&second, "x 2");
  CU_ASSERT_NOT_EQUAL(first.hash, second.hash);
  second = first;
  stamp_add_fingerprint(&first, 1);
  stamp_add_text(&first, "a");
  stamp_add_text(&second, "a");
  stamp_add_fingerprint(&second, 1);
  CU_ASSERT_NOT_EQUAL(first.hash, second.hash);
}

static void test_a_file_counts_by_its_content(void) {
  Stamp stamps[3];
  write_text("one.txt", "some text");
  write_text("same.txt", "some text");
  write_text("other.txt", "some texts");
  const char *const names[] = {"one.txt", "same.txt", "other.txt"};
  for (int i = 0; i < 3; i++) {
    stamp_open(&stamps[i], "x 1");
    CU_ASSERT_EQUAL(stamp_add_file(&stamps[i], sample_team(), sample_path(names[i])), OK);
  }
  CU_ASSERT_EQUAL(stamps[0].hash, stamps[1].hash);
  CU_ASSERT_NOT_EQUAL(stamps[0].hash, stamps[2].hash);
  uint64_t hashes[2] = {stamps[0].hash, stamps[2].hash}, of_first[2];
  memcpy(of_first, hashes, sizeof(hashes));
  team_broadcast(sample_team(), of_first, (int64_t)sizeof(of_first), 0);
  CU_ASSERT_EQUAL(memcmp(of_first, hashes, sizeof(hashes)), 0);
}

static void test_a_missing_file_is_named(void) {
  Stamp stamp;
  stamp_open(&stamp, "x 1");
  CU_ASSERT_EQUAL(stamp_add_file(&stamp, sample_team(), sample_path("no.gguf")), ERR_MISSING);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "no.gguf"));
}

static void expect(const Stamp *stamp, const char *name, bool force, Status status, bool done) {
  bool is_done = !done;
  CU_ASSERT_EQUAL(stamp_check(stamp, sample_team(), sample_path(name), force, &is_done), status);
  CU_ASSERT_EQUAL(is_done, done);
}

static void test_only_an_output_of_this_stamp_is_done(void) {
  Stamp stamp, other;
  stamp_open(&stamp, "x 1");
  stamp_open(&other, "x 2");
  CU_ASSERT_EQUAL(write_stamped("out.h5", &stamp), OK);
  expect(&stamp, "out.h5", false, OK, true);
  expect(&stamp, "out.h5", true, OK, true);
  expect(&other, "out.h5", true, OK, false);
  expect(&other, "out.h5", false, ERR_STALE, false);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "out.h5"));
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "--force"));
  expect(&stamp, "absent.h5", false, OK, false);
}

static void test_a_file_without_a_stamp_is_not_replaced_unasked(void) {
  Stamp stamp;
  stamp_open(&stamp, "x 1");
  write_text("text.h5", "something of the user's");
  CU_ASSERT_EQUAL(write_stamped("plain.h5", NULL), OK);
  expect(&stamp, "text.h5", false, ERR_STALE, false);
  expect(&stamp, "text.h5", true, OK, false);
  expect(&stamp, "plain.h5", false, ERR_STALE, false);
  expect(&stamp, "plain.h5", true, OK, false);
}

static const CheckFact FACTS[] = {
    {"parts and their order count", test_parts_and_their_order_count},
    {"a file counts by its content", test_a_file_counts_by_its_content},
    {"a missing file is named", test_a_missing_file_is_named},
    {"only an output of this stamp is done", test_only_an_output_of_this_stamp_is_done},
    {"a file without a stamp is not replaced unasked",
     test_a_file_without_a_stamp_is_not_replaced_unasked},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "stamp", FACTS);
}
