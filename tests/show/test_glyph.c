#include <string.h>

#include "check.h"
#include "glyph.h"

static bool becomes(Status (*append)(Text *, const char *, int64_t), const char *bytes,
                    int64_t length, const char *expected) {
  Text out = {0};
  const bool is_same = append(&out, bytes, length) == OK && strcmp(text_chars(&out), expected) == 0;
  text_clear(&out);
  return is_same;
}

static void test_valid_text_stays(void) {
  const char text[] = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\n\t";
  CU_ASSERT(becomes(glyph_append_valid, text, (int64_t)strlen(text), text));
}

static void test_every_stray_byte_is_replaced(void) {
  CU_ASSERT(becomes(glyph_append_valid, "\xad", 1, "\xef\xbf\xbd"));
  CU_ASSERT(becomes(glyph_append_valid, "a\xe4\xb8", 3, "a\xef\xbf\xbd\xef\xbf\xbd"));
  CU_ASSERT(becomes(glyph_append_valid, "\xed\xa0\x80", 3,
                    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")); /* a surrogate */
  CU_ASSERT(becomes(glyph_append_valid, "", 0, ""));
}

static void test_nothing_that_steers_a_terminal_gets_through(void) {
  for (int byte = 0; byte < 256; ++byte) {
    const char raw = (char)byte;
    Text out = {0};
    CU_ASSERT(glyph_append_line(&out, &raw, 1) == OK);
    for (int64_t i = 0; i < out.length; ++i) {
      const unsigned char shown = (unsigned char)out.bytes[i];
      CU_ASSERT(shown >= 0x20 && shown != 0x7F);
    }
    text_clear(&out);
  }
  CU_ASSERT(becomes(glyph_append_line, "\x1b[31m", 5, "\xe2\x90\x9b[31m"));
  CU_ASSERT(becomes(glyph_append_line, "\xc2\x9b", 2, "\xef\xbf\xbd"));     /* C1: CSI */
  CU_ASSERT(becomes(glyph_append_line, "\xe2\x80\xae", 3, "\xef\xbf\xbd")); /* right to left */
  CU_ASSERT(becomes(glyph_append_line, "a\nb\t", 4,
                    "a\xe2\x86\xb5"
                    "b\xe2\x87\xa5"));
}

static void test_unfinished_characters_are_seen(void) {
  CU_ASSERT(glyph_unfinished("\xe4\xb8", 2) == 2);
  CU_ASSERT(glyph_unfinished("a\xf0\x9f\x98", 4) == 3);
  CU_ASSERT(glyph_unfinished("a\xc3", 2) == 1);
  CU_ASSERT(glyph_unfinished("\xe4\xb8\xad", 3) == 0);
  CU_ASSERT(glyph_unfinished("a", 1) == 0);
  CU_ASSERT(glyph_unfinished("\xad", 1) == 0); /* no beginning: waiting would not help */
  CU_ASSERT(glyph_unfinished("", 0) == 0);
}

static void test_columns_are_those_of_a_terminal(void) {
  CU_ASSERT(glyph_columns("abc", 3) == 3);
  CU_ASSERT(glyph_columns("\xe4\xb8\xad\xe6\x96\x87", 6) == 4); /* two ideographs */
  CU_ASSERT(glyph_columns("e\xcc\x81", 3) == 1);                /* a combining accent */
  CU_ASSERT(glyph_columns("\xf0\x9f\x98\x80", 4) == 2);         /* an emoji */
  CU_ASSERT(glyph_columns("", 0) == 0);
}

static void test_long_lines_are_cut(void) {
  Text out = {0};
  CU_ASSERT(glyph_append_cut(&out, "abcdef", 6, 6) == OK && out.length == 6);
  out.length = 0;
  CU_ASSERT(glyph_append_cut(&out, "abcdef", 6, 5) == OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&out), "abcd\xe2\x80\xa6");
  out.length = 0; /* no half of an ideograph */
  CU_ASSERT(glyph_append_cut(&out, "a\xe4\xb8\xad\xe6\x96\x87", 7, 3) == OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&out), "a\xe2\x80\xa6");
  text_clear(&out);
}

static void test_long_lines_are_wrapped_at_spaces(void) {
  static const struct {
    const char *line, *shown;
  } CASES[] = {{"", ""},
               {"one two", "one two"},
               {"one two three four", "one two\n   three\n   four"},
               {"onetwothreefour", "onetwot\n   hreefou\n   r"},
               {"one two  three", "one two\n    three"}};
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); ++i) {
    Text out = {0};
    CU_ASSERT(glyph_append_wrapped(&out, CASES[i].line, (int64_t)strlen(CASES[i].line), 10, 3) ==
              OK);
    CU_ASSERT_STRING_EQUAL(text_chars(&out), CASES[i].shown);
    text_clear(&out);
  }
}

static const CheckFact FACTS[] = {
    {"valid text stays as it is", test_valid_text_stays},
    {"every stray byte is replaced", test_every_stray_byte_is_replaced},
    {"nothing that steers a terminal gets through",
     test_nothing_that_steers_a_terminal_gets_through},
    {"unfinished characters are seen", test_unfinished_characters_are_seen},
    {"columns are those of a terminal", test_columns_are_those_of_a_terminal},
    {"long lines are cut", test_long_lines_are_cut},
    {"long lines are wrapped at spaces", test_long_lines_are_wrapped_at_spaces},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "glyph", FACTS);
}
