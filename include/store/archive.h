#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** A parallel HDF5 file in cleave's manner. This floor is the only one that includes hdf5.h.
 *
 *  Writing: archive_create, archive_add for every dataset, attributes, archive_begin (allocates and
 *  reserves the whole file: a full disk is seen here, before anything is written),
 *  archive_write..., archive_finish (content checksum, close, rename from PATH.part). A final name
 *  therefore means a complete file. After any failure call archive_abandon, which removes the
 *  .part; archive_create and archive_finish do so themselves.
 *  Reading: archive_open (checks schema and completeness), archive_read..., archive_close.
 *
 *  ranks   EVERY function here is collective unless it says local, with the same arguments on all
 *          ranks except first, rows and data of reads and writes (rows may be 0). The same status
 *          on all ranks. */
typedef struct Archive Archive;

typedef enum ArchiveType { /* the numbers enter the content checksum: never renumber */
                           ARCHIVE_F32 = 0,
                           ARCHIVE_F64 = 1,
                           ARCHIVE_BF16 = 2, /* the upper half of a float32; in memory uint16_t */
                           ARCHIVE_I64 = 3,
                           ARCHIVE_U32 = 4,
                           ARCHIVE_U8 = 5
} ArchiveType;

enum { ARCHIVE_DIMS = 3 };

/** One dataset. Every dataset says what it means and in which unit. */
typedef struct ArchiveDataset {
  const char *name; /* "/activation", "/pair/8k/1k/cosine": groups on the way are made */
  ArchiveType type;
  int dims;                    /* 1 .. ARCHIVE_DIMS */
  int64_t shape[ARCHIVE_DIMS]; /* row-major; any may be 0; a row has at most 1 GiB */
  const char *meaning;         /* attribute "meaning" */
  const char *unit;            /* attribute "unit", "1" for none */
} ArchiveDataset;

/** Start PATH.part; makes the folder.
 *  schema  in      "activations 1" (name, version), kept in attribute "schema"
 *  fails   ERR_FILE, ERR_SPACE */
Status archive_create(Team *team, const char *path, const char *schema, Archive **out) MUST_USE;
/** Declare a dataset (strings are copied). Only before archive_begin.
 *  fails   ERR_DATA: not a name, declared twice, or an impossible shape */
Status archive_add(Archive *archive, const ArchiveDataset *dataset) MUST_USE;

/** Attributes of a dataset or group ("/" is the file's root; a group that is not there is made).
 *  `set` values belong to the content (they enter the checksum); `note` values are provenance
 *  (time, ranks, host, versions, the stamp) and do not. After archive_create, before
 *  archive_finish, which writes them. Setting again replaces. */
Status archive_set_text(Archive *archive, const char *object, const char *key,
                        const char *value) MUST_USE;
Status archive_set_integer(Archive *archive, const char *object, const char *key,
                           int64_t value) MUST_USE;
Status archive_set_real(Archive *archive, const char *object, const char *key,
                        double value) MUST_USE;
Status archive_note_text(Archive *archive, const char *object, const char *key,
                         const char *value) MUST_USE;

/** Create the file and all datasets without fill, reserve the full size on the file system, agree.
 *  fails   ERR_SPACE on all ranks when the disk is too small */
Status archive_begin(Archive *archive) MUST_USE;

/** Write rows [first, first + rows) of the first dimension; each row is written once by one rank.
 *  data    in      [rows, rest of shape] of the dataset's type
 *  fails   ERR_DATA (not declared, outside the shape), ERR_FILE */
Status archive_write(Archive *archive, const char *name, int64_t first, int64_t rows,
                     const void *data) MUST_USE;

/** Close and rename. The archive is destroyed, whatever happens. Adds attribute "content" and the
 *  notes "created" (UTC), "ranks", "cpu", "blas_core", "version".
 *  content out     16 lower-case hex digits + 0 (may be NULL): hash of names, shapes, types, values
 *                  and `set` attributes, the same at any number of ranks and in any order of writes
 *  fails   ERR_DATA (a row was not written, or twice), ERR_SPACE, ERR_FILE; no PATH then */
