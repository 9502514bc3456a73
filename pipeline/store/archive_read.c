#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive_file.h"
#include "content.h"
#include "exchange.h"
#include "hdf.h"
#include "hints.h"
#include "memory.h"

/* What rank 0 alone, without MPI-IO, sees of a file: a missing, damaged or foreign file is told
 * apart here, before the ranks open it together. */
static Status check_schema(hid_t file, const char *path, const char *schema, const char *maker) {
  char *found = NULL;
  if (attribute_read_text(file, "/", "schema", &found) != OK) {
    return RAISE(ERR_FORMAT, "%s: an HDF5 file, but not one of cleave's: run %s", path, maker);
  }
  Status status = OK;
  if (strcmp(found, schema) != 0) {
    status = RAISE(ERR_FORMAT, "%s: schema \"%s\" found, \"%s\" wanted: run %s", path, found,
                   schema, maker);
  }
  MEMORY_FREE(found);
  return status;
}

static Status take_content(hid_t file, const char *path, char *content) {
  char *found = NULL;
  TRY(attribute_read_text(file, "/", "content", &found));
  Status status = OK;
  if (strlen(found) == 16) {
    memcpy(content, found, 17);
  } else {
    status = RAISE(ERR_FORMAT, "%s: attribute content is damaged", path);
  }
  MEMORY_FREE(found);
  return status;
}

static Status inspect_file(const char *path, const char *schema, const char *maker, char *content) {
  char remedy[128];
  snprintf(remedy, sizeof(remedy), "run %s again", maker);
  hid_t file;
  const Status opened = hdf_open_here(path, remedy, &file);
  if (opened == ERR_MISSING) {
    return RAISE(ERR_MISSING, "%s is not there: run %s first", path, maker);
  }
  TRY(opened);
  Status status = check_schema(file, path, schema, maker);
  if (status == OK) {
    status = take_content(file, path, content);
  }
  H5Fclose(file);
  return status;
}

bool archive_is_whole(const char *path, const char *schema) {
  char content[17];
  hdf_start();
  return inspect_file(path, schema, "again", content) == OK;
}

static Status open_together(Archive *archive, const char *maker) {
  Team *team = archive->team;
  Status status = OK;
  if (team->rank == 0) {
    status = inspect_file(archive->path, archive->schema, maker, archive->content);
  }
  TRY_ALL(team, status);
  team_broadcast(team, archive->content, (int64_t)sizeof(archive->content), 0);
  TRY_ALL(team, hdf_open(team, archive->path, &archive->file));
  return OK;
}

Status archive_open(Team *team, const char *path, const char *schema, const char *maker,
                    Archive **out) {
  hdf_start();
  *out = NULL;
  Archive *archive = NULL;
  Status status = team_agree(team, archive_make(team, path, schema, false, &archive));
  if (status == OK) {
    status = open_together(archive, maker);
  }
  if (status != OK) {
    archive_close(&archive);
    return status;
  }
  *out = archive;
  return OK;
}

void archive_close(Archive **archive) {
  if (*archive == NULL) {
    return;
  }
  ASSERT(!(*archive)->is_writing);
  if (archive_close_file(*archive) != OK) {
    team_report((*archive)->team, ERR_FILE); /* nothing is lost: the file was only read */
  }
  archive_free(archive);
}

static Status learn_shape(const Archive *archive, const char *name, Slab *slab) {
  const hid_t space = H5Dget_space(slab->dataset);
  slab->dims = H5Sget_simple_extent_ndims(space);
  Status status = OK;
  if (slab->dims < 1 || slab->dims > ARCHIVE_DIMS) {
    status = RAISE(ERR_FORMAT, "%s: %s has %d dimensions", archive->path, name, slab->dims);
  } else {
    hsize_t shape[ARCHIVE_DIMS];
    H5Sget_simple_extent_dims(space, shape, NULL);
    slab->row_bytes = (int64_t)H5Tget_size(slab->type);
    for (int i = 0; i < slab->dims; i++) {
      slab->shape[i] = (int64_t)shape[i];
      slab->row_bytes *= i > 0 ? slab->shape[i] : 1;
    }
  }
  H5Sclose(space);
  return status;
}

static void close_slab(Slab *slab) {
  H5Tclose(slab->type);
  H5Dclose(slab->dataset);
}

static Status keep_entry(Archive *archive, const char *name, const Slab *slab) {
  TRY(MEMORY_RESIZE(&archive->entries, archive->count + 1, "datasets of a file"));
  ArchiveEntry *entry = &archive->entries[archive->count];
  *entry = (ArchiveEntry){.slab = *slab};
  TRY(memory_copy_text(&entry->name, name));
  archive->count++;
  return OK;
}

static Status open_entry(Archive *archive, const char *name) {
  Slab slab = {.dataset = H5Dopen2(archive->file, name, H5P_DEFAULT)};
  if (slab.dataset < 0) {
    return RAISE(ERR_FORMAT, "%s: there is no dataset %s", archive->path, name);
  }
  slab.type = H5Dget_type(slab.dataset);
  Status status = learn_shape(archive, name, &slab);
  if (status == OK) {
    status = keep_entry(archive, name, &slab);
  }
  if (status != OK) {
    close_slab(&slab);
  }
  return status;
}

/* Opening a dataset of a file that is only read is no collective call. */
static Status find_or_open(Archive *archive, const char *name, const Slab **slab) {
  ASSERT(!archive->is_writing);
  ArchiveEntry *entry = archive_find(archive, name);
  if (entry == NULL) {
    TRY(open_entry(archive, name));
    entry = &archive->entries[archive->count - 1];
  }
  *slab = &entry->slab;
  return OK;
}

