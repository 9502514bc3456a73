#include "train_checkpoint.h"

#include <dirent.h>
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

/* The last complete checkpoint below `before`; -1 for none. */
static int64_t last_before(const TrainCheckpoint *checkpoint, int64_t before) {
  int64_t last = -1;
  DIR *folder = opendir(checkpoint->folder);
  for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
       entry = readdir(folder)) {
    bool is_part = false;
    const int64_t step = step_of(entry->d_name, &is_part);
    if (!is_part && step > last && step < before) {
      last = step;
    }
  }
  if (folder != NULL) {
    closedir(folder);
  }
  return last;
}

/* Remove the checkpoints before a step, and parts. */
static void remove_before(const TrainCheckpoint *checkpoint, int64_t before) {
  DIR *folder = opendir(checkpoint->folder);
  for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
       entry = readdir(folder)) {
    bool is_part = false;
    const int64_t step = step_of(entry->d_name, &is_part);
    char *path = NULL;
    if (step >= 0 && (is_part || step < before) &&
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
  remove_before(checkpoint, INT64_MAX);
  rmdir(checkpoint->folder);
}

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

static Status write_parts(Archive *archive, Team *team, Train *train) {
  TrainPart parts[TRAIN_PARTS];
  char name[64];
  const int count = train_parts(train, parts);
  for (int p = 0; p < count; p++) {
    const ArchiveDataset dataset = dataset_of(train, &parts[p], name);
    TRY(archive_add(archive, &dataset));
  }
  TRY(archive_begin(archive));
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
  TRY(archive_set_integer(archive, "/", "step", train->step));
  TRY(archive_set_integer(archive, "/", "log_bytes", log_bytes));
  TRY(archive_set_real(archive, "/", "cutoff", train->cutoff));
  return write_parts(archive, team, train);
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
      oldest = last_before(checkpoint, oldest);
    }
    remove_before(checkpoint, oldest);
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

static Status read_parts(Archive *archive, Team *team, Train *train, bool *intact) {
  TrainPart parts[TRAIN_PARTS];
  const int count = train_parts(train, parts);
  *intact = true;
  for (int p = 0; p < count && *intact; p++) {
    TRY(read_part(archive, team, train, &parts[p], intact));
    if (!*intact) {
      log_info("%s: %s is damaged (its checksum is another)", archive_path(archive), parts[p].name);
    }
  }
  return OK;
}

/* What looking at a checkpoint has shown. */
typedef struct Found {
  bool is_stale, is_intact;
  int64_t log_bytes;
} Found;

static Status load_file(const TrainCheckpoint *checkpoint, Archive *archive, Team *team,
                        Train *train, Found *found) {
  char *stamp = NULL;
  int64_t step;
  TRY(archive_get_text(archive, "/", "stamp", &stamp));
  found->is_stale = strcmp(stamp, checkpoint->stamp) != 0;
  MEMORY_FREE(stamp);
  if (found->is_stale) {
    return OK;
  }
  TRY(archive_get_integer(archive, "/", "step", &step));
  TRY(archive_get_integer(archive, "/", "log_bytes", &found->log_bytes));
  TRY(archive_get_real(archive, "/", "cutoff", &train->cutoff));
  TRY(read_parts(archive, team, train, &found->is_intact));
  if (found->is_intact) {
    train_resume(train, step);
    log_info("%s goes on from step %lld", train->spec.name, (long long)step);
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

static Status load(const TrainCheckpoint *checkpoint, Team *team, Train *train, const char *path,
                   bool force, Found *found) {
  Archive *archive = NULL;
  TRY(archive_open(team, path, SCHEMA_CHECKPOINT, "cleave-train", &archive));
  const Status status = load_file(checkpoint, archive, team, train, found);
  archive_close(&archive);
  TRY(status);
  return found->is_stale ? settle_stale(checkpoint, team, path, force) : OK;
}

/* The last one, or the one before it where that is damaged. */
Status train_checkpoint_load(const TrainCheckpoint *checkpoint, Team *team, Train *train,
                             bool force, bool *found, int64_t *log_bytes) {
  int64_t step = INT64_MAX;
  *found = false;
  *log_bytes = 0;
  for (int tried = 0; !*found; tried++) {
    Found one = {0};
    char *path = NULL;
    step = team->rank == 0 ? last_before(checkpoint, step) : -1;
    team_broadcast(team, &step, (int64_t)sizeof(step), 0);
    if (step < 0) {
      return tried == 0 ? OK : raise_damaged(checkpoint, team);
    }
    TRY_OWN(team, &path, path_of(checkpoint, step, &path));
    const Status status = load(checkpoint, team, train, path, force, &one);
    MEMORY_FREE(path);
    TRY(status);
    if (one.is_stale) {
      return OK;
    }
    *found = one.is_intact;
    *log_bytes = one.log_bytes;
  }
  return OK;
}
