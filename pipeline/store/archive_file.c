#include "archive_file.h"

#include <string.h>
#include <unistd.h>

#include "hdf.h"
#include "memory.h"
#include "text.h"

static Status fill_archive(Archive *archive, const char *path, const char *schema) {
  TRY(memory_copy_text(&archive->path, path));
  TRY(memory_copy_text(&archive->schema, schema));
  Text part = {0};
  const Status status = text_printf(&part, "%s.part", path);
  archive->part = part.bytes;
  return status;
}

Status archive_make(Team *team, const char *path, const char *schema, bool is_writing,
                    Archive **out) {
  TRY(MEMORY_NEW(out, 1, "an archive"));
  (*out)->team = team;
  (*out)->is_writing = is_writing;
  (*out)->file = H5I_INVALID_HID;
  const Status status = fill_archive(*out, path, schema);
  if (status != OK) {
    archive_free(out);
  }
  return status;
}

void archive_free(Archive **archive) {
  if (*archive == NULL) {
    return;
  }
  if ((*archive)->descriptor > 0) {
    close((*archive)->descriptor);
  }
  for (int64_t i = 0; i < (*archive)->count; i++) {
    ArchiveEntry *entry = &(*archive)->entries[i];
    MEMORY_FREE(entry->name);
    MEMORY_FREE(entry->meaning);
    MEMORY_FREE(entry->unit);
  }
  MEMORY_FREE((*archive)->entries);
  attribute_clear(&(*archive)->attributes);
  MEMORY_FREE((*archive)->path);
  MEMORY_FREE((*archive)->part);
  MEMORY_FREE((*archive)->schema);
  MEMORY_FREE(*archive);
}

static void close_entry(ArchiveEntry *entry) {
  if (entry->slab.dataset > 0) {
    H5Dclose(entry->slab.dataset);
  }
  if (entry->slab.type > 0) {
    H5Tclose(entry->slab.type);
  }
  entry->slab.dataset = entry->slab.type = H5I_INVALID_HID;
}

Status archive_close_file(Archive *archive) {
  for (int64_t i = 0; i < archive->count; i++) {
    close_entry(&archive->entries[i]);
  }
  if (archive->file < 0) {
    return OK;
  }
  const int64_t open = H5Fget_obj_count(archive->file, H5F_OBJ_ALL | H5F_OBJ_LOCAL);
  Status status = OK;
  if (H5Fclose(archive->file) < 0) {
    char reason[STATUS_WHY_SIZE / 2];
    status = RAISE(ERR_FILE, "%s: HDF5 cannot close it: %s", archive->path, hdf_reason(reason));
  } else if (open != 1) {
    status = RAISE(ERR_FILE, "%s: %lld objects were still open (a bug of cleave)", archive->path,
                   (long long)open - 1);
  }
  archive->file = H5I_INVALID_HID;
  return status;
}

ArchiveEntry *archive_find(Archive *archive, const char *name) {
  for (int64_t i = 0; i < archive->count; i++) {
    if (strcmp(archive->entries[i].name, name) == 0) {
      return &archive->entries[i];
    }
  }
  return NULL;
}
