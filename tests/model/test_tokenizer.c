#include <stdio.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "random.h"
#include "read/gguf_writer.h"
#include "threads.h"
#include "tokenizer.h"

/* A tiny file in memory and its tokenizer. */
typedef struct Case {
  GgufWriter writer;
  Text file;
  Gguf *gguf;
  Tokenizer *tokenizer;
} Case;

static Status create(Case *c) {
  tokenizer_destroy(&c->tokenizer);
  gguf_close(&c->gguf);
  text_clear(&c->file);
  gguf_writer_bytes(&c->writer, &c->file);
  const Status status =
      gguf_open_bytes(&c->gguf, "tiny.gguf", (const uint8_t *)text_chars(&c->file), c->file.length);
  return status == OK ? tokenizer_create(&c->tokenizer, c->gguf) : status;
}

static void clear_case(Case *c) {
  tokenizer_destroy(&c->tokenizer);
  gguf_close(&c->gguf);
  gguf_writer_clear(&c->writer);
  text_clear(&c->file);
}

static bool why_names(const char *words) {
  return strstr(status_why(), words) != NULL;
}

/* The pieces of `text`, each with a '|' behind it; bytes that are no text as <XX>. */
static void split(const Tokenizer *tokenizer, const char *text, int64_t length, Text *out) {
  TokenizerIds ids = {0};
  CU_ASSERT_EQUAL(tokenizer_encode(tokenizer, text, length, &ids), OK);
  for (int64_t i = 0; i < ids.count; i++) {
    Text piece = {0};
    CU_ASSERT_EQUAL(tokenizer_piece(tokenizer, ids.ids[i], &piece), OK);
    const bool is_text = text_utf8_length(text_chars(&piece), piece.length) > 0;
    CU_ASSERT_EQUAL(is_text ? text_printf(out, "%s|", text_chars(&piece))
                            : text_printf(out, "<%02X>|", (unsigned char)piece.bytes[0]),
                    OK);
    text_clear(&piece);
  }
  MEMORY_FREE(ids.ids);
}

static void expect_pieces(const Case *c, const char *text, const char *expected) {
  Text found = {0};
  split(c->tokenizer, text, (int64_t)strlen(text), &found);
  CU_ASSERT_STRING_EQUAL(text_chars(&found), expected);
  text_clear(&found);
}

static bool round_trips(const Tokenizer *tokenizer, const char *text, int64_t length) {
  TokenizerIds ids = {0};
  Text back = {0};
  bool is_good = tokenizer_encode(tokenizer, text, length, &ids) == OK;
  for (int64_t i = 0; i < ids.count; i++) {
    is_good = is_good && tokenizer_piece(tokenizer, ids.ids[i], &back) == OK;
  }
  is_good =
      is_good && back.length == length && memcmp(text_chars(&back), text, (size_t)length) == 0;
  MEMORY_FREE(ids.ids);
  text_clear(&back);
  return is_good;
}

/* ---- byte-level BPE ---- */

static const char *const MERGES[] = {
    "h e",         "l l", "he ll",        "hell o", "\xc4\xa0 w",
    "\xc4\xa0w o", "o r", "\xc4\xa0w or", "l d",    "\xc3\xa9 \xc3\xa9"};
enum { MERGE_COUNT = sizeof(MERGES) / sizeof(MERGES[0]) };

static void make_bytes(Case *c) {
  gguf_writer_vocabulary(&c->writer, MERGES, MERGE_COUNT, "smollm");
}

static void test_merges_apply_by_rank(void) {
  Case c = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "hello", "hello|");
  expect_pieces(&c, "hello world", "hello| wo|r|ld|");
  expect_pieces(&c, "hel", "he|l|");
  expect_pieces(&c, "lll", "ll|l|");
  expect_pieces(&c, "", "");
  CU_ASSERT_EQUAL(tokenizer_size(c.tokenizer), gguf_writer_vocabulary_size(MERGE_COUNT));
  clear_case(&c);
}

