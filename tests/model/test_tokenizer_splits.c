#include <string.h>

#include "check.h"
#include "splitter.h"
#include "text.h"

/* The words of a text, each with a '|' behind it. */
static Status append_word(void *context, const char *word, int64_t length) {
  Text *out = context;
  TRY(text_append(out, word, length));
  return text_append(out, "|", 1);
}

static void expect_words(const char *pre, const char *text, const char *expected) {
  Splitter *splitter = NULL;
  SplitterCutter *cutter = NULL;
  Text out = {0};
  CU_ASSERT_EQUAL_FATAL(splitter_create(&splitter, "tiny.gguf", pre), OK);
  CU_ASSERT_EQUAL_FATAL(splitter_cutter_create(&cutter, splitter), OK);
  CU_ASSERT_EQUAL(splitter_run(cutter, text, (int64_t)strlen(text), append_word, &out), OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&out), expected);
  splitter_cutter_destroy(&cutter);
  splitter_destroy(&splitter);
  text_clear(&out);
}

static void test_gpt_2_joins_digits_and_splits_contractions(void) {
  expect_words("gpt-2", "It's 2024, I'LL go", "It|'s| 2024|,| I|'|LL| go|");
  expect_words("gpt-2", "a  b\n\nc \n", "a| | b|\n|\n|c| \n|");
  expect_words("default", "x=1;", "x|=|1|;|");
  expect_words("", "x=1;", "x|=|1|;|");
}

static void test_smollm_parts_digits_first(void) {
  expect_words("smollm", "in 2024!", "in| |2|0|2|4|!|");
  expect_words("smollm", "a  1", "a|  |1|"); /* GPT-2 alone would say "a| | 1|" */
  expect_words("smollm", "½Ⅷ٣", "½|Ⅷ|٣|");
}

static void test_llama_3_groups_digits_by_three(void) {
  expect_words("llama-bpe", "12345 I'LL", "123|45| I|'LL|");
  expect_words("llama-bpe", "(word) x\r\n\r\n  y", "(word|)| x|\r\n\r\n| | y|");
  expect_words("llama-bpe", "a !?\n\nb", "a| !?\n\n|b|");
}

static void test_qwen_2_parts_digits(void) {
  expect_words("qwen2", "12345 I'LL", "1|2|3|4|5| I|'LL|");
}

static void test_other_scripts_are_letters(void) {
  expect_words("gpt-2", "Мост Золотые 金门大桥。", "Мост| Золотые| 金门大桥|。|");
  expect_words("gpt-2", "e\xcc\x81 x", "e|\xcc\x81| x|"); /* a combining accent is no letter */
}

static void test_white_space_is_unicodes(void) {
  expect_words("gpt-2",
               "a\xc2\xa0\xe3\x80\x80"
               "b",
               "a|\xc2\xa0|\xe3\x80\x80|b|");
  expect_words("gpt-2",
               "a\xe1\xa0\x8e\xe1\xa0\x8e"
               "b",
               "a|\xe1\xa0\x8e\xe1\xa0\x8e|b|");               /* U+180E */
  expect_words("gpt-2", "a\xe2\x80\x8b!", "a|\xe2\x80\x8b!|"); /* U+200B */
}

static Status count_word(void *context, const char *word, int64_t length) {
  (void)word;
  (void)length;
  ++*(int64_t *)context;
  return OK;
}

static int64_t count_words(const char *pre, char byte) {
  enum { LENGTH = 4 << 20 };
  Splitter *splitter = NULL;
  SplitterCutter *cutter = NULL;
  Text text = {0};
  int64_t count = 0;
  for (int64_t i = 0; i < LENGTH; i++) {
    CU_ASSERT_EQUAL(text_append(&text, &byte, 1), OK);
  }
  CU_ASSERT_EQUAL_FATAL(splitter_create(&splitter, "tiny.gguf", pre), OK);
  CU_ASSERT_EQUAL_FATAL(splitter_cutter_create(&cutter, splitter), OK);
  CU_ASSERT_EQUAL(splitter_run(cutter, text.bytes, text.length, count_word, &count), OK);
  splitter_cutter_destroy(&cutter);
  splitter_destroy(&splitter);
  text_clear(&text);
  return count;
}

static void test_long_runs_are_one_word(void) {
  static const char *const PRES[] = {"gpt-2", "smollm", "llama-bpe", "qwen2"};
  for (int i = 0; i < 4; i++) {
    CU_ASSERT_EQUAL(count_words(PRES[i], 'a'), 1);
    CU_ASSERT_EQUAL(count_words(PRES[i], ' '), 1);
    CU_ASSERT_EQUAL(count_words(PRES[i], '\n'), 1);
    CU_ASSERT_EQUAL(count_words(PRES[i], '-'), 1);
  }
}

static Status refuse_word(void *context, const char *word, int64_t length) {
  (void)context;
  (void)length;
  return word[0] == 'b' ? RAISE(ERR_DATA, "no b") : OK;
}

static void test_failure_of_the_callee_is_handed_back(void) {
  Splitter *splitter = NULL;
  SplitterCutter *cutter = NULL;
  CU_ASSERT_EQUAL_FATAL(splitter_create(&splitter, "tiny.gguf", "smollm"), OK);
  CU_ASSERT_EQUAL_FATAL(splitter_cutter_create(&cutter, splitter), OK);
  CU_ASSERT_EQUAL(splitter_run(cutter, "a1b", 3, refuse_word, NULL), ERR_DATA);
  CU_ASSERT_EQUAL(splitter_run(cutter, "a1c", 3, refuse_word, NULL), OK);
  splitter_cutter_destroy(&cutter);
  splitter_destroy(&splitter);
}

static void test_unknown_pattern_is_named(void) {
  Splitter *splitter = NULL;
  CU_ASSERT_EQUAL(splitter_create(&splitter, "tiny.gguf", "tekken"), ERR_UNSUPPORTED);
  CU_ASSERT_PTR_NULL(splitter);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "tiny.gguf: tokenizer.ggml.pre \"tekken\""));
}

static const CheckFact FACTS[] = {
    {"GPT-2 joins digits and splits contractions", test_gpt_2_joins_digits_and_splits_contractions},
    {"SmolLM parts digits first", test_smollm_parts_digits_first},
    {"Llama 3 groups digits by three", test_llama_3_groups_digits_by_three},
    {"Qwen 2 parts digits", test_qwen_2_parts_digits},
    {"other scripts are letters", test_other_scripts_are_letters},
    {"white space is Unicode's", test_white_space_is_unicodes},
    {"long runs are one word", test_long_runs_are_one_word},
    {"a failure of the callee is handed back", test_failure_of_the_callee_is_handed_back},
    {"an unknown pattern is named", test_unknown_pattern_is_named},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "tokenizer_splits", FACTS);
}
