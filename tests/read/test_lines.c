#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "lines.h"
#include "memory.h"

/* Files of the test in hand lie in a folder of its own. */
static char g_folder[1024];
static int g_count;

static void fresh_folder(void) {
  snprintf(g_folder, sizeof(g_folder), "%s/%d", check_folder(), g_count++);
  CU_ASSERT_EQUAL(text_make_folder(g_folder), OK);
}

static const char *path_of(const char *name) {
  static char path[2048];
  snprintf(path, sizeof(path), "%s/%s", g_folder, name);
  return path;
}

static void put_bytes(const char *name, const char *bytes, int64_t length) {
  Text text = {0};
  CU_ASSERT_EQUAL(text_append(&text, bytes, length), OK);
  CU_ASSERT_EQUAL(text_write_file(&text, path_of(name)), OK);
  text_clear(&text);
}

static void put(const char *name, const char *bytes) {
  put_bytes(name, bytes, (int64_t)strlen(bytes));
}

static void put_gzip(const char *name, const char *mode, const char *bytes) {
  gzFile file = gzopen(path_of(name), mode);
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  CU_ASSERT_EQUAL(gzwrite(file, bytes, (unsigned)strlen(bytes)), (int)strlen(bytes));
  CU_ASSERT_EQUAL(gzclose(file), Z_OK);
}

static Status open_path(Lines **lines, const char *path) {
  char item[2048];
  snprintf(item, sizeof(item), "%s", path);
  char *items[] = {item};
  const ConfigTexts paths = {items, 1};
  return lines_open(lines, &paths, "text");
}

/* All documents of `path`, each with a '|' behind it, or the failure. */
static Status read_all(const char *path, Text *out) {
  Lines *lines;
  Text document = {0};
  bool is_end = false;
  Status status = open_path(&lines, path);
  out->length = 0;
  while (status == OK && !is_end) {
    status = lines_next(lines, &document, &is_end);
    if (status == OK && !is_end) {
      CU_ASSERT_EQUAL(text_append(out, document.bytes, document.length), OK);
      CU_ASSERT_EQUAL(text_append(out, "|", 1), OK);
    }
  }
  text_clear(&document);
  lines_close(&lines);
  return status;
}

static void expect_documents(const char *path, const char *expected) {
  Text found = {0};
  CU_ASSERT_EQUAL(read_all(path, &found), OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&found), expected);
  text_clear(&found);
}

static void expect_failure(const char *path, Status code, const char *words) {
  Text found = {0};
  CU_ASSERT_EQUAL(read_all(path, &found), code);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), words));
  text_clear(&found);
}

static void test_text_file_is_one_document(void) {
  fresh_folder();
  put("a.txt", "one\ntwo\r\n\nthree");
  expect_documents(path_of("a.txt"), "one\ntwo\r\n\nthree|");
}

static void test_jsonl_line_is_one_document(void) {
  fresh_folder();
  put("a.jsonl",
      "{\"text\": \"one\\ntwo\"}\n\n  \r\n{\"id\": 123456789012345678901234567890, \"text\": "
      "\"caf\\u00e9 \\ud83d\\ude00\", \"more\": {\"text\": [1]}}\r\n{\"text\": \"\"}\n"
      "{\"text\":\"last\"}");
  expect_documents(path_of("a.jsonl"), "one\ntwo|café 😀|last|");
}

static void test_gzip_is_told_by_content(void) {
  fresh_folder();
  put_gzip("a.txt", "wb", "zipped");
  put("b.gz", "not zipped");
  put_gzip("c.jsonl.gz", "wb", "{\"text\": \"x\"}\n{\"text\": \"y\"}\n");
  expect_documents(path_of("a.txt"), "zipped|");
  expect_documents(path_of("b.gz"), "not zipped|");
  expect_documents(path_of("c.jsonl.gz"), "x|y|");
}

static void test_gzip_members_are_joined(void) {
  fresh_folder();
  put_gzip("a.gz", "wb", "one ");
  put_gzip("a.gz", "ab", "two");
  expect_documents(path_of("a.gz"), "one two|");
}

static void test_folder_is_read_in_byte_order_of_paths(void) {
  fresh_folder();
  CU_ASSERT_EQUAL(text_make_folder(path_of("b/c")), OK);
  CU_ASSERT_EQUAL(text_make_folder(path_of(".hidden")), OK);
  put("b/c/x", "4");
  put("b.txt", "3");
  put("a", "2");
  put("Z", "1");
  put("é", "5");
  put(".secret", "no");
  put(".hidden/x", "no");
  expect_documents(g_folder, "1|2|3|4|5|");
  expect_documents(path_of(".secret"), "no|");
}

