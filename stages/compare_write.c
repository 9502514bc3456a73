#include <stdio.h>

#include "compare_columns.h"
#include "compare_run.h"
#include "compare_work.h"
#include "memory.h"
#include "schema.h"

void compare_name_group(char *group, const char *kind, const char *child, const char *parent) {
  snprintf(group, COMPARE_NAME, parent != NULL ? "/%s/%s/%s" : "/%s/%s", kind, child, parent);
}

/* What is in the file. */

static Status add_dictionary(Compare *compare, const Dictionary *one) {
  char group[COMPARE_NAME];
  compare_name_group(group, "dictionary", one->settings->name, NULL);
  TRY(compare_add(compare, compare->out, group, &STATE_COLUMN, one->latents));
  compare_name_group(group, "self", one->settings->name, NULL);
  for (int i = 0; i < SELF_COLUMNS && settings_has_self(&compare->stage->settings, one->latents);
       i++) {
    TRY(compare_add(compare, compare->out, group, &SELF_COLUMN[i], one->latents));
  }
  return OK;
}

static Status add_pair(Compare *compare, const SettingsPair *pair) {
  const Dictionary *child = &compare->dictionaries[pair->child];
  const Dictionary *parent = &compare->dictionaries[pair->parent];
  char group[COMPARE_NAME];
  compare_name_group(group, "pair", child->settings->name, parent->settings->name);
  for (int i = 0; i < PAIR_COLUMNS; i++) {
    TRY(compare_add(compare, compare->out, group, &PAIR_COLUMN[i], child->latents));
  }
  for (int i = 0; i < PAIR_LIST_COLUMNS; i++) {
    TRY(compare_add(compare, compare->out, group, &PAIR_LIST_COLUMN[i], parent->latents));
  }
  for (int i = 0; i < PAIR_HISTOGRAMS; i++) {
    const PairHistogram *one = &PAIR_HISTOGRAM[i];
    TRY(compare_add(compare, compare->out, group, &one->column, one->bins));
  }
  return OK;
}

static Status declare(Compare *compare) {
  TRY(archive_note_text(compare->out, "/", "stamp", compare->stamp));
  for (int64_t i = 0; i < compare->count; i++) {
    TRY(add_dictionary(compare, &compare->dictionaries[i]));
  }
  for (int64_t i = 0; i < compare->pair_count; i++) {
    TRY(add_pair(compare, &compare->pairs[i]));
  }
  return OK;
}

/* Copying. */

enum { COPY_BYTES = 1 << 26 }; /* a rank at a time */

/* One dataset of a work file into rows [at, ...) of one of the output. */
typedef struct Copy {
  Archive *from;
  const Column *column;
  const char *group; /* in the output */
  int64_t at;
} Copy;

static int64_t value_bytes(const Compare *compare, const Column *column) {
  const int64_t width = compare_width(compare, column);
  const int64_t size = column->type == ARCHIVE_U8 ? 1 : (column->type == ARCHIVE_I64 ? 8 : 4);
  return size * (width > 0 ? width : 1);
}

/* This rank's rows of piece after piece. */
static Status copy_pieces(Compare *compare, const Copy *copy, int64_t rows, int64_t piece,
                          char *room) {
  char from[64];
  char to[COMPARE_NAME + 64];
  snprintf(from, sizeof(from), "/%s", copy->column->name);
  snprintf(to, sizeof(to), "%s/%s", copy->group, copy->column->name);
  const int64_t all = piece * compare->team->size;
  for (int64_t first = 0; first < rows; first += all) {
    const int64_t left = rows - first < all ? rows - first : all;
    const Shard own = shard_of(left, 1, compare->team->rank, compare->team->size);
    TRY(archive_read(copy->from, from, first + own.first, shard_count(own), room));
    TRY(archive_write(compare->out, to, copy->at + first + own.first, shard_count(own), room));
  }
  return OK;
}

static Status copy_rows(Compare *compare, const Copy *copy, int64_t rows) {
  const int64_t bytes = value_bytes(compare, copy->column);
  const int64_t bound = COPY_BYTES / bytes;
  const int64_t piece = bound < rows ? bound : rows;
  char *room = NULL;
  TRY_NEW(compare->team, &room, piece * bytes, "rows to be copied");
  const Status status = copy_pieces(compare, copy, rows, piece, room);
  MEMORY_FREE(room);
  return status;
}

static Status rows_of(const Compare *compare, Archive *from, const Column *column, int64_t *rows) {
  char name[64];
  int64_t shape[2];
  snprintf(name, sizeof(name), "/%s", column->name);
  TRY(archive_shape(from, name, column->type, compare_width(compare, column) > 0 ? 2 : 1, shape));
  *rows = shape[0];
  return compare_check_rows(compare, from, *rows);
}

