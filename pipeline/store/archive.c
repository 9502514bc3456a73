#include "archive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_file.h"
#include "clock.h"
#include "content.h"
#include "hdf.h"
#include "hints.h"
#include "memory.h"
#include "space.h"
#include "text.h"

enum {
  FILE_ROOM = 1 << 16,    /* bytes of a file's own metadata, rounded up */
  LATER_ROOM = 1 << 16,   /* for attributes that are set while rows are written */
  DATASET_ROOM = 1 << 12, /* of a dataset with its attributes and groups */
  ROW_BYTES_MOST = 1 << 30
};

static char blas_core[64] = "none";

void archive_name_core(const char *core) {
  snprintf(blas_core, sizeof(blas_core), "%s", core);
}

/* --- declaring --- */

/* An unwritable folder or a disk without an inode is seen before any work is done. */
static Status start_part(const Archive *archive) {
  if (archive->team->rank != 0) {
    return OK;
  }
  TRY(text_make_parent(archive->path));
  return space_probe(archive->part, 0);
}

Status archive_create(Team *team, const char *path, const char *schema, Archive **out) {
  hdf_start();
  *out = NULL;
  Archive *archive = NULL;
  Status status = team_agree(team, archive_make(team, path, schema, true, &archive));
  if (status != OK) {
    archive_free(&archive); /* abandoning is collective, and some ranks may have none */
    return status;
  }
  status = team_agree(team, start_part(archive));
  if (status != OK) {
    archive_abandon(&archive);
    return status;
  }
  *out = archive;
  return OK;
}

static Status check_dataset(Archive *archive, const ArchiveDataset *dataset) {
  const char *name = dataset->name;
  if (!archive->is_writing || archive->file >= 0) {
    return RAISE(ERR_DATA, "%s: %s: declared after the file was begun", archive->path, name);
  }
  if (name[0] != '/' || name[1] == '\0' || archive_find(archive, name) != NULL) {
    return RAISE(ERR_DATA, "%s: %s: not a name, or declared twice", archive->path, name);
  }
  if (dataset->dims < 1 || dataset->dims > ARCHIVE_DIMS) {
    return RAISE(ERR_DATA, "%s: %s: %d dimensions", archive->path, name, dataset->dims);
  }
  return OK;
}

static int64_t item_bytes(ArchiveType type) {
  switch (type) {
    case ARCHIVE_F64:
    case ARCHIVE_I64:
      return 8;
    case ARCHIVE_F32:
    case ARCHIVE_U32:
      return 4;
    case ARCHIVE_BF16:
      return 2;
    case ARCHIVE_U8:
      return 1;
  }
  return 0;
}

static Status measure_slab(const Archive *archive, const ArchiveDataset *dataset, Slab *slab) {
  slab->dims = dataset->dims;
  slab->row_bytes = item_bytes(dataset->type);
  for (int i = 0; i < dataset->dims; i++) {
    const int64_t count = dataset->shape[i];
    if (count < 0 || (i > 0 && count > 0 && slab->row_bytes > ROW_BYTES_MOST / count)) {
      return RAISE(ERR_DATA,
                   "%s: %s: dimension %d of %" PRId64 " is negative or makes a row too long",
                   archive->path, dataset->name, i, count);
    }
    slab->shape[i] = count;
    slab->row_bytes *= i > 0 ? count : 1;
  }
  if (slab->row_bytes > 0 && slab->shape[0] > INT64_MAX / 2 / slab->row_bytes) {
    return RAISE(ERR_DATA, "%s: %s: too large", archive->path, dataset->name);
  }
  return OK;
}

static Status copy_texts(ArchiveEntry *entry, const ArchiveDataset *dataset) {
  TRY(memory_copy_text(&entry->name, dataset->name));
  TRY(memory_copy_text(&entry->meaning, dataset->meaning));
  return memory_copy_text(&entry->unit, dataset->unit);
}

