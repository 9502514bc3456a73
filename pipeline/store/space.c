#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "text.h"

static Status raise_failed(int error, const char *path, int descriptor, int64_t bytes) {
  if (error != ENOSPC && error != EDQUOT && error != EFBIG) {
    return RAISE(ERR_FILE, "%s: %s", path, strerror(error));
  }
  struct statvfs disk;
  char needed[32], left[32];
  if (fstatvfs(descriptor, &disk) != 0) {
    return RAISE(ERR_SPACE, "%s: %s: free some space", path, strerror(error));
  }
  const double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
  return RAISE(ERR_SPACE, "%s: %s are needed, %s are free (%s): free some space", path,
               text_of_bytes((double)bytes, needed), text_of_bytes(free_bytes, left),
               strerror(error));
}

static int allocate(int descriptor, int64_t bytes) {
  int error;
  do {
    error = bytes > 0 ? posix_fallocate(descriptor, 0, bytes) : 0;
  } while (error == EINTR);
  return error;
}

Status space_probe(const char *path, int64_t bytes) {
  const int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (descriptor < 0) {
    return RAISE(status_of_write(errno), "%s: %s", path, strerror(errno));
  }
  const int error = allocate(descriptor, bytes);
  const Status status = error != 0 ? raise_failed(error, path, descriptor, bytes) : OK;
  close(descriptor);
  if (status != OK) {
    unlink(path);
  }
  return status;
}

Status space_reserve(const char *path, int64_t bytes) {
  const int descriptor = open(path, O_RDWR);
  if (descriptor < 0) {
    return RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
  }
  const int error = allocate(descriptor, bytes);
  Status status = OK;
  if (error != 0) {
    status = ftruncate(descriptor, 0) == 0 ? raise_failed(error, path, descriptor, bytes)
                                           : RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
  }
  close(descriptor);
  return status;
}
