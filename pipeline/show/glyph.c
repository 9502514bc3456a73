#include "glyph.h"

#include <stdbool.h>
#include <string.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd";

/* Bytes of the character that `lead` begins, 0 when it begins none. */
static int bytes_of_lead(unsigned char lead) {
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return 2;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    return 3;
  }
  return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

int glyph_unfinished(const char *bytes, int64_t length) {
  for (int back = 1; back <= 3 && back <= length; ++back) {
    const unsigned char byte = (unsigned char)bytes[length - back];
    if ((byte & 0xC0) != 0x80) {
      return bytes_of_lead(byte) > back ? back : 0;
    }
  }
  return 0;
}

Status glyph_append_valid(Text *out, const char *bytes, int64_t length) {
  for (int64_t at = 0; at < length;) {
    const int size = text_utf8_length(bytes + at, length - at);
    TRY(size > 0 ? text_append(out, bytes + at, size)
                 : text_append(out, REPLACEMENT, (int64_t)sizeof(REPLACEMENT) - 1));
    at += size > 0 ? size : 1;
  }
  return OK;
}

static uint32_t decode(const char *bytes, int size) {
  const unsigned char *b = (const unsigned char *)bytes;
  switch (size) {
    case 1:
      return b[0];
    case 2:
      return (uint32_t)(b[0] & 0x1F) << 6 | (b[1] & 0x3Fu);
    case 3:
      return (uint32_t)(b[0] & 0x0F) << 12 | (uint32_t)(b[1] & 0x3F) << 6 | (b[2] & 0x3Fu);
    default:
      return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3F) << 12 |
             (uint32_t)(b[2] & 0x3F) << 6 | (b[3] & 0x3Fu);
  }
}

/* C1 controls, line separators, marks that turn or hide writing: a terminal might obey them. */
static bool is_steering(uint32_t code) {
  return (code >= 0x80 && code < 0xA0) || code == 0x061C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

static Status append_visible(Text *out, const char *bytes, int size) {
  const uint32_t code = decode(bytes, size);
  if (code == '\n') {
    return text_append(out, "\xe2\x86\xb5", 3); /* arrow that turns back */
  }
  if (code == '\t') {
    return text_append(out, "\xe2\x87\xa5", 3); /* arrow to a bar */
  }
  if (code < 0x20 || code == 0x7F) { /* control pictures stand at U+2400 */
    const char picture[] = {'\xe2', '\x90', (char)(0x80 + (code == 0x7F ? 0x21 : code))};
    return text_append(out, picture, 3);
  }
  return is_steering(code) ? text_append(out, REPLACEMENT, 3) : text_append(out, bytes, size);
}

Status glyph_append_line(Text *out, const char *bytes, int64_t length) {
  for (int64_t at = 0; at < length;) {
    const int size = text_utf8_length(bytes + at, length - at);
    TRY(size > 0 ? append_visible(out, bytes + at, size) : text_append(out, REPLACEMENT, 3));
    at += size > 0 ? size : 1;
  }
  return OK;
}

typedef struct Range {
  uint32_t first, last;
} Range;

static bool is_within(uint32_t code, const Range *ranges, int count) {
  for (int i = 0; i < count; ++i) {
    if (code >= ranges[i].first && code <= ranges[i].last) {
      return true;
    }
  }
  return false;
}

/* The common blocks; wcwidth() would need a locale, which a batch job may lack. */
static const Range WIDE[] = {
    {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xAC00, 0xD7A3},
    {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
    {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD},
};
static const Range NARROW[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F}, {0x093C, 0x093C},
    {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x200B, 0x200D},
    {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
};

int glyph_first(const char *bytes, int64_t length, int *columns) {
  const int size = text_utf8_length(bytes, length);
  const uint32_t code = decode(bytes, size > 0 ? size : 1);
  *columns = 1;
  if (is_within(code, WIDE, (int)(sizeof(WIDE) / sizeof(WIDE[0])))) {
    *columns = 2;
  } else if (is_within(code, NARROW, (int)(sizeof(NARROW) / sizeof(NARROW[0])))) {
    *columns = 0;
  }
  return size > 0 ? size : 1;
}

int64_t glyph_columns(const char *bytes, int64_t length) {
  int64_t total = 0;
  for (int64_t at = 0; at < length;) {
    int columns = 0;
    at += glyph_first(bytes + at, length - at, &columns);
    total += columns;
  }
  return total;
}

/* Bytes of the line's beginning that fit into so many columns. */
static int64_t fitting(const char *line, int64_t length, int64_t columns) {
  int64_t used = 0;
  for (int64_t at = 0; at < length;) {
    int wide = 0;
    const int size = glyph_first(line + at, length - at, &wide);
    if (used + wide > columns) {
      return at;
    }
    used += wide;
    at += size;
  }
  return length;
}

Status glyph_append_cut(Text *out, const char *line, int64_t length, int64_t columns) {
  if (fitting(line, length, columns) == length) {
    return text_append(out, line, length);
  }
  TRY(text_append(out, line, fitting(line, length, columns - 1)));
  return text_append(out, "\xe2\x80\xa6", 3);
}

Status glyph_append_wrapped(Text *out, const char *line, int64_t length, int64_t columns,
                            int64_t indent) {
  for (int64_t at = 0; at < length;) {
    int64_t taken = fitting(line + at, length - at, columns - indent);
    if (at + taken < length) {
      int64_t space = taken;
      while (space > 0 && line[at + space] != ' ') {
        --space;
      }
      taken = space > 0 ? space : taken;
    }
    TRY(text_append(out, line + at, taken));
    at += taken;
    at += at < length && line[at] == ' ' ? 1 : 0;
    TRY(at < length ? text_printf(out, "\n%*s", (int)indent, "") : OK);
  }
  return OK;
}
