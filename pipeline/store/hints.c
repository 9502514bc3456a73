#define _GNU_SOURCE /* sync_file_range */
#include "hints.h"

#include <fcntl.h>

/* HDF5 and MPI-IO know no such wishes, so the file is opened once more. */

enum { SETTLE_LEAST = 1 << 22 }; /* bytes: less is left to the system's own time */

static int descriptor_of(Archive *archive) {
  if (archive->descriptor == 0) {
    const char *path = archive->is_writing ? archive->part : archive->path;
    archive->descriptor = open(path, (archive->is_writing ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
  }
  return archive->descriptor;
}

/* Where the rows begin in the file; negative if that is not known. */
static off_t place_of(const Slab *slab, int64_t first) {
  const haddr_t start = H5Dget_offset(slab->dataset);
  return start == HADDR_UNDEF ? -1 : (off_t)start + first * slab->row_bytes;
}

void hints_fetch(Archive *archive, const Slab *slab, int64_t first, int64_t rows) {
  const int descriptor = descriptor_of(archive);
  const off_t place = place_of(slab, first);
  if (descriptor > 0 && place >= 0) {
    (void)posix_fadvise(descriptor, place, rows * slab->row_bytes, POSIX_FADV_WILLNEED);
  }
}

void hints_settle(Archive *archive, const Slab *slab, int64_t first, int64_t rows) {
  if (rows * slab->row_bytes < SETTLE_LEAST) {
    return;
  }
  const int descriptor = descriptor_of(archive);
  const off_t place = place_of(slab, first);
  if (descriptor > 0 && place >= 0) {
    (void)sync_file_range(descriptor, place, rows * slab->row_bytes, SYNC_FILE_RANGE_WRITE);
  }
}
