/* The largest families in the paper's form, from families.csv: of a run just made, or of an earlier one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "families_run.h"
#include "glyph.h"
#include "memory.h"

enum { LINE = 1 << 16, FIELDS = 128, TOP_DEFAULT = 5, TOP_MOST = 100000, COLUMNS = 80 };

/* A line cut into fields; quotes are taken off. */
typedef struct Fields {
  char line[LINE];
  char *field[FIELDS];
  int count;
} Fields;

/* A field that begins at `from`, unquoted in place; where the next one begins, NULL at the end of the line. */
static char *cut_field(char *from, char **field) {
  char *to = from;
  *field = from;
  const bool is_quoted = *from == '"';
  from += is_quoted;
  while (*from != '\0' && (is_quoted || *from != ',')) {
    if (is_quoted && *from == '"') {
      if (from[1] != '"') {
        ++from;
        break;
      }
      ++from;
    }
    *to++ = *from++;
  }
  char *next = *from == ',' ? from + 1 : NULL;
  *to = '\0';
  return next;
}

static bool read_fields(FILE *file, Fields *fields) {
  fields->count = 0;
  if (fgets(fields->line, LINE, file) == NULL) {
    return false;
  }
  fields->line[strcspn(fields->line, "\n")] = '\0';
  for (char *at = fields->line; at != NULL && fields->count < FIELDS;) {
    at = cut_field(at, &fields->field[fields->count++]);
  }
  return true;
}

/* Families, best first: features, and where the line stands in the file. */
typedef struct Best {
  int64_t *size;
  long *place;
  int64_t count, room;
} Best;

static void offer(Best *best, int64_t size, long place) {
  int64_t at = best->count;
  while (at > 0 && best->size[at - 1] < size) {
    --at; /* the earlier line, the lower root, wins a tie */
  }
  if (at == best->room) {
    return;
  }
  best->count += best->count < best->room;
  for (int64_t i = best->count - 1; i > at; --i) {
    best->size[i] = best->size[i - 1];
    best->place[i] = best->place[i - 1];
  }
  best->size[at] = size;
  best->place[at] = place;
}

static void find_best(FILE *file, int64_t levels, Fields *fields, Best *best) {
  for (long place = ftell(file); read_fields(file, fields); place = ftell(file)) {
    int64_t size = 0;
    for (int64_t l = 0; l < levels && 1 + l < fields->count; ++l) {
      size += strtoll(fields->field[1 + l], NULL, 10);
    }
    if (size > 1) {
      offer(best, size, place);
    }
  }
}

/* What follows the label, and the label, cut so that the line fits. */
static void print_family(const FamiliesRun *run, const Fields *fields) {
  const char *label = fields->field[fields->count - 1], *flags = fields->field[fields->count - 2];
  char sizes[1024];
  int64_t length = 0, at = 0;
  sizes[0] = '\0';
  for (int64_t l = 1; l < run->levels && length < (int64_t)sizeof sizes - 300; ++l) {
    length += snprintf(sizes + length, sizeof sizes - (size_t)length, " -> %s in %.200s",
                       fields->field[1 + l], families_level(run, l)->settings->name);
  }
  const bool is_hub = strstr(flags, "hub") != NULL;
  int64_t left = COLUMNS - 6 - (int64_t)strlen(fields->field[0]) - length - (is_hub ? 6 : 0);
  while (label[at] != '\0') {
    int columns;
    const int bytes = glyph_first(label + at, (int64_t)strlen(label + at), &columns);
    left -= columns;
    if (left < 0) {
      break;
    }
    at += bytes;
  }
  printf("  %s \"%.*s\"%s%s\n", fields->field[0], (int)at, label, sizes, is_hub ? " (hub)" : "");
}

static Status print_best(const FamiliesRun *run, FILE *file, Fields *fields, Best *best) {
  if (!read_fields(file, fields) || fields->count < run->levels + 3) {
    return RAISE(ERR_FORMAT, "families.csv has no heading of families: run with --force");
  }
  find_best(file, run->levels, fields, best);
  printf(best->count > 0 ? "\nThe largest families:\n" : "\nNo feature has a child.\n");
  for (int64_t i = 0; i < best->count; ++i) {
    if (fseek(file, best->place[i], SEEK_SET) == 0 && read_fields(file, fields)) {
      print_family(run, fields);
    }
  }
  return OK;
}

static Status print_file(const FamiliesRun *run, const char *path, int64_t top) {
  Fields *fields = NULL;
  Best best = {.room = top};
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
  }
  Status status = MEMORY_NEW(&fields, 1, "a line of families.csv");
  if (status == OK) {
    status = MEMORY_NEW(&best.size, top, "largest families");
  }
  if (status == OK) {
    status = MEMORY_NEW(&best.place, top, "largest families");
  }
  if (status == OK) {
    status = print_best(run, file, fields, &best);
  }
  MEMORY_FREE(fields);
  MEMORY_FREE(best.size);
  MEMORY_FREE(best.place);
  fclose(file);
  return status;
}

Status families_say_top(FamiliesRun *run) {
  int64_t top = TOP_DEFAULT;
  char *path = NULL;
  TRY_ALL(run->team, stage_integer(run->stage, "--top", 1, TOP_MOST, &top));
  TRY_OWN(run->team, &path, stage_path(run->stage, &path, "families.csv"));
  const Status status = run->team->rank == 0 ? print_file(run, path, top) : OK;
  MEMORY_FREE(path);
  return team_agree(run->team, status);
}
