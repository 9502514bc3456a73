#ifndef HDF_H
#define HDF_H

#include <hdf5.h>

#include "archive.h"
#include "status.h"
#include "team.h"

/** HDF5's own matters: its error stack, types, and how files are opened. Private to store. */

/** Silence HDF5's error printing (once is enough, more is harmless).
 *  ranks   local */
void hdf_start(void);

/** RAISE ERR_FILE with the file's name and HDF5's innermost reason: call it right after the HDF5
 *  call that failed.
 *  object  in      handle of the file or of anything in it
 *  what    in      "write rows"
 *  ranks   local */
Status hdf_raise(hid_t object, const char *what);

/** The name of the file that `object` is in, into `out` (STATUS_WHY_SIZE / 2 bytes); returned.
 *  ranks   local */
const char *hdf_file_name(hid_t object, char *out);

/** HDF5's innermost reason of the call that just failed, into `out` (STATUS_WHY_SIZE / 2 bytes);
 *  returned.
 *  ranks   local */
const char *hdf_reason(char *out);

/** A type of the file, which is the type in memory too; close it with H5Tclose.
 *  ranks   local */
hid_t hdf_type(ArchiveType type);
/** "f32", "bf16", ... */
const char *hdf_type_name(ArchiveType type);

/** Through MPI-IO, on all ranks.
 *  ranks   collective; agree afterwards
 *  fails   ERR_FILE */
Status hdf_create(const Team *team, const char *path, hid_t *file) MUST_USE;
Status hdf_open(const Team *team, const char *path, hid_t *file) MUST_USE;

/** Through plain POSIX calls, read-only and without locks, on this rank alone.
 *  ranks   local
 *  remedy  in      ends the message about a damaged file: "run cleave-harvest again"
 *  fails   ERR_MISSING, ERR_FORMAT (not HDF5, truncated), ERR_FILE */
Status hdf_open_here(const char *path, const char *remedy, hid_t *file) MUST_USE;

#endif
