#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "tensor_file.h"

/* File: "\x93NUMPY", version (major, minor), length of the header (u16, from version 2 on u32), the
 * header, the elements. The header is one Python dictionary, e.g.
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } and spaces; all three keys, once. */

typedef struct Header {
  const char *place; /* for messages */
  const char *bytes; /* [length] */
  int64_t length, at;
  Tensor *tensor;
  bool is_fortran;
  int text_length; /* of a fixed-length text: one more dimension, 0 for numbers */
  bool has_descr, has_order, has_shape;
} Header;

static Status damaged(const Header *header, const char *wanted) {
  return RAISE(ERR_FORMAT, "%s: byte %lld of its header: expected %s: damaged?", header->place,
               (long long)header->at, wanted);
}

static void skip_spaces(Header *header) {
  while (header->at < header->length && header->bytes[header->at] == ' ') {
    header->at++;
  }
}

static bool take(Header *header, const char *word) {
  const int64_t length = (int64_t)strlen(word);
  skip_spaces(header);
  if (header->length - header->at < length ||
      memcmp(header->bytes + header->at, word, (size_t)length) != 0) {
    return false;
  }
  header->at += length;
  return true;
}

/* A text in quotes, without escapes; longer ones than any we know are refused. */
enum { WORD = 32 };

static Status take_text(Header *header, char *out) {
  const char quote = take(header, "'") ? '\'' : '"';
  if (quote == '"' && !take(header, "\"")) {
    return damaged(header, "a text in quotes");
  }
  for (int i = 0; i < WORD && header->at < header->length; i++) {
    out[i] = header->bytes[header->at++];
    if (out[i] == quote) {
      out[i] = '\0';
      return OK;
    }
    if (out[i] == '\\' || out[i] < ' ') {
      break;
    }
  }
  return damaged(header, "a short text that ends with its quote");
}

static Status take_number(Header *header, int64_t *number) {
  int digits = 0;
  skip_spaces(header);
  for (*number = 0; header->at < header->length; digits++, header->at++) {
    const char digit = header->bytes[header->at];
    if (digit < '0' || digit > '9') {
      break;
    }
    if (*number > (INT64_MAX - 9) / 10) {
      return damaged(header, "a smaller number");
    }
    *number = *number * 10 + (digit - '0');
  }
  return digits > 0 ? OK : damaged(header, "a number");
}

/* (), (3,), (3, 4) */
static Status take_shape(Header *header) {
  Tensor *tensor = header->tensor;
  bool has_comma = true;
  if (!take(header, "(")) {
    return damaged(header, "the shape in brackets");
  }
  while (!take(header, ")")) {
    if (!has_comma) {
      return damaged(header, "a comma");
    }
    if (tensor->dims == TENSOR_DIMS) {
      return RAISE(ERR_UNSUPPORTED, "%s: more than %d dimensions cannot be read", header->place,
                   TENSOR_DIMS);
    }
    TRY(take_number(header, &tensor->shape[tensor->dims]));
    tensor->dims++;
    has_comma = take(header, ",");
  }
  return tensor->dims == 1 && !has_comma ? damaged(header, "a comma behind the only extent") : OK;
}

static const struct {
  const char *descr;
  TensorType type;
} DESCRS[] = {
    {"<f8", TENSOR_F64}, {"<f4", TENSOR_F32}, {"<f2", TENSOR_F16}, {"<i8", TENSOR_I64},
    {"<i4", TENSOR_I32}, {"<i2", TENSOR_I16}, {"|i1", TENSOR_I8},  {"<u8", TENSOR_U64},
    {"<u4", TENSOR_U32}, {"<u2", TENSOR_U16}, {"|u1", TENSOR_U8},  {"|b1", TENSOR_BOOL},
};
enum { DESCR_COUNT = sizeof(DESCRS) / sizeof(DESCRS[0]) };

/* Texts of fixed length: "|S3" is three bytes, "<U3" three code points. */
static bool take_text_type(Header *header, const char *descr) {
  const bool is_bytes = strncmp(descr, "|S", 2) == 0;
  char rest;
  if ((!is_bytes && strncmp(descr, "<U", 2) != 0) || strlen(descr) > 8 ||
      sscanf(descr + 2, "%d%c", &header->text_length, &rest) != 1 || header->text_length < 1) {
    return false;
  }
  header->tensor->type = is_bytes ? TENSOR_U8 : TENSOR_U32;
  return true;
}

static Status refuse_type(const Header *header, const char *descr) {
  if (descr[0] == '>') {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: big-endian numbers (%s): save it again in numpy with .astype('<%s')",
                 header->place, descr, descr + 1);
  }
  if (strcmp(descr, "|O") == 0) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: Python objects (a pickle, which can run code) are never read: save it again "
                 "as an array of numbers",
                 header->place);
  }
  return RAISE(ERR_UNSUPPORTED,
               "%s: numpy's type %s cannot be read: save it again as float32 or int64",
               header->place, descr);
}

