#include "train_checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "log.h"
#include "memory.h"
#include "schema.h"
#include "shard.h"
#include "text.h"

enum { KEPT = 2 };

static Status path_of(const TrainCheckpoint *checkpoint, int64_t step, char **path) {
  char name[64];
  snprintf(name, sizeof(name), "step-%lld.h5", (long long)step);
  return text_join_path(path, checkpoint->folder, name);
}

/* The step of a file name, -1 for other files. `is_part`: what a killed job left behind, X.h5.part or
 * Open MPI's own X.h5.part.locktest.0. */
static int64_t step_of(const char *name, bool *is_part) {
  long long step = -1;
  int past = 0;
  if (sscanf(name, "step-%lld.h5%n", &step, &past) != 1 || past == 0) {
    return -1;
  }
  *is_part = strncmp(name + past, ".part", 5) == 0;
  return *is_part || name[past] == '\0' ? step : -1;
}

/* The last complete checkpoint below `before`; -1 for none. A folder that cannot be read is not one without
 * checkpoints: training would begin anew. */
static Status last_before(const TrainCheckpoint *checkpoint, int64_t before, int64_t *last) {
  *last = -1;
  DIR *folder = opendir(checkpoint->folder);
  if (folder == NULL && errno == ENOENT) {
    return OK;
  }
  errno = 0;
  for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
       entry = readdir(folder)) {
    bool is_part = false;
    const int64_t step = step_of(entry->d_name, &is_part);
    if (!is_part && step > *last && step < before) {
      *last = step;
    }
    errno = 0;
  }
  const int why = errno;
  if (folder != NULL) {
    closedir(folder);
  }
  return why == 0 ? OK
                  : RAISE(ERR_FILE, "%s: cannot be read: %s", checkpoint->folder, strerror(why));
}

/* Remove the checkpoints outside of [first, last], and parts. */
static void keep_between(const TrainCheckpoint *checkpoint, int64_t first, int64_t last) {
  DIR *folder = opendir(checkpoint->folder);
  for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
       entry = readdir(folder)) {
    bool is_part = false;
    const int64_t step = step_of(entry->d_name, &is_part);
    char *path = NULL;
    if (step >= 0 && (is_part || step < first || step > last) &&
        text_join_path(&path, checkpoint->folder, entry->d_name) == OK) {
      unlink(path);
    }
    MEMORY_FREE(path);
  }
  if (folder != NULL) {
    closedir(folder);
  }
}

void train_checkpoint_remove(const TrainCheckpoint *checkpoint) {
  keep_between(checkpoint, INT64_MAX, INT64_MAX);
  rmdir(checkpoint->folder);
}

/* Numbers stand in a dataset, so that they have a checksum too. */
enum { NUMBER_STEP, NUMBER_LOG, NUMBER_CUTOFF, NUMBERS };
static const ArchiveDataset NUMBERS_SET = {.name = "/numbers",
                                           .type = ARCHIVE_F64,
                                           .dims = 1,
                                           .shape = {NUMBERS},
                                           .meaning = "steps done, bytes of the log, cutoff",
                                           .unit = "1"};

static ArchiveDataset dataset_of(const Train *train, const TrainPart *part, char *name) {
  static const ArchiveType TYPES[] = {
      [TRAIN_FLOAT] = ARCHIVE_F32, [TRAIN_BF16] = ARCHIVE_BF16, [TRAIN_INTEGER] = ARCHIVE_I64};
  snprintf(name, 64, "/%s", part->name);
  ArchiveDataset dataset = {.name = name,
                            .type = TYPES[part->type],
                            .dims = part->has_width ? 2 : 1,
                            .meaning = part->meaning,
                            .unit = part->type == TRAIN_INTEGER ? "rows" : "1"};
  dataset.shape[0] = part->is_whole ? train->spec.width : train->spec.latents;
  dataset.shape[1] = train->spec.width;
  return dataset;
}