/* All files of panels of a step, in order. */
static Status copy_panels(Compare *compare, const char *step, const char *group,
                          const Column *columns, int count, int64_t children) {
  for (int64_t at = 0; at < children;) {
    Archive *from = NULL;
    int64_t rows = 0;
    TRY(compare_work_read(compare, step, "rows", at, &from));
    Status status = rows_of(compare, from, &columns[0], &rows);
    for (int i = 0; i < count && status == OK; i++) {
      const Copy copy = {from, &columns[i], group, at};
      status = copy_rows(compare, &copy, rows);
    }
    archive_close(&from);
    TRY(status);
    at += rows;
  }
  return OK;
}

static Status copy_text(const Compare *compare, Archive *from, const char *group, const char *key,
                        bool is_note) {
  char *text = NULL;
  TRY(archive_get_text(from, "/", key, &text));
  const Status status = is_note ? archive_note_text(compare->out, group, key, text)
                                : archive_set_text(compare->out, group, key, text);
  MEMORY_FREE(text);
  return status;
}

static Status set_dictionary(Compare *compare, const Dictionary *one, const char *group,
                             Archive *done) {
  const bool is_level = one->settings->control_of[0] == '\0';
  TRY(archive_set_integer(compare->out, group, "latents", one->latents));
  TRY(archive_set_text(compare->out, group, "role", is_level ? "level" : "control"));
  TRY(archive_set_text(compare->out, group, "control_of", one->settings->control_of));
  TRY(archive_set_real(compare->out, group, "effective_dimension", one->dimension));
  TRY(copy_text(compare, done, group, "spectrum", true));
  const Copy copy = {done, &STATE_COLUMN, group, 0};
  return copy_rows(compare, &copy, one->latents);
}

static Status put_dictionary(Compare *compare, const Dictionary *one) {
  char group[COMPARE_NAME];
  char step[32];
  Archive *done = NULL;
  snprintf(step, sizeof(step), "dictionary-%lld", (long long)one->index);
  compare_name_group(group, "dictionary", one->settings->name, NULL);
  TRY(compare_work_read(compare, step, "done", -1, &done));
  const Status status = set_dictionary(compare, one, group, done);
  archive_close(&done);
  TRY(status);
  snprintf(step, sizeof(step), "self-%lld", (long long)one->index);
  compare_name_group(group, "self", one->settings->name, NULL);
  return settings_has_self(&compare->stage->settings, one->latents)
             ? copy_panels(compare, step, group, SELF_COLUMN, SELF_COLUMNS, one->latents)
             : OK;
}

static Status copy_attributes(const Compare *compare, Archive *done, const char *group) {
  for (int i = 0; i < PAIR_REALS; i++) {
    double value;
    TRY(archive_get_real(done, "/", PAIR_REAL[i], &value));
    TRY(archive_set_real(compare->out, group, PAIR_REAL[i], value));
  }
  for (int i = 0; i < PAIR_INTEGERS; i++) {
    int64_t value;
    TRY(archive_get_integer(done, "/", PAIR_INTEGER[i], &value));
    TRY(archive_set_integer(compare->out, group, PAIR_INTEGER[i], value));
  }
  return copy_text(compare, done, group, "warning", false);
}

static Status copy_end(Compare *compare, Archive *done, const char *group, int64_t parents) {
  TRY(copy_attributes(compare, done, group));
  for (int i = 0; i < PAIR_LIST_COLUMNS; i++) {
    const Copy copy = {done, &PAIR_LIST_COLUMN[i], group, 0};
    TRY(copy_rows(compare, &copy, parents));
  }
  for (int i = 0; i < PAIR_HISTOGRAMS; i++) {
    const Copy copy = {done, &PAIR_HISTOGRAM[i].column, group, 0};
    TRY(copy_rows(compare, &copy, PAIR_HISTOGRAM[i].bins));
  }
  return OK;
}

static Status put_pair(Compare *compare, int64_t index) {
  const Dictionary *child = &compare->dictionaries[compare->pairs[index].child];
  const Dictionary *parent = &compare->dictionaries[compare->pairs[index].parent];
  char group[COMPARE_NAME];
  char step[32];
  Archive *done = NULL;
  snprintf(step, sizeof(step), "pair-%lld", (long long)index);
  compare_name_group(group, "pair", child->settings->name, parent->settings->name);
  TRY(copy_panels(compare, step, group, PAIR_COLUMN, PAIR_COLUMNS, child->latents));
  TRY(compare_work_read(compare, step, "done", -1, &done));
  const Status status = copy_end(compare, done, group, parent->latents);
  archive_close(&done);
  return status;
}

static Status put_all(Compare *compare) {
  TRY(declare(compare));
  TRY(archive_begin(compare->out));
  for (int64_t i = 0; i < compare->count; i++) {
    TRY(put_dictionary(compare, &compare->dictionaries[i]));
  }
  for (int64_t i = 0; i < compare->pair_count; i++) {
    TRY(put_pair(compare, i));
  }
  return OK;
}

Status compare_write(Compare *compare, const char *path) {
  TRY(archive_create(compare->team, path, SCHEMA_NEIGHBOURS, &compare->out));
  const Status status = put_all(compare);
  if (status != OK) {
    archive_abandon(&compare->out);
    return status;
  }
  return archive_finish(&compare->out, NULL);
}
