#include "spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "text.h"

/* Large enough that a parallel file system sees few, long writes. */
enum { PIECE = 4 << 20 };

struct Spool {
  int file;
  char *folder;    /* for messages */
  char *piece;     /* [PIECE] bytes not yet written */
  int64_t held;    /* of them in use */
  int64_t written; /* bytes in the file */
};

Status spool_open(Spool **out, const char *folder) {
  *out = NULL;
  Spool *spool = NULL;
  TRY(MEMORY_NEW(&spool, 1, "a spool"));
  spool->file = -1;
  char *path = NULL;
  Status status = memory_copy_text(&spool->folder, folder);
  if (status == OK) {
    status = MEMORY_NEW(&spool->piece, PIECE, "the buffer of a spool");
  }
  if (status == OK) {
    status = text_join_path(&path, folder, ".spool-XXXXXX");
  }
  if (status == OK) {
    spool->file = mkstemp(path);
    if (spool->file < 0) {
      const Status code = status_of_write(errno);
      status = RAISE(code, "%s: no temporary file there: %s", folder, strerror(errno));
    } else {
      unlink(path);
    }
  }
  MEMORY_FREE(path);
  if (status != OK) {
    spool_close(&spool);
  }
  *out = spool;
  return status;
}

static Status flush_piece(Spool *spool) {
  int64_t done = 0;
  while (done < spool->held) {
    const ssize_t wrote = pwrite(spool->file, spool->piece + done, (size_t)(spool->held - done),
                                 (off_t)(spool->written + done));
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote <= 0) {
      const int why = wrote < 0 ? errno : ENOSPC;
      const bool full = status_of_write(why) == ERR_SPACE;
      char size[32];
      return RAISE(full ? ERR_SPACE : ERR_FILE, "%s: temporary data, %s so far: %s", spool->folder,
                   text_of_bytes((double)spool_length(spool), size),
                   full ? "no space left; free some or choose another folder" : strerror(why));
    }
    done += wrote;
  }
  spool->written += spool->held;
  spool->held = 0;
  return OK;
}

Status spool_append(Spool *spool, const void *bytes, int64_t length) {
  const char *at = bytes;
  while (length > 0) {
    if (spool->held == PIECE) {
      TRY(flush_piece(spool));
    }
    const int64_t room = PIECE - spool->held;
    const int64_t part = length < room ? length : room;
    memcpy(spool->piece + spool->held, at, (size_t)part);
    spool->held += part;
    at += part;
    length -= part;
  }
  return OK;
}

Status spool_read(Spool *spool, int64_t offset, void *bytes, int64_t length) {
  TRY(flush_piece(spool));
  ASSERT(offset >= 0 && length >= 0 && offset <= spool->written - length);
  char *at = bytes;
  while (length > 0) {
    const ssize_t got = pread(spool->file, at, (size_t)length, (off_t)offset);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return RAISE(ERR_FILE, "%s: temporary data cannot be read back: %s", spool->folder,
                   got < 0 ? strerror(errno) : "the file is shorter than what was written");
    }
    at += got;
    offset += got;
    length -= got;
  }
  return OK;
}

int64_t spool_length(const Spool *spool) {
  return spool->written + spool->held;
}

void spool_close(Spool **spool) {
  if (*spool == NULL) {
    return;
  }
  if ((*spool)->file >= 0) {
    close((*spool)->file);
  }
  MEMORY_FREE((*spool)->folder);
  MEMORY_FREE((*spool)->piece);
  MEMORY_FREE(*spool);
}
