#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/** A growing string of bytes; always followed by a 0 that is not counted. `Text t = {0};` is
 *  empty. */
typedef struct Text {
  char *bytes; /* [length + 1], NULL while empty */
  int64_t length;
  int64_t capacity;
} Text;

/** Append bytes, or printf-formatted text.
 *  ranks   local
 *  fails   ERR_MEMORY; the text is then unchanged */
Status text_append(Text *text, const char *bytes, int64_t length) MUST_USE;
Status text_printf(Text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3))) MUST_USE;
/** Append `bytes` as a JSON string with quotes; invalid UTF-8 becomes U+FFFD.
 *  ranks   local */
Status text_append_json(Text *text, const char *bytes, int64_t length) MUST_USE;
/** Append as one CSV field (RFC 4180: quoted only where needed).
 *  ranks   local */
Status text_append_csv(Text *text, const char *bytes, int64_t length) MUST_USE;
/** The bytes as a C string, "" while empty.
 *  ranks   local */
const char *text_chars(const Text *text);
void text_clear(Text *text);

/** Write a byte count, a duration or a count for people: "1.3 GB", "2 min 05 s", "34,217".
 *  ranks   local
 *  out     out     at least 32 bytes; returned */
const char *text_of_bytes(double bytes, char *out);
const char *text_of_seconds(double seconds, char *out);
const char *text_of_count(int64_t count, char *out);

/** Whole small file into `text` (appended), at most `limit` bytes.
 *  ranks   local
 *  fails   ERR_MISSING, ERR_FILE, ERR_FORMAT (larger than limit), ERR_MEMORY */
Status text_read_file(Text *text, const char *path, int64_t limit) MUST_USE;

/** Write a whole file: PATH.part, then rename. ERR_SPACE or ERR_FILE leave no final file.
 *  ranks   local */
Status text_write_file(const Text *text, const char *path) MUST_USE;

/** Create a folder and its parents; one that exists is fine.
 *  ranks   local */
Status text_make_folder(const char *path) MUST_USE;
/** The same for the folder that a file is in. */
Status text_make_parent(const char *path) MUST_USE;

/** Join with '/', into a new string owned by the caller.
 *  ranks   local */
Status text_join_path(char **out, const char *folder, const char *name) MUST_USE;

/** Length of the valid UTF-8 sequence at `bytes` (1..4), or 0 when it is invalid or cut short.
 *  ranks   local */
int text_utf8_length(const char *bytes, int64_t left);

#endif