static void test_digits_and_words_part_as_the_pattern_says(void) {
  Case c = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "hello12", "hello|1|2|");
  expect_pieces(&c, "hell'o", "hell|'|o|");
  expect_pieces(&c, "hell o", "hell| |o|");
  expect_pieces(&c, "hell\n\n  wo", "hell|\n|\n| | wo|");
  clear_case(&c);
}

static void test_characters_outside_ascii_are_bytes(void) {
  Case c = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "é", "<C3>|<A9>|");
  const char text[] = "hello\0 \x01 \xe4\xb8\xad\xf0\x9f\x98\x80\x7f";
  CU_ASSERT(round_trips(c.tokenizer, text, sizeof(text) - 1));
  clear_case(&c);
}

static void test_special_token_in_text_is_text(void) {
  Case c = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  TokenizerIds ids = {0};
  const char *text = "<|endoftext|>";
  CU_ASSERT_EQUAL(tokenizer_encode(c.tokenizer, text, 13, &ids), OK);
  CU_ASSERT_EQUAL(ids.count, 13);
  const int32_t end = tokenizer_end(c.tokenizer);
  CU_ASSERT_EQUAL(end, tokenizer_size(c.tokenizer) - 1);
  CU_ASSERT_EQUAL(tokenizer_begin(c.tokenizer), end);
  CU_ASSERT_FALSE(tokenizer_adds_begin(c.tokenizer));
  CU_ASSERT(tokenizer_is_special(c.tokenizer, end) && !tokenizer_is_special(c.tokenizer, 0));
  Text piece = {0};
  CU_ASSERT_EQUAL(tokenizer_piece(c.tokenizer, end, &piece), OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&piece), text);
  text_clear(&piece);
  MEMORY_FREE(ids.ids);
  clear_case(&c);
}

static void test_ids_are_appended_and_kept_on_failure(void) {
  Case c = {0};
  TokenizerIds ids = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  CU_ASSERT_EQUAL(tokenizer_encode(c.tokenizer, "a", 1, &ids), OK);
  CU_ASSERT_EQUAL(tokenizer_encode(c.tokenizer, "bc", 2, &ids), OK);
  CU_ASSERT_EQUAL(tokenizer_encode(c.tokenizer, "good \xff", 6, &ids), ERR_DATA);
  CU_ASSERT(why_names("byte 5"));
  CU_ASSERT(ids.count == 3 && ids.ids[0] == 'a' && ids.ids[2] == 'c');
  Text piece = {0};
  CU_ASSERT_EQUAL(tokenizer_piece(c.tokenizer, -1, &piece), ERR_DATA);
  CU_ASSERT_EQUAL(tokenizer_piece(c.tokenizer, 100000, &piece), ERR_DATA);
  MEMORY_FREE(ids.ids);
  clear_case(&c);
}

static void test_llama_3_keeps_words_that_are_tokens(void) {
  static const char *const TOKENS[] = {"a", "b", "c", "bc", "abc", "<s>"};
  static const int32_t KINDS[] = {1, 1, 1, 1, 1, 3};
  static const char *const ONE[] = {"b c"};
  for (int keeps = 0; keeps < 2; keeps++) {
    Case c = {0};
    gguf_writer_text(&c.writer, "tokenizer.ggml.model", "gpt2");
    gguf_writer_text(&c.writer, "tokenizer.ggml.pre", keeps ? "llama-bpe" : "gpt-2");
    gguf_writer_texts(&c.writer, "tokenizer.ggml.tokens", TOKENS, 6);
    gguf_writer_integers(&c.writer, "tokenizer.ggml.token_type", KINDS, 6);
    gguf_writer_texts(&c.writer, "tokenizer.ggml.merges", ONE, 1);
    gguf_writer_integer(&c.writer, "tokenizer.ggml.bos_token_id", 5);
    CU_ASSERT_EQUAL_FATAL(create(&c), OK);
    expect_pieces(&c, "abc", keeps ? "abc|" : "a|bc|");
    CU_ASSERT_EQUAL(tokenizer_adds_begin(c.tokenizer), keeps);
    CU_ASSERT_EQUAL(tokenizer_end(c.tokenizer), -1);
    expect_pieces(&c, "axb", "a|b|"); /* bytes that the vocabulary lacks leave nothing, */
    expect_pieces(&c, "bxc", "bc|");  /* also between those that merge */
    expect_pieces(&c, "xx", "");
    clear_case(&c);
  }
}

