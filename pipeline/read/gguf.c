#include "gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cursor.h"
#include "memory.h"
#include "metadata.h"
#include "quant.h"

/* File: magic, version, number of tensors, number of metadata pairs; the pairs; the tensors' names,
 * shapes, types and offsets; padding; data. All numbers little-endian. One pass at opening checks
 * everything and keeps pointers into the mapping, so that later look-ups cannot meet a bad length.
 */

enum { DEFAULT_ALIGNMENT = 32, LEAST_TENSOR = 32, NAME_LIMIT = 65535 };

typedef struct NamedTensor {
  char *name;
  const GgufTensor *tensor;
} NamedTensor;

struct Gguf {
  char *path;
  const uint8_t *bytes; /* [length] */
  int64_t length;
  void *mapping; /* NULL: the bytes are the caller's, or there are none */
  Metadata metadata;
  GgufTensor *tensors; /* [tensors_count], in the file's order */
  int64_t tensors_count;
  NamedTensor *sorted; /* [tensors_count], by name */
};

static Status take_shape(Cursor *cursor, GgufTensor *tensor) {
  uint32_t dims;
  TRY(cursor_u32(cursor, "the number of dimensions", &dims));
  if (dims < 1 || dims > GGUF_DIMS) {
    return RAISE(ERR_FORMAT, "%s: byte %lld: tensor %s has %u dimensions, not 1 to %d",
                 cursor->path, (long long)(cursor->at - 4), tensor->name, dims, GGUF_DIMS);
  }
  tensor->dims = (int)dims;
  int64_t elements = 1;
  for (int i = 0; i < GGUF_DIMS; i++) {
    uint64_t extent = 1;
    if (i < tensor->dims) {
      TRY(cursor_u64(cursor, "a dimension", &extent));
    }
    if (extent < 1 || extent > (uint64_t)(INT64_MAX / 8 / elements)) {
      return RAISE(ERR_FORMAT, "%s: byte %lld: dimension %d of tensor %s is %llu: damaged?",
                   cursor->path, (long long)(cursor->at - 8), i, tensor->name,
                   (unsigned long long)extent);
    }
    tensor->shape[i] = (int64_t)extent;
    elements *= tensor->shape[i];
  }
  return OK;
}

static int64_t elements_of(const GgufTensor *tensor) {
  int64_t elements = 1;
  for (int i = 0; i < GGUF_DIMS; i++) {
    elements *= tensor->shape[i];
  }
  return elements;
}

/* A type that cannot be read has no known size: 0 bytes here, and an error at its first use. */
static Status size_tensor(const Cursor *cursor, GgufTensor *tensor) {
  int64_t block, bytes;
  if (!quant_block(tensor->type, &block, &bytes)) {
    return OK;
  }
  if (tensor->shape[0] % block != 0) {
    return RAISE(ERR_FORMAT,
                 "%s: byte %lld: tensor %s: rows of %lld are not whole blocks of %s (%lld)",
                 cursor->path, (long long)cursor->at, tensor->name, (long long)tensor->shape[0],
                 quant_name(tensor->type), (long long)block);
  }
  tensor->bytes = elements_of(tensor) / block * bytes; /* at most 4 bytes an element: no overflow */
  return OK;
}

static Status take_name(Cursor *cursor, char **name) {
  const char *bytes;
  int64_t length;
  TRY(cursor_text(cursor, "the name of a tensor", &bytes, &length));
  if (length > NAME_LIMIT || memchr(bytes, 0, (size_t)length)) {
    return RAISE(ERR_FORMAT, "%s: byte %lld: not the name of a tensor: damaged?", cursor->path,
                 (long long)(cursor->at - length));
  }
  TRY(MEMORY_NEW(name, length + 1, "the name of a tensor"));
  memcpy(*name, bytes, (size_t)length);
  return OK;
}

/* The offset counts from the start of the data, which is known only behind the last tensor. */
static Status take_tensor(Cursor *cursor, GgufTensor *tensor, uint64_t *data_offset) {
  uint32_t type;
  TRY(take_shape(cursor, tensor));
  TRY(cursor_u32(cursor, "the type of a tensor", &type));
  tensor->type = type <= 0xffff ? (int)type : -1;
  TRY(size_tensor(cursor, tensor));
  return cursor_u64(cursor, "the offset of a tensor", data_offset);
}

static Status alignment_of(const Gguf *gguf, int64_t *alignment) {
  *alignment = DEFAULT_ALIGNMENT;
  if (!gguf_has(gguf, "general.alignment")) {
    return OK;
  }
  TRY(gguf_integer(gguf, "general.alignment", alignment));
  if (*alignment < 1 || *alignment > 1 << 20 || (*alignment & (*alignment - 1)) != 0) {
    return RAISE(ERR_FORMAT, "%s: general.alignment is %lld, not a power of two", gguf->path,
                 (long long)*alignment);
  }
  return OK;
}