static Status add_entry(Archive *archive, const ArchiveDataset *dataset) {
  TRY(check_dataset(archive, dataset));
  ArchiveEntry entry = {.type = dataset->type};
  entry.slab.dataset = entry.slab.type = H5I_INVALID_HID;
  TRY(measure_slab(archive, dataset, &entry.slab));
  TRY(MEMORY_RESIZE(&archive->entries, archive->count + 1, "datasets of a file"));
  const Status status = copy_texts(&entry, dataset);
  archive->entries[archive->count++] = entry; /* also after a failure: archive_free takes it */
  return status;
}

Status archive_add(Archive *archive, const ArchiveDataset *dataset) {
  return team_agree(archive->team, add_entry(archive, dataset));
}

static Status put_attribute(Archive *archive, const Attribute *attribute) {
  ASSERT(archive->is_writing);
  return team_agree(archive->team, attribute_put(&archive->attributes, attribute));
}

/* attribute_put copies what it keeps. */
#define BORROWED(text) ((char *)(text))

Status archive_set_text(Archive *archive, const char *object, const char *key, const char *value) {
  const Attribute attribute = {.object = BORROWED(object),
                               .key = BORROWED(key),
                               .kind = ATTRIBUTE_TEXT,
                               .is_content = true,
                               .text = BORROWED(value)};
  return put_attribute(archive, &attribute);
}

Status archive_set_integer(Archive *archive, const char *object, const char *key, int64_t value) {
  const Attribute attribute = {.object = BORROWED(object),
                               .key = BORROWED(key),
                               .kind = ATTRIBUTE_INTEGER,
                               .is_content = true,
                               .integer = value};
  return put_attribute(archive, &attribute);
}

Status archive_set_real(Archive *archive, const char *object, const char *key, double value) {
  const Attribute attribute = {.object = BORROWED(object),
                               .key = BORROWED(key),
                               .kind = ATTRIBUTE_REAL,
                               .is_content = true,
                               .real = value};
  return put_attribute(archive, &attribute);
}

Status archive_note_text(Archive *archive, const char *object, const char *key, const char *value) {
  const Attribute attribute = {.object = BORROWED(object),
                               .key = BORROWED(key),
                               .kind = ATTRIBUTE_TEXT,
                               .is_content = false,
                               .text = BORROWED(value)};
  return put_attribute(archive, &attribute);
}

/* --- beginning --- */

static int64_t metadata_bytes(const Archive *archive) {
  int64_t bytes = FILE_ROOM;
  for (int64_t i = 0; i < archive->count; i++) {
    const ArchiveEntry *entry = &archive->entries[i];
    bytes += DATASET_ROOM + (int64_t)(strlen(entry->meaning) + strlen(entry->unit));
  }
  for (int64_t i = 0; i < archive->attributes.count; i++) {
    bytes += attribute_room(&archive->attributes.items[i]);
  }
  return bytes;
}

static Status probe_here(const Archive *archive) {
  return archive->team->rank == 0 ? space_probe(archive->part, metadata_bytes(archive)) : OK;
}

static Status describe_entry(hid_t file, const ArchiveEntry *entry) {
  const Attribute meaning = {.object = entry->name,
                             .key = BORROWED("meaning"),
                             .kind = ATTRIBUTE_TEXT,
                             .text = entry->meaning};
  TRY(attribute_write(file, &meaning));
  const Attribute unit = {
      .object = entry->name, .key = BORROWED("unit"), .kind = ATTRIBUTE_TEXT, .text = entry->unit};
  return attribute_write(file, &unit);
}

/* Early allocation without fill: the file gets its full size here, and nothing is written twice. */
static Status create_dataset(hid_t file, ArchiveEntry *entry, hid_t links, hid_t layout) {
  Slab *slab = &entry->slab;
  hsize_t shape[ARCHIVE_DIMS];
  for (int i = 0; i < slab->dims; i++) {
    shape[i] = (hsize_t)slab->shape[i];
  }
  const hid_t space = H5Screate_simple(slab->dims, shape, NULL);
  slab->type = hdf_type(entry->type);
  slab->dataset = H5Dcreate2(file, entry->name, slab->type, space, links, layout, H5P_DEFAULT);
  const Status status = slab->dataset < 0 ? hdf_raise(file, "create a dataset") : OK;
  H5Sclose(space);
  TRY(status);
  return describe_entry(file, entry);
}