/* The longest stretch of text is one word: no time quadratic in it. */
static void test_long_words_take_no_quadratic_time(void) {
  Case c = {0};
  Text text = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  for (int i = 0; i < 1 << 19; i++) {
    CU_ASSERT_EQUAL(text_append(&text, i % 3 ? "l" : "h", 1), OK);
  }
  CU_ASSERT(round_trips(c.tokenizer, text.bytes, text.length));
  memset(text.bytes, ' ', (size_t)text.length);
  CU_ASSERT(round_trips(c.tokenizer, text.bytes, text.length));
  text_clear(&text);
  clear_case(&c);
}

/* Symbol i of a text is its bytes [starts[i], starts[i + 1]). */
typedef struct Naive {
  char text[33];
  int starts[33];
  int count;
} Naive;

static bool is_merge(const char *merge, const Naive *naive, int at) {
  const int *starts = naive->starts + at;
  const size_t left = (size_t)(starts[1] - starts[0]), right = (size_t)(starts[2] - starts[1]);
  return strlen(merge) == left + 1 + right && merge[left] == ' ' &&
         memcmp(merge, naive->text + starts[0], left) == 0 &&
         memcmp(merge + left + 1, naive->text + starts[1], right) == 0;
}

/* Merge the best pair, the leftmost of equals, again and again. */
static void merge_naively(const char *const *merges, int count, Naive *naive) {
  for (int rank = 0; rank < count; rank++) {
    for (int i = 0; i + 1 < naive->count; i++) {
      if (is_merge(merges[rank], naive, i)) {
        memmove(naive->starts + i + 1, naive->starts + i + 2,
                (size_t)(naive->count - i - 1) * sizeof(*naive->starts));
        naive->count--;
        rank = -1; /* begin again */
        break;
      }
    }
  }
}

static void make_naive(Naive *naive, uint64_t key) {
  *naive = (Naive){.count = 32};
  for (int i = 0; i < 32; i++) {
    naive->text[i] = (char)('a' + random_below(key, (uint64_t)i, 4));
    naive->starts[i + 1] = i + 1;
  }
}

static void test_random_merges_equal_a_naive_loop(void) {
  static const char *const RANDOM[] = {"a b",   "b b",   "ab c", "c a",   "b c",   "a a",
                                       "aa aa", "ca b",  "c bb", "bc ab", "abc d", "d d",
                                       "d a",   "dd dd", "bb a", "cab b"};
  enum { RANDOM_COUNT = sizeof(RANDOM) / sizeof(RANDOM[0]) };
  Case c = {0};
  gguf_writer_vocabulary(&c.writer, RANDOM, RANDOM_COUNT, "smollm");
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  for (uint64_t round = 0; round < 500; round++) {
    Naive naive;
    Text expected = {0};
    make_naive(&naive, random_subkey(random_key(7, "letters", ""), round));
    merge_naively(RANDOM, RANDOM_COUNT, &naive);
    for (int i = 0; i < naive.count; i++) {
      const int *starts = naive.starts + i;
      CU_ASSERT_EQUAL(
          text_printf(&expected, "%.*s|", starts[1] - starts[0], naive.text + starts[0]), OK);
    }
    expect_pieces(&c, naive.text, text_chars(&expected));
    text_clear(&expected);
  }
  clear_case(&c);
}

/* ---- SentencePiece ---- */

enum { PIECES = 13, BYTES = 256, SPECIALS = 3 };

/* Unknown, begin, end; the bytes (unless left out); pieces with falling scores, and a
 * user-defined one. */
