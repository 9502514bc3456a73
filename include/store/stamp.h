#ifndef STAMP_H
#define STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** A stamp says what an output was made from: the keys that change the result and the content
 *  checksums of the inputs. The same stamp means the same bytes. A stage notes it in its file:
 *  archive_note_text(archive, "/", "stamp", stamp_text(&stamp, text)). */
typedef struct Stamp {
  uint64_t hash;
} Stamp;

/** Start one, and add to it; the order counts.
 *  ranks   local
 *  maker   in      stage and version of its algorithm: "harvest 1" (raise it when bytes change) */
void stamp_open(Stamp *stamp, const char *maker);
void stamp_add_fingerprint(Stamp *stamp, uint64_t fingerprint); /* config_fingerprint() */
void stamp_add_text(Stamp *stamp, const char *text);            /* e.g. a content checksum */

/** Add an outside file (model, text) by its content; rank 0 reads, all get it.
 *  ranks   collective
 *  fails   ERR_MISSING, ERR_FILE */
Status stamp_add_file(Stamp *stamp, Team *team, const char *path) MUST_USE;
/** 16 hex digits + 0 into `out` (at least 17 bytes); returned.
 *  ranks   local */
const char *stamp_text(const Stamp *stamp, char *out);

/** May the stage that makes `path` go to work?
 *  ranks   collective
 *  force   in      replace a file with another stamp
 *  done    out     the file is there with this stamp (attribute "stamp"): nothing to do
 *  fails   ERR_STALE: another stamp, or a damaged file, and not `force` (names the file and
 *          --force) */
Status stamp_check(const Stamp *stamp, Team *team, const char *path, bool force,
                   bool *done) MUST_USE;

#endif
