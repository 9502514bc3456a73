#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "text.h"

static void test_append_and_printf_grow(void) {
  Text text = {0};
  CU_ASSERT_STRING_EQUAL(text_chars(&text), "");
  for (int i = 0; i < 1000; ++i) {
    CU_ASSERT_EQUAL(text_append(&text, "ab", 2), OK);
    CU_ASSERT_EQUAL(text_printf(&text, "%d%s", i % 10, "c"), OK);
  }
  CU_ASSERT_EQUAL(text.length, 4000);
  CU_ASSERT_EQUAL(strlen(text_chars(&text)), 4000);
  CU_ASSERT_EQUAL(strncmp(text_chars(&text) + 3996, "ab9c", 5), 0);
  CU_ASSERT_EQUAL(text_append(&text, NULL, 0), OK);
  CU_ASSERT_EQUAL(text_append(&text, "\0x", 2), OK);
  CU_ASSERT_EQUAL(text.length, 4002);
  text_clear(&text);
  CU_ASSERT_EQUAL(text.length, 0);
  CU_ASSERT_PTR_NULL(text.bytes);
}

static void test_utf8_is_checked_by_the_book(void) {
  static const struct {
    const char *bytes;
    int64_t left;
    int length;
  } CASES[] = {
      {"", 0, 0},
      {"a", 1, 1},
      {"\0", 1, 1},
      {"\x7f", 1, 1},
      {"\x80", 1, 0},             /* continuation alone */
      {"\xc1\xbf", 2, 0},         /* overlong */
      {"\xc2\x80", 2, 2},         /* U+0080 */
      {"\xc3\xa9", 1, 0},         /* cut short */
      {"\xc3q", 2, 0},            /* no continuation */
      {"\xe0\x9f\xbf", 3, 0},     /* overlong */
      {"\xe0\xa0\x80", 3, 3},     /* U+0800 */
      {"\xed\x9f\xbf", 3, 3},     /* U+D7FF */
      {"\xed\xa0\x80", 3, 0},     /* surrogate */
      {"\xef\xbf\xbf", 3, 3},     /* U+FFFF */
      {"\xe2\x82", 2, 0},         /* cut short */
      {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
      {"\xf0\x9f\x98\x80", 4, 4}, /* an emoji */
      {"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF */
      {"\xf4\x90\x80\x80", 4, 0}, /* beyond */
      {"\xf5\x80\x80\x80", 4, 0},
      {"\xff", 1, 0},
  };
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); ++i) {
    CU_ASSERT_EQUAL(text_utf8_length(CASES[i].bytes, CASES[i].left), CASES[i].length);
  }
}

static void expect_json(const char *bytes, int64_t length, const char *wanted) {
  Text text = {0};
  CU_ASSERT_EQUAL(text_append_json(&text, bytes, length), OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&text), wanted);
  text_clear(&text);
}

static void test_json_strings_are_escaped(void) {
  expect_json("", 0, "\"\"");
  expect_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
  expect_json("\n\t\r\b\f", 5, "\"\\n\\t\\r\\b\\f\"");
  expect_json("\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"");
  expect_json("na\xc3\xafve \xf0\x9f\x98\x80", 11, "\"na\xc3\xafve \xf0\x9f\x98\x80\"");
  expect_json("</script>", 9, "\"\\u003c/script>\"");
  expect_json("\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa", 11, "\"\\u2028|\\u2029|\xe2\x80\xaa\"");
  expect_json("\x80q\xe2\x82", 4, "\"\xef\xbf\xbdq\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void expect_csv(const char *bytes, const char *wanted) {
  Text text = {0};
  CU_ASSERT_EQUAL(text_append_csv(&text, bytes, (int64_t)strlen(bytes)), OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&text), wanted);
  text_clear(&text);
}

static void test_csv_fields_are_quoted_where_needed(void) {
  expect_csv("", "");
  expect_csv("plain text", "plain text");
  expect_csv(" the", "\" the\"");
  expect_csv("a,b", "\"a,b\"");
  expect_csv("say \"x\"", "\"say \"\"x\"\"\"");
  expect_csv("two\nlines", "\"two\nlines\"");
  expect_csv("\r", "\"\r\"");
}

static void test_sizes_read_well(void) {
  char out[32];
  CU_ASSERT_STRING_EQUAL(text_of_bytes(0, out), "0 bytes");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(999, out), "999 bytes");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(1000, out), "1.00 kB");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(1.26e9, out), "1.26 GB");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(9.996e6, out), "10.0 MB");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(99.96e6, out), "100 MB");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(999.7e6, out), "1.00 GB");
  CU_ASSERT_STRING_EQUAL(text_of_bytes(1e30, out), "1000000000000 EB");
}

static void test_times_read_well(void) {
  char out[32];
  CU_ASSERT_STRING_EQUAL(text_of_seconds(0.0123, out), "0.012 s");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(4.25, out), "4.2 s");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(59.97, out), "1 min 00 s");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(125, out), "2 min 05 s");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(3599.7, out), "1 h 00 min");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(7500, out), "2 h 05 min");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(90000, out), "1 d 01 h");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(1e300, out), "unknown time");
  CU_ASSERT_STRING_EQUAL(text_of_seconds(-1e300 * 1e300, out), "unknown time");
}

