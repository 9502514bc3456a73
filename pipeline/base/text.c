#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

static Status reserve(Text *text, int64_t more) {
  const int64_t wanted = text->length + more + 1;
  if (wanted <= text->capacity) {
    return OK;
  }
  const int64_t doubled = 2 * text->capacity;
  int64_t capacity = wanted > doubled ? wanted : doubled;
  capacity = capacity > 64 ? capacity : 64;
  TRY(MEMORY_RESIZE(&text->bytes, capacity, "a text"));
  text->capacity = capacity;
  return OK;
}

Status text_append(Text *text, const char *bytes, int64_t length) {
  TRY(reserve(text, length));
  if (length > 0) {
    memcpy(text->bytes + text->length, bytes, (size_t)length);
  }
  text->length += length;
  text->bytes[text->length] = '\0';
  return OK;
}

Status text_printf(Text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  ASSERT(length >= 0);
  TRY(reserve(text, length));
  va_start(arguments, format);
  vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
  va_end(arguments);
  text->length += length;
  return OK;
}

int text_utf8_length(const char *bytes, int64_t left) {
  const unsigned char *b = (const unsigned char *)bytes;
  if (left < 1 || b[0] < 0x80) {
    return left < 1 ? 0 : 1;
  }
  const int length = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
  if (b[0] < 0xc2 || b[0] > 0xf4 || left < length) {
    return 0;
  }
  /* The second byte's range keeps out overlong forms, surrogates and code points above U+10FFFF. */
  const unsigned least = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
  const unsigned most = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
  if (b[1] < least || b[1] > most) {
    return 0;
  }
  for (int i = 2; i < length; ++i) {
    if ((b[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return length;
}

/* Appends what stands for the character at `bytes` in a JSON string; U+2028 and U+2029 and "<" are
 * escaped so that the string may also stand in a script of an HTML page. */
static Status append_json_character(Text *text, const char *bytes, int length) {
  static const char SHORT_FROM[] = "\"\\\b\f\n\r\t", SHORT_TO[] = "\"\\bfnrt";
  const unsigned char first = (unsigned char)bytes[0];
  if (length == 0) {
    return text_append(text, "\xef\xbf\xbd", 3);
  }
  const char *found = first == 0 ? NULL : strchr(SHORT_FROM, bytes[0]);
  if (found != NULL) {
    const char escape[2] = {'\\', SHORT_TO[found - SHORT_FROM]};
    return text_append(text, escape, 2);
  }
  if (first < 0x20 || first == '<' || first == 0x7f) {
    return text_printf(text, "\\u%04x", first);
  }
  if (length == 3 && memcmp(bytes, "\xe2\x80", 2) == 0 &&
      ((unsigned char)bytes[2] & 0xfe) == 0xa8) {
    return text_append(text, bytes[2] == '\xa8' ? "\\u2028" : "\\u2029", 6);
  }
  return text_append(text, bytes, length);
}

static bool is_plain_json(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\' && byte != '<';
}

Status text_append_json(Text *text, const char *bytes, int64_t length) {
  const int64_t before = text->length;
  Status status = text_append(text, "\"", 1);
  int64_t at = 0;
  while (at < length && status == OK) {
    int64_t plain = at;
    while (plain < length && is_plain_json((unsigned char)bytes[plain])) {
      ++plain;
    }
    if (plain > at) {
      status = text_append(text, bytes + at, plain - at);
      at = plain;
      continue;
    }
    const int character = text_utf8_length(bytes + at, length - at);
    status = append_json_character(text, bytes + at, character);
    at += character > 0 ? character : 1;
  }
  if (status == OK) {
    status = text_append(text, "\"", 1);
  }
  if (status != OK && text->bytes != NULL) { /* unchanged on failure */
    text->length = before;
    text->bytes[before] = '\0';
  }
  return status;
}

Status text_append_csv(Text *text, const char *bytes, int64_t length) {
  int64_t quotes = 0;
  bool needs_quotes = length > 0 && (bytes[0] == ' ' || bytes[length - 1] == ' ');
  for (int64_t i = 0; i < length; ++i) {
    quotes += bytes[i] == '"';
    needs_quotes =
        needs_quotes || bytes[i] == '"' || bytes[i] == ',' || bytes[i] == '\n' || bytes[i] == '\r';
  }
  if (!needs_quotes) {
    return text_append(text, bytes, length);
  }
  TRY(reserve(text, length + quotes + 2));
  char *out = text->bytes + text->length;
  *out++ = '"';
  for (int64_t i = 0; i < length; ++i) {
    if (bytes[i] == '"') {
      *out++ = '"';
    }
    *out++ = bytes[i];
  }
  *out++ = '"';
  *out = '\0';
  text->length += length + quotes + 2;
  return OK;
}

const char *text_chars(const Text *text) {
  return text->bytes != NULL ? text->bytes : "";
}

void text_clear(Text *text) {
  MEMORY_FREE(text->bytes);
  *text = (Text){0};
}

enum { SHORT_SIZE = 32 };

const char *text_of_bytes(double bytes, char *out) {
  static const char *const UNITS[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  int unit = 0;
  while (fabs(bytes) >= 999.5 && unit < 6) {
    bytes /= 1000;
    ++unit;
  }
  /* three digits, and 9.995 would print as 10.00 */
  const int digits = unit == 0 || fabs(bytes) >= 99.95 ? 0 : fabs(bytes) < 9.995 ? 2 : 1;
  snprintf(out, SHORT_SIZE, "%.*f %s", digits, bytes, UNITS[unit]);
  return out;
}

const char *text_of_seconds(double seconds, char *out) {
  if (!(fabs(seconds) < 1e12)) {
    snprintf(out, SHORT_SIZE, "unknown time");
    return out;
  }
  if (seconds < 59.95) {
    snprintf(out, SHORT_SIZE, seconds < 0.9995 ? "%.3f s" : "%.1f s", seconds);
    return out;
  }
  const int64_t whole = (int64_t)(seconds + 0.5);
  const long long days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  if (whole < 3600) {
    snprintf(out, SHORT_SIZE, "%lld min %02lld s", minutes, (long long)whole % 60);
  } else if (days == 0) {
    snprintf(out, SHORT_SIZE, "%lld h %02lld min", hours, minutes);
  } else {
    snprintf(out, SHORT_SIZE, "%lld d %02lld h", days, hours);
  }
  return out;
}

const char *text_of_count(int64_t count, char *out) {
  char digits[SHORT_SIZE];
  const char *at = digits;
  const int length = snprintf(digits, sizeof(digits), "%lld", (long long)count);
  char *to = out;
  for (int left = length; left > 0; --left) {
    *to++ = *at++;
    if (left % 3 == 1 && left > 1 && at[-1] != '-') {
      *to++ = ',';
    }
  }
  *to = '\0';
  return out;
}

static Status open_to_read(const char *path, int *file) {
  *file = open(path, O_RDONLY | O_CLOEXEC);
  if (*file < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return RAISE(missing ? ERR_MISSING : ERR_FILE, "%s: %s", path, strerror(errno));
  }
  return OK;
}

static Status read_all(Text *text, const char *path, int file, int64_t limit) {
  enum { PIECE = 1 << 16 };
  const int64_t before = text->length;
  for (;;) {
    TRY(reserve(text, PIECE));
    const ssize_t got = read(file, text->bytes + text->length, PIECE);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
    }
    text->length += got;
    text->bytes[text->length] = '\0';
    if (text->length - before > limit) {
      return RAISE(ERR_FORMAT, "%s: larger than %lld bytes, the most that is read of such a file",
                   path, (long long)limit);
    }
    if (got == 0) {
      return OK;
    }
  }
}

Status text_read_file(Text *text, const char *path, int64_t limit) {
  int file = -1;
  TRY(open_to_read(path, &file));
  const int64_t before = text->length;
  const Status status = read_all(text, path, file, limit);
  if (status != OK && text->bytes != NULL) {
    text->length = before;
    text->bytes[before] = '\0';
  }
  close(file);
  return status;
}

static Status raise_write(const char *path, int why) {
  if (status_of_write(why) == ERR_SPACE) {
    return RAISE(ERR_SPACE, "%s: no space left on its file system", path);
  }
  return RAISE(ERR_FILE, "%s: %s", path, strerror(why));
}

static int write_all(int file, const Text *text) {
  int64_t done = 0;
  while (done < text->length) {
    const ssize_t wrote = write(file, text->bytes + done, (size_t)(text->length - done));
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote <= 0) {
      return wrote < 0 ? errno : ENOSPC;
    }
    done += wrote;
  }
  return 0;
}

Status text_write_file(const Text *text, const char *path) {
  Text part = {0};
  TRY(text_printf(&part, "%s.part", path));
  int why = 0;
  const int file = open(part.bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    why = errno;
  } else {
    why = write_all(file, text);
    if (close(file) != 0 && why == 0) {
      why = errno; /* network file systems and quotas report a full disk only now */
    }
    if (why == 0 && rename(part.bytes, path) != 0) {
      why = errno;
    }
    if (why != 0) {
      unlink(part.bytes);
    }
  }
  text_clear(&part);
  return why == 0 ? OK : raise_write(path, why);
}

static Status make_one_folder(const char *path) {
  if (mkdir(path, 0777) == 0) {
    return OK;
  }
  const int why = errno;
  struct stat state;
  if (why == EEXIST && stat(path, &state) == 0 && S_ISDIR(state.st_mode)) {
    return OK;
  }
  return why == EEXIST ? RAISE(ERR_FILE, "%s: is there and is no folder", path)
                       : raise_write(path, why);
}

Status text_make_folder(const char *path) {
  char *copy = NULL;
  TRY(memory_copy_text(&copy, path));
  Status status = OK;
  for (char *at = copy; *at != '\0' && status == OK; ++at) {
    if (*at == '/' && at > copy && at[-1] != '/') {
      *at = '\0';
      status = make_one_folder(copy);
      *at = '/';
    }
  }
  if (status == OK) {
    status = make_one_folder(copy);
  }
  MEMORY_FREE(copy);
  return status;
}

Status text_make_parent(const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) {
    return OK;
  }
  Text folder = {0};
  Status status = text_append(&folder, path, slash - path);
  if (status == OK) {
    status = text_make_folder(folder.bytes);
  }
  text_clear(&folder);
  return status;
}

Status text_join_path(char **out, const char *folder, const char *name) {
  const size_t first = strlen(folder);
  const bool slash = first > 0 && folder[first - 1] != '/';
  const size_t size = first + slash + strlen(name) + 1;
  TRY(MEMORY_NEW(out, (int64_t)size, "a path"));
  snprintf(*out, size, "%s%s%s", folder, slash ? "/" : "", name);
  return OK;
}