static void make_pieces(Case *c, bool with_bytes) {
  static const char *const NAMES[] = {"\xe2\x96\x81",
                                      "a",
                                      "b",
                                      "c",
                                      "ab",
                                      "\342\226\201a",
                                      "\342\226\201ab",
                                      "bc",
                                      "\xe4\xb8\xad",
                                      ">",
                                      ">\xe2\x96\x81<",
                                      "\xe2\x96\x81<",
                                      "<p>"};
  static const float SCORES[] = {-9, -10, -11, -12, -2, -4, -5, -1, -13, -14, -6, -7, -1000};
  const char *names[SPECIALS + BYTES + PIECES] = {"<unk>", "<s>", "</s>"};
  int32_t kinds[SPECIALS + BYTES + PIECES] = {2, 3, 3};
  float scores[SPECIALS + BYTES + PIECES] = {0};
  static char byte_names[BYTES][8];
  int64_t count = SPECIALS;
  for (int byte = 0; with_bytes && byte < BYTES; byte++, count++) {
    snprintf(byte_names[byte], sizeof(byte_names[byte]), "<0x%02X>", (unsigned)byte);
    names[count] = byte_names[byte];
    kinds[count] = 6;
  }
  for (int i = 0; i < PIECES; i++, count++) {
    names[count] = NAMES[i];
    scores[count] = SCORES[i];
    kinds[count] = i == PIECES - 1 ? 4 : 1;
  }
  gguf_writer_text(&c->writer, "tokenizer.ggml.model", "llama");
  gguf_writer_texts(&c->writer, "tokenizer.ggml.tokens", names, count);
  gguf_writer_integers(&c->writer, "tokenizer.ggml.token_type", kinds, count);
  gguf_writer_reals(&c->writer, "tokenizer.ggml.scores", scores, count);
  gguf_writer_integer(&c->writer, "tokenizer.ggml.unknown_token_id", 0);
  gguf_writer_integer(&c->writer, "tokenizer.ggml.bos_token_id", 1);
  gguf_writer_integer(&c->writer, "tokenizer.ggml.eos_token_id", 2);
}

static void test_pieces_merge_by_score(void) {
  Case c = {0};
  make_pieces(&c, true);
  gguf_writer_flag(&c.writer, "tokenizer.ggml.add_space_prefix", false);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  CU_ASSERT_FALSE(tokenizer_adds_space(c.tokenizer));
  CU_ASSERT(tokenizer_adds_begin(c.tokenizer));
  CU_ASSERT_EQUAL(tokenizer_begin(c.tokenizer), 1);
  CU_ASSERT_EQUAL(tokenizer_end(c.tokenizer), 2);
  expect_pieces(&c, "ab", "ab|");
  expect_pieces(&c, "abc", "a|bc|"); /* bc has the best score */
  expect_pieces(&c, "ab ab  a", "ab| ab| | a|");
  clear_case(&c);
}

static void test_space_is_put_in_front_unless_the_file_says_no(void) {
  Case c = {0};
  make_pieces(&c, true);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  CU_ASSERT(tokenizer_adds_space(c.tokenizer));
  expect_pieces(&c, "ab", " ab|");
  expect_pieces(&c, " ab", " | ab|");
  expect_pieces(&c, "", "");
  clear_case(&c);
}

static void test_characters_without_a_piece_fall_back_to_bytes(void) {
  Case c = {0};
  make_pieces(&c, true);
  gguf_writer_flag(&c.writer, "tokenizer.ggml.add_space_prefix", false);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "中aéa", "中|a|<C3>|<A9>|a|");
  CU_ASSERT(round_trips(c.tokenizer, "中é\n\0 😀<p>", 15));
  clear_case(&c);
}

static void test_without_byte_pieces_the_unknown_token_stands_in(void) {
  Case c = {0};
  make_pieces(&c, false);
  gguf_writer_flag(&c.writer, "tokenizer.ggml.add_space_prefix", false);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "aéb", "a|<unk>|b|");
  clear_case(&c);
}