static Status write_parts(Archive *archive, Team *team, Train *train, const double *numbers) {
  TrainPart parts[TRAIN_PARTS];
  char name[64];
  const int count = train_parts(train, parts);
  for (int p = 0; p < count; p++) {
    const ArchiveDataset dataset = dataset_of(train, &parts[p], name);
    TRY(archive_add(archive, &dataset));
  }
  TRY(archive_add(archive, &NUMBERS_SET));
  TRY(archive_begin(archive));
  TRY(archive_write(archive, NUMBERS_SET.name, 0, team->rank == 0 ? NUMBERS : 0, numbers));
  for (int p = 0; p < count; p++) {
    const ArchiveDataset dataset = dataset_of(train, &parts[p], name);
    const int64_t whole = team->rank == 0 ? train->spec.width : 0;
    const Shard own = train_written(train);
    TRY(archive_write(archive, dataset.name, parts[p].is_whole ? 0 : own.first,
                      parts[p].is_whole ? whole : shard_count(own), parts[p].data));
  }
  return OK;
}

static Status write_file(const TrainCheckpoint *checkpoint, Archive *archive, Team *team,
                         Train *train, int64_t log_bytes) {
  team_broadcast(team, &log_bytes, (int64_t)sizeof(log_bytes), 0);
  TRY(archive_set_text(archive, "/", "stamp", checkpoint->stamp));
  TRY(archive_set_text(archive, "/", "name", train->spec.name));
  const double numbers[NUMBERS] = {(double)train->step, (double)log_bytes, train->cutoff};
  return write_parts(archive, team, train, numbers);
}

Status train_checkpoint_save(const TrainCheckpoint *checkpoint, Team *team, Train *train,
                             int64_t log_bytes) {
  Archive *archive = NULL;
  char *path = NULL;
  Status status = team_agree(team, path_of(checkpoint, train->step, &path));
  if (status == OK) {
    status = archive_create(team, path, SCHEMA_CHECKPOINT, &archive);
  }
  if (status == OK) {
    status = write_file(checkpoint, archive, team, train, log_bytes);
  }
  if (status == OK) {
    status = archive_finish(&archive, NULL);
  }
  archive_abandon(&archive);
  MEMORY_FREE(path);
  if (status == OK && team->rank == 0) {
    int64_t oldest = train->step;
    for (int i = 1; i < KEPT; i++) {
      if (last_before(checkpoint, oldest, &oldest) != OK) {
        oldest = -1; /* all are kept */
      }
    }
    keep_between(checkpoint, oldest, INT64_MAX);
  }
  return status;
}

static Status read_part(Archive *archive, Team *team, Train *train, const TrainPart *part,
                        bool *intact) {
  char name[64];
  int64_t shape[2];
  const ArchiveDataset dataset = dataset_of(train, part, name);
  const Shard own = train->sae->own;
  const int64_t first = part->is_whole ? 0 : own.first;
  const int64_t rows = part->is_whole ? train->spec.width : shard_count(own);
  TRY(archive_shape(archive, dataset.name, dataset.type, dataset.dims, shape));
  TRY(archive_read(archive, dataset.name, first, rows, part->data));
  const int64_t given =
      part->is_whole ? (team->rank == 0 ? rows : 0) : shard_count(train_written(train));
  return archive_check(archive, dataset.name, first, given, part->data, intact);
}

/* What looking at a checkpoint has shown. */
typedef struct Found {
  bool is_stale, is_intact;
  double numbers[NUMBERS];
} Found;

static Status read_numbers(Archive *archive, Team *team, Found *found) {
  int64_t count;
  TRY(archive_shape(archive, NUMBERS_SET.name, ARCHIVE_F64, 1, &count));
  TRY(archive_read(archive, NUMBERS_SET.name, 0, NUMBERS, found->numbers));
  return archive_check(archive, NUMBERS_SET.name, 0, team->rank == 0 ? NUMBERS : 0, found->numbers,
                       &found->is_intact);
}

static Status read_all(Archive *archive, Team *team, Train *train, Found *found) {
  TrainPart parts[TRAIN_PARTS];
  const int count = train_parts(train, parts);
  const char *last = "numbers";
  TRY(read_numbers(archive, team, found));
  for (int p = 0; p < count && found->is_intact; p++) {
    last = parts[p].name;
    TRY(read_part(archive, team, train, &parts[p], &found->is_intact));
  }
  if (!found->is_intact) {
    log_info("%s: %s is damaged (its checksum is another)", archive_path(archive), last);
  }
  return OK;
}

