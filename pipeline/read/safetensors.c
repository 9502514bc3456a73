#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "tensor_file.h"

/* File: u64 length of the header, the header in JSON ({"name": {"dtype", "shape", "data_offsets":
 * [begin, end]}}; "__metadata__" is skipped), then the data, which the tensors fill without holes
 * or overlaps. */

#define HEADER_LIMIT 100000000 /* of the format */

static const struct {
  const char *name;
  TensorType type;
} DTYPES[] = {
    {"F64", TENSOR_F64},   {"F32", TENSOR_F32}, {"F16", TENSOR_F16}, {"BF16", TENSOR_BF16},
    {"I64", TENSOR_I64},   {"I32", TENSOR_I32}, {"I16", TENSOR_I16}, {"I8", TENSOR_I8},
    {"U64", TENSOR_U64},   {"U32", TENSOR_U32}, {"U16", TENSOR_U16}, {"U8", TENSOR_U8},
    {"BOOL", TENSOR_BOOL},
};
enum { DTYPE_COUNT = sizeof(DTYPES) / sizeof(DTYPES[0]) };

static Status take_type(const TensorFile *file, Tensor *tensor, const json_t *value) {
  const char *name = json_string_value(value);
  for (int i = 0; name != NULL && i < DTYPE_COUNT; i++) {
    if (strcmp(name, DTYPES[i].name) == 0) {
      tensor->type = DTYPES[i].type;
      return OK;
    }
  }
  if (name == NULL) {
    return RAISE(ERR_FORMAT, "%s: tensor %.200s: its dtype is no text", file->path, tensor->name);
  }
  return RAISE(ERR_UNSUPPORTED,
               "%s: tensor %.200s is of type %.40s, which cannot be read: store it as F32, F16 or "
               "BF16",
               file->path, tensor->name, name);
}

static Status take_shape(const TensorFile *file, Tensor *tensor, const json_t *value) {
  const size_t dims = json_array_size(value);
  if (!json_is_array(value)) {
    return RAISE(ERR_FORMAT, "%s: tensor %.200s: its shape is no list", file->path, tensor->name);
  }
  if (dims > TENSOR_DIMS) {
    return RAISE(ERR_UNSUPPORTED, "%s: tensor %.200s has %zu dimensions, at most %d can be read",
                 file->path, tensor->name, dims, TENSOR_DIMS);
  }
  tensor->dims = (int)dims;
  for (size_t i = 0; i < dims; i++) {
    const json_t *extent = json_array_get(value, i);
    tensor->shape[i] = json_is_integer(extent) ? json_integer_value(extent) : -1;
  }
  if (!tensor_count_elements(tensor)) {
    return RAISE(ERR_FORMAT, "%s: tensor %.200s: its shape is impossible", file->path,
                 tensor->name);
  }
  return OK;
}

/* offset and bytes of the place: as in the file, the header's length included. */
static Status take_offsets(const TensorFile *file, const Tensor *tensor, const json_t *value,
                           int64_t start, TensorPlace *place) {
  char text[64];
  const json_t *first = json_array_get(value, 0), *past = json_array_get(value, 1);
  const int64_t begin = json_is_integer(first) ? json_integer_value(first) : -1;
  const int64_t end = json_is_integer(past) ? json_integer_value(past) : -1;
  if (json_array_size(value) != 2 || begin < 0 || end < begin || end > file->length - start) {
    return RAISE(ERR_FORMAT,
                 "%s: tensor %.200s: data_offsets [%lld, %lld] do not lie in the %lld bytes of "
                 "data: the file is cut short or damaged, get it again",
                 file->path, tensor->name, (long long)begin, (long long)end,
                 (long long)(file->length - start));
  }
  if (end - begin != tensor->count * tensor_type_bytes(tensor->type)) {
    return RAISE(ERR_FORMAT, "%s: tensor %.200s: %s takes %lld bytes, but its data_offsets %lld",
                 file->path, tensor->name, tensor_describe(tensor, text),
                 (long long)(tensor->count * tensor_type_bytes(tensor->type)),
                 (long long)(end - begin));
  }
  place->offset = start + begin;
  place->bytes = end - begin;
  return OK;
}

