#include "cursor.h"

#include <stddef.h>
#include <string.h>

Status cursor_take(Cursor *cursor, uint64_t count, const char *what, const uint8_t **out) {
  if (count > (uint64_t)(cursor->length - cursor->at)) {
    return RAISE(
        ERR_FORMAT,
        "%s: byte %lld: %s should be %llu bytes long, but the file ends at byte %lld: it is "
        "cut short or damaged, get it again",
        cursor->path, (long long)cursor->at, what, (unsigned long long)count,
        (long long)cursor->length);
  }
  *out = cursor->bytes + cursor->at;
  cursor->at += (int64_t)count;
  return OK;
}

Status cursor_u32(Cursor *cursor, const char *what, uint32_t *value) {
  const uint8_t *bytes = NULL;
  TRY(cursor_take(cursor, sizeof(*value), what, &bytes));
  memcpy(value, bytes, sizeof(*value));
  return OK;
}

Status cursor_u64(Cursor *cursor, const char *what, uint64_t *value) {
  const uint8_t *bytes = NULL;
  TRY(cursor_take(cursor, sizeof(*value), what, &bytes));
  memcpy(value, bytes, sizeof(*value));
  return OK;
}

/* A number of things of which each takes at least `least` bytes of the rest of the file. */
Status cursor_count(Cursor *cursor, const char *what, int64_t least, int64_t *count) {
  uint64_t value = 0;
  TRY(cursor_u64(cursor, what, &value));
  const uint64_t possible = (uint64_t)((cursor->length - cursor->at) / least);
  if (value > possible) {
    return RAISE(
        ERR_FORMAT,
        "%s: byte %lld: %s is %llu, but the rest of the file holds at most %llu: it is cut "
        "short or damaged, get it again",
        cursor->path, (long long)(cursor->at - 8), what, (unsigned long long)value,
        (unsigned long long)possible);
  }
  *count = (int64_t)value;
  return OK;
}

Status cursor_text(Cursor *cursor, const char *what, const char **bytes, int64_t *length) {
  uint64_t size = 0;
  const uint8_t *data = NULL;
  TRY(cursor_u64(cursor, what, &size));
  TRY(cursor_take(cursor, size, what, &data));
  *bytes = (const char *)data;
  *length = (int64_t)size;
  return OK;
}
