#include "gguf_writer.h"

#include <stdlib.h>
#include <string.h>

enum { U32 = 4, I32 = 5, F32 = 6, BOOL = 7, TEXT = 8, ARRAY = 9, DEFAULT_ALIGNMENT = 32 };

static void put(Text *text, const void *bytes, int64_t length) {
  ASSERT(text_append(text, bytes, length) == OK);
}

static void put_u32(Text *text, uint32_t value) {
  put(text, &value, sizeof(value));
}

static void put_u64(Text *text, uint64_t value) {
  put(text, &value, sizeof(value));
}

static void put_text(Text *text, const char *value) {
  put_u64(text, strlen(value));
  put(text, value, (int64_t)strlen(value));
}

void gguf_writer_pair(GgufWriter *writer, const char *key, uint32_t type, const void *bytes,
                      int64_t length) {
  put_text(&writer->metadata, key);
  put_u32(&writer->metadata, type);
  put(&writer->metadata, bytes, length);
  writer->pairs++;
}

void gguf_writer_text(GgufWriter *writer, const char *key, const char *value) {
  gguf_writer_pair(writer, key, TEXT, "", 0);
  put_text(&writer->metadata, value);
}

void gguf_writer_integer(GgufWriter *writer, const char *key, int64_t value) {
  if (value < 0) {
    const int32_t signed_value = (int32_t)value;
    gguf_writer_pair(writer, key, I32, &signed_value, sizeof(signed_value));
  } else {
    const uint32_t unsigned_value = (uint32_t)value;
    gguf_writer_pair(writer, key, U32, &unsigned_value, sizeof(unsigned_value));
  }
}

void gguf_writer_real(GgufWriter *writer, const char *key, double value) {
  const float single = (float)value;
  gguf_writer_pair(writer, key, F32, &single, sizeof(single));
}

void gguf_writer_flag(GgufWriter *writer, const char *key, bool value) {
  const uint8_t byte = value;
  gguf_writer_pair(writer, key, BOOL, &byte, sizeof(byte));
}

static void put_array(GgufWriter *writer, const char *key, uint32_t type, int64_t count) {
  gguf_writer_pair(writer, key, ARRAY, "", 0);
  put_u32(&writer->metadata, type);
  put_u64(&writer->metadata, (uint64_t)count);
}

void gguf_writer_texts(GgufWriter *writer, const char *key, const char *const *items,
                       int64_t count) {
  put_array(writer, key, TEXT, count);
  for (int64_t i = 0; i < count; i++) {
    put_text(&writer->metadata, items[i]);
  }
}

void gguf_writer_integers(GgufWriter *writer, const char *key, const int32_t *items,
                          int64_t count) {
  put_array(writer, key, I32, count);
  put(&writer->metadata, items, count * (int64_t)sizeof(*items));
}

void gguf_writer_reals(GgufWriter *writer, const char *key, const float *items, int64_t count) {
  put_array(writer, key, F32, count);
  put(&writer->metadata, items, count * (int64_t)sizeof(*items));
}

static int64_t alignment_of(const GgufWriter *writer) {
  return writer->alignment ? writer->alignment : DEFAULT_ALIGNMENT;
}

static void pad(Text *text, int64_t alignment) {
  while (text->length % alignment != 0) {
    put(text, "", 1);
  }
}

void gguf_writer_tensor(GgufWriter *writer, const char *name, int type, int dims,
                        const int64_t *shape, const void *bytes, int64_t length) {
  pad(&writer->data, alignment_of(writer));
  put_text(&writer->infos, name);
  put_u32(&writer->infos, (uint32_t)dims);
  for (int i = 0; i < dims; i++) {
    put_u64(&writer->infos, (uint64_t)shape[i]);
  }
  put_u32(&writer->infos, (uint32_t)type);
  put_u64(&writer->infos, (uint64_t)writer->data.length);
  put(&writer->data, bytes, length);
  writer->tensors++;
}