static void test_counts_read_well(void) {
  char out[32];
  CU_ASSERT_STRING_EQUAL(text_of_count(0, out), "0");
  CU_ASSERT_STRING_EQUAL(text_of_count(999, out), "999");
  CU_ASSERT_STRING_EQUAL(text_of_count(34217, out), "34,217");
  CU_ASSERT_STRING_EQUAL(text_of_count(-100000, out), "-100,000");
  CU_ASSERT_STRING_EQUAL(text_of_count(-10, out), "-10");
  CU_ASSERT_STRING_EQUAL(text_of_count(INT64_MIN, out), "-9,223,372,036,854,775,808");
}

static const char *path_of(const char *name) {
  static char path[1024];
  snprintf(path, sizeof(path), "%s/%s", check_folder(), name);
  return path;
}

static void test_a_file_is_written_and_read_back(void) {
  Text text = {0}, back = {0};
  for (int i = 0; i < 50000; ++i) {
    CU_ASSERT_EQUAL(text_append(&text, "0123456\0", 8), OK);
  }
  CU_ASSERT_EQUAL(text_write_file(&text, path_of("file")), OK);
  CU_ASSERT_EQUAL(access(path_of("file.part"), F_OK), -1);
  CU_ASSERT_EQUAL(text_append(&back, "x", 1), OK);
  CU_ASSERT_EQUAL(text_read_file(&back, path_of("file"), 400000), OK);
  CU_ASSERT_EQUAL(back.length, 400001);
  CU_ASSERT_EQUAL(memcmp(back.bytes + 1, text.bytes, 400000), 0);
  CU_ASSERT_EQUAL(text_read_file(&back, path_of("file"), 399999), ERR_FORMAT);
  CU_ASSERT_EQUAL(back.length, 400001);
  text_clear(&text);
  CU_ASSERT_EQUAL(text_write_file(&text, path_of("file")), OK); /* empty, over the old one */
  text_clear(&back);
  CU_ASSERT_EQUAL(text_read_file(&back, path_of("file"), 0), OK);
  CU_ASSERT_EQUAL(back.length, 0);
  text_clear(&back);
}

static void test_files_that_cannot_be_read_are_told_apart(void) {
  Text text = {0};
  CU_ASSERT_EQUAL(text_read_file(&text, path_of("missing"), 10), ERR_MISSING);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "missing: No such file"));
  CU_ASSERT_EQUAL(text_read_file(&text, check_folder(), 10), ERR_FILE);
  text_clear(&text);
}

static void test_a_full_disk_leaves_no_final_file(void) {
  Text text = {0};
  CU_ASSERT_EQUAL(text_append(&text, "abc", 3), OK);
  CU_ASSERT_EQUAL(symlink("/dev/full", path_of("full.part")), 0);
  CU_ASSERT_EQUAL(text_write_file(&text, path_of("full")), ERR_SPACE);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "full: no space left"));
  CU_ASSERT_EQUAL(access(path_of("full"), F_OK), -1);
  CU_ASSERT_EQUAL(text_write_file(&text, path_of("no_folder/file")), ERR_FILE);
  text_clear(&text);
}

static void test_folders_are_made_with_their_parents(void) {
  CU_ASSERT_EQUAL(text_make_folder(path_of("a//b/c/")), OK);
  CU_ASSERT_EQUAL(text_make_folder(path_of("a/b/c")), OK);
  CU_ASSERT_EQUAL(text_make_folder("/"), OK);
  struct stat state;
  CU_ASSERT_EQUAL(stat(path_of("a/b/c"), &state), 0);
  CU_ASSERT_TRUE(S_ISDIR(state.st_mode));
  Text text = {0};
  CU_ASSERT_EQUAL(text_write_file(&text, path_of("a/file")), OK);
  CU_ASSERT_EQUAL(text_make_folder(path_of("a/file/x")), ERR_FILE);
  CU_ASSERT_EQUAL(text_make_folder(path_of("a/file")), ERR_FILE);
}

static void expect_path(const char *folder, const char *name, const char *wanted) {
  char *path = NULL;
  CU_ASSERT_EQUAL(text_join_path(&path, folder, name), OK);
  CU_ASSERT_STRING_EQUAL(path, wanted);
  MEMORY_FREE(path);
}

static void test_paths_join_with_one_slash(void) {
  expect_path("a", "b", "a/b");
  expect_path("a/", "b", "a/b");
  expect_path("/", "b", "/b");
  expect_path("", "b", "b");
}

static const CheckFact FACTS[] = {
    {"append and printf grow", test_append_and_printf_grow},
    {"UTF-8 is checked by the book", test_utf8_is_checked_by_the_book},
    {"JSON strings are escaped", test_json_strings_are_escaped},
    {"CSV fields are quoted where needed", test_csv_fields_are_quoted_where_needed},
    {"sizes read well", test_sizes_read_well},
    {"times read well", test_times_read_well},
    {"counts read well", test_counts_read_well},
    {"a file is written and read back", test_a_file_is_written_and_read_back},
    {"files that cannot be read are told apart", test_files_that_cannot_be_read_are_told_apart},
    {"a full disk leaves no final file", test_a_full_disk_leaves_no_final_file},
    {"folders are made with their parents", test_folders_are_made_with_their_parents},
    {"paths join with one slash", test_paths_join_with_one_slash},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "text", FACTS);
}
