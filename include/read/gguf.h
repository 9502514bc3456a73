#ifndef GGUF_H
#define GGUF_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** A GGUF model file (versions 2 and 3), mapped read-only. Every length and offset is checked
 *  against the file's size when it is opened; nothing that a hostile file says is trusted. Look-ups
 *  and dequantisation change nothing: threads may share the object. ranks: all local. */
typedef struct Gguf Gguf;

enum { GGUF_DIMS = 4 };
typedef struct GgufTensor {
  const char *name;
  int type; /* the file's ggml type number */
  int dims;
  int64_t shape[GGUF_DIMS]; /* the file's order: shape[0] is the fastest (columns) */
  const uint8_t *data;      /* mapped; lies in the file; any alignment */
  int64_t bytes;            /* 0 when the type cannot be read */
} GgufTensor;

/** fails   ERR_MISSING, ERR_FILE, ERR_MEMORY, ERR_FORMAT (magic, version, truncation, bad lengths:
 *          says where) */
Status gguf_open(Gguf **out, const char *path) MUST_USE;
/** The same over bytes in memory (borrowed; for fuzzing and tests). */
Status gguf_open_bytes(Gguf **out, const char *name, const uint8_t *bytes, int64_t length) MUST_USE;
void gguf_close(Gguf **gguf);

/** Metadata by key. Integers of any width and bools read as int64, floats as double.
 *  fails   ERR_FORMAT (absent or of another type; names key and file) */
bool gguf_has(const Gguf *gguf, const char *key);
Status gguf_integer(const Gguf *gguf, const char *key, int64_t *value) MUST_USE;
Status gguf_real(const Gguf *gguf, const char *key, double *value) MUST_USE;
/** Not 0-terminated; borrowed from the mapping. */
Status gguf_text(const Gguf *gguf, const char *key, const char **bytes, int64_t *length) MUST_USE;
/** Arrays: the length (-1 when absent or no array), and items. */
int64_t gguf_array_length(const Gguf *gguf, const char *key);
Status gguf_array_text(const Gguf *gguf, const char *key, int64_t index, const char **bytes,
                       int64_t *length) MUST_USE;
Status gguf_array_integer(const Gguf *gguf, const char *key, int64_t index,
                          int64_t *value) MUST_USE;
Status gguf_array_real(const Gguf *gguf, const char *key, int64_t index, double *value) MUST_USE;

/** A tensor by name, NULL when there is none; and all of them by index. */
const GgufTensor *gguf_tensor(const Gguf *gguf, const char *name);
int64_t gguf_tensors(const Gguf *gguf);
const GgufTensor *gguf_tensor_at(const Gguf *gguf, int64_t index);
const char *gguf_path(const Gguf *gguf);

/** Elements [first, first + count) of a tensor as float32: whole rows, so first and count are
 *  multiples of shape[0].
 *  Types: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K.
 *  fails   ERR_UNSUPPORTED names the type and the tensor */
Status gguf_dequantise(const Gguf *gguf, const GgufTensor *tensor, int64_t first, int64_t count,
                       float *out) MUST_USE;

#endif
