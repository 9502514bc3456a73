#ifndef TENSOR_H
#define TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Arrays in other people's files: .safetensors (several, by name), .npy (one, named ""), .npz (a zip
 *  of .npy members, zip64 too; names without ".npy"). The kind is recognised from the content. All is
 *  checked before it is used: lengths, offsets, overlaps, shapes against bytes, byte order, member
 *  names (no folders); pickles and Fortran order of more than one dimension are refused.
 *  ranks   all local */
typedef enum TensorType { /* as stored */
                          TENSOR_F64,
                          TENSOR_F32,
                          TENSOR_F16,
                          TENSOR_BF16,
                          TENSOR_I64,
                          TENSOR_I32,
                          TENSOR_I16,
                          TENSOR_I8,
                          TENSOR_U64,
                          TENSOR_U32,
                          TENSOR_U16,
                          TENSOR_U8,
                          TENSOR_BOOL
} TensorType;

enum { TENSOR_DIMS = 4 };

typedef struct Tensor {
  const char *name;
  TensorType type;
  int dims; /* 0: a scalar */
  int64_t shape[TENSOR_DIMS];
  int64_t count;  /* elements */
  bool is_packed; /* a deflated member of an .npz: can only be read after tensor_unpack() */
} Tensor;

typedef struct TensorFile TensorFile;

/** fails   ERR_MISSING, ERR_FORMAT (what is wrong, where in the file), ERR_UNSUPPORTED (a pickle, a
 *          type or order we do not read), ERR_MEMORY */
Status tensor_open(TensorFile **out, const char *path) MUST_USE;
/** NULL is fine. */
void tensor_close(TensorFile **file);
const char *tensor_path(const TensorFile *file);

int64_t tensor_count(const TensorFile *file);
/** Borrowed until tensor_close(). tensor_find: NULL when there is none of that name. */
const Tensor *tensor_at(const TensorFile *file, int64_t index);
const Tensor *tensor_find(const TensorFile *file, const char *name);
/** The array of that plural name, of its singular, or the only one; NULL: neither. */
const Tensor *tensor_find_some(const TensorFile *file, const char *plural);
/** "F32 [16384, 640]" into text [64], for messages. */
const char *tensor_describe(const Tensor *tensor, char *text);

/** Elements [first, first + count) of the flat row-major array, widened. Reads only those.
 *  real     any floating type; fails ERR_FORMAT when a value is not finite (names its place)
 *  integer  any integer type or bool; fails ERR_FORMAT for a U64 above 2^63 - 1
 *  fails    ERR_FILE, ERR_UNSUPPORTED (packed, or not of that class) */
Status tensor_read_real(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count,
                        float *out) MUST_USE;
Status tensor_read_integer(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count,
                           int64_t *out) MUST_USE;
/** Columns [first, first + count) of all rows of a matrix, transposed: out [count, rows]. For encoders
 *  that are stored by column: only those columns are read, in pieces. */
Status tensor_read_columns(TensorFile *file, const Tensor *matrix, int64_t first, int64_t count,
                           float *out) MUST_USE;

/** Unpack a packed member into an .npy file that tensor_open() reads. Never writes more than the
 *  member's own header says; a member whose size disagrees with its header, or that is cut, is an
 *  error and leaves no file.
 *  fails   ERR_FORMAT, ERR_SPACE, ERR_FILE */
Status tensor_unpack(TensorFile *file, const Tensor *tensor, const char *path) MUST_USE;

#endif
