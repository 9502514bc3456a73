#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** A parallel HDF5 file in cleave's manner. This floor is the only one that includes hdf5.h.
 *
 *  Writing: archive_create, archive_add for every dataset, attributes, archive_begin (allocates, reserves the
 *  whole file: a full disk is seen here, before anything is written), archive_write..., archive_finish (content
 *  checksum, close, rename from PATH.part). A final name therefore means a complete file. On any failure call
 *  archive_abandon, which removes the .part.
 *  Reading: archive_open (checks schema and completeness), archive_read..., archive_close.
 *
 *  ranks   EVERY function here is collective, with the same arguments on all ranks except first/rows/data of
 *          reads and writes (rows may be 0). The same status on all ranks. */
typedef struct Archive Archive;

typedef enum ArchiveType {
  ARCHIVE_F32, ARCHIVE_F64, ARCHIVE_BF16, /* bf16: 2-byte HDF5 float; in memory uint16_t bits */
  ARCHIVE_I64, ARCHIVE_U32, ARCHIVE_U8
} ArchiveType;

enum { ARCHIVE_DIMS = 3 };

/** One dataset. Every dataset says what it means and in which unit. */
typedef struct ArchiveDataset {
  const char *name; /* "/activation", "/pair/8k/1k/cosine": groups on the way are made */
  ArchiveType type;
  int dims;                   /* 1 .. ARCHIVE_DIMS */
  int64_t shape[ARCHIVE_DIMS]; /* row-major; any may be 0 */
  const char *meaning;        /* attribute "meaning" */
  const char *unit;           /* attribute "unit", "1" for none */
} ArchiveDataset;

/** Start PATH.part; makes the folder. schema: "activations 1" (name, version), kept in attribute "schema".
 *  fails   ERR_FILE, ERR_SPACE */
Status archive_create(Team *team, const char *path, const char *schema, Archive **out) MUST_USE;
/** Declare a dataset (strings are copied). Only before archive_begin. */
Status archive_add(Archive *archive, const ArchiveDataset *dataset) MUST_USE;

/** Attributes of a dataset or group ("/" is the file's root). `set` values belong to the content (they enter the
 *  checksum); `note` values are provenance (time, ranks, host, versions) and do not. After archive_create, before
 *  archive_finish; groups other than "/" must hold a dataset that was added before. Setting again replaces. */
Status archive_set_text(Archive *archive, const char *object, const char *key, const char *value)
    MUST_USE;
Status archive_set_integer(Archive *archive, const char *object, const char *key, int64_t value)
    MUST_USE;
Status archive_set_real(Archive *archive, const char *object, const char *key, double value)
    MUST_USE;
Status archive_note_text(Archive *archive, const char *object, const char *key, const char *value)
    MUST_USE;

/** Create the file and all datasets without fill, reserve the full size on the file system, agree.
 *  fails   ERR_SPACE on all ranks when the disk is too small */
Status archive_begin(Archive *archive) MUST_USE;

/** Write rows [first, first+rows) of the first dimension; each row is written once by one rank.
 *  data    in      [rows, rest of shape] of the dataset's type */
Status archive_write(Archive *archive, const char *name, int64_t first, int64_t rows,
                     const void *data) MUST_USE;

/** Close and rename. content: 16 lower-case hex digits + 0 (may be NULL): hash of names, shapes, types, values
 *  and `set` attributes, the same at any number of ranks and in any order of writes; kept in attribute
 *  "content". Also notes: created (UTC), ranks, cpu, blas core, version.
 *  The archive is destroyed, whatever happens. */
Status archive_finish(Archive **archive, char content[17]) MUST_USE;
/** Close and remove the .part after a failure; NULL is fine. Returns nothing: the failure is already known.
 *  In read mode the same as archive_close. */
void archive_abandon(Archive **archive);

/** Open for reading.
 *  schema  in      must equal the file's ("activations 1")
 *  maker   in      the stage to run when it is missing or outdated: "cleave-harvest"
 *  fails   ERR_MISSING (no such file: "run cleave-harvest first"), ERR_FORMAT (not HDF5, truncated, another
 *          schema: names found and wanted) */
Status archive_open(Team *team, const char *path, const char *schema, const char *maker,
                    Archive **out) MUST_USE;
void archive_close(Archive **archive);

/** Shape of a dataset; checks type and number of dimensions.
 *  fails   ERR_FORMAT when it is not there or of another type */
Status archive_shape(Archive *archive, const char *name, ArchiveType type, int dims,
                     int64_t *shape) MUST_USE;
/** Read rows of the first dimension (rows may be 0). Independent of other ranks' ranges; overlaps are fine.
 *  fails   ERR_FORMAT (range outside the dataset), ERR_FILE */
Status archive_read(Archive *archive, const char *name, int64_t first, int64_t rows, void *data)
    MUST_USE;
/** The same on the calling ranks alone, without agreement: for loops whose count differs between ranks.
 *  ranks   local */
Status archive_read_here(Archive *archive, const char *name, int64_t first, int64_t rows,
                         void *data) MUST_USE;
bool archive_has(Archive *archive, const char *name);

/** Attributes. text is owned by the caller (memory_release).
 *  fails   ERR_FORMAT when absent or of another type */
Status archive_get_text(Archive *archive, const char *object, const char *key, char **text)
    MUST_USE;
Status archive_get_integer(Archive *archive, const char *object, const char *key, int64_t *value)
    MUST_USE;
Status archive_get_real(Archive *archive, const char *object, const char *key, double *value)
    MUST_USE;
const char *archive_content(const Archive *archive); /* checksum of an opened file */
const char *archive_path(const Archive *archive);

#endif
