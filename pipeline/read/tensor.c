#include "tensor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "quant.h"
#include "tensor_file.h"

static const struct {
  const char *name;
  int64_t bytes;
} TYPES[] = {
    [TENSOR_F64] = {"F64", 8},   [TENSOR_F32] = {"F32", 4}, [TENSOR_F16] = {"F16", 2},
    [TENSOR_BF16] = {"BF16", 2}, [TENSOR_I64] = {"I64", 8}, [TENSOR_I32] = {"I32", 4},
    [TENSOR_I16] = {"I16", 2},   [TENSOR_I8] = {"I8", 1},   [TENSOR_U64] = {"U64", 8},
    [TENSOR_U32] = {"U32", 4},   [TENSOR_U16] = {"U16", 2}, [TENSOR_U8] = {"U8", 1},
    [TENSOR_BOOL] = {"BOOL", 1},
};

int64_t tensor_type_bytes(TensorType type) {
  return TYPES[type].bytes;
}

/* An extent of 0 must not hide one that is beyond all measure. */
bool tensor_count_elements(Tensor *tensor) {
  const int64_t limit = INT64_MAX / 8;
  tensor->count = 1;
  for (int i = 0; i < tensor->dims; i++) {
    const int64_t extent = tensor->shape[i];
    if (extent < 0 || extent > limit || (extent > 0 && tensor->count > limit / extent)) {
      return false;
    }
    tensor->count *= extent;
  }
  return true;
}

Status tensor_file_read(const TensorFile *file, int64_t offset, int64_t count, void *out) {
  for (int64_t done = 0; done < count;) {
    const size_t left = (size_t)(count - done);
    const ssize_t got = pread(file->file, (char *)out + done, left, offset + done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return RAISE(ERR_FILE, "%s: byte %lld: %s", file->path, (long long)(offset + done),
                   got < 0 ? strerror(errno) : "the file ends here: was it changed meanwhile?");
    }
    done += got;
  }
  return OK;
}

Status tensor_file_room(TensorFile *file, int64_t count) {
  TRY(MEMORY_NEW(&file->tensors, count, "tensors of a file"));
  return MEMORY_NEW(&file->places, count, "places of tensors in a file");
}