/* All ranks go the same way through HDF5's collective calls: a failure here comes from the file's
 * metadata, which they see alike. */
static Status create_datasets(Archive *archive) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(layout, H5D_CONTIGUOUS);
  H5Pset_alloc_time(layout, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(layout, H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(layout, false);
  Status status = OK;
  for (int64_t i = 0; i < archive->count && status == OK; i++) {
    status = create_dataset(archive->file, &archive->entries[i], links, layout);
  }
  H5Pclose(layout);
  H5Pclose(links);
  return status;
}

/* What the file can grow to. HDF5 does not tell its end through MPI-IO, but it leaves no holes:
 * data, and metadata that is rounded up. Closing cuts the rest off. */
static int64_t file_bytes(const Archive *archive) {
  int64_t bytes = metadata_bytes(archive);
  for (int64_t i = 0; i < archive->count; i++) {
    bytes += archive->entries[i].slab.shape[0] * archive->entries[i].slab.row_bytes;
  }
  return bytes;
}

static Status reserve_here(Archive *archive, int64_t more) {
  const int64_t bytes = file_bytes(archive);
  if (bytes <= archive->reserved) {
    return OK;
  }
  archive->reserved = bytes + more;
  return archive->team->rank == 0 ? space_reserve(archive->part, archive->reserved) : OK;
}

Status archive_begin(Archive *archive) {
  Team *team = archive->team;
  ASSERT(archive->is_writing && archive->file < 0);
  TRY_ALL(team, probe_here(archive));
  TRY_ALL(team, hdf_create(team, archive->part, &archive->file));
  TRY_ALL(team, create_datasets(archive));
  TRY_ALL(team, reserve_here(archive, LATER_ROOM));
  return OK;
}

/* --- writing --- */

static Status find_range(Archive *archive, const char *name, int64_t first, int64_t rows,
                         ArchiveEntry **entry) {
  ASSERT(archive->is_writing && archive->file >= 0);
  *entry = archive_find(archive, name);
  if (*entry == NULL) {
    return RAISE(ERR_DATA, "%s: %s was not declared", archive->path, name);
  }
  if (!slab_holds(&(*entry)->slab, first, rows)) {
    return RAISE(ERR_DATA, "%s: %s: %" PRId64 " rows from %" PRId64 " on are outside of %" PRId64,
                 archive->path, name, rows, first, (*entry)->slab.shape[0]);
  }
  return OK;
}

Status archive_write(Archive *archive, const char *name, int64_t first, int64_t rows,
                     const void *data) {
  ArchiveEntry *entry = NULL;
  TRY_ALL(archive->team, find_range(archive, name, first, rows, &entry));
  TRY_ALL(archive->team, slab_write(&entry->slab, archive->team, first, rows, data));
  hints_settle(archive, &entry->slab, first, rows);
  content_add_rows(entry, first, rows, data); /* while the disk is at work */
  return OK;
}

/* --- finishing --- */

static void read_cpu_name(char *out, size_t size) {
  snprintf(out, size, "unknown");
  FILE *file = fopen("/proc/cpuinfo", "r");
  if (file == NULL) {
    return;
  }
  char line[256];
  while (fgets(line, sizeof(line), file) != NULL) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
      snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
      break;
    }
  }
  fclose(file);
}

typedef struct Provenance {
  char created[32], ranks[16], cpu[128], core[64];
} Provenance;

static Status put_note(Archive *archive, const char *key, const char *value, bool is_content) {
  const Attribute attribute = {.object = BORROWED("/"),
                               .key = BORROWED(key),
                               .kind = ATTRIBUTE_TEXT,
                               .is_content = is_content,
                               .text = BORROWED(value)};
  return attribute_put(&archive->attributes, &attribute);
}

/* The sum of a dataset's values alone, for archive_check. */
static Status put_sum(Archive *archive, const ArchiveEntry *entry) {
  char sum[17];
  const Attribute attribute = {
      .object = entry->name, .key = BORROWED(CONTENT_SUM), .kind = ATTRIBUTE_TEXT, .text = sum};
  content_print_sum(entry, sum);
  return attribute_put(&archive->attributes, &attribute);
}

