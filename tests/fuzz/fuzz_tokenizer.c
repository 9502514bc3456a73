/* Any text under good vocabularies: its pieces join to the text. Any vocabulary: an error or ids
 * that it has. The first byte of the input says which. */
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "read/gguf_writer.h"
#include "tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t limit);

enum { PATTERNS = 4, SENTENCEPIECE = PATTERNS, GOOD, BYTES = 256, PIECES = 12 };
static const char *const PATTERN_NAMES[PATTERNS] = {"smollm", "gpt-2", "llama-bpe", "qwen2"};

static void write_bytes_file(const char *pre, Text *file) {
  static const char *const MERGES[] = {
      "a b",  "b c", "ab c",    "\xc4\xa0 a",        "\xc4\xa0 \xc4\xa0", "1 2",
      "12 3", "' s", "abc abc", "\xc3\xa4 \xc2\xb8", "\xc4\x8a \xc4\x8a", "\304\240a b"};
  GgufWriter writer = {0};
  gguf_writer_vocabulary(&writer, MERGES, sizeof(MERGES) / sizeof(MERGES[0]), pre);
  gguf_writer_bytes(&writer, file);
  gguf_writer_clear(&writer);
}

static void write_pieces_file(Text *file) {
  static const char *const NAMES[PIECES] = {"\xe2\x96\x81",
                                            "a",
                                            "b",
                                            "c",
                                            "ab",
                                            "bc",
                                            "\342\226\201ab",
                                            ">\xe2\x96\x81<",
                                            "\xe2\x96\x81<",
                                            "\xe4\xb8\xad",
                                            "<p>",
                                            "\n"};
  static char byte_names[BYTES][8];
  const char *names[BYTES + PIECES];
  int32_t kinds[BYTES + PIECES];
  float scores[BYTES + PIECES] = {0};
  GgufWriter writer = {0};
  for (int i = 0; i < BYTES + PIECES; i++) {
    if (i < BYTES) {
      snprintf(byte_names[i], sizeof(byte_names[i]), "<0x%02X>", (unsigned)i);
    }
    names[i] = i < BYTES ? byte_names[i] : NAMES[i - BYTES];
    kinds[i] = i < BYTES ? 6 : i >= BYTES + PIECES - 2 ? 4 : 1;
    scores[i] = (float)((i * 7) % 5);
  }
  gguf_writer_text(&writer, "tokenizer.ggml.model", "llama");
  gguf_writer_texts(&writer, "tokenizer.ggml.tokens", names, BYTES + PIECES);
  gguf_writer_integers(&writer, "tokenizer.ggml.token_type", kinds, BYTES + PIECES);
  gguf_writer_reals(&writer, "tokenizer.ggml.scores", scores, BYTES + PIECES);
  gguf_writer_flag(&writer, "tokenizer.ggml.add_space_prefix", false);
  gguf_writer_bytes(&writer, file);
  gguf_writer_clear(&writer);
}

static void write_good_file(int which, Text *file) {
  if (which == SENTENCEPIECE) {
    write_pieces_file(file);
  } else {
    write_bytes_file(PATTERN_NAMES[which], file);
  }
}

static Status open_bytes(Tokenizer **tokenizer, const uint8_t *bytes, int64_t length) {
  Gguf *gguf;
  TRY(gguf_open_bytes(&gguf, "fuzz.gguf", bytes, length));
  const Status status = tokenizer_create(tokenizer, gguf);
  gguf_close(&gguf);
  return status;
}

/* All pieces of the text; false when it cannot be encoded. */
static bool encode(const Tokenizer *tokenizer, const char *text, int64_t length, Text *pieces) {
  TokenizerIds ids = {0};
  const bool is_encoded = tokenizer_encode(tokenizer, text, length, &ids) == OK;
  ASSERT(is_encoded || ids.count == 0);
  for (int64_t i = 0; i < ids.count; i++) {
    ASSERT(tokenizer_piece(tokenizer, ids.ids[i], pieces) == OK);
  }
  MEMORY_FREE(ids.ids);
  return is_encoded;
}

static bool has_block(const char *text, int64_t length) {
  for (int64_t i = 0; i + 3 <= length; i++) {
    if (memcmp(text + i, "\xe2\x96\x81", 3) == 0) {
      return true;
    }
  }
  return false;
}

static void try_text(int which, const char *text, int64_t length) {
  static Tokenizer *g_good[GOOD];
  Text pieces = {0};
  if (!g_good[which]) {
    Text file = {0};
    write_good_file(which, &file);
    ASSERT(open_bytes(&g_good[which], (const uint8_t *)file.bytes, file.length) == OK);
    text_clear(&file);
  }
  const int64_t blocks = memory_blocks();
  if (encode(g_good[which], text, length, &pieces) &&
      (which != SENTENCEPIECE || !has_block(text, length))) {
    ASSERT(pieces.length == length && memcmp(text_chars(&pieces), text, (size_t)length) == 0);
  }
  text_clear(&pieces);
  ASSERT(memory_blocks() == blocks);
}

static void try_vocabulary(const uint8_t *bytes, int64_t length) {
  static const char TEXT[] =
      "ab abc> <p>\n\n  123 it's \xe4\xb8\xad\xc3\xa9 aaaaaaaa cab\xf0\x9f\x98\x80";
  const int64_t blocks = memory_blocks();
  Tokenizer *tokenizer;
  Text pieces = {0};
  if (open_bytes(&tokenizer, bytes, length) == OK) {
    encode(tokenizer, TEXT, sizeof(TEXT) - 1, &pieces);
    for (int32_t id = 0; id < tokenizer_size(tokenizer); id++) {
      ASSERT(tokenizer_is_special(tokenizer, id) || tokenizer_piece(tokenizer, id, &pieces) == OK);
    }
    ASSERT(tokenizer_begin(tokenizer) < tokenizer_size(tokenizer));
    tokenizer_destroy(&tokenizer);
  }
  text_clear(&pieces);
  ASSERT(memory_blocks() == blocks);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size == 0) {
    return 0;
  }
  if (bytes[0] < GOOD) {
    try_text(bytes[0], (const char *)bytes + 1, (int64_t)size - 1);
  } else {
    try_vocabulary(bytes + 1, (int64_t)size - 1);
  }
  return 0;
}

/* Now and then begins again with a good vocabulary: no corpus is needed. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed) {
  if (seed % 64 == 0) {
    Text file = {0};
    write_good_file((int)(seed / 64 % GOOD), &file);
    if ((size_t)file.length < limit) {
      size = (size_t)file.length + 1;
      bytes[0] = GOOD;
      memcpy(bytes + 1, file.bytes, size - 1);
    }
    text_clear(&file);
  }
  return LLVMFuzzerMutate(bytes, size, limit);
}