static int compare_names(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static Status check_names(const TensorFile *file) {
  const char **names;
  Status status = OK;
  TRY(MEMORY_NEW(&names, file->count, "names of tensors"));
  for (int64_t i = 0; i < file->count; i++) {
    names[i] = file->tensors[i].name;
  }
  qsort(names, (size_t)file->count, sizeof(*names), compare_names);
  for (int64_t i = 1; i < file->count && status == OK; i++) {
    if (strcmp(names[i - 1], names[i]) == 0) {
      status = RAISE(ERR_FORMAT, "%s: tensor %.200s is there twice", file->path, names[i]);
    }
  }
  MEMORY_FREE(names);
  return status;
}

/* The kind of a file is what its first bytes say, whatever its name. */
static Status list_tensors(TensorFile *file) {
  enum { MAGIC = 8 };
  uint8_t magic[MAGIC] = {0};
  const int64_t given = file->length < MAGIC ? file->length : MAGIC;
  TRY(tensor_file_read(file, 0, given, magic));
  if (memcmp(magic, "\x93NUMPY", 6) == 0) {
    return npy_list(file);
  }
  if (memcmp(magic, "PK\x03\x04", 4) == 0 || memcmp(magic, "PK\x05\x06", 4) == 0) {
    return npz_list(file);
  }
  return safetensors_list(file);
}

static Status open_file(TensorFile *file) {
  struct stat about;
  file->file = open(file->path, O_RDONLY | O_CLOEXEC);
  if (file->file < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return RAISE(missing ? ERR_MISSING : ERR_FILE, "%s: cannot be opened: %s", file->path,
                 strerror(errno));
  }
  if (fstat(file->file, &about) != 0 || !S_ISREG(about.st_mode)) {
    return RAISE(ERR_FILE, "%s: not a regular file", file->path);
  }
  file->length = about.st_size;
  TRY(MEMORY_NEW(&file->buffer, TENSOR_BUFFER, "buffer of a tensor file"));
  TRY(list_tensors(file));
  return check_names(file);
}

Status tensor_open(TensorFile **out, const char *path) {
  TensorFile *file;
  *out = NULL;
  TRY(MEMORY_NEW(&file, 1, "a tensor file"));
  file->file = -1;
  Status status = memory_copy_text(&file->path, path);
  if (status == OK) {
    status = open_file(file);
  }
  if (status != OK) {
    tensor_close(&file);
  }
  *out = file;
  return status;
}

void tensor_close(TensorFile **handle) {
  TensorFile *file = *handle;
  if (file == NULL) {
    return;
  }
  npz_close(file);
  if (file->file >= 0) {
    close(file->file);
  }
  for (int64_t i = 0; file->places != NULL && i < file->count; i++) {
    MEMORY_FREE(file->places[i].name);
  }
  MEMORY_FREE(file->places);
  MEMORY_FREE(file->tensors);
  MEMORY_FREE(file->buffer);
  MEMORY_FREE(file->path);
  MEMORY_FREE(file);
  *handle = NULL;
}

const char *tensor_path(const TensorFile *file) {
  return file->path;
}

int64_t tensor_count(const TensorFile *file) {
  return file->count;
}

const Tensor *tensor_at(const TensorFile *file, int64_t index) {
  ASSERT(index >= 0 && index < file->count);
  return &file->tensors[index];
}

const Tensor *tensor_find(const TensorFile *file, const char *name) {
  for (int64_t i = 0; i < file->count; i++) {
    if (strcmp(file->tensors[i].name, name) == 0) {
      return &file->tensors[i];
    }
  }
  return NULL;
}

const Tensor *tensor_find_some(const TensorFile *file, const char *plural) {
  char singular[32];
  snprintf(singular, sizeof(singular), "%.*s", (int)strlen(plural) - 1, plural);
  const Tensor *tensor = tensor_find(file, plural);
  tensor = tensor != NULL ? tensor : tensor_find(file, singular);
  return tensor == NULL && file->count == 1 ? &file->tensors[0] : tensor;
}

const char *tensor_describe(const Tensor *tensor, char *text) {
  enum { SIZE = 64 };
  int length = snprintf(text, SIZE, "%s [", TYPES[tensor->type].name);
  for (int i = 0; i < tensor->dims && length < SIZE; i++) {
    length += snprintf(text + length, (size_t)(SIZE - length), "%s%lld", i > 0 ? ", " : "",
                       (long long)tensor->shape[i]);
  }
  if (length < SIZE) {
    snprintf(text + length, (size_t)(SIZE - length), "]");
  }
  return text;
}

/* The raw bytes of elements [first, first + count). */
static Status read_elements(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count,
                            void *out) {
  const TensorPlace *place = &file->places[tensor - file->tensors];
  const int64_t bytes = tensor_type_bytes(tensor->type);
  const int64_t offset = place->offset + first * bytes;
  return file->zip == NULL ? tensor_file_read(file, offset, count * bytes, out)
                           : npz_read(file, place->member, offset, count * bytes, out);
}

static Status check_request(const TensorFile *file, const Tensor *tensor, bool is_real,
                            int64_t first, int64_t count) {
  char text[64];
  ASSERT(tensor >= file->tensors && tensor < file->tensors + file->count);
  ASSERT(first >= 0 && count >= 0 && first <= tensor->count && count <= tensor->count - first);
  if (tensor->is_packed) {
    return RAISE(ERR_UNSUPPORTED, "%s: %.200s is compressed and must be unpacked before it is read",
                 file->path, tensor->name);
  }
  if ((tensor->type <= TENSOR_BF16) != is_real) {
    return RAISE(ERR_UNSUPPORTED, "%s: %.200s is %s, but %s are needed", file->path, tensor->name,
                 tensor_describe(tensor, text), is_real ? "floating-point numbers" : "integers");
  }
  return OK;
}

static void widen_reals(TensorType type, const uint8_t *bytes, int64_t count, float *out) {
  if (type == TENSOR_F64) {
    for (int64_t i = 0; i < count; i++) {
      double value;
      memcpy(&value, bytes + i * 8, sizeof(value));
      out[i] = (float)value;
    }
    return;
  }
  const int quant = type == TENSOR_F32 ? QUANT_F32 : type == TENSOR_F16 ? QUANT_F16 : QUANT_BF16;
  quant_dequantise(quant, bytes, count, out);
}

/* The first value that is not finite, or count. */
static int64_t find_not_finite(const float *values, int64_t count) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof(bits));
    bad |= (uint32_t)((bits & 0x7f800000u) == 0x7f800000u);
  }
  for (int64_t i = 0; bad && i < count; i++) {
    if (!(values[i] - values[i] == 0)) {
      return i;
    }
  }
  return count;
}