static Status take_type(Header *header) {
  char descr[WORD];
  if (take(header, "[")) {
    return RAISE(ERR_UNSUPPORTED, "%s: records with fields cannot be read: save a plain array",
                 header->place);
  }
  TRY(take_text(header, descr));
  for (int i = 0; i < DESCR_COUNT; i++) {
    if (strcmp(descr, DESCRS[i].descr) == 0) {
      header->tensor->type = DESCRS[i].type;
      return OK;
    }
  }
  return take_text_type(header, descr) ? OK : refuse_type(header, descr);
}

static Status take_order(Header *header) {
  header->is_fortran = take(header, "True");
  return header->is_fortran || take(header, "False") ? OK : damaged(header, "True or False");
}

/* Mark a key as seen; one that is seen twice or unknown is an error. */
static Status take_value(Header *header, const char *key) {
  static const char *const KEYS[] = {"descr", "fortran_order", "shape"};
  Status (*const VALUES[])(Header *) = {take_type, take_order, take_shape};
  bool *const seen[] = {&header->has_descr, &header->has_order, &header->has_shape};
  for (int i = 0; i < 3; i++) {
    if (strcmp(key, KEYS[i]) == 0 && !*seen[i]) {
      *seen[i] = true;
      return VALUES[i](header);
    }
  }
  return damaged(header, "the keys descr, fortran_order and shape, each once, before here");
}

static Status take_dictionary(Header *header) {
  bool has_comma = true;
  char key[WORD];
  if (!take(header, "{")) {
    return damaged(header, "{");
  }
  while (!take(header, "}")) {
    if (!has_comma) {
      return damaged(header, "a comma");
    }
    TRY(take_text(header, key));
    if (!take(header, ":")) {
      return damaged(header, "a colon");
    }
    TRY(take_value(header, key));
    has_comma = take(header, ",");
  }
  if (!header->has_descr || !header->has_order || !header->has_shape) {
    return damaged(header, "all of descr, fortran_order and shape before here");
  }
  take(header, "\n");
  return header->at == header->length ? OK : damaged(header, "the end");
}

static Status check_order_and_size(const Header *header, int64_t start, int64_t length) {
  Tensor *tensor = header->tensor;
  char text[64];
  if (header->is_fortran && tensor->dims > 1) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: Fortran order: save it again in numpy with numpy.ascontiguousarray()",
                 header->place);
  }
  if (header->text_length > 0) {
    if (tensor->dims == TENSOR_DIMS) {
      return RAISE(ERR_UNSUPPORTED, "%s: texts in %d dimensions cannot be read", header->place,
                   TENSOR_DIMS);
    }
    tensor->shape[tensor->dims++] = header->text_length;
  }
  if (!tensor_count_elements(tensor) ||
      tensor->count * tensor_type_bytes(tensor->type) != length - start) {
    return RAISE(ERR_FORMAT,
                 "%s: %s, but %lld bytes of elements: it is cut short or damaged, get it again",
                 header->place, tensor_describe(tensor, text), (long long)(length - start));
  }
  return OK;
}

/* Where the header's text begins, and its length. */
static Status header_place(const char *place, const uint8_t *bytes, int64_t given, int64_t *start,
                           int64_t *length) {
  if (given < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
    return RAISE(ERR_FORMAT, "%s: no .npy array (by its first bytes)", place);
  }
  if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: version %d.%d of the .npy format, only 1.0 to 3.0 are read",
                 place, bytes[6], bytes[7]);
  }
  *start = bytes[6] == 1 ? 10 : 12;
  *length = bytes[8] | bytes[9] << 8;
  if (bytes[6] > 1) {
    *length |= (int64_t)bytes[10] << 16 | (int64_t)bytes[11] << 24;
  }
  if (*length > given - *start) {
    return RAISE(ERR_FORMAT,
                 "%s: a header of %lld bytes is longer than the file or than any header: damaged?",
                 place, (long long)*length);
  }
  return OK;
}

Status npy_parse(const char *place, const uint8_t *bytes, int64_t given, int64_t length,
                 Tensor *tensor, int64_t *start) {
  Header header = {.place = place, .tensor = tensor};
  int64_t text;
  TRY(header_place(place, bytes, given, &text, &header.length));
  header.bytes = (const char *)bytes + text;
  TRY(take_dictionary(&header));
  *start = text + header.length;
  return check_order_and_size(&header, *start, length);
}

Status npy_list(TensorFile *file) {
  const int64_t given = file->length < NPY_HEADER ? file->length : NPY_HEADER;
  TRY(tensor_file_room(file, 1));
  file->count = 1;
  TRY(memory_copy_text(&file->places[0].name, ""));
  file->tensors[0].name = file->places[0].name;
  TRY(tensor_file_read(file, 0, given, file->buffer));
  return npy_parse(file->path, file->buffer, given, file->length, &file->tensors[0],
                   &file->places[0].offset);
}
