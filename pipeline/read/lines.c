#include "lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "memory.h"

/* zlib's gzread passes what is not gzip through unchanged, so all files are read by it. */

enum { BUFFER_BYTES = 1 << 18, DOCUMENT_LIMIT = 64 << 20, DEPTH_LIMIT = 64 };

struct Lines {
  char *field;
  char **files; /* [count] */
  int64_t count, room;
  int64_t bytes;       /* of all files */
  int64_t passed;      /* of the files that are read to their end */
  int64_t next;        /* file to open when none is open */
  gzFile stream;       /* the open file, NULL: none */
  const char *path;    /* of the open file */
  bool is_jsonl;       /* the open file */
  bool is_at_end;      /* nothing left behind the buffer */
  int64_t line;        /* of the open file, that the last read began with; from 1 */
  char *buffer;        /* [BUFFER_BYTES] */
  int64_t used, taken; /* bytes in the buffer, and of those already given out */
  Text record;         /* the .jsonl line in hand */
};

static bool ends_with(const char *path, const char *end) {
  const size_t length = strlen(path), wanted = strlen(end);
  return length >= wanted && strcmp(path + length - wanted, end) == 0;
}

static Status add_file(Lines *lines, const char *path, int64_t size) {
  if (lines->count == lines->room) {
    const int64_t room = lines->room ? 2 * lines->room : 16;
    TRY(MEMORY_RESIZE(&lines->files, room, "names of text files"));
    lines->room = room;
  }
  TRY(memory_copy_text(&lines->files[lines->count], path));
  lines->count++;
  lines->bytes += size;
  return OK;
}

static Status add_path(Lines *lines, const char *path, int depth, bool is_given);

static Status add_entry(Lines *lines, const char *folder, const char *name, int depth) {
  if (name[0] == '.') {
    return OK;
  }
  char *path;
  TRY(text_join_path(&path, folder, name));
  const Status status = add_path(lines, path, depth + 1, false);
  MEMORY_FREE(path);
  return status;
}

static Status add_entries(Lines *lines, const char *folder, DIR *entries, int depth) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(entries);
    if (!entry) {
      return errno ? RAISE(ERR_FILE, "%s: cannot be listed: %s", folder, strerror(errno)) : OK;
    }
    TRY(add_entry(lines, folder, entry->d_name, depth));
  }
}

static int compare_paths(const void *left, const void *right) {
  return strcmp(*(char *const *)left, *(char *const *)right);
}

static Status add_folder(Lines *lines, const char *path, int depth) {
  if (depth > DEPTH_LIMIT) {
    return RAISE(ERR_FILE, "%s: folders nested deeper than %d", path, DEPTH_LIMIT);
  }
  DIR *entries = opendir(path);
  if (!entries) {
    return RAISE(ERR_FILE, "%s: cannot be listed: %s", path, strerror(errno));
  }
  const int64_t first = lines->count;
  const Status status = add_entries(lines, path, entries, depth);
  closedir(entries);
  if (status == OK && depth == 0) {
    if (lines->count == first) {
      return RAISE(ERR_MISSING, "%s: the folder holds no text files", path);
    }
    qsort(lines->files + first, (size_t)(lines->count - first), sizeof(*lines->files),
          compare_paths);
  }
  return status;
}

/* Inside a folder, links to folders (they may go round in circles) or to nothing, and whatever is no
 * file are left out. */
static Status add_path(Lines *lines, const char *path, int depth, bool is_given) {
  struct stat about, link;
  const bool is_link = lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
  if (stat(path, &about) != 0) {
    if (is_link && !is_given && errno == ENOENT) {
      return OK;
    }
    return RAISE(errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_FILE,
                 "text %s: cannot be read: %s", path, strerror(errno));
  }
  if (S_ISDIR(about.st_mode)) {
    return is_given || !is_link ? add_folder(lines, path, depth) : OK;
  }
  if (S_ISREG(about.st_mode)) {
    return add_file(lines, path, about.st_size);
  }
  return is_given ? RAISE(ERR_FILE, "text %s: neither a file nor a folder", path) : OK;
}