static void test_links_in_a_folder_do_not_go_round(void) {
  fresh_folder();
  char target[1024];
  snprintf(target, sizeof(target), "%s", g_folder);
  put("a", "1");
  CU_ASSERT_EQUAL(symlink(target, path_of("loop")), 0);
  CU_ASSERT_EQUAL(symlink("a", path_of("b")), 0);
  CU_ASSERT_EQUAL(symlink("nothing", path_of("c")), 0);
  expect_documents(g_folder, "1|1|");
}

static void test_files_and_bytes_are_known_at_opening(void) {
  Lines *lines;
  fresh_folder();
  put("a", "123");
  put("b", "4567");
  CU_ASSERT_EQUAL_FATAL(open_path(&lines, g_folder), OK);
  CU_ASSERT_EQUAL(lines_files(lines), 2);
  CU_ASSERT_EQUAL(lines_bytes(lines), 7);
  CU_ASSERT_STRING_EQUAL(lines_file(lines, 1), path_of("b"));
  lines_close(&lines);
  CU_ASSERT_PTR_NULL(lines);
  lines_close(&lines);
}

static void test_byte_order_mark_and_empty_documents_are_dropped(void) {
  fresh_folder();
  put("a", "\xef\xbb\xbfmarked");
  put("b", "");
  put("c", "\xef\xbb\xbf");
  put("d.jsonl", "\xef\xbb\xbf{\"text\": \"json\"}\n");
  put("e.jsonl", "");
  expect_documents(g_folder, "marked|json|");
}

static void test_end_stays_the_end(void) {
  Lines *lines;
  Text document = {0};
  bool is_end = false;
  fresh_folder();
  put("a", "");
  CU_ASSERT_EQUAL_FATAL(open_path(&lines, g_folder), OK);
  for (int i = 0; i < 3; i++) {
    CU_ASSERT_EQUAL(lines_next(lines, &document, &is_end), OK);
    CU_ASSERT(is_end && document.length == 0);
  }
  lines_close(&lines);
  text_clear(&document);
}

static void test_missing_paths_are_named(void) {
  fresh_folder();
  expect_failure(path_of("absent"), ERR_MISSING, "absent");
  expect_failure(g_folder, ERR_MISSING, "no text files");
  put("a", "x");
  expect_failure(path_of("a/b"), ERR_MISSING, "a/b");
}

static void test_what_is_no_file_is_refused(void) {
  fresh_folder();
  CU_ASSERT_EQUAL(mkfifo(path_of("pipe"), 0600), 0);
  expect_failure(path_of("pipe"), ERR_FILE, "pipe");
}

static void test_broken_json_names_its_line(void) {
  fresh_folder();
  put("a.jsonl", "{\"text\": \"x\"}\n\n{\"text\": \n");
  expect_failure(path_of("a.jsonl"), ERR_FORMAT, "a.jsonl:3");
  put("b.jsonl", "{\"text\": \"x\"} {\"text\": \"y\"}\n");
  expect_failure(path_of("b.jsonl"), ERR_FORMAT, "b.jsonl:1");
  put("c.jsonl", "{\"text\": \"\\ud800\"}\n");
  expect_failure(path_of("c.jsonl"), ERR_FORMAT, "c.jsonl:1");
  put("d.jsonl", "{\"text\": \"\\u0000\"}\n");
  expect_failure(path_of("d.jsonl"), ERR_FORMAT, "d.jsonl:1");
  put_bytes("e.jsonl", "\0\n", 2);
  expect_failure(path_of("e.jsonl"), ERR_FORMAT, "e.jsonl:1");
}

static void test_missing_field_names_line_and_field(void) {
  fresh_folder();
  put("a.jsonl", "{\"text\": \"x\"}\n{\"content\": \"y\"}\n");
  expect_failure(path_of("a.jsonl"), ERR_FORMAT, "a.jsonl:2");
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "\"text\""));
  put("b.jsonl", "{\"text\": 5}\n");
  expect_failure(path_of("b.jsonl"), ERR_FORMAT, "b.jsonl:1");
  put("c.jsonl", "[\"text\"]\n");
  expect_failure(path_of("c.jsonl"), ERR_FORMAT, "c.jsonl:1");
}

