#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>

#include "status.h"

/** One maker an output, whatever host it runs on: the lock is a byte of FOLDER/logs/lock, held until the process ends,
 *  however it ends. Where the file system has no locks it is said once, and the work goes on.
 *  ranks   local (rank 0 takes it for all)
 *  folder  in      of the run; its logs/ is there
 *  path    in      the output, in that folder
 *  fails   ERR_BUSY (another process holds it: names it), ERR_FILE, ERR_MEMORY */
Status lock_take(const char *folder, const char *path) MUST_USE;
/** Does another process make this output now?
 *  ranks   local */
bool lock_is_held(const char *folder, const char *path);

#endif
