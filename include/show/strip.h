#ifndef STRIP_H
#define STRIP_H

#include <stdbool.h>
#include <stdint.h>

#include "atlas.h"
#include "pen.h"
#include "status.h"
#include "text.h"

/** A token strip: the text around one stored row, token by token, to be coloured by any feature's
 *  activations. ranks: all local. */

/** A piece to show. Tokens that share a character are one cell. */
typedef struct StripCell {
  int64_t start, length; /* of its bytes in `text` */
  bool has_row;          /* false: left out by harvest, so no activation is known */
} StripCell;

typedef struct Strip {
  Text text; /* valid UTF-8 */
  StripCell *cells;
  int64_t count;              /* of cells */
  int64_t centre;             /* cell of the row */
  int64_t document, position; /* of the row's token */
  int64_t first_row, past_row;
  int64_t *cell_of_row; /* [past_row - first_row] -1: outside the strip */
} Strip;

/** Read the text around a row: `side` tokens before and behind it, within its document. Where nobody
 *  told the tokens each is a dot. `strip` is {0} or one that is read anew.
 *  needs   0 <= row < rows of the activations
 *  fails   ERR_FORMAT when the row lies outside its document */
Status strip_read(Strip *strip, const Atlas *atlas, int64_t row, int64_t side) MUST_USE;
void strip_clear(Strip *strip);

/** A feature's activation in each cell (the largest of its tokens), 0 where it does not fire.
 *  values  out     [strip->count]
 *  most    out     the largest of them; may be NULL */
Status strip_values(const Strip *strip, const AtlasDictionary *dictionary, int64_t id,
                    float *values, float *most) MUST_USE;

/** Write the strip's text as JSON members: "d" document, "p" position, "c" centre, "t" cells,
 *  "x" cells without a row. The object is open. */
void strip_write(const Strip *strip, Pen *pen);
/** Write values as a JSON array cell, value, cell, value ... of the cells that fire. */
void strip_write_values(const Strip *strip, const float *values, Pen *pen);

typedef enum StripStyle { STRIP_PLAIN, STRIP_COLOUR } StripStyle;

/** Append the strip as one terminal line of at most `columns` columns around its centre, without a
 *  line end. Orange stands behind a token as strong as its activation; plain: [[token|9]], 1 to 9
 *  ninths of `maximum`.
 *  values  in      [strip->count] */
Status strip_draw(const Strip *strip, const float *values, float maximum, StripStyle style,
                  int64_t columns, Text *out) MUST_USE;

#endif
