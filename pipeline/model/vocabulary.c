#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "random.h"
#include "text.h"

static const char TOKENS[] = "tokenizer.ggml.tokens", KINDS[] = "tokenizer.ggml.token_type";

/* GPT-2's alphabet: printable bytes stand for themselves, the other 68, in order, for U+0100 and
 * up. */
static bool is_printable(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

static int byte_of_character(int code) {
  if (code < 256) {
    return is_printable(code) ? code : -1;
  }
  int rest = code - 256;
  for (int byte = 0; byte < 256; byte++) {
    if (!is_printable(byte) && rest-- == 0) {
      return byte;
    }
  }
  return -1;
}

int64_t vocabulary_decode(const char *name, int64_t length, char *out) {
  int64_t count = 0;
  for (int64_t i = 0; i < length; count++) {
    const int size = text_utf8_length(name + i, length - i);
    if (size != 1 && size != 2) {
      return -1;
    }
    const int code = size == 1 ? name[i] : (name[i] & 31) << 6 | (name[i + 1] & 63);
    const int byte = byte_of_character(code);
    if (byte < 0) {
      return -1;
    }
    out[count] = (char)byte;
    i += size;
  }
  return count;
}

/* SentencePiece writes a space as U+2581. */
static int64_t decode_spaces(const char *name, int64_t length, char *out) {
  int64_t count = 0;
  for (int64_t i = 0; i < length; count++) {
    const bool is_space = length - i >= 3 && memcmp(name + i, "\xe2\x96\x81", 3) == 0;
    out[count] = is_space ? ' ' : name[i];
    i += is_space ? 3 : 1;
  }
  return count;
}

static int digit_of(char character) {
  return character >= '0' && character <= '9'   ? character - '0'
         : character >= 'A' && character <= 'F' ? character - 'A' + 10
                                                : -1;
}

/* "<0x0A>" -> 10, anything else -> -1. */
static int byte_of_name(const char *name, int64_t length) {
  if (length != 6 || memcmp(name, "<0x", 3) != 0 || name[5] != '>') {
    return -1;
  }
  const int high = digit_of(name[3]), low = digit_of(name[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Special tokens keep their names. A normal token whose name is not of the alphabet can never
 * come out of text: it keeps its name and becomes unused. */
static Status decode_token(Vocabulary *vocabulary, const Gguf *gguf, int64_t id,
                           bool is_byte_level) {
  const char *name;
  int64_t length;
  TRY(gguf_array_text(gguf, TOKENS, id, &name, &length));
  char *out = vocabulary->bytes + vocabulary->starts[id];
  uint8_t *kind = &vocabulary->kinds[id];
  int64_t count = -1;
  if (*kind == TOKEN_BYTE) {
    const int byte = byte_of_name(name, length);
    if (byte < 0) {
      return RAISE(ERR_FORMAT, "%s: token %lld is a byte, but not named <0x00> to <0xFF>",
                   gguf_path(gguf), (long long)id);
    }
    *out = (char)byte;
    count = 1;
  } else if (*kind == TOKEN_NORMAL && is_byte_level) {
    count = vocabulary_decode(name, length, out);
    *kind = count < 0 ? TOKEN_UNUSED : TOKEN_NORMAL;
  } else if (!is_byte_level && (*kind == TOKEN_NORMAL || *kind == TOKEN_USER_DEFINED)) {
    count = decode_spaces(name, length, out);
  }
  if (count < 0) {
    memcpy(out, name, (size_t)length);
    count = length;
  }
  vocabulary->starts[id + 1] = vocabulary->starts[id] + count;
  return OK;
}

static Status read_kinds(Vocabulary *vocabulary, const Gguf *gguf) {
  const int64_t count = gguf_array_length(gguf, KINDS);
  if (count >= 0 && count != vocabulary->size) {
    return RAISE(ERR_FORMAT, "%s: %s has %lld items for %lld tokens", gguf_path(gguf), KINDS,
                 (long long)count, (long long)vocabulary->size);
  }
  TRY(MEMORY_NEW(&vocabulary->kinds, vocabulary->size, "kinds of tokens"));
  for (int64_t id = 0; id < vocabulary->size; id++) {
    int64_t kind = TOKEN_NORMAL;
    if (count >= 0) {
      TRY(gguf_array_integer(gguf, KINDS, id, &kind));
    }
    if (kind < TOKEN_NORMAL || kind > TOKEN_BYTE) {
      return RAISE(ERR_FORMAT, "%s: token %lld is of the unknown kind %lld", gguf_path(gguf),
                   (long long)id, (long long)kind);
    }
    vocabulary->kinds[id] = (uint8_t)kind;
  }
  return OK;
}

/* Decoded tokens are never longer than their names. */
static Status read_tokens(Vocabulary *vocabulary, const Gguf *gguf, bool is_byte_level) {
  int64_t total = 0;
  for (int64_t id = 0; id < vocabulary->size; id++) {
    const char *name;
    int64_t length;
    TRY(gguf_array_text(gguf, TOKENS, id, &name, &length));
    total += length;
  }
  if (total > INT32_MAX) {
    return RAISE(ERR_FORMAT, "%s: %s is longer than 2 GB", gguf_path(gguf), TOKENS);
  }
  TRY(MEMORY_NEW(&vocabulary->bytes, total, "bytes of tokens"));
  TRY(MEMORY_NEW(&vocabulary->starts, vocabulary->size + 1, "starts of tokens"));
  for (int64_t id = 0; id < vocabulary->size; id++) {
    TRY(decode_token(vocabulary, gguf, id, is_byte_level));
  }
  return OK;
}

/* The slot of the token of these bytes, or the free one where it would stand. */
static int32_t *find_slot(const Vocabulary *vocabulary, const char *bytes, int64_t length) {
  uint64_t at = random_hash(bytes, length, 0) & vocabulary->slots_mask;
  for (;; at = (at + 1) & vocabulary->slots_mask) {
    const int32_t id = vocabulary->slots[at];
    if (id == NO_TOKEN) {
      return &vocabulary->slots[at];
    }
    const int64_t start = vocabulary->starts[id];
    if (vocabulary->starts[id + 1] - start == length &&
        memcmp(vocabulary->bytes + start, bytes, (size_t)length) == 0) {
      return &vocabulary->slots[at];
    }
  }
}

int32_t vocabulary_find(const Vocabulary *vocabulary, const char *bytes, int64_t length) {
  return length > vocabulary->longest ? NO_TOKEN : *find_slot(vocabulary, bytes, length);
}

static void index_token(Vocabulary *vocabulary, int32_t id, bool is_byte_level) {
  const char *bytes = vocabulary->bytes + vocabulary->starts[id];
  const int64_t length = vocabulary->starts[id + 1] - vocabulary->starts[id];
  const int kind = vocabulary->kinds[id];
  if (kind == (is_byte_level ? TOKEN_NORMAL : TOKEN_BYTE) && length == 1) {
    int32_t *byte_id = &vocabulary->byte_ids[(unsigned char)bytes[0]];
    *byte_id = *byte_id == NO_TOKEN ? id : *byte_id;
  }
  if (kind == TOKEN_NORMAL && length > 0) {
    int32_t *slot = find_slot(vocabulary, bytes, length);
    *slot = *slot == NO_TOKEN ? id : *slot;
    vocabulary->longest = length > vocabulary->longest ? length : vocabulary->longest;
  }
}

static Status index_tokens(Vocabulary *vocabulary, bool is_byte_level) {
  uint64_t slots = 16;
  while (slots < 2 * (uint64_t)vocabulary->size) {
    slots *= 2;
  }
  vocabulary->slots_mask = slots - 1;
  TRY(MEMORY_NEW(&vocabulary->slots, (int64_t)slots, "hash table of tokens"));
  memset(vocabulary->slots, 0xff, slots * sizeof(*vocabulary->slots)); /* NO_TOKEN */
  memset(vocabulary->byte_ids, 0xff, sizeof(vocabulary->byte_ids));
  for (int64_t id = 0; id < vocabulary->size; id++) {
    index_token(vocabulary, (int32_t)id, is_byte_level);
  }
  return OK;
}

Status vocabulary_read(Vocabulary *vocabulary, const Gguf *gguf, bool is_byte_level) {
  *vocabulary = (Vocabulary){.size = gguf_array_length(gguf, TOKENS)};
  if (vocabulary->size < 1 || vocabulary->size > INT32_MAX / 2) {
    return RAISE(ERR_FORMAT, "%s: %s must list the tokens: without it text cannot be read",
                 gguf_path(gguf), TOKENS);
  }
  TRY(read_kinds(vocabulary, gguf));
  TRY(read_tokens(vocabulary, gguf, is_byte_level));
  return index_tokens(vocabulary, is_byte_level);
}

void vocabulary_clear(Vocabulary *vocabulary) {
  MEMORY_FREE(vocabulary->bytes);
  MEMORY_FREE(vocabulary->starts);
  MEMORY_FREE(vocabulary->kinds);
  MEMORY_FREE(vocabulary->slots);
}