static Status not_finite(const TensorFile *file, const Tensor *tensor, int64_t element) {
  if (tensor->dims == 2) {
    return RAISE(ERR_FORMAT, "%s: %.200s: row %lld, column %lld is no finite float32 number",
                 file->path, tensor->name, (long long)(element / tensor->shape[1]),
                 (long long)(element % tensor->shape[1]));
  }
  return RAISE(ERR_FORMAT, "%s: %.200s: element %lld is no finite float32 number", file->path,
               tensor->name, (long long)element);
}

static Status read_reals(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count,
                         float *out) {
  const int64_t piece = TENSOR_BUFFER / tensor_type_bytes(tensor->type);
  for (int64_t done = 0; done < count; done += piece) {
    const int64_t now = count - done < piece ? count - done : piece;
    TRY(read_elements(file, tensor, first + done, now, file->buffer));
    widen_reals(tensor->type, file->buffer, now, out + done);
    const int64_t bad = find_not_finite(out + done, now);
    if (bad < now) {
      return not_finite(file, tensor, first + done + bad);
    }
  }
  return OK;
}

Status tensor_read_real(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count,
                        float *out) {
  TRY(check_request(file, tensor, true, first, count));
  return read_reals(file, tensor, first, count, out);
}

/* Little-endian, sign-extended where the type is signed. */
static int64_t widen_integer(TensorType type, const uint8_t *bytes) {
  const bool is_signed = type >= TENSOR_I64 && type <= TENSOR_I8;
  const int64_t size = tensor_type_bytes(type), unused = 64 - 8 * size;
  uint64_t bits = 0;
  memcpy(&bits, bytes, (size_t)size);
  if (type == TENSOR_BOOL) {
    return bits != 0;
  }
  return is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}

Status tensor_read_integer(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count,
                           int64_t *out) {
  const int64_t size = tensor_type_bytes(tensor->type), piece = TENSOR_BUFFER / size;
  TRY(check_request(file, tensor, false, first, count));
  for (int64_t done = 0; done < count; done += piece) {
    const int64_t now = count - done < piece ? count - done : piece;
    TRY(read_elements(file, tensor, first + done, now, file->buffer));
    for (int64_t i = 0; i < now; i++) {
      out[done + i] = widen_integer(tensor->type, file->buffer + i * size);
      if (tensor->type == TENSOR_U64 && out[done + i] < 0) {
        return RAISE(ERR_FORMAT, "%s: %.200s: element %lld is above 2^63 - 1", file->path,
                     tensor->name, (long long)(first + done + i));
      }
    }
  }
  return OK;
}

/* Rows are read a few at a time, and of each row a piece, so that what is written side by side in
 * `out` fills whole cache lines. */
enum { COLUMNS_ROWS = 32, COLUMNS_PIECE = 8192 };

static Status read_tile(TensorFile *file, const Tensor *matrix, int64_t row, int64_t rows,
                        int64_t column, int64_t columns, float *tile) {
  for (int64_t i = 0; i < rows; i++) {
    const int64_t first = (row + i) * matrix->shape[1] + column;
    TRY(read_reals(file, matrix, first, columns, tile + i * COLUMNS_PIECE));
  }
  return OK;
}

static Status read_column_piece(TensorFile *file, const Tensor *matrix, int64_t first,
                                int64_t count, float *tile, float *out) {
  const int64_t all = matrix->shape[0];
  for (int64_t row = 0; row < all; row += COLUMNS_ROWS) {
    const int64_t rows = all - row < COLUMNS_ROWS ? all - row : COLUMNS_ROWS;
    TRY(read_tile(file, matrix, row, rows, first, count, tile));
    for (int64_t j = 0; j < count; j++) {
      for (int64_t i = 0; i < rows; i++) {
        out[j * all + row + i] = tile[i * COLUMNS_PIECE + j];
      }
    }
  }
  return OK;
}

Status tensor_read_columns(TensorFile *file, const Tensor *matrix, int64_t first, int64_t count,
                           float *out) {
  float *tile;
  Status status = OK;
  ASSERT(matrix->dims == 2 && first >= 0 && count >= 0 && first <= matrix->shape[1] &&
         count <= matrix->shape[1] - first);
  TRY(check_request(file, matrix, true, 0, 0));
  TRY(MEMORY_NEW(&tile, (int64_t)COLUMNS_ROWS * COLUMNS_PIECE, "a tile of a matrix"));
  for (int64_t done = 0; done < count && status == OK; done += COLUMNS_PIECE) {
    const int64_t now = count - done < COLUMNS_PIECE ? count - done : COLUMNS_PIECE;
    status =
        read_column_piece(file, matrix, first + done, now, tile, out + done * matrix->shape[0]);
  }
  MEMORY_FREE(tile);
  return status;
}
