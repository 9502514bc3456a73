#ifndef SPOOL_H
#define SPOOL_H

#include <stdint.h>

#include "status.h"

/** A temporary file of this rank, for data whose final place is known only later. It has no name
 *  after spool_open (unlinked at once), so a killed run leaves nothing behind. */
typedef struct Spool Spool;

/** ranks   local
 *  folder  in      where the disk space comes from (the run's folder)
 *  fails   ERR_FILE, ERR_MEMORY */
Status spool_open(Spool **out, const char *folder) MUST_USE;
/** Append bytes (buffered). fails ERR_SPACE when the disk is full, ERR_FILE. */
Status spool_append(Spool *spool, const void *bytes, int64_t length) MUST_USE;
/** Read back bytes at an offset (flushes first). fails ERR_FILE. */
Status spool_read(Spool *spool, int64_t offset, void *bytes, int64_t length) MUST_USE;
int64_t spool_length(const Spool *spool);
void spool_close(Spool **spool);

#endif
