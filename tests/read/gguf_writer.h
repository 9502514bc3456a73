#ifndef GGUF_WRITER_H
#define GGUF_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "quant.h"
#include "text.h"

/** Tiny GGUF files for tests: metadata and tensors in the order they are added. Running out of
 *  memory ends the program. Use: add_check(STEM LINK gguf_writer ...) and
 *  `#include "read/gguf_writer.h"`. ranks: all local. */
typedef struct GgufWriter {
  Text metadata, infos, data; /* as they will stand in the file */
  int64_t pairs, tensors;
  int64_t alignment; /* 0: the default, 32; set it before the first tensor */
} GgufWriter;        /* `GgufWriter w = {0};` is empty */

/** Metadata: integers as u32 (negative ones as i32), reals as f32. */
void gguf_writer_text(GgufWriter *writer, const char *key, const char *value);
void gguf_writer_integer(GgufWriter *writer, const char *key, int64_t value);
void gguf_writer_real(GgufWriter *writer, const char *key, double value);
void gguf_writer_flag(GgufWriter *writer, const char *key, bool value);
void gguf_writer_texts(GgufWriter *writer, const char *key, const char *const *items,
                       int64_t count);
void gguf_writer_integers(GgufWriter *writer, const char *key, const int32_t *items, int64_t count);
void gguf_writer_reals(GgufWriter *writer, const char *key, const float *items, int64_t count);
/** Any pair: `type` is the file's number of the value type, `bytes` what follows it. */
void gguf_writer_pair(GgufWriter *writer, const char *key, uint32_t type, const void *bytes,
                      int64_t length);

/** A tensor of any type: `bytes` as they stand in the file; shape[0] is the fastest. */
void gguf_writer_tensor(GgufWriter *writer, const char *name, int type, int dims,
                        const int64_t *shape, const void *bytes, int64_t length);
/** [rows, columns] float32, row-major; rows 0: a vector of `columns`. */
void gguf_writer_floats(GgufWriter *writer, const char *name, int64_t rows, int64_t columns,
                        const float *values);

/** A byte-level BPE tokenizer ("gpt2", `pre` e.g. "smollm"): tokens 0..255 are the bytes, then
 *  each merge "left right" (written in GPT-2's alphabet: a space is U+0120) adds the token of
 *  both, then "<|endoftext|>" (control; begin and end of text). */
void gguf_writer_vocabulary(GgufWriter *writer, const char *const *merges, int64_t count,
                            const char *pre);
/** Tokens that gguf_writer_vocabulary() makes. */
int64_t gguf_writer_vocabulary_size(int64_t merges);

/** The whole file, appended to `out`; or to a path. */
void gguf_writer_bytes(const GgufWriter *writer, Text *out);
void gguf_writer_save(const GgufWriter *writer, const char *path);
void gguf_writer_clear(GgufWriter *writer);

#endif