static Status put_notes(Archive *archive, const Provenance *provenance) {
  for (int64_t i = 0; i < archive->count; i++) {
    TRY(put_sum(archive, &archive->entries[i]));
  }
  TRY(put_note(archive, "schema", archive->schema, false));
  TRY(put_note(archive, "content", archive->content, false));
  TRY(put_note(archive, "created", provenance->created, false));
  TRY(put_note(archive, "ranks", provenance->ranks, false));
  TRY(put_note(archive, "cpu", provenance->cpu, false));
  TRY(put_note(archive, "blas_core", provenance->core, false));
  return put_note(archive, "version", CLEAVE_VERSION, false);
}

/* Metadata must be the same on all ranks, so rank 0 tells the others the time and its processor. */
static void share_provenance(Archive *archive, Provenance *provenance) {
  clock_utc(provenance->created);
  snprintf(provenance->ranks, sizeof(provenance->ranks), "%d", archive->team->size);
  read_cpu_name(provenance->cpu, sizeof(provenance->cpu));
  snprintf(provenance->core, sizeof(provenance->core), "%s", blas_core);
  team_broadcast(archive->team, provenance, (int64_t)sizeof(*provenance), 0);
}

static Status write_attributes(Archive *archive) {
  for (int64_t i = 0; i < archive->attributes.count; i++) {
    TRY(attribute_write(archive->file, &archive->attributes.items[i]));
  }
  return OK;
}

static Status finish_metadata(Archive *archive) {
  Team *team = archive->team;
  TRY_ALL(team, content_sum(archive));
  content_name(archive);
  Provenance provenance = {0};
  share_provenance(archive, &provenance);
  TRY_ALL(team, put_notes(archive, &provenance));
  TRY_ALL(team, reserve_here(archive, 0));
  TRY_ALL(team, write_attributes(archive));
  return OK;
}

/* A file that opens without MPI and names its content was closed whole: HDF5 compares its length
 * with what it recorded last. */
static Status check_part(const Archive *archive) {
  hid_t file;
  TRY(hdf_open_here(archive->part, "run again", &file));
  char *content = NULL;
  const Status status = attribute_read_text(file, "/", "content", &content);
  H5Fclose(file);
  MEMORY_FREE(content);
  return status;
}

static Status rename_part(const Archive *archive, bool *is_renamed) {
  if (archive->team->rank != 0) {
    return OK;
  }
  TRY(check_part(archive));
  if (rename(archive->part, archive->path) != 0) {
    return RAISE(ERR_FILE, "%s: %s", archive->path, strerror(errno));
  }
  *is_renamed = true;
  return OK;
}

static Status finish_file(Archive *archive) {
  Team *team = archive->team;
  TRY(finish_metadata(archive));
  TRY_ALL(team, archive_close_file(archive));
  bool is_renamed = false;
  const Status status = team_agree(team, rename_part(archive, &is_renamed));
  if (status != OK && is_renamed) {
    unlink(archive->path); /* another rank failed: no final file then */
  }
  return status;
}

Status archive_finish(Archive **archive, char content[17]) {
  ASSERT((*archive)->is_writing && (*archive)->file >= 0);
  const Status status = finish_file(*archive);
  if (status == OK && content != NULL) {
    memcpy(content, (*archive)->content, sizeof((*archive)->content));
  }
  if (status == OK) {
    archive_free(archive);
  }
  archive_abandon(archive);
  return status;
}

/* The failure that leads here was agreed upon and printed: one of closing is not told. */
void archive_abandon(Archive **archive) {
  if (*archive == NULL) {
    return;
  }
  if (!(*archive)->is_writing) {
    archive_close(archive);
    return;
  }
  Team *team = (*archive)->team;
  const Status ignored = archive_close_file(*archive);
  (void)ignored;
  if (team->rank == 0) {
    unlink((*archive)->part);
  }
  team_barrier(team);
  archive_free(archive);
}
