#ifndef SPACE_H
#define SPACE_H

#include <stdint.h>

#include "status.h"

/** Room on the file system, taken before it is needed. Parallel HDF5 reports success on a full disk
 *  (seen at 3 and 4 ranks), so nothing is left to it. Private to store; rank 0 calls, then all
 *  agree.
 *  ranks   local
 *  fails   ERR_SPACE (full, or over quota), ERR_FILE */

/** Make a file of `bytes` allocated bytes, before HDF5 has it open: shows that so many fit. It is
 *  removed on failure. */
Status space_probe(const char *path, int64_t bytes) MUST_USE;

/** Allocate [0, bytes) of an existing file. On failure the file is cut to nothing, which leaves
 *  HDF5 the room that it needs for closing. */
Status space_reserve(const char *path, int64_t bytes) MUST_USE;

#endif