static void test_user_defined_pieces_come_first(void) {
  Case c = {0};
  make_pieces(&c, true);
  gguf_writer_flag(&c.writer, "tokenizer.ggml.add_space_prefix", false);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "a<p>ab<p><p", "a|<p>|ab|<p>|<|p|");
  expect_pieces(&c, "<s>", "<|s|>|"); /* special tokens are text */
  clear_case(&c);
}

/* Texts are cut at spaces for speed, but not where a piece reaches across. */
static void test_pieces_across_a_space_are_found(void) {
  Case c = {0};
  make_pieces(&c, true);
  gguf_writer_flag(&c.writer, "tokenizer.ggml.add_space_prefix", false);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "ab> <b", "ab|> <|b|");
  expect_pieces(&c, "> ab <", ">| ab| <|");
  clear_case(&c);
}

static void test_block_character_is_a_space(void) {
  Case c = {0};
  make_pieces(&c, true);
  gguf_writer_flag(&c.writer, "tokenizer.ggml.add_space_prefix", false);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  expect_pieces(&c, "ab\342\226\201ab", "ab| ab|");
  clear_case(&c);
}

/* ---- both ---- */

typedef struct Shared {
  const Tokenizer *tokenizer;
  int64_t counts[64];
} Shared;

static Status encode_unit(int64_t unit, int thread, void *context) {
  (void)thread;
  Shared *shared = context;
  TokenizerIds ids = {0};
  char text[] = "hello world, hello 123 worlds";
  text[unit % 10] = '!';
  for (int i = 0; i < 20; i++) {
    TRY(tokenizer_encode(shared->tokenizer, text, (int64_t)strlen(text), &ids));
  }
  shared->counts[unit] = ids.count;
  MEMORY_FREE(ids.ids);
  return OK;
}

static void test_threads_share_a_tokenizer(void) {
  Case c = {0};
  Shared one = {0}, four = {0};
  make_bytes(&c);
  CU_ASSERT_EQUAL_FATAL(create(&c), OK);
  one.tokenizer = four.tokenizer = c.tokenizer;
  CU_ASSERT_EQUAL(threads_run(64, encode_unit, &one), OK);
  threads_set(4);
  CU_ASSERT_EQUAL(threads_run(64, encode_unit, &four), OK);
  threads_set(1);
  CU_ASSERT_EQUAL(memcmp(one.counts, four.counts, sizeof(one.counts)), 0);
  clear_case(&c);
}

static void expect_refused(Case *c, Status code, const char *words) {
  CU_ASSERT_EQUAL(create(c), code);
  CU_ASSERT(why_names(words) && why_names("tiny.gguf"));
  CU_ASSERT_PTR_NULL(c->tokenizer);
  clear_case(c);
}

static void test_unsupported_tokenizers_are_named(void) {
  Case c = {0};
  gguf_writer_text(&c.writer, "tokenizer.ggml.model", "bert");
  expect_refused(&c, ERR_UNSUPPORTED, "\"bert\"");
  static const char *const TOKENS[] = {"a"};
  gguf_writer_text(&c.writer, "tokenizer.ggml.model", "gpt2");
  gguf_writer_text(&c.writer, "tokenizer.ggml.pre", "tekken");
  gguf_writer_texts(&c.writer, "tokenizer.ggml.tokens", TOKENS, 1);
  expect_refused(&c, ERR_UNSUPPORTED, "\"tekken\"");
}

