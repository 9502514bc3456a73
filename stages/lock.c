#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "stamp.h"
#include "text.h"

/* Closing any descriptor of the file would give up all locks on it, so there is one, for ever. */
static int g_file = -1;

static Status open_file(const char *folder, int flags) {
  char *path = NULL;
  if (g_file >= 0) {
    return OK;
  }
  TRY(text_join_path(&path, folder, "logs/lock"));
  g_file = open(path, O_RDWR | O_CLOEXEC | flags, 0666);
  const Status status =
      g_file >= 0 ? OK : RAISE(ERR_FILE, "cannot open %s: %s", path, strerror(errno));
  MEMORY_FREE(path);
  return status;
}

/* The byte of an output: no byte has to be there. */
static struct flock byte_of(const char *folder, const char *path) {
  Stamp stamp;
  stamp_open(&stamp, "lock");
  stamp_add_text(&stamp, path + strlen(folder));
  return (struct flock){
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(stamp.hash >> 2), .l_len = 1};
}

static Status refuse(const char *path, struct flock byte) {
  char who[64] = "";
  if (fcntl(g_file, F_GETLK, &byte) == 0 && byte.l_type != F_UNLCK && byte.l_pid > 0) {
    snprintf(who, sizeof(who), " (process %ld)", (long)byte.l_pid);
  }
  return RAISE(
      ERR_BUSY,
      "%s: another run is making it%s: wait for its end, or give this one a folder of its own",
      path, who);
}

Status lock_take(const char *folder, const char *path) {
  static bool is_told;
  TRY(open_file(folder, O_CREAT));
  const struct flock byte = byte_of(folder, path);
  if (fcntl(g_file, F_SETLK, &byte) == 0) {
    return OK;
  }
  if (errno == EACCES || errno == EAGAIN) {
    return refuse(path, byte);
  }
  if (!is_told) {
    log_info("%s/logs cannot be locked (%s): see that no other run works in this folder", folder,
             strerror(errno));
    is_told = true;
  }
  return OK;
}

bool lock_is_held(const char *folder, const char *path) {
  struct flock byte = byte_of(folder, path);
  return open_file(folder, 0) == OK && fcntl(g_file, F_GETLK, &byte) == 0 && byte.l_type != F_UNLCK;
}
