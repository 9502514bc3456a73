/* Strips on a terminal: the drawing half of strip.h. */

#include <string.h>

#include "glyph.h"
#include "memory.h"
#include "strip.h"

static const char CUT[] = "\xe2\x80\xa6"; /* one dot leader, one column */

/* Ninths of the maximum, 1 to 9 where it fires at all. */
static int strength_of(float value, float maximum) {
  if (!(value > 0)) {
    return 0;
  }
  const int ninths = maximum > 0 ? (int)(value / maximum * 9.0F + 0.5F) : 9;
  return ninths < 1 ? 1 : (ninths > 9 ? 9 : ninths);
}

/* Columns of a cell as it is drawn. */
static int64_t columns_of(const Text *piece, int strength, StripStyle style) {
  const int64_t marks = style == STRIP_PLAIN && strength > 0 ? 6 : 0; /* [[ | ]] and a digit */
  return glyph_columns(text_chars(piece), piece->length) + marks;
}

static Status piece_of(const Strip *strip, int64_t cell, Text *piece) {
  piece->length = 0;
  return glyph_append_line(piece, text_chars(&strip->text) + strip->cells[cell].start,
                           strip->cells[cell].length);
}

/* Cells [*first, *past) around the centre that fit. Ends that are cut take one column each. */
static Status choose_cells(const Strip *strip, const int *strengths, StripStyle style,
                           int64_t columns, Text *piece, int64_t *first, int64_t *past) {
  *first = strip->centre;
  *past = strip->centre;
  int64_t left = columns - 2;
  bool is_full[2] = {false, false};
  for (int side = 1; !is_full[0] || !is_full[1]; side = 1 - side) {
    const int64_t cell = side == 1 ? *past : *first - 1;
    if (is_full[side] || cell < 0 || cell >= strip->count) {
      is_full[side] = true;
      continue;
    }
    TRY(piece_of(strip, cell, piece));
    const int64_t needed = columns_of(piece, strengths[cell], style);
    if (needed > left && cell != strip->centre) {
      is_full[side] = true;
      continue;
    }
    left -= needed;
    *first = side == 1 ? *first : cell;
    *past = side == 1 ? cell + 1 : *past;
  }
  return OK;
}

/* A centre that is too wide by itself loses its end. */
static void shorten(Text *piece, int64_t columns) {
  int64_t at = 0;
  for (int64_t used = 0; at < piece->length;) {
    int width = 0;
    const int size = glyph_first(piece->bytes + at, piece->length - at, &width);
    if (used + width > columns) {
      break;
    }
    used += width;
    at += size;
  }
  piece->length = at;
}

static Status draw_cell(const Text *piece, int strength, bool has_row, StripStyle style,
                        Text *out) {
  if (style == STRIP_PLAIN) {
    return strength > 0
               ? text_printf(out, "[[%.*s|%d]]", (int)piece->length, text_chars(piece), strength)
               : text_append(out, text_chars(piece), piece->length);
  }
  if (strength > 0) { /* from near white to orange, black on top: legible on light and dark */
    const int green = 236 - strength * 11, blue = 214 - strength * 23;
    return text_printf(out, "\x1b[48;2;255;%d;%dm\x1b[38;2;0;0;0m%.*s\x1b[0m", green, blue,
                       (int)piece->length, text_chars(piece));
  }
  if (!has_row) {
    return text_printf(out, "\x1b[2m%.*s\x1b[0m", (int)piece->length, text_chars(piece));
  }
  return text_append(out, text_chars(piece), piece->length);
}

static Status draw_cells(const Strip *strip, const int *strengths, StripStyle style,
                         int64_t columns, Text *piece, Text *out) {
  int64_t first = 0, past = 0;
  TRY(choose_cells(strip, strengths, style, columns, piece, &first, &past));
  if (first > 0) {
    TRY(text_append(out, CUT, 3));
  }
  for (int64_t cell = first; cell < past; ++cell) {
    TRY(piece_of(strip, cell, piece));
    if (cell == strip->centre) {
      const int64_t marks = columns_of(piece, strengths[cell], style) -
                            glyph_columns(text_chars(piece), piece->length);
      shorten(piece, columns - 2 - marks);
    }
    TRY(draw_cell(piece, strengths[cell], strip->cells[cell].has_row, style, out));
  }
  return past < strip->count ? text_append(out, CUT, 3) : OK;
}

Status strip_draw(const Strip *strip, const float *values, float maximum, StripStyle style,
                  int64_t columns, Text *out) {
  Text piece = {0};
  int *strengths = NULL;
  TRY(MEMORY_NEW(&strengths, strip->count, "strengths of a strip"));
  for (int64_t i = 0; i < strip->count; ++i) {
    strengths[i] = strength_of(values[i], maximum);
  }
  const Status status =
      draw_cells(strip, strengths, style, columns < 12 ? 12 : columns, &piece, out);
  text_clear(&piece);
  MEMORY_FREE(strengths);
  return status;
}
