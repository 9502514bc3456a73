#include "compare_work.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "memory.h"
#include "text.h"

int64_t compare_width(const Compare *compare, const Column *column) {
  if (column->width == COLUMN_MOST) {
    return compare->most;
  }
  return column->width == COLUMN_SPAN ? compare->stage->settings.compare.span : column->width;
}

Status compare_add(const Compare *compare, Archive *archive, const char *group,
                   const Column *column, int64_t rows) {
  char path[COMPARE_NAME + 64];
  const int64_t width = compare_width(compare, column);
  snprintf(path, sizeof(path), "%s/%s", group, column->name);
  const ArchiveDataset dataset = {.name = path,
                                  .type = column->type,
                                  .dims = width > 0 ? 2 : 1,
                                  .shape = {rows, width},
                                  .meaning = column->meaning,
                                  .unit = column->type == ARCHIVE_F32
                                              ? "cosine"
                                              : (column->type == ARCHIVE_U32 ? "latent" : "1")};
  return archive_add(archive, &dataset);
}

/* The folder's files. */

/* What a file name says. */
typedef struct WorkFile {
  int64_t at; /* -1: none */
  bool is_rows, is_lists, is_part;
} WorkFile;

/* Is it a file of the step? Parts are all that a killed job leaves: X.h5.part, and Open MPI's own
 * X.h5.part.locktest.0, which must not be taken for X.h5. */
static bool parse(const char *name, const char *step, WorkFile *out) {
  const size_t length = strlen(step);
  char what[8] = "";
  long long at = -1;
  if (strncmp(name, step, length) != 0 || name[length] != '-') {
    return false;
  }
  sscanf(name + length, "-%7[a-z]-%lld", what, &at);
  *out = (WorkFile){.at = at,
                    .is_rows = strcmp(what, "rows") == 0,
                    .is_lists = strcmp(what, "lists") == 0,
                    .is_part = strstr(name, ".h5.part") != NULL};
  return true;
}

static void remove_file(const Compare *compare, const char *name) {
  char *path = NULL;
  if (text_join_path(&path, compare->folder, name) == OK) {
    unlink(path);
  }
  MEMORY_FREE(path);
}

/* Of a step: parts, lists that do not end at `past`, rows from `past` on. Without a step: all. */
static void remove_files(const Compare *compare, const char *step, int64_t past) {
  DIR *folder = opendir(compare->folder);
  for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
       entry = readdir(folder)) {
    WorkFile file;
    if (step == NULL) {
      remove_file(compare, entry->d_name); /* unlink leaves . and .. alone */
    } else if (parse(entry->d_name, step, &file) &&
               (file.is_part || (file.is_lists && file.at != past) ||
                (file.is_rows && file.at >= past))) {
      remove_file(compare, entry->d_name);
    }
  }
  if (folder != NULL) {
    closedir(folder);
  }
}

/* Where the last lists of a step end; 0 for none. */
static int64_t last_lists(const Compare *compare, const char *step) {
  int64_t last = 0;
  DIR *folder = opendir(compare->folder);
  for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
       entry = readdir(folder)) {
    WorkFile file;
    if (parse(entry->d_name, step, &file) && file.is_lists && !file.is_part && file.at > last) {
      last = file.at;
    }
  }
  if (folder != NULL) {
    closedir(folder);
  }
  return last;
}

static Status path_of(const Compare *compare, const char *step, const char *what, int64_t at,
                      char **path) {
  char name[64];
  if (at < 0) {
    snprintf(name, sizeof(name), "%s-%s.h5", step, what);
  } else {
    snprintf(name, sizeof(name), "%s-%s-%lld.h5", step, what, (long long)at);
  }
  return text_join_path(path, compare->folder, name);
}

Status compare_work_create(Compare *compare, const char *step, const char *what, int64_t at,
                           Archive **out) {
  char *path = NULL;
  TRY_OWN(compare->team, &path, path_of(compare, step, what, at, &path));
  const Status status = archive_create(compare->team, path, COMPARE_SCHEMA, out);
  MEMORY_FREE(path);
  return status;
}

