#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "glyph.h"
#include "memory.h"
#include "schema.h"
#include "word.h"

static const int64_t FILE_MOST = (int64_t)2 << 30;

typedef struct Entry {
  int64_t order;         /* of the line in the file */
  int64_t start, length; /* of the label in `bytes` */
  uint32_t id;
  int dictionary;
} Entry;

struct Names {
  Text bytes;     /* the file; quoted fields are unquoted in place */
  Entry *entries; /* by dictionary, id; one a feature */
  int64_t count, room;
};

/* Reading of labels.csv. */
typedef struct Csv {
  const char *path;
  char *bytes;
  int64_t length, at, line;
} Csv;

typedef struct Field {
  int64_t start, length;
} Field;

static Status take_quoted(Csv *csv, Field *field) {
  const int64_t line = csv->line;
  int64_t to = ++csv->at;
  field->start = to;
  for (; csv->at < csv->length; ++csv->at) {
    const char byte = csv->bytes[csv->at];
    if (byte == '"' && (csv->at + 1 >= csv->length || csv->bytes[csv->at + 1] != '"')) {
      ++csv->at;
      field->length = to - field->start;
      return OK;
    }
    csv->at += byte == '"' ? 1 : 0;
    csv->line += byte == '\n' ? 1 : 0;
    csv->bytes[to++] = byte;
  }
  return RAISE(ERR_FORMAT, "%s:%lld: a quotation mark is not closed", csv->path, (long long)line);
}

static bool is_end(const Csv *csv) {
  return csv->at >= csv->length || csv->bytes[csv->at] == '\n' || csv->bytes[csv->at] == '\r';
}

static Status take_field(Csv *csv, Field *field) {
  if (!is_end(csv) && csv->bytes[csv->at] == '"') {
    TRY(take_quoted(csv, field));
  } else {
    field->start = csv->at;
    while (!is_end(csv) && csv->bytes[csv->at] != ',') {
      ++csv->at;
    }
    field->length = csv->at - field->start;
  }
  if (!is_end(csv) && csv->bytes[csv->at] != ',') {
    return RAISE(ERR_FORMAT, "%s:%lld: expected a comma after a quoted field", csv->path,
                 (long long)csv->line);
  }
  csv->at += is_end(csv) ? 0 : 1;
  return OK;
}

static void take_line_end(Csv *csv) {
  if (csv->at < csv->length && csv->bytes[csv->at] == '\r') {
    ++csv->at;
  }
  if (csv->at < csv->length && csv->bytes[csv->at] == '\n') {
    ++csv->at;
  }
  ++csv->line;
}

/* A number of decimal digits, -1 for anything else. */
static int64_t number_of(const Csv *csv, const Field *field) {
  int64_t value = 0;
  if (field->length < 1 || field->length > 18) {
    return -1;
  }
  for (int64_t i = 0; i < field->length; ++i) {
    const char digit = csv->bytes[field->start + i];
    if (digit < '0' || digit > '9') {
      return -1;
    }
    value = 10 * value + (digit - '0');
  }
  return value;
}

static int dictionary_of(const Atlas *atlas, const Csv *csv, const Field *field) {
  for (int i = 0; i < atlas->count; ++i) {
    const char *name = atlas->dictionaries[i].name;
    if ((int64_t)strlen(name) == field->length &&
        memcmp(name, csv->bytes + field->start, (size_t)field->length) == 0) {
      return i;
    }
  }
  return -1;
}

static Status add_entry(Names *names, const Atlas *atlas, const Csv *csv, const Field *fields,
                        int64_t line) {
  const int dictionary = dictionary_of(atlas, csv, &fields[0]);
  const int64_t id = number_of(csv, &fields[1]);
  if (id < 0 && line == 1) {
    return OK; /* the heading */
  }
  if (id < 0) {
    return RAISE(ERR_FORMAT, "%s:%lld: the second field must be a feature's number", csv->path,
                 (long long)line);
  }
  if (dictionary < 0) {
    return OK;
  }
  if (id >= atlas->dictionaries[dictionary].latents) {
    return RAISE(ERR_FORMAT, "%s:%lld: %s has %lld features, there is no %lld", csv->path,
                 (long long)line, atlas->dictionaries[dictionary].name,
                 (long long)atlas->dictionaries[dictionary].latents, (long long)id);
  }
  if (names->count == names->room) {
    names->room = 2 * names->room + 64;
    TRY(MEMORY_RESIZE(&names->entries, names->room, "labels"));
  }
  names->entries[names->count] = (Entry){.order = names->count,
                                         .start = fields[2].start,
                                         .length = fields[2].length,
                                         .id = (uint32_t)id,
                                         .dictionary = dictionary};
  ++names->count;
  return OK;
}

static Status read_line(Names *names, const Atlas *atlas, Csv *csv) {
  Field fields[3] = {{0}};
  const int64_t line = csv->line;
  if (is_end(csv)) {
    take_line_end(csv); /* an empty line */
    return OK;
  }
  for (int i = 0; i < 3; ++i) {
    if (i > 0 && is_end(csv) && csv->bytes[csv->at - 1] != ',') {
      return RAISE(ERR_FORMAT, "%s:%lld: expected dictionary,feature,label", csv->path,
                   (long long)line);
    }
    TRY(take_field(csv, &fields[i]));
  }
  for (Field extra = {0}; !is_end(csv);) { /* further columns are not ours */
    TRY(take_field(csv, &extra));
  }
  take_line_end(csv);
  return add_entry(names, atlas, csv, fields, line);
}

