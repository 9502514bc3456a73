/* How the tables of the configuration are shown: as effective.yaml, and as --help. */
#include <string.h>

#include "config.h"
#include "value.h"

static Status print_row(const ConfigRow *row, const void *values, Text *out) {
  TRY(text_printf(out, "%s: ", row->key));
  return value_print(row, (const char *)values + row->offset, out);
}

static Status print_item(const ConfigSection *section, const void *values, Text *out) {
  for (int64_t i = 0; i < section->count; ++i) {
    TRY(text_printf(out, "%s", i == 0 ? "  - {" : ", "));
    TRY(print_row(&section->rows[i], values, out));
  }
  return text_printf(out, "}\n");
}

Status config_print(const ConfigSection *section, const void *values, Text *out) {
  if (section->is_list) {
    return print_item(section, values, out);
  }
  const bool is_top = *section->name == '\0';
  if (!is_top) {
    TRY(text_printf(out, "%s:\n", section->name));
  }
  for (int64_t i = 0; i < section->count; ++i) {
    TRY(text_printf(out, "%s", is_top ? "" : "  "));
    TRY(print_row(&section->rows[i], values, out));
    TRY(text_append(out, "\n", 1));
  }
  return OK;
}

/* Columns of the help: where the default, what is allowed, and the sentence begin. */
enum { WIDTH = 96, INDENT = 2, GAP = 2, KEY_MOST = 24, DEFAULT_MOST = 16, ALLOWED_MOST = 24 };

typedef struct Columns {
  int64_t fallback, allowed, help;
} Columns;

static Status print_fallback(const ConfigRow *row, Text *out) {
  const char *text = row->fallback == NULL    ? "required"
                     : *row->fallback == '\0' ? "none"
                                              : row->fallback;
  return text_printf(out, "%s", text);
}

static int64_t wider(int64_t width, int64_t cell, int64_t most) {
  return cell > width && cell <= most ? cell : width;
}

static Status measure(const ConfigSection *section, Columns *columns) {
  int64_t key = 8, fallback = 8, allowed = 7;
  Text cell = {0};
  Status status = OK;
  for (int64_t i = 0; i < section->count && status == OK; ++i) {
    const ConfigRow *row = &section->rows[i];
    key = wider(key, INDENT + (int64_t)strlen(row->key), KEY_MOST);
    cell.length = 0;
    status = print_fallback(row, &cell);
    fallback = wider(fallback, cell.length, DEFAULT_MOST);
    cell.length = 0;
    if (status == OK) {
      status = value_print_allowed(row, &cell);
    }
    allowed = wider(allowed, cell.length, ALLOWED_MOST);
  }
  text_clear(&cell);
  columns->fallback = key + GAP;
  columns->allowed = columns->fallback + fallback + GAP;
  columns->help = columns->allowed + allowed + GAP;
  return status;
}

/* Blanks up to a column of the line that began at `line`; on a new line where the cell before was
 * too wide. */
static Status pad(Text *out, int64_t *line, int64_t column) {
  if (out->length - *line > column - GAP) {
    TRY(text_append(out, "\n", 1));
    *line = out->length;
  }
  return text_printf(out, "%*s", (int)(column - (out->length - *line)), "");
}

static Status print_sentence(const char *help, Text *out, int64_t *line, int64_t column) {
  while (*help != '\0') {
    const int64_t length = (int64_t)strcspn(help, " ");
    const int64_t used = out->length - *line;
    if (used > column && used + 1 + length > WIDTH) {
      TRY(text_append(out, "\n", 1));
      *line = out->length;
      TRY(text_printf(out, "%*s", (int)column, ""));
    } else if (used > column) {
      TRY(text_append(out, " ", 1));
    }
    TRY(text_append(out, help, length));
    help += length;
    help += strspn(help, " ");
  }
  return text_append(out, "\n", 1);
}

static Status print_help_row(const ConfigRow *row, const Columns *columns, Text *out) {
  int64_t line = out->length;
  TRY(text_printf(out, "%*s%s", INDENT, "", row->key));
  TRY(pad(out, &line, columns->fallback));
  TRY(print_fallback(row, out));
  TRY(pad(out, &line, columns->allowed));
  TRY(value_print_allowed(row, out));
  TRY(pad(out, &line, columns->help));
  return print_sentence(row->help, out, &line, columns->help);
}

static Status print_title(const ConfigSection *section, Text *out) {
  const char *name = *section->name != '\0' ? section->name : "(top level)";
  return text_printf(out, "%s%s", name, section->is_list ? " (a list)" : "");
}

Status config_help(const ConfigSection *section, Text *out) {
  Columns columns;
  TRY(measure(section, &columns));
  TRY(text_printf(out, "%s", out->length > 0 ? "\n" : ""));
  int64_t line = out->length;
  TRY(print_title(section, out));
  TRY(pad(out, &line, columns.fallback));
  TRY(text_printf(out, "default"));
  TRY(pad(out, &line, columns.allowed));
  TRY(text_printf(out, "allowed"));
  TRY(pad(out, &line, columns.help));
  TRY(text_printf(out, "meaning\n"));
  for (int64_t i = 0; i < section->count; ++i) {
    TRY(print_help_row(&section->rows[i], &columns, out));
  }
  return OK;
}