Status compare_work_read(Compare *compare, const char *step, const char *what, int64_t at,
                         Archive **out) {
  char *path = NULL;
  TRY_OWN(compare->team, &path, path_of(compare, step, what, at, &path));
  const Status status =
      archive_open(compare->team, path, COMPARE_SCHEMA, "cleave-compare --force", out);
  MEMORY_FREE(path);
  return status;
}

Status compare_check_rows(const Compare *compare, Archive *rows, int64_t count) {
  TRY_ALL(compare->team,
          count > 0 ? OK
                    : RAISE(ERR_FORMAT, "%s has no rows: remove %s and run cleave-compare again",
                            archive_path(rows), compare->folder));
  return OK;
}

/* The folder as a whole. */

enum { FOLDER_NONE, FOLDER_OURS, FOLDER_STALE };

static Status read_stamp(const Compare *compare, const char *path, int *state) {
  Text text = {0};
  *state = FOLDER_NONE;
  if (access(path, F_OK) != 0) {
    return OK;
  }
  const Status status = text_read_file(&text, path, 64);
  *state = strcmp(text_chars(&text), compare->stamp) == 0 ? FOLDER_OURS : FOLDER_STALE;
  text_clear(&text);
  return status;
}

/* Begin an empty folder: the stamp is the first file in it. */
static Status begin_folder(const Compare *compare, const char *path) {
  Text text = {0};
  remove_files(compare, NULL, 0);
  TRY(text_make_folder(compare->folder));
  TRY(text_printf(&text, "%s", compare->stamp));
  const Status status = text_write_file(&text, path);
  text_clear(&text);
  return status;
}

static Status settle_folder(const Compare *compare, int *state) {
  char *path = NULL;
  TRY(text_join_path(&path, compare->folder, "stamp"));
  Status status = read_stamp(compare, path, state);
  if (status == OK && *state == FOLDER_STALE && !compare->stage->force) {
    status = RAISE(ERR_STALE,
                   "%s holds an unfinished comparison of other settings or inputs: --force drops "
                   "it and starts anew",
                   compare->folder);
  } else if (status == OK && *state != FOLDER_OURS) {
    status = begin_folder(compare, path);
  }
  MEMORY_FREE(path);
  return status;
}

Status compare_work_open(Compare *compare) {
  int state = FOLDER_NONE;
  TRY_ALL(compare->team, compare->team->rank == 0 ? settle_folder(compare, &state) : OK);
  if (state == FOLDER_OURS) {
    log_info("an unfinished comparison is there and goes on (%s)", compare->folder);
  }
  compare->saved = clock_seconds();
  return OK;
}

static Status remove_ours(const Compare *compare) {
  char *path = NULL;
  int state = FOLDER_NONE;
  TRY(text_join_path(&path, compare->folder, "stamp"));
  const Status status = read_stamp(compare, path, &state);
  MEMORY_FREE(path);
  TRY(status);
  if (state == FOLDER_OURS) {
    remove_files(compare, NULL, 0);
    rmdir(compare->folder);
  }
  return OK;
}

Status compare_work_remove(Compare *compare) {
  return team_agree(compare->team, compare->team->rank == 0 ? remove_ours(compare) : OK);
}

/* One step. */

static Status look_for(const Compare *compare, const Step *step, int64_t *past, bool *is_done) {
  char *path = NULL;
  TRY(path_of(compare, step->name, "done", -1, &path));
  *is_done = access(path, F_OK) == 0;
  *past = *is_done ? step->children : last_lists(compare, step->name);
  MEMORY_FREE(path);
  return OK;
}

Status compare_work_find(Compare *compare, Step *step, bool *is_done) {
  bool done = false;
  TRY_ALL(compare->team,
          compare->team->rank == 0 ? look_for(compare, step, &step->done, &done) : OK);
  team_broadcast(compare->team, &step->done, (int64_t)sizeof(step->done), 0);
  *is_done = team_any(compare->team, done);
  return OK;
}