void gguf_writer_floats(GgufWriter *writer, const char *name, int64_t rows, int64_t columns,
                        const float *values) {
  const int64_t shape[2] = {columns, rows};
  const int64_t count = columns * (rows ? rows : 1);
  gguf_writer_tensor(writer, name, QUANT_F32, rows ? 2 : 1, shape, values,
                     count * (int64_t)sizeof(*values));
}

int64_t gguf_writer_vocabulary_size(int64_t merges) {
  return 256 + merges + 1;
}

static void put_utf8(Text *text, int code) { /* below U+0800 */
  const char bytes[2] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 63))};
  if (code < 128) {
    const char byte = (char)code;
    put(text, &byte, 1);
  } else {
    put(text, bytes, 2);
  }
}

/* GPT-2's alphabet: printable bytes stand for themselves, the others, in order, for U+0100 and
 * up. */
static void put_byte_token(Text *text, int byte, int *next) {
  const bool is_printable =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  Text token = {0};
  put_utf8(&token, is_printable ? byte : (*next)++);
  put_text(text, text_chars(&token));
  text_clear(&token);
}

static void put_merged_token(Text *text, const char *merge) {
  Text token = {0};
  const char *space = strchr(merge, ' ');
  ASSERT(space != NULL);
  put(&token, merge, space - merge);
  put(&token, space + 1, (int64_t)strlen(space + 1));
  put_text(text, text_chars(&token));
  text_clear(&token);
}

static void put_token_types(GgufWriter *writer, int64_t count) {
  put_array(writer, "tokenizer.ggml.token_type", I32, count);
  for (int64_t i = 0; i < count; i++) {
    put_u32(&writer->metadata, i + 1 < count ? 1 : 3); /* normal, at last one control token */
  }
}

void gguf_writer_vocabulary(GgufWriter *writer, const char *const *merges, int64_t count,
                            const char *pre) {
  const int64_t size = gguf_writer_vocabulary_size(count);
  int next = 256;
  gguf_writer_text(writer, "tokenizer.ggml.model", "gpt2");
  gguf_writer_text(writer, "tokenizer.ggml.pre", pre);
  put_array(writer, "tokenizer.ggml.tokens", TEXT, size);
  for (int byte = 0; byte < 256; byte++) {
    put_byte_token(&writer->metadata, byte, &next);
  }
  for (int64_t i = 0; i < count; i++) {
    put_merged_token(&writer->metadata, merges[i]);
  }
  put_text(&writer->metadata, "<|endoftext|>");
  put_token_types(writer, size);
  gguf_writer_texts(writer, "tokenizer.ggml.merges", merges, count);
  gguf_writer_integer(writer, "tokenizer.ggml.bos_token_id", size - 1);
  gguf_writer_integer(writer, "tokenizer.ggml.eos_token_id", size - 1);
}

void gguf_writer_bytes(const GgufWriter *writer, Text *out) {
  Text file = {0};
  put(&file, "GGUF", 4);
  put_u32(&file, 3);
  put_u64(&file, (uint64_t)writer->tensors);
  put_u64(&file, (uint64_t)writer->pairs);
  put(&file, text_chars(&writer->metadata), writer->metadata.length);
  put(&file, text_chars(&writer->infos), writer->infos.length);
  pad(&file, alignment_of(writer));
  put(&file, text_chars(&writer->data), writer->data.length);
  put(out, file.bytes, file.length);
  text_clear(&file);
}

void gguf_writer_save(const GgufWriter *writer, const char *path) {
  Text file = {0};
  gguf_writer_bytes(writer, &file);
  ASSERT(text_write_file(&file, path) == OK);
  text_clear(&file);
}

void gguf_writer_clear(GgufWriter *writer) {
  text_clear(&writer->metadata);
  text_clear(&writer->infos);
  text_clear(&writer->data);
  *writer = (GgufWriter){0};
}