static Status place_tensors(const Cursor *cursor, Gguf *gguf, const uint64_t *offsets) {
  int64_t alignment;
  TRY(alignment_of(gguf, &alignment));
  const int64_t start = (cursor->at + alignment - 1) / alignment * alignment;
  for (int64_t i = 0; i < gguf->tensors_count; i++) {
    GgufTensor *tensor = &gguf->tensors[i];
    const int64_t room = gguf->length - start - tensor->bytes;
    if (offsets[i] % (uint64_t)alignment != 0 || room < 0 || offsets[i] > (uint64_t)room) {
      return RAISE(
          ERR_FORMAT,
          "%s: tensor %s (%lld bytes at data offset %llu) does not lie in the file (data from "
          "byte %lld to %lld) on a multiple of %lld: the file is cut short or damaged, get it "
          "again",
          gguf->path, tensor->name, (long long)tensor->bytes, (unsigned long long)offsets[i],
          (long long)start, (long long)gguf->length, (long long)alignment);
    }
    tensor->data = gguf->bytes + start + (int64_t)offsets[i];
  }
  return OK;
}

static int compare_tensors(const void *left, const void *right) {
  const NamedTensor *a = left, *b = right;
  return strcmp(a->name, b->name);
}

static Status sort_tensors(Gguf *gguf) {
  qsort(gguf->sorted, (size_t)gguf->tensors_count, sizeof(*gguf->sorted), compare_tensors);
  for (int64_t i = 1; i < gguf->tensors_count; i++) {
    if (compare_tensors(&gguf->sorted[i - 1], &gguf->sorted[i]) == 0) {
      return RAISE(ERR_FORMAT, "%s: tensor %s is there twice", gguf->path, gguf->sorted[i].name);
    }
  }
  return OK;
}

static Status take_tensors(Cursor *cursor, Gguf *gguf, int64_t count, uint64_t *offsets) {
  TRY(MEMORY_NEW(&gguf->tensors, count, "tensors of a GGUF file"));
  TRY(MEMORY_NEW(&gguf->sorted, count, "tensors of a GGUF file by name"));
  gguf->tensors_count = count; /* of zeroed items: what gguf_close goes through */
  for (int64_t i = 0; i < count; i++) {
    TRY(take_name(cursor, &gguf->sorted[i].name));
    gguf->tensors[i].name = gguf->sorted[i].name;
    gguf->sorted[i].tensor = &gguf->tensors[i];
    TRY(take_tensor(cursor, &gguf->tensors[i], &offsets[i]));
  }
  TRY(place_tensors(cursor, gguf, offsets));
  return sort_tensors(gguf);
}

static Status check_magic(Cursor *cursor) {
  const uint8_t *magic;
  uint32_t version;
  TRY(cursor_take(cursor, 4, "the magic number", &magic));
  if (memcmp(magic, "GGUF", 4) != 0) {
    return RAISE(ERR_FORMAT, "%s: not a GGUF file (it does not begin with the letters GGUF)",
                 cursor->path);
  }
  TRY(cursor_u32(cursor, "the version", &version));
  if (version != 2 && version != 3) {
    return RAISE(
        ERR_FORMAT,
        "%s: GGUF version %u: only versions 2 and 3, little-endian, can be read: convert the "
        "model again",
        cursor->path, version);
  }
  return OK;
}

static Status parse(Gguf *gguf) {
  Cursor cursor = {gguf->path, gguf->bytes, gguf->length, 0};
  int64_t tensors, values;
  uint64_t *offsets;
  TRY(check_magic(&cursor));
  TRY(cursor_count(&cursor, "the number of tensors", LEAST_TENSOR, &tensors));
  TRY(cursor_count(&cursor, "the number of metadata pairs", METADATA_LEAST_PAIR, &values));
  TRY(metadata_read(&gguf->metadata, &cursor, values));
  TRY(MEMORY_NEW(&offsets, tensors, "offsets of tensors"));
  const Status status = take_tensors(&cursor, gguf, tensors, offsets);
  MEMORY_FREE(offsets);
  return status;
}

/* mmap refuses empty files: they are left unmapped, and the parser says that they are cut short. */
static Status map_file(Gguf *gguf, int file) {
  struct stat about;
  if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    return RAISE(ERR_FILE, "%s: not a regular file", gguf->path);
  }
  gguf->length = about.st_size;
  if (gguf->length == 0) {
    gguf->bytes = (const uint8_t *)"";
    return OK;
  }
  void *bytes = mmap(NULL, (size_t)gguf->length, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) {
    return RAISE(ERR_FILE, "%s: cannot be mapped: %s", gguf->path, strerror(errno));
  }
  gguf->bytes = bytes;
  gguf->mapping = bytes;
  return OK;
}

static Status open_file(Gguf *gguf, const char *path) {
  TRY(memory_copy_text(&gguf->path, path));
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return RAISE(errno == ENOENT ? ERR_MISSING : ERR_FILE, "%s: cannot be opened: %s", path,
                 strerror(errno));
  }
  Status status = map_file(gguf, file);
  close(file);
  return status == OK ? parse(gguf) : status;
}

