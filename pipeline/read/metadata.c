#include "metadata.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* One pass at opening checks every length and keeps pointers into the file, so that no look-up can
 * meet a bad one. */

enum ValueType {
  VALUE_U8,
  VALUE_I8,
  VALUE_U16,
  VALUE_I16,
  VALUE_U32,
  VALUE_I32,
  VALUE_F32,
  VALUE_BOOL,
  VALUE_TEXT,
  VALUE_ARRAY,
  VALUE_U64,
  VALUE_I64,
  VALUE_F64,
  VALUE_TYPES
};

/* Bytes of an item; 0: not of fixed size. */
static const int64_t VALUE_BYTES[VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

enum { KEY_LIMIT = 65535 };

struct MetadataValue {
  const char *key; /* [key_length], in the file */
  int64_t key_length;
  int type; /* of the items of an array */
  bool is_array;
  int64_t count;       /* 1 for a single value */
  const uint8_t *data; /* first item; texts: 8 bytes of length, then the bytes */
  int64_t *starts;     /* array of texts: [count], offsets of the items from `data` */
};

/* How many bytes of a key a message shows. */
static int shown(const MetadataValue *value) {
  return (int)(value->key_length < 200 ? value->key_length : 200);
}

static Status take_array_of_text(Cursor *cursor, MetadataValue *value) {
  TRY(MEMORY_NEW(&value->starts, value->count, "texts of a GGUF array"));
  for (int64_t i = 0; i < value->count; i++) {
    const char *bytes;
    int64_t length;
    value->starts[i] = cursor->bytes + cursor->at - value->data;
    TRY(cursor_text(cursor, "a text of an array", &bytes, &length));
  }
  return OK;
}

static Status take_items(Cursor *cursor, MetadataValue *value) {
  value->data = cursor->bytes + cursor->at;
  if (value->type == VALUE_TEXT) {
    const char *bytes;
    int64_t length;
    return value->is_array ? take_array_of_text(cursor, value)
                           : cursor_text(cursor, "a text", &bytes, &length);
  }
  const uint64_t size = (uint64_t)VALUE_BYTES[value->type];
  return cursor_take(cursor, size * (uint64_t)value->count, "a value", &value->data);
}

static Status take_value_type(Cursor *cursor, MetadataValue *value, bool in_array) {
  uint32_t type;
  TRY(cursor_u32(cursor, "the type of a value", &type));
  if (type >= VALUE_TYPES || (in_array && type == VALUE_ARRAY)) {
    return RAISE(ERR_FORMAT, "%s: byte %lld: key %.*s has type %u, which cannot be read: damaged?",
                 cursor->path, (long long)(cursor->at - 4), shown(value), value->key, type);
  }
  value->type = (int)type;
  return OK;
}

static Status take_value(Cursor *cursor, MetadataValue *value) {
  TRY(cursor_text(cursor, "a key", &value->key, &value->key_length));
  if (value->key_length > KEY_LIMIT) {
    return RAISE(ERR_FORMAT, "%s: byte %lld: a key of %lld bytes: damaged?", cursor->path,
                 (long long)(cursor->at - value->key_length), (long long)value->key_length);
  }
  TRY(take_value_type(cursor, value, false));
  value->count = 1;
  if (value->type == VALUE_ARRAY) {
    TRY(take_value_type(cursor, value, true));
    const int64_t least = value->type == VALUE_TEXT ? 8 : VALUE_BYTES[value->type];
    TRY(cursor_count(cursor, "the length of an array", least, &value->count));
    value->is_array = true;
  }
  return take_items(cursor, value);
}

static int compare_bytes(const char *a, int64_t a_length, const char *b, int64_t b_length) {
  const int order = memcmp(a, b, (size_t)(a_length < b_length ? a_length : b_length));
  return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_values(const void *left, const void *right) {
  const MetadataValue *a = left, *b = right;
  return compare_bytes(a->key, a->key_length, b->key, b->key_length);
}

Status metadata_read(Metadata *metadata, Cursor *cursor, int64_t count) {
  *metadata = (Metadata){.path = cursor->path};
  TRY(MEMORY_NEW(&metadata->values, count, "metadata of a GGUF file"));
  for (int64_t i = 0; i < count; i++) {
    metadata->count = i + 1; /* what metadata_clear goes through */
    TRY(take_value(cursor, &metadata->values[i]));
  }
  qsort(metadata->values, (size_t)count, sizeof(*metadata->values), compare_values);
  for (int64_t i = 1; i < count; i++) {
    const MetadataValue *value = &metadata->values[i];
    if (compare_values(value - 1, value) == 0) {
      return RAISE(ERR_FORMAT, "%s: key %.*s is there twice", metadata->path, shown(value),
                   value->key);
    }
  }
  return OK;
}

void metadata_clear(Metadata *metadata) {
  for (int64_t i = 0; i < metadata->count; i++) {
    MEMORY_FREE(metadata->values[i].starts);
  }
  MEMORY_FREE(metadata->values);
  metadata->count = 0;
}

static const MetadataValue *find_value(const Metadata *metadata, const char *key) {
  const MetadataValue wanted = {.key = key, .key_length = (int64_t)strlen(key)};
  return bsearch(&wanted, metadata->values, (size_t)metadata->count, sizeof(wanted),
                 compare_values);
}

bool metadata_has(const Metadata *metadata, const char *key) {
  return find_value(metadata, key) != NULL;
}

int64_t metadata_array_length(const Metadata *metadata, const char *key) {
  const MetadataValue *value = find_value(metadata, key);
  return value && value->is_array ? value->count : -1;
}

static Status find_item(const Metadata *metadata, const char *key, int64_t index,
                        const MetadataValue **out, const uint8_t **item) {
  const MetadataValue *value = find_value(metadata, key);
  if (!value) {
    return RAISE(ERR_FORMAT, "%s: the key %s is missing", metadata->path, key);
  }
  if (value->is_array != (index != METADATA_SINGLE)) {
    return RAISE(ERR_FORMAT, "%s: the key %s is %s array", metadata->path, key,
                 value->is_array ? "an" : "not an");
  }
  const int64_t place = value->is_array ? index : 0;
  if (place < 0 || place >= value->count) {
    return RAISE(ERR_FORMAT, "%s: the array %s has no item %lld, but %lld items", metadata->path,
                 key, (long long)index, (long long)value->count);
  }
  *out = value;
  *item = value->data + (value->starts ? value->starts[place] : place * VALUE_BYTES[value->type]);
  return OK;
}

/* Sign-extended where the type is signed; an unsigned number above INT64_MAX is refused. */
static bool read_integer(int type, const uint8_t *item, int64_t *value) {
  const bool is_signed =
      type == VALUE_I8 || type == VALUE_I16 || type == VALUE_I32 || type == VALUE_I64;
  if (type == VALUE_F32 || type == VALUE_F64 || type == VALUE_TEXT) {
    return false;
  }
  const int64_t unused = 64 - 8 * VALUE_BYTES[type];
  uint64_t bits = 0;
  memcpy(&bits, item, (size_t)VALUE_BYTES[type]);
  *value = is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
  *value = type == VALUE_BOOL ? *value != 0 : *value;
  return is_signed || *value >= 0;
}

static bool read_real(int type, const uint8_t *item, double *value) {
  float single;
  if (type == VALUE_F64) {
    memcpy(value, item, sizeof(*value));
  } else if (type == VALUE_F32) {
    memcpy(&single, item, sizeof(single));
    *value = single;
  }
  return type == VALUE_F64 || type == VALUE_F32;
}

static Status wrong_type(const Metadata *metadata, const char *key, const char *wanted) {
  return RAISE(ERR_FORMAT, "%s: the key %s does not hold %s", metadata->path, key, wanted);
}

Status metadata_integer(const Metadata *metadata, const char *key, int64_t index, int64_t *value) {
  const MetadataValue *found;
  const uint8_t *item;
  TRY(find_item(metadata, key, index, &found, &item));
  return read_integer(found->type, item, value)
             ? OK
             : wrong_type(metadata, key, "integers of at most 63 bits");
}

Status metadata_real(const Metadata *metadata, const char *key, int64_t index, double *value) {
  const MetadataValue *found;
  const uint8_t *item;
  TRY(find_item(metadata, key, index, &found, &item));
  return read_real(found->type, item, value) ? OK
                                             : wrong_type(metadata, key, "floating-point numbers");
}

Status metadata_text(const Metadata *metadata, const char *key, int64_t index, const char **bytes,
                     int64_t *length) {
  const MetadataValue *found;
  const uint8_t *item;
  TRY(find_item(metadata, key, index, &found, &item));
  if (found->type != VALUE_TEXT) {
    return wrong_type(metadata, key, "text");
  }
  memcpy(length, item, sizeof(*length));
  *bytes = (const char *)item + sizeof(*length);
  return OK;
}