static int by_feature(const void *left, const void *right) {
  const Entry *a = left;
  const Entry *b = right;
  if (a->dictionary != b->dictionary) {
    return a->dictionary < b->dictionary ? -1 : 1;
  }
  if (a->id != b->id) {
    return a->id < b->id ? -1 : 1;
  }
  return a->order < b->order ? -1 : 1;
}

/* Sort, and of several labels of one feature keep the last. */
static void settle(Names *names) {
  int64_t kept = 0;
  qsort(names->entries, (size_t)names->count, sizeof(*names->entries), by_feature);
  for (int64_t i = 0; i < names->count; ++i) {
    const Entry *entry = &names->entries[i];
    const bool is_again = kept > 0 && names->entries[kept - 1].id == entry->id &&
                          names->entries[kept - 1].dictionary == entry->dictionary;
    kept -= is_again ? 1 : 0;
    names->entries[kept++] = *entry;
  }
  names->count = kept;
}

static Status read_file(Names *names, const Atlas *atlas, const char *path) {
  if (path[0] == '\0') {
    return OK;
  }
  TRY(text_read_file(&names->bytes, path, FILE_MOST));
  Csv csv = {.path = path, .bytes = names->bytes.bytes, .length = names->bytes.length, .line = 1};
  if (csv.length >= 3 && memcmp(csv.bytes, "\xef\xbb\xbf", 3) == 0) {
    csv.at = 3; /* byte order mark */
  }
  while (csv.at < csv.length) {
    TRY(read_line(names, atlas, &csv));
  }
  if (names->count > 0) {
    settle(names);
  }
  return OK;
}

Status names_open(Names **out, const Atlas *atlas, const char *path) {
  *out = NULL;
  Status status = MEMORY_NEW(out, 1, "labels");
  if (status == OK) {
    status = read_file(*out, atlas, path);
  }
  status = team_agree(atlas->team, status);
  if (status != OK) {
    names_close(out);
  }
  return status;
}

int64_t names_count(const Names *names) {
  return names->count;
}

void names_close(Names **names) {
  if (*names == NULL) {
    return;
  }
  text_clear(&(*names)->bytes);
  MEMORY_FREE((*names)->entries);
  MEMORY_FREE(*names);
}

Status names_word(const Atlas *atlas, uint32_t token, Text *out) {
  Text piece = {0};
  Status status = atlas_piece(atlas, token, &piece);
  if (status == OK) {
    status = word_append(out, text_chars(&piece), piece.length);
  }
  text_clear(&piece);
  return status;
}

static const Entry *find(const Names *names, int dictionary, int64_t id) {
  const Entry key = {.dictionary = dictionary, .id = (uint32_t)id};
  int64_t first = 0, past = names->count;
  while (first < past) {
    const int64_t middle = first + (past - first) / 2;
    const Entry *entry = &names->entries[middle];
    if (entry->dictionary == key.dictionary && entry->id == key.id) {
      return entry;
    }
    if (entry->dictionary < key.dictionary ||
        (entry->dictionary == key.dictionary && entry->id < key.id)) {
      first = middle + 1;
    } else {
      past = middle;
    }
  }
  return NULL;
}

static Status append_automatic(const Atlas *atlas, const uint32_t *tokens, Text *out) {
  WordList words = {.out = out};
  Text piece = {0};
  Status status = OK;
  for (int i = 0; status == OK && i < ATLAS_LABEL_TOKENS && tokens[i] != SCHEMA_NO_ID; ++i) {
    piece.length = 0;
    status = atlas_piece(atlas, tokens[i], &piece);
    if (status == OK) {
      status = word_add(&words, text_chars(&piece), piece.length);
    }
  }
  text_clear(&piece);
  return status;
}

static Status append_given(const Names *names, const Entry *entry, Text *out) {
  return glyph_append_line(out, names->bytes.bytes + entry->start, entry->length);
}

Status names_given(const Names *names, int dictionary, int64_t id, Text *out, bool *is_there) {
  const Entry *entry = find(names, dictionary, id);
  *is_there = entry != NULL;
  return entry != NULL ? append_given(names, entry, out) : OK;
}

Status names_label(const Names *names, const Atlas *atlas, int dictionary, int64_t id,
                   const uint32_t *label_token, Text *out, bool *is_automatic) {
  const Entry *entry = find(names, dictionary, id);
  if (is_automatic != NULL) {
    *is_automatic = entry == NULL;
  }
  if (entry == NULL) {
    return append_automatic(atlas, label_token, out);
  }
  return append_given(names, entry, out);
}

Status names_of(const Names *names, const Atlas *atlas, int dictionary, int64_t id, Text *out,
                bool *is_automatic) {
  uint32_t tokens[ATLAS_LABEL_TOKENS];
  TRY(atlas_labels(atlas, dictionary, id, tokens));
  return names_label(names, atlas, dictionary, id, tokens, out, is_automatic);
}