/* H5Lexists wants every group on the way to exist. */
static bool is_linked(hid_t file, const char *name) {
  char path[512];
  const size_t length = strlen(name);
  if (length == 0 || length >= sizeof(path)) {
    return false;
  }
  for (size_t i = 1; i <= length; i++) {
    if (name[i] == '/' || name[i] == '\0') {
      memcpy(path, name, i);
      path[i] = '\0';
      if (H5Lexists(file, path, H5P_DEFAULT) <= 0) {
        return false;
      }
    }
  }
  return true;
}

static bool is_of_type(const Slab *slab, ArchiveType type) {
  const hid_t wanted = hdf_type(type);
  const bool is_equal = H5Tequal(slab->type, wanted) > 0;
  H5Tclose(wanted);
  return is_equal;
}

bool archive_is(Archive *archive, const char *name, ArchiveType type) {
  const Slab *slab;
  return is_linked(archive->file, name) && find_or_open(archive, name, &slab) == OK &&
         is_of_type(slab, type);
}

static Status shape_here(Archive *archive, const char *name, ArchiveType type, int dims,
                         int64_t *shape) {
  const Slab *slab;
  TRY(find_or_open(archive, name, &slab));
  if (!is_of_type(slab, type) || slab->dims != dims) {
    return RAISE(ERR_FORMAT, "%s: %s is not of type %s with %d dimensions", archive->path, name,
                 hdf_type_name(type), dims);
  }
  memcpy(shape, slab->shape, (size_t)dims * sizeof(*shape));
  return OK;
}

Status archive_shape(Archive *archive, const char *name, ArchiveType type, int dims,
                     int64_t *shape) {
  return team_agree(archive->team, shape_here(archive, name, type, dims, shape));
}

static Status expect_here(Archive *archive, const char *name, ArchiveType type, int dims,
                          const int64_t *wanted) {
  int64_t shape[ARCHIVE_DIMS];
  TRY(shape_here(archive, name, type, dims, shape));
  for (int i = 0; i < dims; i++) {
    if (shape[i] != wanted[i]) {
      return RAISE(ERR_FORMAT, "%s: dimension %d of %s is %" PRId64 " instead of %" PRId64,
                   archive->path, i, name, shape[i], wanted[i]);
    }
  }
  return OK;
}

Status archive_expect(Archive *archive, const char *name, ArchiveType type, int dims,
                      const int64_t *wanted) {
  return team_agree(archive->team, expect_here(archive, name, type, dims, wanted));
}

static Status find_range(Archive *archive, const char *name, int64_t first, int64_t rows,
                         const Slab **slab) {
  TRY(find_or_open(archive, name, slab));
  if (!slab_holds(*slab, first, rows)) {
    return RAISE(ERR_FORMAT,
                 "%s: %s has %" PRId64 " rows, but %" PRId64 " from %" PRId64 " on are wanted",
                 archive->path, name, (*slab)->shape[0], rows, first);
  }
  return OK;
}

Status archive_read(Archive *archive, const char *name, int64_t first, int64_t rows, void *data) {
  const Slab *slab = NULL;
  TRY_ALL(archive->team, find_range(archive, name, first, rows, &slab));
  return team_agree(archive->team, slab_read(slab, archive->team, first, rows, data));
}

Status archive_read_here(Archive *archive, const char *name, int64_t first, int64_t rows,
                         void *data) {
  const Slab *slab;
  TRY(find_range(archive, name, first, rows, &slab));
  return slab_read_here(slab, first, rows, data);
}

void archive_ahead(Archive *archive, const char *name, int64_t first, int64_t rows) {
  const Slab *slab = NULL;
  if (find_range(archive, name, first, rows, &slab) == OK) {
    hints_fetch(archive, slab, first, rows);
  }
}

Status archive_check(Archive *archive, const char *name, int64_t first, int64_t rows,
                     const void *data, bool *intact) {
  const Slab *slab = NULL;
  char *written = NULL;
  char sum[17];
  TRY_ALL(archive->team, find_range(archive, name, first, rows, &slab));
  TRY(archive_get_text(archive, name, CONTENT_SUM, &written));
  ArchiveEntry given = {.slab = *slab};
  content_add_rows(&given, first, rows, data);
  exchange_sum(archive->team, &given.sum.hash, 1);
  content_print_sum(&given, sum);
  *intact = strcmp(sum, written) == 0;
  MEMORY_FREE(written);
  return OK;
}

bool archive_has(Archive *archive, const char *name) {
  if (archive->is_writing) {
    return archive_find(archive, name) != NULL;
  }
  return is_linked(archive->file, name);
}

Status archive_get_text(Archive *archive, const char *object, const char *key, char **text) {
  const Status status =
      team_agree(archive->team, attribute_read_text(archive->file, object, key, text));
  if (status != OK) {
    MEMORY_FREE(*text); /* read here, but not on all ranks */
  }
  return status;
}

Status archive_get_integer(Archive *archive, const char *object, const char *key, int64_t *value) {
  return team_agree(archive->team, attribute_read_integer(archive->file, object, key, value));
}

Status archive_get_real(Archive *archive, const char *object, const char *key, double *value) {
  return team_agree(archive->team, attribute_read_real(archive->file, object, key, value));
}

const char *archive_content(const Archive *archive) {
  return archive->content;
}

const char *archive_path(const Archive *archive) {
  return archive->path;
}