static Status prepare(Lines *lines, const ConfigTexts *paths, const char *field) {
  TRY(memory_copy_text(&lines->field, field));
  TRY(MEMORY_NEW(&lines->buffer, BUFFER_BYTES, "a read buffer"));
  for (int64_t i = 0; i < paths->count; i++) {
    TRY(add_path(lines, paths->items[i], 0, true));
  }
  return OK;
}

Status lines_open(Lines **out, const ConfigTexts *paths, const char *field) {
  *out = NULL;
  Lines *lines;
  TRY(MEMORY_NEW(&lines, 1, "a reader of documents"));
  const Status status = prepare(lines, paths, field);
  if (status != OK) {
    lines_close(&lines);
  }
  *out = lines;
  return status;
}

static Status open_next_file(Lines *lines) {
  lines->path = lines->files[lines->next];
  const int file = open(lines->path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return RAISE(errno == ENOENT ? ERR_MISSING : ERR_FILE, "%s: cannot be opened: %s", lines->path,
                 strerror(errno));
  }
  lines->stream = gzdopen(file, "rb");
  if (!lines->stream) {
    close(file);
    return RAISE(ERR_MEMORY, "%s: no memory to unpack it", lines->path);
  }
  lines->is_jsonl = ends_with(lines->path, ".jsonl") || ends_with(lines->path, ".jsonl.gz");
  lines->next++;
  lines->line = 1;
  lines->is_at_end = false;
  lines->used = lines->taken = 0;
  return OK;
}

static void close_file(Lines *lines) {
  if (lines->stream) {
    lines->passed += gzoffset(lines->stream);
    gzclose(lines->stream);
    lines->stream = NULL;
  }
}

/* A gzip file that is cut short gives its last bytes first, and the error only then: asked for
 * at every read. */
static Status fill_buffer(Lines *lines) {
  const int got = gzread(lines->stream, lines->buffer, BUFFER_BYTES);
  int error = Z_OK;
  const char *why = gzerror(lines->stream, &error);
  if (error == Z_ERRNO) {
    return RAISE(ERR_FILE, "%s: cannot be read: %s", lines->path, strerror(errno));
  }
  if (got < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    return RAISE(ERR_FORMAT, "%s:%lld: damaged gzip file, get it again (%s)", lines->path,
                 (long long)lines->line, why);
  }
  lines->used = got;
  lines->taken = 0;
  lines->is_at_end = got == 0;
  return OK;
}

/* Append up to and without the next newline (or, `to_end`, everything). */
static Status read_record(Lines *lines, bool to_end, Text *out) {
  for (;;) {
    if (lines->taken == lines->used) {
      TRY(fill_buffer(lines));
      if (lines->is_at_end) {
        return OK;
      }
    }
    const char *from = lines->buffer + lines->taken;
    const int64_t left = lines->used - lines->taken;
    const char *newline = to_end ? NULL : memchr(from, '\n', (size_t)left);
    const int64_t count = newline ? newline - from : left;
    if (out->length + count > DOCUMENT_LIMIT) {
      return RAISE(ERR_FORMAT, "%s:%lld: a document of more than 64 MB: split it", lines->path,
                   (long long)lines->line);
    }
    TRY(text_append(out, from, count));
    lines->taken += newline ? count + 1 : count;
    if (newline) {
      return OK;
    }
  }
}

/* Eight bytes of which none is 0 or above 127. */
static bool is_plain(const char *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof(word));
  return ((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) == 0;
}

static int64_t count_newlines(const char *bytes, int64_t length) {
  int64_t count = 0;
  for (int64_t i = 0; i < length; i++) {
    count += bytes[i] == '\n';
  }
  return count;
}

/* Valid UTF-8 without 0? `lines->line` is where the bytes begin. */
static Status check_bytes(const Lines *lines, const char *bytes, int64_t length) {
  for (int64_t i = 0; i < length;) {
    if (length - i >= 8 && is_plain(bytes + i)) {
      i += 8;
      continue;
    }
    const int size = bytes[i] ? text_utf8_length(bytes + i, length - i) : 0;
    if (size == 0) {
      return RAISE(
          ERR_FORMAT,
          "%s:%lld: byte 0x%02x is not UTF-8 text: convert the file (iconv -t UTF-8) or leave "
          "it out",
          lines->path, (long long)(lines->line + count_newlines(bytes, i)),
          (unsigned char)bytes[i]);
    }
    i += size;
  }
  return OK;
}

