#include "curve.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "text.h"

enum { COLUMNS = 4, FIELDS_MOST = 32, FILE_MOST = 1 << 28 };

static const char *const NAMES[COLUMNS] = {"rows", "explained_variance", "dead", "loss"};

typedef struct Table {
  const char *path;
  Text text;
  char **lines; /* [count], the header first */
  int64_t count;
  int fields[COLUMNS]; /* where each column stands */
} Table;

static Status split_lines(Table *table) {
  for (char *at = table->text.bytes; at != NULL && *at != '\0';) {
    if (table->count % 1024 == 0) {
      TRY(MEMORY_RESIZE(&table->lines, table->count + 1024, "lines of a training log"));
    }
    table->lines[table->count++] = at;
    at = strchr(at, '\n');
    if (at != NULL) {
      *at++ = '\0';
    }
  }
  return OK;
}

/* The beginning of field `field` of a line, NULL where it has fewer. */
static const char *field_of(const char *line, int field) {
  for (int i = 0; i < field && line != NULL; i++) {
    line = strchr(line, ',');
    line = line == NULL ? NULL : line + 1;
  }
  return line;
}

static Status find_fields(Table *table) {
  for (int c = 0; c < COLUMNS; c++) {
    const size_t length = strlen(NAMES[c]);
    table->fields[c] = -1;
    for (int f = 0; f < FIELDS_MOST; f++) {
      const char *at = field_of(table->lines[0], f);
      if (at != NULL && strncmp(at, NAMES[c], length) == 0 && strchr(",", at[length]) != NULL) {
        table->fields[c] = f;
      }
    }
    if (table->fields[c] < 0) {
      return RAISE(ERR_FORMAT, "%s:1: there is no column %s: run cleave-train --force", table->path,
                   NAMES[c]);
    }
  }
  return OK;
}

/* The last point is the last line. */
static int64_t line_of(const Table *table, int64_t point, int64_t points) {
  return table->count - 1 - (points - 1 - point) * (table->count - 1) / points;
}

static Status write_column(const Table *table, int column, int64_t points, Pen *pen) {
  pen_key(pen, NAMES[column]);
  pen_open(pen, "[");
  for (int64_t p = 0; p < points; p++) {
    const int64_t line = line_of(table, p, points);
    const char *at = field_of(table->lines[line], table->fields[column]);
    char *end = NULL;
    const double value = at == NULL ? 0.0 : strtod(at, &end);
    if (at == NULL || end == at) {
      return RAISE(ERR_FORMAT, "%s:%lld: no number in column %s", table->path, (long long)line + 1,
                   NAMES[column]);
    }
    pen_real(pen, value, 5);
  }
  pen_close(pen, "]");
  return OK;
}

static Status write_table(Table *table, Pen *pen) {
  TRY(text_read_file(&table->text, table->path, FILE_MOST));
  TRY(split_lines(table));
  const int64_t lines = table->count - 1, points = lines < CURVE_POINTS ? lines : CURVE_POINTS;
  if (points < 1) {
    return OK;
  }
  TRY(find_fields(table));
  pen_key(pen, "training");
  pen_open(pen, "{");
  for (int c = 0; c < COLUMNS; c++) {
    TRY(write_column(table, c, points, pen));
  }
  pen_close(pen, "}");
  return OK;
}

Status curve_write(const char *path, Pen *pen) {
  Table table = {.path = path};
  const Status status = write_table(&table, pen);
  text_clear(&table.text);
  MEMORY_FREE(table.lines);
  return status;
}