static void test_invalid_bytes_name_their_line(void) {
  static const char *const BAD[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                    "\xe4\xb8"};
  fresh_folder();
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
    Text text = {0};
    CU_ASSERT_EQUAL(text_printf(&text, "long enough\ngrüße\n%s", BAD[i]), OK);
    put("a", text_chars(&text));
    text_clear(&text);
    expect_failure(path_of("a"), ERR_FORMAT, "a:3");
  }
  put_bytes("a", "0123456789\n01234\0z", 18);
  expect_failure(path_of("a"), ERR_FORMAT, "a:2");
  put("b.jsonl", "{\"text\": \"\xff\"}\n");
  expect_failure(path_of("b.jsonl"), ERR_FORMAT, "b.jsonl:1");
}

static void test_damaged_gzip_is_refused(void) {
  Text file = {0};
  fresh_folder();
  put_gzip("a.gz", "wb", "some text that is long enough to be packed, packed, packed");
  CU_ASSERT_EQUAL(text_read_file(&file, path_of("a.gz"), 1000), OK);
  put_bytes("cut.gz", file.bytes, file.length - 9);
  expect_failure(path_of("cut.gz"), ERR_FORMAT, "damaged gzip");
  put_bytes("short.gz", file.bytes, file.length - 3);
  expect_failure(path_of("short.gz"), ERR_FORMAT, "damaged gzip");
  file.bytes[file.length - 20] ^= 1;
  put_bytes("bad.gz", file.bytes, file.length);
  expect_failure(path_of("bad.gz"), ERR_FORMAT, "damaged gzip");
  text_clear(&file);
}

static void test_document_above_64_mb_is_refused(void) {
  static char letters[1 << 20];
  fresh_folder();
  memset(letters, 'a', sizeof(letters));
  gzFile file = gzopen(path_of("a.gz"), "wb1");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  for (int i = 0; i < 64; i++) {
    CU_ASSERT_EQUAL(gzwrite(file, letters, sizeof(letters)), (int)sizeof(letters));
  }
  CU_ASSERT_EQUAL(gzwrite(file, "b", 1), 1);
  CU_ASSERT_EQUAL(gzclose(file), Z_OK);
  expect_failure(path_of("a.gz"), ERR_FORMAT, "64 MB");
}

static void test_records_may_cross_the_read_buffer(void) {
  Text file = {0}, found = {0};
  fresh_folder();
  for (int i = 0; i < 20000; i++) {
    CU_ASSERT_EQUAL(text_printf(&file, "{\"text\": \"%d %*d\"}\n", i, i % 97, i), OK);
  }
  CU_ASSERT(file.length > 1 << 19);
  CU_ASSERT_EQUAL(text_write_file(&file, path_of("a.jsonl")), OK);
  CU_ASSERT_EQUAL(read_all(path_of("a.jsonl"), &found), OK);
  file.length = 0;
  for (int i = 0; i < 20000; i++) {
    CU_ASSERT_EQUAL(text_printf(&file, "%d %*d|", i, i % 97, i), OK);
  }
  CU_ASSERT_STRING_EQUAL(text_chars(&file), text_chars(&found));
  text_clear(&file);
  text_clear(&found);
}

static const CheckFact FACTS[] = {
    {"a text file is one document", test_text_file_is_one_document},
    {"a .jsonl line is one document", test_jsonl_line_is_one_document},
    {"gzip is told by content", test_gzip_is_told_by_content},
    {"gzip members are joined", test_gzip_members_are_joined},
    {"a folder is read in byte order of paths", test_folder_is_read_in_byte_order_of_paths},
    {"links in a folder do not go round", test_links_in_a_folder_do_not_go_round},
    {"files and bytes are known at opening", test_files_and_bytes_are_known_at_opening},
    {"byte order mark and empty documents are dropped",
     test_byte_order_mark_and_empty_documents_are_dropped},
    {"the end stays the end", test_end_stays_the_end},
    {"missing paths are named", test_missing_paths_are_named},
    {"what is no file is refused", test_what_is_no_file_is_refused},
    {"broken JSON names its line", test_broken_json_names_its_line},
    {"a missing field names line and field", test_missing_field_names_line_and_field},
    {"invalid bytes name their line", test_invalid_bytes_name_their_line},
    {"damaged gzip is refused", test_damaged_gzip_is_refused},
    {"a document above 64 MB is refused", test_document_above_64_mb_is_refused},
    {"records may cross the read buffer", test_records_may_cross_the_read_buffer},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "lines", FACTS);
}
