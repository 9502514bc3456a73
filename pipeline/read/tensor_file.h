#ifndef TENSOR_FILE_H
#define TENSOR_FILE_H

#include "tensor.h"

/* What tensor.c (opening, reading) and the readers of each kind of file share. ranks: all local. */

struct zip;
struct zip_file;

enum { TENSOR_BUFFER = 1 << 18 };

typedef struct TensorPlace {
  char *name;     /* of the tensor, owned */
  int64_t offset; /* of its first element, in the file or in the unpacked member */
  int64_t member; /* index in the zip */
  int64_t bytes;  /* of the tensor; of a member of a zip: with its header */
} TensorPlace;

struct TensorFile {
  char *path;
  int file; /* -1: not open */
  int64_t length;
  Tensor *tensors;     /* [count] */
  TensorPlace *places; /* [count] */
  int64_t count;
  uint8_t *buffer;         /* [TENSOR_BUFFER] */
  struct zip *zip;         /* NULL: no .npz */
  struct zip_file *member; /* the one read last, or NULL */
  int64_t member_index;
};

/* Fill `tensors`, `places` and `count` of a file that begins as such a file does. */
Status safetensors_list(TensorFile *file) MUST_USE;
Status npy_list(TensorFile *file) MUST_USE;
Status npz_list(TensorFile *file) MUST_USE;

/* Bytes [offset, offset + count) of the file, or of a stored member of the zip. */
Status tensor_file_read(const TensorFile *file, int64_t offset, int64_t count, void *out) MUST_USE;
Status npz_read(TensorFile *file, int64_t member, int64_t offset, int64_t count,
                void *out) MUST_USE;
void npz_close(TensorFile *file);

/* Memory for `count` tensors. */
Status tensor_file_room(TensorFile *file, int64_t count) MUST_USE;

int64_t tensor_type_bytes(TensorType type);
/* Count the elements of tensor->shape; false when their bytes are beyond any file. */
bool tensor_count_elements(Tensor *tensor);

enum { NPY_HEADER = 1 << 16 }; /* bytes that a header has at most */

/* Read and check the header of an .npy array.
 * place   for messages: "rows.npy", "params.npz: W_enc"
 * bytes   [given] its beginning: all of it, or NPY_HEADER bytes
 * length  of the whole array with its header
 * tensor  type, dims, shape, count are set
 * start   where its elements begin */
Status npy_parse(const char *place, const uint8_t *bytes, int64_t given, int64_t length,
                 Tensor *tensor, int64_t *start) MUST_USE;

#endif