static Status take_tensor(TensorFile *file, const char *name, const json_t *entry, int64_t start) {
  Tensor *tensor = &file->tensors[file->count];
  TensorPlace *place = &file->places[file->count];
  file->count++;
  TRY(memory_copy_text(&place->name, name));
  tensor->name = place->name;
  const json_t *type = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
  const json_t *offsets = json_object_get(entry, "data_offsets");
  if (json_object_size(entry) != 3 || type == NULL || shape == NULL || offsets == NULL) {
    return RAISE(ERR_FORMAT,
                 "%s: tensor %.200s must have dtype, shape and data_offsets, and nothing else",
                 file->path, name);
  }
  TRY(take_type(file, tensor, type));
  TRY(take_shape(file, tensor, shape));
  return take_offsets(file, tensor, offsets, start, place);
}

static int compare_places(const void *left, const void *right) {
  const TensorPlace *a = left, *b = right;
  if (a->offset != b->offset) {
    return a->offset < b->offset ? -1 : 1;
  }
  return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static Status check_sorted(const TensorFile *file, const TensorPlace *sorted, int64_t start) {
  int64_t at = start;
  for (int64_t i = 0; i < file->count; i++) {
    if (sorted[i].offset != at) {
      return RAISE(ERR_FORMAT, "%s: tensor %.200s begins at data byte %lld, where %s: damaged?",
                   file->path, sorted[i].name, (long long)(sorted[i].offset - start),
                   sorted[i].offset < at ? "another tensor lies (they overlap)"
                                         : "the tensor before it has ended already (a hole)");
    }
    at += sorted[i].bytes;
  }
  if (at != file->length) {
    return RAISE(ERR_FORMAT, "%s: its tensors end at byte %lld, the file at byte %lld: damaged?",
                 file->path, (long long)at, (long long)file->length);
  }
  return OK;
}

static Status check_places(const TensorFile *file, int64_t start) {
  TensorPlace *sorted;
  TRY(MEMORY_NEW(&sorted, file->count, "tensors by offset"));
  memcpy(sorted, file->places, (size_t)file->count * sizeof(*sorted));
  qsort(sorted, (size_t)file->count, sizeof(*sorted), compare_places);
  const Status status = check_sorted(file, sorted, start);
  MEMORY_FREE(sorted);
  return status;
}

static Status take_tensors(TensorFile *file, json_t *root, int64_t start) {
  const char *name;
  json_t *entry;
  if (!json_is_object(root)) {
    return RAISE(ERR_FORMAT, "%s: its header is no JSON object", file->path);
  }
  TRY(tensor_file_room(file, (int64_t)json_object_size(root)));
  json_object_foreach(root, name, entry) {
    if (strcmp(name, "__metadata__") != 0) {
      TRY(take_tensor(file, name, entry, start));
    }
  }
  return check_places(file, start);
}

static Status parse_header(TensorFile *file, const char *bytes, int64_t length) {
  json_error_t error;
  json_t *root = json_loadb(bytes, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (root == NULL) {
    return RAISE(ERR_FORMAT, "%s: byte %d of its header: %s", file->path, error.position,
                 error.text);
  }
  const Status status = take_tensors(file, root, 8 + length);
  json_decref(root);
  return status;
}

static Status header_length(const TensorFile *file, int64_t *length) {
  uint8_t head[9] = {0};
  uint64_t stated;
  if (file->length >= (int64_t)sizeof(head)) {
    TRY(tensor_file_read(file, 0, sizeof(head), head));
  }
  if (head[8] != '{') {
    return RAISE(ERR_FORMAT, "%s: no .safetensors, .npy or .npz file (by its first bytes)",
                 file->path);
  }
  memcpy(&stated, head, sizeof(stated));
  if (stated > HEADER_LIMIT) {
    return RAISE(ERR_FORMAT, "%s: a header of %llu bytes, the format has at most %d: damaged?",
                 file->path, (unsigned long long)stated, HEADER_LIMIT);
  }
  if (stated > (uint64_t)(file->length - 8)) {
    return RAISE(ERR_FORMAT,
                 "%s: a header of %llu bytes in a file of %lld: it is cut short or damaged, get it "
                 "again",
                 file->path, (unsigned long long)stated, (long long)file->length);
  }
  *length = (int64_t)stated;
  return OK;
}

Status safetensors_list(TensorFile *file) {
  char *bytes;
  int64_t length;
  TRY(header_length(file, &length));
  TRY(MEMORY_NEW(&bytes, length, "the header of a .safetensors file"));
  Status status = tensor_file_read(file, 8, length, bytes);
  if (status == OK) {
    status = parse_header(file, bytes, length);
  }
  MEMORY_FREE(bytes);
  return status;
}