Status archive_finish(Archive **archive, char content[17]) MUST_USE;
/** Close and remove the .part after a failure; NULL is fine. Returns nothing: the failure is
 *  already known. In read mode the same as archive_close. */
void archive_abandon(Archive **archive);

/** Name the BLAS core that the files of this process note ("none" without a call).
 *  ranks   local */
void archive_name_core(const char *core);

/** Is there a file of that schema that was closed whole?
 *  ranks   local */
bool archive_is_whole(const char *path, const char *schema);

/** Open for reading.
 *  schema  in      must equal the file's ("activations 1")
 *  maker   in      the stage to run when it is missing or outdated: "cleave-harvest"
 *  fails   ERR_MISSING (no such file: "run cleave-harvest first"), ERR_FORMAT (not HDF5, truncated,
 *          another schema: names found and wanted) */
Status archive_open(Team *team, const char *path, const char *schema, const char *maker,
                    Archive **out) MUST_USE;
/** NULL is fine. */
void archive_close(Archive **archive);

/** Shape of a dataset; checks type and number of dimensions.
 *  shape   out     [dims]
 *  fails   ERR_FORMAT when it is not there or of another type */
Status archive_shape(Archive *archive, const char *name, ArchiveType type, int dims,
                     int64_t *shape) MUST_USE;
/** Is a dataset there, of this type and of exactly this shape?
 *  wanted  in      [dims]
 *  fails   ERR_FORMAT: says what it is instead */
Status archive_expect(Archive *archive, const char *name, ArchiveType type, int dims,
                      const int64_t *wanted) MUST_USE;
/** Read rows of the first dimension (rows may be 0). Independent of other ranks' ranges; overlaps
 *  are fine. The type is the file's: check it with archive_shape or archive_expect first.
 *  fails   ERR_FORMAT (no such dataset, range outside it), ERR_FILE */
Status archive_read(Archive *archive, const char *name, int64_t first, int64_t rows,
                    void *data) MUST_USE;
/** The same on the calling ranks alone, without agreement: for loops whose count differs between
 *  ranks. One thread at a time.
 *  ranks   local */
Status archive_read_here(Archive *archive, const char *name, int64_t first, int64_t rows,
                         void *data) MUST_USE;
/** Are these values, as they were read, those that were written? Every row of the dataset is given once,
 *  by some rank.
 *  intact  out     the same on all ranks
 *  fails   ERR_FORMAT: the file holds no checksum of the dataset */
Status archive_check(Archive *archive, const char *name, int64_t first, int64_t rows,
                     const void *data, bool *intact) MUST_USE;
/** These rows will be read soon: asks the system to fetch them meanwhile, where it can; out of range or
 *  unknown is fine.
 *  ranks   local */
void archive_ahead(Archive *archive, const char *name, int64_t first, int64_t rows);
/** Is there a dataset (or, in read mode, a group) of that name?
 *  ranks   local */
bool archive_has(Archive *archive, const char *name);
/** Is there a dataset of that name and type, in a file opened for reading?
 *  ranks   local */
bool archive_is(Archive *archive, const char *name, ArchiveType type);

/** Attributes of a file opened for reading. text is owned by the caller (memory_release), and NULL
 *  after a failure.
 *  fails   ERR_FORMAT when absent or of another type */
Status archive_get_text(Archive *archive, const char *object, const char *key,
                        char **text) MUST_USE;
Status archive_get_integer(Archive *archive, const char *object, const char *key,
                           int64_t *value) MUST_USE;
Status archive_get_real(Archive *archive, const char *object, const char *key,
                        double *value) MUST_USE;
/** Checksum of an opened file, and its path; borrowed until it is closed.
 *  ranks   local */
const char *archive_content(const Archive *archive);
const char *archive_path(const Archive *archive);

#endif
