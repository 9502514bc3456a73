#include "shelf.h"

#include <string.h>

#include "memory.h"

/* A block goes to slot (block % SLOTS), so finding it is one comparison; a slot's memory is taken
 * when it is first needed, so a small dataset costs no more than its size. */
enum { BLOCK_BYTES = 1 << 16, SLOTS = 64 };

typedef struct Slot {
  int64_t block; /* 1 + number of the block, 0: empty */
  char *bytes;
} Slot;

struct Shelf {
  Archive *archive;
  char *name;
  int64_t shape[ARCHIVE_DIMS];
  int64_t row_bytes, block_rows;
  Slot slots[SLOTS];
};

static int64_t size_of(ArchiveType type) {
  switch (type) {
    case ARCHIVE_U8:
      return 1;
    case ARCHIVE_BF16:
      return 2;
    case ARCHIVE_F32:
    case ARCHIVE_U32:
      return 4;
    case ARCHIVE_F64:
    case ARCHIVE_I64:
      return 8;
  }
  return 1;
}

static Status create(Shelf **out, Archive *archive, const char *name) {
  TRY(MEMORY_NEW(out, 1, "a shelf"));
  (*out)->archive = archive;
  const Status status = memory_copy_text(&(*out)->name, name);
  if (status != OK) {
    shelf_close(out);
  }
  return status;
}

Status shelf_open(Shelf **out, Team *team, Archive *archive, const char *name, ArchiveType type,
                  int dims) {
  *out = NULL;
  TRY_ALL(team, create(out, archive, name));
  Shelf *shelf = *out;
  const Status status = archive_shape(archive, name, type, dims, shelf->shape);
  if (status != OK) {
    shelf_close(out);
    return status;
  }
  shelf->row_bytes = size_of(type);
  for (int i = 1; i < dims; ++i) {
    shelf->row_bytes *= shelf->shape[i];
  }
  shelf->block_rows = shelf->row_bytes > 0 ? BLOCK_BYTES / shelf->row_bytes : 1;
  shelf->block_rows = shelf->block_rows > 0 ? shelf->block_rows : 1;
  return OK;
}

static Status fetch(Shelf *shelf, int64_t block, const char **out) {
  Slot *slot = &shelf->slots[block % SLOTS];
  if (slot->block != block + 1) {
    if (slot->bytes == NULL) {
      const int64_t rows =
          shelf->block_rows < shelf->shape[0] ? shelf->block_rows : shelf->shape[0];
      TRY(MEMORY_NEW(&slot->bytes, rows * shelf->row_bytes, "a block of a dataset"));
    }
    const int64_t first = block * shelf->block_rows;
    const int64_t left = shelf->shape[0] - first;
    slot->block = 0;
    TRY(archive_read_here(shelf->archive, shelf->name, first,
                          left < shelf->block_rows ? left : shelf->block_rows, slot->bytes));
    slot->block = block + 1;
  }
  *out = slot->bytes;
  return OK;
}

Status shelf_read(Shelf *shelf, int64_t first, int64_t rows, void *out) {
  if (first < 0 || rows < 0 || first > shelf->shape[0] - rows) {
    return RAISE(ERR_FORMAT, "%s: rows %lld to %lld of %s are outside its %lld rows",
                 archive_path(shelf->archive), (long long)first, (long long)(first + rows),
                 shelf->name, (long long)shelf->shape[0]);
  }
  char *to = out;
  while (rows > 0) {
    const int64_t within = first % shelf->block_rows;
    const int64_t left = shelf->block_rows - within;
    const int64_t count = rows < left ? rows : left;
    const char *from = NULL;
    TRY(fetch(shelf, first / shelf->block_rows, &from));
    memcpy(to, from + within * shelf->row_bytes, (size_t)(count * shelf->row_bytes));
    to += count * shelf->row_bytes;
    first += count;
    rows -= count;
  }
  return OK;
}

int64_t shelf_rows(const Shelf *shelf) {
  return shelf->shape[0];
}

int64_t shelf_shape(const Shelf *shelf, int dim) {
  return shelf->shape[dim];
}

void shelf_close(Shelf **shelf) {
  if (*shelf == NULL) {
    return;
  }
  for (int i = 0; i < SLOTS; ++i) {
    MEMORY_FREE((*shelf)->slots[i].bytes);
  }
  MEMORY_FREE((*shelf)->name);
  MEMORY_FREE(*shelf);
}