static const char *without_mark(const char *bytes, int64_t *length) {
  const bool is_marked = *length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0;
  *length -= is_marked ? 3 : 0;
  return is_marked ? bytes + 3 : bytes;
}

static Status next_file_text(Lines *lines, Text *document) {
  lines->record.length = 0;
  TRY(read_record(lines, true, &lines->record));
  int64_t length = lines->record.length;
  const char *bytes = without_mark(text_chars(&lines->record), &length);
  TRY(check_bytes(lines, bytes, length));
  return text_append(document, bytes, length);
}

static bool is_blank(const char *bytes, int64_t length) {
  for (int64_t i = 0; i < length; i++) {
    if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r') {
      return false;
    }
  }
  return true;
}

static Status append_field(const Lines *lines, const json_t *object, Text *document) {
  const json_t *value = json_object_get(object, lines->field);
  if (!json_is_string(value)) {
    return RAISE(
        ERR_FORMAT,
        "%s:%lld: no text field \"%s\" in this line: name another one (harvest.text_field)",
        lines->path, (long long)lines->line, lines->field);
  }
  return text_append(document, json_string_value(value), (int64_t)json_string_length(value));
}

/* jansson refuses invalid UTF-8 and \u0000 itself. Integers are read as reals: ids of 64 bits
 * and more must not make a line unreadable. */
static Status parse_record(const Lines *lines, const char *bytes, int64_t length, Text *document) {
  json_error_t error;
  json_t *object = json_loadb(bytes, (size_t)length, JSON_DECODE_INT_AS_REAL, &error);
  if (!object) {
    return RAISE(ERR_FORMAT, "%s:%lld: not a line of JSON: %s (column %d)", lines->path,
                 (long long)lines->line, error.text, error.column);
  }
  const Status status = append_field(lines, object, document);
  json_decref(object);
  return status;
}

static Status next_line_text(Lines *lines, Text *document) {
  lines->record.length = 0;
  TRY(read_record(lines, false, &lines->record));
  int64_t length = lines->record.length;
  const char *bytes = text_chars(&lines->record);
  bytes = lines->line == 1 ? without_mark(bytes, &length) : bytes;
  if (!is_blank(bytes, length)) {
    TRY(parse_record(lines, bytes, length, document));
  }
  lines->line++;
  return OK;
}

Status lines_next(Lines *lines, Text *document, bool *is_end) {
  document->length = 0;
  *is_end = false;
  while (document->length == 0) {
    if (!lines->stream) {
      if (lines->next == lines->count) {
        *is_end = true;
        return OK;
      }
      TRY(open_next_file(lines));
    }
    TRY(lines->is_jsonl ? next_line_text(lines, document) : next_file_text(lines, document));
    if (lines->is_at_end) {
      close_file(lines);
    }
  }
  return OK;
}

int64_t lines_bytes(const Lines *lines) {
  return lines->bytes;
}

/* Of a compressed file the part in the buffer counts as taken. */
int64_t lines_taken(const Lines *lines) {
  if (!lines->stream) {
    return lines->passed;
  }
  const int64_t ahead = gzdirect(lines->stream) ? lines->used - lines->taken : 0;
  return lines->passed + gzoffset(lines->stream) - ahead;
}

int64_t lines_files(const Lines *lines) {
  return lines->count;
}

const char *lines_file(const Lines *lines, int64_t index) {
  ASSERT(index >= 0 && index < lines->count);
  return lines->files[index];
}

void lines_close(Lines **handle) {
  Lines *lines = *handle;
  if (!lines) {
    return;
  }
  close_file(lines);
  for (int64_t i = 0; i < lines->count; i++) {
    MEMORY_FREE(lines->files[i]);
  }
  MEMORY_FREE(lines->files);
  MEMORY_FREE(lines->field);
  MEMORY_FREE(lines->buffer);
  text_clear(&lines->record);
  MEMORY_FREE(lines);
  *handle = NULL;
}
