#include "strip.h"

#include <string.h>

#include "glyph.h"
#include "memory.h"

/* Where the row's token stands, and the tokens to show: [first, past) of the document. */
typedef struct Window {
  int64_t document_start, first, past;
  bool has_text; /* false: rows made elsewhere, of which nobody told the tokens */
} Window;

/* Without text a document ends with its last row; no further than `side` matters. */
static Status length_without_text(const Atlas *atlas, int64_t row, int64_t side, Strip *strip,
                                  int64_t *length) {
  const int64_t rows = shelf_rows(atlas->text[ATLAS_ROW_DOCUMENT]);
  *length = strip->position + 1;
  for (int64_t r = row + 1; r < rows && *length <= strip->position + side; ++r) {
    uint32_t document = 0, position = 0;
    TRY(shelf_read(atlas->text[ATLAS_ROW_DOCUMENT], r, 1, &document));
    TRY(shelf_read(atlas->text[ATLAS_ROW_POSITION], r, 1, &position));
    if (document != strip->document || position > strip->position + side) {
      return OK;
    }
    *length = (int64_t)position + 1;
  }
  return OK;
}

static Status find_window(const Atlas *atlas, int64_t row, int64_t side, Strip *strip,
                          Window *window) {
  uint32_t document = 0, position = 0;
  int64_t range[2];
  TRY(shelf_read(atlas->text[ATLAS_ROW_DOCUMENT], row, 1, &document));
  TRY(shelf_read(atlas->text[ATLAS_ROW_POSITION], row, 1, &position));
  TRY(shelf_read(atlas->text[ATLAS_DOCUMENT_START], document, 2, range));
  int64_t length = range[1] - range[0];
  strip->document = document;
  strip->position = position;
  window->has_text = shelf_rows(atlas->text[ATLAS_TOKEN]) > 0;
  if (!window->has_text) {
    TRY(length_without_text(atlas, row, side, strip, &length));
  } else if (position >= length) {
    return RAISE(ERR_FORMAT, "%s: row %lld is token %lld of document %lld, which has %lld tokens",
                 archive_path(atlas->activations), (long long)row, (long long)position,
                 (long long)document, (long long)length);
  }
  window->document_start = range[0];
  window->first = position > side ? position - side : 0;
  window->past = length - position > side + 1 ? position + side + 1 : length;
  return OK;
}

/* Make a cell of the bytes gathered so far. */
static Status close_cell(Strip *strip, Text *bytes) {
  StripCell *cell = &strip->cells[strip->count++];
  *cell = (StripCell){.start = strip->text.length};
  TRY(glyph_append_valid(&strip->text, text_chars(bytes), bytes->length));
  cell->length = strip->text.length - cell->start;
  bytes->length = 0;
  return OK;
}

/* The bytes of a token of the window, appended; a dot where they are not known. */
static Status read_piece(const Atlas *atlas, const Window *window, int64_t index, Text *bytes) {
  static const char DOT[] = "\xc2\xb7";
  uint32_t token = 0;
  if (!window->has_text) {
    return text_append(bytes, DOT, (int64_t)strlen(DOT));
  }
  TRY(shelf_read(atlas->text[ATLAS_TOKEN], window->document_start + window->first + index, 1,
                 &token));
  return atlas_piece(atlas, token, bytes);
}

/* Cells of the window's tokens; cell_of[t] is the cell of token first + t. */
static Status read_cells(Strip *strip, const Atlas *atlas, const Window *window, Text *bytes,
                         int64_t *cell_of) {
  const int64_t tokens = window->past - window->first;
  for (int64_t t = 0, joined = 0; t < tokens; ++t) {
    TRY(read_piece(atlas, window, t, bytes));
    cell_of[t] = strip->count;
    const bool is_open = glyph_unfinished(text_chars(bytes), bytes->length) > 0;
    ++joined;
    if (!is_open || t + 1 == tokens || joined == 4) { /* a character has at most 4 bytes */
      TRY(close_cell(strip, bytes));
      joined = 0;
    }
  }
  return OK;
}

/* Which rows near `row` belong to the window, and their cells. */
static Status read_rows(Strip *strip, const Atlas *atlas, int64_t row, const Window *window,
                        const int64_t *cell_of) {
  const int64_t rows = shelf_rows(atlas->text[ATLAS_ROW_DOCUMENT]);
  const int64_t before = strip->position - window->first;
  const int64_t behind = window->past - strip->position;
  strip->first_row = row > before ? row - before : 0;
  strip->past_row = rows - row > behind ? row + behind : rows;
  TRY(MEMORY_RESIZE(&strip->cell_of_row, strip->past_row - strip->first_row, "rows of a strip"));
  for (int64_t r = strip->first_row; r < strip->past_row; ++r) {
    uint32_t document = 0, position = 0;
    TRY(shelf_read(atlas->text[ATLAS_ROW_DOCUMENT], r, 1, &document));
    TRY(shelf_read(atlas->text[ATLAS_ROW_POSITION], r, 1, &position));
    const bool is_inside =
        document == strip->document && position >= window->first && position < window->past;
    int64_t *cell = &strip->cell_of_row[r - strip->first_row];
    *cell = is_inside ? cell_of[position - window->first] : -1;
    if (is_inside) {
      strip->cells[*cell].has_row = true;
    }
  }
  return OK;
}

