#include "word.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "glyph.h"

static bool is_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static Status append_hex(Text *out, const char *bytes, int64_t length) {
  for (int64_t i = 0; i < length; ++i) {
    TRY(text_printf(out, "%s%02X", i == 0 ? "<" : " ", (unsigned)(unsigned char)bytes[i]));
  }
  return text_append(out, ">", 1);
}

static bool is_valid(const char *bytes, int64_t length) {
  for (int64_t at = 0; at < length;) {
    const int size = text_utf8_length(bytes + at, length - at);
    if (size == 0) {
      return false;
    }
    at += size;
  }
  return true;
}

/* White space alone: line breaks and tabs as their signs, spaces as one open box. */
static Status append_blank(Text *out, const char *bytes, int64_t length) {
  const bool has_lines = memchr(bytes, '\n', (size_t)length) != NULL;
  for (int64_t i = 0; i < length && has_lines; ++i) {
    if (bytes[i] == '\n') {
      TRY(glyph_append_line(out, "\n", 1));
    }
  }
  if (has_lines) {
    return OK;
  }
  return bytes[0] == '\t' ? glyph_append_line(out, "\t", 1) : text_append(out, "\xe2\x90\xa3", 3);
}

Status word_append(Text *out, const char *bytes, int64_t length) {
  int64_t first = 0, past = length;
  if (length == 0) {
    return OK;
  }
  while (first < past && is_space(bytes[first])) {
    ++first;
  }
  while (past > first && is_space(bytes[past - 1])) {
    --past;
  }
  if (first == past) {
    return append_blank(out, bytes, length);
  }
  return is_valid(bytes + first, past - first) ? glyph_append_line(out, bytes + first, past - first)
                                               : append_hex(out, bytes + first, past - first);
}

/* Is the word that ends the label there already, in whatever case? */
static bool is_repeated(const WordList *list, int64_t start) {
  const char *bytes = list->out->bytes;
  const int64_t length = list->out->length - start;
  for (int i = 0; i < list->count; ++i) {
    if (list->length[i] == length &&
        strncasecmp(bytes + list->start[i], bytes + start, (size_t)length) == 0) {
      return true;
    }
  }
  return false;
}

Status word_add(WordList *list, const char *bytes, int64_t length) {
  static const char SEPARATOR[] = " \xc2\xb7 "; /* middle dot */
  Text *out = list->out;
  const int64_t before = out->length;
  if (list->count == WORD_MOST) {
    return OK;
  }
  if (list->count > 0) {
    TRY(text_append(out, SEPARATOR, (int64_t)sizeof(SEPARATOR) - 1));
  }
  const int64_t start = out->length;
  TRY(word_append(out, bytes, length));
  if (out->length > start && !is_repeated(list, start)) {
    list->start[list->count] = start;
    list->length[list->count++] = out->length - start;
  } else if (out->length > before) {
    out->length = before;
    out->bytes[before] = '\0';
  }
  return OK;
}
