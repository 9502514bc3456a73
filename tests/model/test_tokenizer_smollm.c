#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "random.h"
#include "tokenizer.h"

/* The vocabulary of a real model: $CLEAVE_MODEL, or where examples/get_model.sh puts it. */

enum { SKIPPED = 77 };

static const char *g_model;
static Tokenizer *g_tokenizer;

static const char *source_path(const char *name) {
  static char path[2048];
  snprintf(path, sizeof(path), "%s/%s", getenv("CLEAVE_SOURCE"), name);
  return path;
}

static void open_model(void) {
  Gguf *gguf;
  CU_ASSERT_EQUAL_FATAL(gguf_open(&gguf, g_model), OK);
  CU_ASSERT_EQUAL_FATAL(tokenizer_create(&g_tokenizer, gguf), OK);
  gguf_close(&gguf);
}

static void check_record(const json_t *record) {
  const json_t *text = json_object_get(record, "text"), *expected = json_object_get(record, "ids");
  TokenizerIds ids = {0};
  CU_ASSERT_EQUAL(tokenizer_encode(g_tokenizer, json_string_value(text),
                                   (int64_t)json_string_length(text), &ids),
                  OK);
  CU_ASSERT_EQUAL(ids.count, (int64_t)json_array_size(expected));
  for (int64_t i = 0; i < ids.count; i++) {
    CU_ASSERT_EQUAL(ids.ids[i], json_integer_value(json_array_get(expected, (size_t)i)));
  }
  MEMORY_FREE(ids.ids);
}

static void test_ids_equal_those_of_another_implementation(void) {
  open_model();
  json_t *records = json_load_file(source_path("tests/data/tokenizer_smollm2.json"), 0, NULL);
  CU_ASSERT_EQUAL_FATAL(json_array_size(records), 16);
  for (size_t i = 0; i < json_array_size(records); i++) {
    check_record(json_array_get(records, i));
  }
  json_decref(records);
  tokenizer_destroy(&g_tokenizer);
}

static void put_utf8(Text *text, unsigned code) {
  static const unsigned LEADS[] = {0, 0, 0xc0, 0xe0, 0xf0};
  const int size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  char bytes[4];
  for (int i = size - 1; i > 0; i--, code >>= 6) {
    bytes[i] = (char)(0x80 | (code & 63));
  }
  bytes[0] = (char)(LEADS[size] | code);
  CU_ASSERT_EQUAL(text_append(text, bytes, size), OK);
}

/* All characters up to U+3FFFF, shuffled, with spaces between; without the six controls that the
 * vocabulary lacks. */
static void put_all_characters(Text *text) {
  enum { CODES = 0x40000 };
  const uint64_t key = random_key(4, "characters", "");
  for (int64_t i = 0; i < CODES; i++) {
    const unsigned code = (unsigned)random_permute(key, CODES, i);
    const bool is_lacking = code < 32 && strchr("\x04\x06\x13\x14\x16\x1d", (int)code);
    if (!is_lacking && (code < 0xd800 || code > 0xdfff)) {
      put_utf8(text, code);
    }
    if (i % 7 == 0) {
      CU_ASSERT_EQUAL(text_append(text, " ", 1), OK);
    }
  }
}

static void test_pieces_of_any_text_join_to_the_text(void) {
  Text text = {0}, back = {0};
  TokenizerIds ids = {0};
  open_model();
  put_all_characters(&text);
  CU_ASSERT_EQUAL(tokenizer_encode(g_tokenizer, text.bytes, text.length, &ids), OK);
  for (int64_t i = 0; i < ids.count; i++) {
    CU_ASSERT_EQUAL(tokenizer_piece(g_tokenizer, ids.ids[i], &back), OK);
  }
  CU_ASSERT_EQUAL_FATAL(back.length, text.length);
  CU_ASSERT_EQUAL(memcmp(back.bytes, text.bytes, (size_t)text.length), 0);
  text_clear(&text);
  text_clear(&back);
  MEMORY_FREE(ids.ids);
  tokenizer_destroy(&g_tokenizer);
}

static const CheckFact FACTS[] = {
    {"ids equal those of another implementation", test_ids_equal_those_of_another_implementation},
    {"pieces of any text join to the text", test_pieces_of_any_text_join_to_the_text},
};

int main(int argc, char **argv) {
  static char fallback[2048];
  snprintf(fallback, sizeof(fallback), "%s",
           source_path("build/models/SmolLM2-135M-Instruct.Q4_1.gguf"));
  g_model = getenv("CLEAVE_MODEL") ? getenv("CLEAVE_MODEL") : fallback;
  if (access(g_model, R_OK) != 0) {
    printf("no model at %s: run examples/get_model.sh\n", g_model);
    return SKIPPED;
  }
  return CHECK_MAIN(argc, argv, "tokenizer_smollm", FACTS);
}