static Status read_window(Strip *strip, const Atlas *atlas, int64_t row, const Window *window,
                          Text *bytes, int64_t **cell_of) {
  const int64_t tokens = window->past - window->first;
  TRY(MEMORY_RESIZE(&strip->cells, tokens, "cells of a strip"));
  TRY(MEMORY_NEW(cell_of, tokens, "cells of a strip's tokens"));
  TRY(read_cells(strip, atlas, window, bytes, *cell_of));
  strip->centre = (*cell_of)[strip->position - window->first];
  return read_rows(strip, atlas, row, window, *cell_of);
}

Status strip_read(Strip *strip, const Atlas *atlas, int64_t row, int64_t side) {
  Window window = {0};
  Text bytes = {0};
  int64_t *cell_of = NULL;
  strip->count = 0;
  strip->text.length = 0;
  TRY(find_window(atlas, row, side, strip, &window));
  const Status status = read_window(strip, atlas, row, &window, &bytes, &cell_of);
  MEMORY_FREE(cell_of);
  text_clear(&bytes);
  return status;
}

void strip_clear(Strip *strip) {
  text_clear(&strip->text);
  MEMORY_FREE(strip->cells);
  MEMORY_FREE(strip->cell_of_row);
  *strip = (Strip){0};
}

/* First firing of [first, past) at or behind `row`: a feature's firings ascend by row. */
static Status lower_bound(Shelf *rows, int64_t first, int64_t past, int64_t row, int64_t *out) {
  while (first < past) {
    const int64_t middle = first + (past - first) / 2;
    uint32_t found = 0;
    TRY(shelf_read(rows, middle, 1, &found));
    if (found < row) {
      first = middle + 1;
    } else {
      past = middle;
    }
  }
  *out = first;
  return OK;
}

Status strip_values(const Strip *strip, const AtlasDictionary *dictionary, int64_t id,
                    float *values, float *most) {
  int64_t range[2], at = 0;
  float largest = 0;
  memset(values, 0, (size_t)strip->count * sizeof(*values));
  TRY(shelf_read(dictionary->columns[ATLAS_FEATURE_START], id, 2, range));
  TRY(lower_bound(dictionary->columns[ATLAS_FEATURE_ROW], range[0], range[1], strip->first_row,
                  &at));
  for (; at < range[1]; ++at) {
    uint32_t row = 0;
    float value = 0;
    TRY(shelf_read(dictionary->columns[ATLAS_FEATURE_ROW], at, 1, &row));
    if (row >= strip->past_row || row < strip->first_row) { /* the latter: a damaged file */
      break;
    }
    TRY(shelf_read(dictionary->columns[ATLAS_FEATURE_VALUE], at, 1, &value));
    const int64_t cell = strip->cell_of_row[row - strip->first_row];
    if (cell >= 0 && value > values[cell]) {
      values[cell] = value;
      largest = value > largest ? value : largest;
    }
  }
  if (most != NULL) {
    *most = largest;
  }
  return OK;
}

void strip_write(const Strip *strip, Pen *pen) {
  pen_key(pen, "d");
  pen_integer(pen, strip->document);
  pen_key(pen, "p");
  pen_integer(pen, strip->position);
  pen_key(pen, "c");
  pen_integer(pen, strip->centre);
  pen_key(pen, "t");
  pen_open(pen, "[");
  for (int64_t i = 0; i < strip->count; ++i) {
    pen_text(pen, text_chars(&strip->text) + strip->cells[i].start, strip->cells[i].length);
  }
  pen_close(pen, "]");
  pen_key(pen, "x");
  pen_open(pen, "[");
  for (int64_t i = 0; i < strip->count; ++i) {
    if (!strip->cells[i].has_row) {
      pen_integer(pen, i);
    }
  }
  pen_close(pen, "]");
}

void strip_write_values(const Strip *strip, const float *values, Pen *pen) {
  pen_open(pen, "[");
  for (int64_t i = 0; i < strip->count; ++i) {
    if (values[i] > 0) {
      pen_integer(pen, i);
      pen_real(pen, (double)values[i], 3);
    }
  }
  pen_close(pen, "]");
}