static Shard own_lists(const Compare *compare, const Step *step) {
  return directions_shard(step->total, compare->team->rank, compare->team->size);
}

static Status read_state(Compare *compare, Step *step, Archive *archive) {
  const Shard own = own_lists(compare, step);
  const int64_t most = step->lists.most;
  TRY(archive_read(archive, "/key", own.first, shard_count(own), step->lists.keys));
  TRY(archive_read(archive, "/tally", 0, compare->team->rank == 0 ? step->tallies : 0,
                   step->tally));
  for (int64_t i = 0; i < step->lists.count * most; i++) {
    step->lists.counts[i / most] += step->lists.keys[i] != 0;
  }
  return OK;
}

Status compare_work_resume(Compare *compare, Step *step) {
  if (compare->team->rank == 0) {
    remove_files(compare, step->name, step->done);
  }
  team_barrier(compare->team);
  if (step->done == 0) {
    return OK;
  }
  Archive *archive = NULL;
  TRY(compare_work_read(compare, step->name, "lists", step->done, &archive));
  const Status status = read_state(compare, step, archive);
  archive_close(&archive);
  if (status == OK) {
    log_info("%s goes on from feature %lld of %lld", step->title, (long long)step->done,
             (long long)step->children);
  }
  return status;
}

static Status write_state(Compare *compare, const Step *step, int64_t *tally, Archive *archive) {
  const Shard own = own_lists(compare, step);
  static const Column KEY = {"key", ARCHIVE_I64, COLUMN_MOST, "heaps of (cosine, id)"};
  static const Column TALLY = {"tally", ARCHIVE_I64, 0, "counted so far"};
  TRY(compare_add(compare, archive, "", &KEY, step->total));
  TRY(compare_add(compare, archive, "", &TALLY, step->tallies));
  TRY(archive_begin(archive));
  TRY(archive_write(archive, "/key", own.first, shard_count(own), step->lists.keys));
  return archive_write(archive, "/tally", 0, compare->team->rank == 0 ? step->tallies : 0, tally);
}

static Status save_lists(Compare *compare, const Step *step) {
  Archive *archive = NULL;
  int64_t *tally = NULL;
  TRY_NEW(compare->team, &tally, step->tallies, "counts of a comparison");
  for (int64_t i = 0; i < step->tallies; i++) {
    tally[i] = step->tally[i];
  }
  exchange_sum(compare->team, tally, step->tallies);
  Status status = compare_work_create(compare, step->name, "lists", step->done, &archive);
  if (status == OK) {
    status = write_state(compare, step, tally, archive);
  }
  if (status == OK) {
    status = archive_finish(&archive, NULL);
  }
  archive_abandon(&archive);
  MEMORY_FREE(tally);
  if (status == OK && compare->team->rank == 0) {
    remove_files(compare, step->name, step->done);
  }
  return status;
}

static Status stop_for_signal(Compare *compare, const char *where, int64_t done, int64_t all) {
  return team_agree(compare->team, RAISE(ERR_INTERRUPTED, "%s: %lld of %lld are done", where,
                                         (long long)done, (long long)all));
}

Status compare_work_save(Compare *compare, const Step *step) {
  const double minutes = compare->stage->settings.compare.checkpoint;
  const bool is_due =
      minutes > 0 && compare->team->rank == 0 && clock_seconds() - compare->saved > 60.0 * minutes;
  const bool stops = team_any(compare->team, stage_is_signalled());
  if (team_any(compare->team, is_due) || stops) {
    TRY(save_lists(compare, step));
    compare->saved = clock_seconds();
  }
  return stops ? stop_for_signal(compare, step->title, step->done, step->children) : OK;
}

Status compare_work_pause(Compare *compare) {
  if (team_any(compare->team, stage_is_signalled())) {
    return team_agree(compare->team,
                      RAISE(ERR_INTERRUPTED, "what is done is kept in %s", compare->folder));
  }
  compare->saved = clock_seconds();
  return OK;
}
