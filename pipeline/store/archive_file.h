#ifndef ARCHIVE_FILE_H
#define ARCHIVE_FILE_H

#include <hdf5.h>

#include "archive.h"
#include "attribute.h"
#include "slab.h"

/** What an Archive holds. Private to store: archive.c writes, archive_read.c reads, content.c
 *  hashes. */

/** What was written so far by this rank; each field is a sum that does not depend on order. */
typedef struct ArchiveSum {
  int64_t rows;   /* how many */
  int64_t places; /* sum of their indices, mod 2^64: with `rows` it tells a row written twice */
  int64_t hash;   /* sum of their hashes, mod 2^64 */
} ArchiveSum;

typedef struct ArchiveEntry {
  char *name;
  char *meaning, *unit; /* NULL in read mode */
  ArchiveType type;     /* in read mode known to the file alone */
  Slab slab;            /* .dataset and .type are open handles, or negative */
  ArchiveSum sum;
} ArchiveEntry;

struct Archive {
  Team *team; /* borrowed */
  bool is_writing;
  char *path;
  char *part; /* PATH.part when writing */
  char *schema;
  hid_t file;            /* negative while there is none */
  ArchiveEntry *entries; /* [count]: declared (writing) or opened so far (reading) */
  int64_t count;
  AttributeList attributes; /* writing */
  int64_t reserved;         /* bytes of the file that rank 0 has allocated, or tried to */
  int descriptor;           /* for hints.c; 0: not open yet */
  char content[17];
};

/** Take the memory of an archive without a file, and give it back.
 *  ranks   local */
Status archive_make(Team *team, const char *path, const char *schema, bool is_writing,
                    Archive **out) MUST_USE;
void archive_free(Archive **archive);

/** Close all handles and the file.
 *  ranks   collective; agree afterwards
 *  fails   ERR_FILE: something stayed open, or HDF5 could not close */
Status archive_close_file(Archive *archive) MUST_USE;

/** The entry of that name, or NULL.
 *  ranks   local */
ArchiveEntry *archive_find(Archive *archive, const char *name);

#endif
