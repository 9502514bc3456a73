#ifndef GLYPH_H
#define GLYPH_H

#include <stdint.h>

#include "status.h"
#include "text.h"

/** Text of unknown origin made fit to show: valid UTF-8, nothing that steers a terminal. ranks: all
 *  local. */

/** Is the end of `bytes` the beginning of a UTF-8 character whose rest is missing? Then how many
 *  bytes it has (1..3), else 0. */
int glyph_unfinished(const char *bytes, int64_t length);

/** Append as valid UTF-8: each byte that belongs to no character becomes U+FFFD. */
Status glyph_append_valid(Text *out, const char *bytes, int64_t length) MUST_USE;
/** The same, and in one line: line breaks, tabs and other controls become visible signs, characters
 *  that turn the writing direction U+FFFD. */
Status glyph_append_line(Text *out, const char *bytes, int64_t length) MUST_USE;

/** The first character of valid UTF-8: its bytes (1..4), and the columns it takes on a terminal
 *  (0..2). */
int glyph_first(const char *bytes, int64_t length, int *columns);
/** Columns of a whole line of valid UTF-8. */
int64_t glyph_columns(const char *bytes, int64_t length);

/** Append a line of valid UTF-8 without controls, cut to `columns` with a sign that it was.
 *  needs   columns > 0 */
Status glyph_append_cut(Text *out, const char *line, int64_t length, int64_t columns) MUST_USE;
/** Append it over as many lines as it takes, broken at spaces where there are some; each line but the first begins
 *  with `indent` spaces. The first stands behind `indent` columns that are written already.
 *  needs   columns > indent + 1 */
Status glyph_append_wrapped(Text *out, const char *line, int64_t length, int64_t columns,
                            int64_t indent) MUST_USE;

#endif
