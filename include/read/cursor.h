#ifndef CURSOR_H
#define CURSOR_H

#include <stdint.h>

#include "status.h"

/** Little-endian numbers and texts from bytes that nobody vouches for: each step is checked against
 *  the end. All fail with ERR_FORMAT, which names the file, the byte and `what` was expected there.
 *  ranks: all local. */
typedef struct Cursor {
  const char *path;     /* for messages; borrowed */
  const uint8_t *bytes; /* [length]; borrowed */
  int64_t length, at;
} Cursor;

/** Step over `count` bytes.
 *  ranks   local
 *  out     out     where they begin; borrowed from the cursor's bytes */
Status cursor_take(Cursor *cursor, uint64_t count, const char *what, const uint8_t **out) MUST_USE;
Status cursor_u32(Cursor *cursor, const char *what, uint32_t *value) MUST_USE;
Status cursor_u64(Cursor *cursor, const char *what, uint64_t *value) MUST_USE;
/** A u64 that counts things of at least `least` bytes each, which must fit into the rest.
 *  ranks   local */
Status cursor_count(Cursor *cursor, const char *what, int64_t least, int64_t *count) MUST_USE;
/** A u64 length and that many bytes (no 0 behind them).
 *  ranks   local */
Status cursor_text(Cursor *cursor, const char *what, const char **bytes, int64_t *length) MUST_USE;

#endif