Status gguf_open(Gguf **out, const char *path) {
  *out = NULL;
  Gguf *gguf;
  TRY(MEMORY_NEW(&gguf, 1, "a GGUF file"));
  const Status status = open_file(gguf, path);
  if (status != OK) {
    gguf_close(&gguf);
  }
  *out = gguf;
  return status;
}

static Status open_memory(Gguf *gguf, const char *name, const uint8_t *bytes, int64_t length) {
  gguf->bytes = bytes;
  gguf->length = length;
  TRY(memory_copy_text(&gguf->path, name));
  return parse(gguf);
}

Status gguf_open_bytes(Gguf **out, const char *name, const uint8_t *bytes, int64_t length) {
  *out = NULL;
  Gguf *gguf;
  TRY(MEMORY_NEW(&gguf, 1, "a GGUF file"));
  const Status status = open_memory(gguf, name, bytes, length);
  if (status != OK) {
    gguf_close(&gguf);
  }
  *out = gguf;
  return status;
}

void gguf_close(Gguf **handle) {
  Gguf *gguf = *handle;
  if (!gguf) {
    return;
  }
  metadata_clear(&gguf->metadata);
  for (int64_t i = 0; i < gguf->tensors_count; i++) {
    MEMORY_FREE(gguf->sorted[i].name);
  }
  MEMORY_FREE(gguf->tensors);
  MEMORY_FREE(gguf->sorted);
  MEMORY_FREE(gguf->path);
  if (gguf->mapping) {
    munmap(gguf->mapping, (size_t)gguf->length);
  }
  MEMORY_FREE(gguf);
  *handle = NULL;
}

bool gguf_has(const Gguf *gguf, const char *key) {
  return metadata_has(&gguf->metadata, key);
}

Status gguf_integer(const Gguf *gguf, const char *key, int64_t *value) {
  return metadata_integer(&gguf->metadata, key, METADATA_SINGLE, value);
}

Status gguf_real(const Gguf *gguf, const char *key, double *value) {
  return metadata_real(&gguf->metadata, key, METADATA_SINGLE, value);
}

Status gguf_text(const Gguf *gguf, const char *key, const char **bytes, int64_t *length) {
  return metadata_text(&gguf->metadata, key, METADATA_SINGLE, bytes, length);
}

int64_t gguf_array_length(const Gguf *gguf, const char *key) {
  return metadata_array_length(&gguf->metadata, key);
}

Status gguf_array_text(const Gguf *gguf, const char *key, int64_t index, const char **bytes,
                       int64_t *length) {
  ASSERT(index >= 0);
  return metadata_text(&gguf->metadata, key, index, bytes, length);
}

Status gguf_array_integer(const Gguf *gguf, const char *key, int64_t index, int64_t *value) {
  ASSERT(index >= 0);
  return metadata_integer(&gguf->metadata, key, index, value);
}

Status gguf_array_real(const Gguf *gguf, const char *key, int64_t index, double *value) {
  ASSERT(index >= 0);
  return metadata_real(&gguf->metadata, key, index, value);
}

const GgufTensor *gguf_tensor(const Gguf *gguf, const char *name) {
  const NamedTensor *sorted = gguf->sorted;
  int64_t first = 0, past = gguf->tensors_count;
  while (first < past) {
    const int64_t middle = first + (past - first) / 2;
    const int order = strcmp(name, sorted[middle].name);
    if (order == 0) {
      return sorted[middle].tensor;
    }
    first = order > 0 ? middle + 1 : first;
    past = order > 0 ? past : middle;
  }
  return NULL;
}

int64_t gguf_tensors(const Gguf *gguf) {
  return gguf->tensors_count;
}

const GgufTensor *gguf_tensor_at(const Gguf *gguf, int64_t index) {
  ASSERT(index >= 0 && index < gguf->tensors_count);
  return &gguf->tensors[index];
}

const char *gguf_path(const Gguf *gguf) {
  return gguf->path;
}

Status gguf_dequantise(const Gguf *gguf, const GgufTensor *tensor, int64_t first, int64_t count,
                       float *out) {
  int64_t block, bytes;
  if (!quant_block(tensor->type, &block, &bytes)) {
    return RAISE(
        ERR_UNSUPPORTED,
        "%s: tensor %s is of type %s (number %d), which cannot be read: take a file with F32, "
        "F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 or Q2_K to Q6_K",
        gguf->path, tensor->name, quant_name(tensor->type), tensor->type);
  }
  ASSERT(first >= 0 && count >= 0 && first % tensor->shape[0] == 0 &&
         count % tensor->shape[0] == 0);
  ASSERT(first <= elements_of(tensor) && count <= elements_of(tensor) - first);
  quant_dequantise(tensor->type, tensor->data + first / block * bytes, count / block, out);
  return OK;
}
