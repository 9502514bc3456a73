#include "pen.h"

#include <math.h>
#include <string.h>

Pen pen_on(Text *text) {
  return (Pen){.text = text, .status = OK};
}

static void keep(Pen *pen, Status status) {
  if (pen->status == OK) {
    pen->status = status;
  }
}

static void append(Pen *pen, const char *chars) {
  keep(pen, text_append(pen->text, chars, (int64_t)strlen(chars)));
}

static void begin_value(Pen *pen) {
  if (pen->has_value) {
    append(pen, ",");
  }
  pen->has_value = true;
}

void pen_open(Pen *pen, const char *bracket) {
  begin_value(pen);
  append(pen, bracket);
  pen->has_value = false;
}

void pen_close(Pen *pen, const char *bracket) {
  append(pen, bracket);
  pen->has_value = true;
}

void pen_key(Pen *pen, const char *key) {
  begin_value(pen);
  append(pen, "\"");
  append(pen, key);
  append(pen, "\":");
  pen->has_value = false;
}

void pen_text(Pen *pen, const char *bytes, int64_t length) {
  begin_value(pen);
  keep(pen, text_append_json(pen->text, bytes, length));
}

void pen_chars(Pen *pen, const char *chars) {
  pen_text(pen, chars, (int64_t)strlen(chars));
}

void pen_integer(Pen *pen, int64_t value) {
  begin_value(pen);
  keep(pen, text_printf(pen->text, "%lld", (long long)value));
}

void pen_real(Pen *pen, double value, int digits) {
  begin_value(pen);
  if (isfinite(value)) {
    keep(pen, text_printf(pen->text, "%.*g", digits, value));
  } else {
    append(pen, "null");
  }
}

Status pen_status(const Pen *pen) {
  return pen->status;
}