static void test_inconsistent_vocabularies_are_refused(void) {
  static const char *const TOKENS[] = {"a", "b"}, *const NO_MERGE[] = {"a b"},
                           *const BYTE[] = {"<0x0>"};
  static const int32_t ONE_KIND[] = {1}, BAD_KIND[] = {1, 9}, BYTE_KIND[] = {6};
  static const float SCORE[] = {0};
  Case c = {0};
  expect_refused(&c, ERR_FORMAT, "tokenizer.ggml.model");
  gguf_writer_text(&c.writer, "tokenizer.ggml.model", "gpt2");
  expect_refused(&c, ERR_FORMAT, "tokenizer.ggml.tokens");
  for (int i = 0; i < 4; i++) {
    gguf_writer_text(&c.writer, "tokenizer.ggml.model", "gpt2");
    gguf_writer_texts(&c.writer, "tokenizer.ggml.tokens", TOKENS, 2);
    if (i == 1) {
      gguf_writer_texts(&c.writer, "tokenizer.ggml.merges", NO_MERGE, 1);
    }
    if (i >= 2) {
      gguf_writer_integers(&c.writer, "tokenizer.ggml.token_type", i == 2 ? ONE_KIND : BAD_KIND,
                           i == 2 ? 1 : 2);
    }
    static const char *const WORDS[] = {"merges", "a b", "token_type", "token 1"};
    expect_refused(&c, ERR_FORMAT, WORDS[i]);
  }
  gguf_writer_text(&c.writer, "tokenizer.ggml.model", "llama");
  gguf_writer_texts(&c.writer, "tokenizer.ggml.tokens", TOKENS, 2);
  gguf_writer_reals(&c.writer, "tokenizer.ggml.scores", SCORE, 1);
  expect_refused(&c, ERR_FORMAT, "scores");
  gguf_writer_text(&c.writer, "tokenizer.ggml.model", "llama");
  gguf_writer_texts(&c.writer, "tokenizer.ggml.tokens", BYTE, 1);
  gguf_writer_integers(&c.writer, "tokenizer.ggml.token_type", BYTE_KIND, 1);
  expect_refused(&c, ERR_FORMAT, "token 0 is a byte");
}

static void test_special_ids_must_be_tokens(void) {
  Case c = {0};
  make_pieces(&c, true);
  gguf_writer_integer(&c.writer, "tokenizer.ggml.padding_token_id", 1 << 20); /* not used */
  CU_ASSERT_EQUAL(create(&c), OK);
  clear_case(&c);
  make_bytes(&c);
  CU_ASSERT_EQUAL(create(&c), OK);
  clear_case(&c);
  make_bytes(&c);
  gguf_writer_integer(&c.writer, "tokenizer.ggml.unknown_token_id", 1 << 20);
  expect_refused(&c, ERR_FORMAT, "unknown_token_id");
}

static const CheckFact FACTS[] = {
    {"merges apply by rank", test_merges_apply_by_rank},
    {"digits and words part as the pattern says", test_digits_and_words_part_as_the_pattern_says},
    {"characters outside ASCII are bytes", test_characters_outside_ascii_are_bytes},
    {"a special token in text is text", test_special_token_in_text_is_text},
    {"ids are appended, and kept on failure", test_ids_are_appended_and_kept_on_failure},
    {"Llama 3 keeps words that are tokens", test_llama_3_keeps_words_that_are_tokens},
    {"long words take no quadratic time", test_long_words_take_no_quadratic_time},
    {"random merges equal a naive loop", test_random_merges_equal_a_naive_loop},
    {"pieces merge by score", test_pieces_merge_by_score},
    {"a space is put in front unless the file says no",
     test_space_is_put_in_front_unless_the_file_says_no},
    {"characters without a piece fall back to bytes",
     test_characters_without_a_piece_fall_back_to_bytes},
    {"without byte pieces the unknown token stands in",
     test_without_byte_pieces_the_unknown_token_stands_in},
    {"user-defined pieces come first", test_user_defined_pieces_come_first},
    {"pieces across a space are found", test_pieces_across_a_space_are_found},
    {"the block character is a space", test_block_character_is_a_space},
    {"threads share a tokenizer", test_threads_share_a_tokenizer},
    {"unsupported tokenizers are named", test_unsupported_tokenizers_are_named},
    {"inconsistent vocabularies are refused", test_inconsistent_vocabularies_are_refused},
    {"special ids must be tokens", test_special_ids_must_be_tokens},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "tokenizer", FACTS);
}
