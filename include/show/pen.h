#ifndef PEN_H
#define PEN_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "text.h"

/** Write JSON into a Text, value by value; the pen sets the commas. ranks: all local.
 *  fails   ERR_MEMORY; the first failure sticks: check pen_status() at the end */
typedef struct Pen {
  Text *text;
  Status status;
  bool has_value; /* a comma is due before the next value */
} Pen;

Pen pen_on(Text *text);
/** An object or array begins or ends: one of "{", "[", "}", "]". */
void pen_open(Pen *pen, const char *bracket);
void pen_close(Pen *pen, const char *bracket);
/** The key of the next value. Keys are our own words: letters, digits, '_'. */
void pen_key(Pen *pen, const char *key);
void pen_text(Pen *pen, const char *bytes, int64_t length);
void pen_chars(Pen *pen, const char *chars);
void pen_integer(Pen *pen, int64_t value);
/** A number with `digits` significant digits; nan and infinity become null. */
void pen_real(Pen *pen, double value, int digits);
Status pen_status(const Pen *pen) MUST_USE;

#endif
