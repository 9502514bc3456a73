#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "memory.h"

enum { BUFFER = 1 << 20 };

static Status failed(const Table *table, const char *doing) {
  const Status code = status_of_write(errno);
  return RAISE(code, "%s: %s: %s", table->part, doing, strerror(errno));
}

static Status name_files(Table *table, const char *path) {
  Text part = {0};
  TRY(memory_copy_text(&table->path, path));
  Status status = text_printf(&part, "%s.part", path);
  if (status == OK) {
    status = memory_copy_text(&table->part, text_chars(&part));
  }
  text_clear(&part);
  return status;
}

static Status write_at(const Table *table, const char *bytes, int64_t length, int64_t at) {
  while (length > 0) {
    const ssize_t done = pwrite(table->file, bytes, (size_t)length, (off_t)at);
    if (done < 0 && errno != EINTR) {
      return failed(table, "writing");
    }
    if (done > 0) {
      bytes += done;
      length -= done;
      at += done;
    }
  }
  return OK;
}

static Status make_file(Table *table, const char *heading) {
  table->file = open(table->part, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (table->file < 0) {
    return failed(table, "creating");
  }
  return write_at(table, heading, (int64_t)strlen(heading), 0);
}

static Status join_file(Table *table) {
  table->file = open(table->part, O_WRONLY);
  return table->file < 0 ? failed(table, "opening") : OK;
}

Status table_open(Table *table, Team *team, const char *path, const char *heading) {
  *table = (Table){.team = team, .file = -1, .length = (int64_t)strlen(heading)};
  TRY_ALL(team, name_files(table, path));
  TRY_ALL(team, team->rank == 0 ? make_file(table, heading) : OK);
  TRY_ALL(team, team->rank == 0 ? OK : join_file(table));
  return OK;
}

static Status measure(int64_t lines, TableLine line, void *context, Text *text, int64_t *bytes) {
  for (int64_t i = 0; i < lines; ++i) {
    text->length = 0;
    TRY(line(i, context, text));
    *bytes += text->length;
  }
  return OK;
}

static Status write_lines(const Table *table, int64_t lines, TableLine line, void *context,
                          Text *text, int64_t at) {
  text->length = 0;
  for (int64_t i = 0; i < lines; ++i) {
    TRY(line(i, context, text));
    if (text->length >= BUFFER || i == lines - 1) {
      TRY(write_at(table, text->bytes, text->length, at));
      at += text->length;
      text->length = 0;
    }
  }
  return OK;
}

Status table_add(Table *table, int64_t lines, TableLine line, void *context) {
  Text text = {0};
  int64_t bytes = 0, total = 0;
  Status status = team_agree(table->team, measure(lines, line, context, &text, &bytes));
  if (status == OK) {
    const int64_t at = table->length + exchange_offset(table->team, bytes, &total);
    table->length += total;
    status = team_agree(table->team, write_lines(table, lines, line, context, &text, at));
  }
  text_clear(&text);
  return status;
}

static Status close_file(Table *table) {
  const int file = table->file;
  table->file = -1;
  return file >= 0 && close(file) != 0 ? failed(table, "closing") : OK;
}

static Status rename_file(const Table *table) {
  return rename(table->part, table->path) != 0 ? failed(table, "renaming") : OK;
}

static void forget(Table *table) {
  MEMORY_FREE(table->path);
  MEMORY_FREE(table->part);
  table->team = NULL;
}

Status table_finish(Table *table) {
  TRY_ALL(table->team, close_file(table));
  TRY_ALL(table->team, table->team->rank == 0 ? rename_file(table) : OK);
  forget(table);
  return OK;
}

/* The team alone says whether all ranks have work here: a path may be missing on one of them. */
void table_abandon(Table *table) {
  if (table->team == NULL) {
    return;
  }
  if (table->file >= 0) {
    (void)!close(table->file);
  }
  team_barrier(table->team);
  if (table->team->rank == 0 && table->part != NULL) {
    unlink(table->part);
  }
  forget(table);
}