static Status load_file(const TrainCheckpoint *checkpoint, Archive *archive, Team *team,
                        Train *train, Found *found) {
  char *stamp = NULL;
  TRY(archive_get_text(archive, "/", "stamp", &stamp));
  found->is_stale = strcmp(stamp, checkpoint->stamp) != 0;
  MEMORY_FREE(stamp);
  if (found->is_stale) {
    return OK;
  }
  TRY(read_all(archive, team, train, found));
  if (found->is_intact) {
    train->cutoff = found->numbers[NUMBER_CUTOFF];
    train_resume(train, (int64_t)found->numbers[NUMBER_STEP]);
    log_info("%s goes on from step %lld", train->spec.name, (long long)train->step);
  }
  return OK;
}

/* A checkpoint of other settings is in the way: refused, or dropped by --force. */
static Status settle_stale(const TrainCheckpoint *checkpoint, Team *team, const char *path,
                           bool force) {
  if (!force) {
    return team_agree(team, RAISE(ERR_STALE,
                                  "%s was made with other settings or inputs: --force drops it "
                                  "and starts anew",
                                  path));
  }
  if (team->rank == 0) {
    train_checkpoint_remove(checkpoint);
  }
  return OK;
}

static Status raise_damaged(const TrainCheckpoint *checkpoint, Team *team) {
  return team_agree(
      team, RAISE(ERR_FORMAT, "%s: all checkpoints are damaged: remove the folder to start anew",
                  checkpoint->folder));
}

/* Is it a file that was closed whole? Then what is in it has checksums. */
static bool is_whole(Team *team, const char *path) {
  const bool whole = team->rank == 0 && archive_is_whole(path, SCHEMA_CHECKPOINT);
  if (team->rank == 0 && !whole) {
    log_info("%s is damaged or cut short", path);
  }
  return team_any(team, whole);
}

static Status load(const TrainCheckpoint *checkpoint, Team *team, Train *train, const char *path,
                   bool force, Found *found) {
  Archive *archive = NULL;
  if (!is_whole(team, path)) {
    return OK;
  }
  TRY(archive_open(team, path, SCHEMA_CHECKPOINT, "cleave-train", &archive));
  const Status status = load_file(checkpoint, archive, team, train, found);
  archive_close(&archive);
  TRY(status);
  return found->is_stale ? settle_stale(checkpoint, team, path, force) : OK;
}

/* Load the last one below `step`, which becomes its number; -1: there is none. */
static Status load_before(const TrainCheckpoint *checkpoint, Team *team, Train *train, bool force,
                          int64_t *step, Found *found) {
  char *path = NULL;
  const int64_t before = *step;
  *step = -1;
  TRY_ALL(team, team->rank == 0 ? last_before(checkpoint, before, step) : OK);
  team_broadcast(team, step, (int64_t)sizeof(*step), 0);
  if (*step < 0) {
    return OK;
  }
  TRY_OWN(team, &path, path_of(checkpoint, *step, &path));
  const Status status = load(checkpoint, team, train, path, force, found);
  MEMORY_FREE(path);
  return status;
}

/* The last one, or the one before it where that is damaged; the damaged one is then of no use. */
Status train_checkpoint_load(const TrainCheckpoint *checkpoint, Team *team, Train *train,
                             bool force, bool *found, int64_t *log_bytes) {
  int64_t step = INT64_MAX;
  Found one = {0};
  *found = false;
  *log_bytes = 0;
  TRY(load_before(checkpoint, team, train, force, &step, &one));
  const bool is_damaged = step >= 0 && !one.is_stale && !one.is_intact;
  while (step >= 0 && !one.is_stale && !one.is_intact) {
    TRY(load_before(checkpoint, team, train, force, &step, &one));
  }
  if (is_damaged && step < 0) {
    return raise_damaged(checkpoint, team);
  }
  if (one.is_intact) {
    *found = true;
    *log_bytes = (int64_t)one.numbers[NUMBER_LOG];
    if (is_damaged && team->rank == 0) {
      keep_between(checkpoint, 0, step);
    }
  }
  return OK;
}
