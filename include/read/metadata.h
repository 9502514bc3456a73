#ifndef METADATA_H
#define METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "cursor.h"
#include "status.h"

/** The key-value pairs at the head of a GGUF file; gguf.h is the interface for everybody else.
 *  ranks: all local. */
typedef struct MetadataValue MetadataValue;
typedef struct Metadata {
  const char *path;      /* for messages; borrowed */
  MetadataValue *values; /* [count], sorted by key; they point into the file's bytes */
  int64_t count;
} Metadata;

enum {
  METADATA_SINGLE = -1,    /* index of a value that is not in an array */
  METADATA_LEAST_PAIR = 13 /* bytes that a pair takes at least */
};

/** Read and check `count` pairs. metadata_clear() is needed after a failure too.
 *  ranks   local
 *  fails   ERR_FORMAT, ERR_MEMORY */
Status metadata_read(Metadata *metadata, Cursor *cursor, int64_t count) MUST_USE;
void metadata_clear(Metadata *metadata);

bool metadata_has(const Metadata *metadata, const char *key);
/** Items of an array; -1 when absent or no array.
 *  ranks   local */
int64_t metadata_array_length(const Metadata *metadata, const char *key);

/** The item `index` of an array, or with METADATA_SINGLE the value itself.
 *  ranks   local
 *  fails   ERR_FORMAT (absent, of another type, no such item; names key and file) */
Status metadata_integer(const Metadata *metadata, const char *key, int64_t index,
                        int64_t *value) MUST_USE;
Status metadata_real(const Metadata *metadata, const char *key, int64_t index,
                     double *value) MUST_USE;
Status metadata_text(const Metadata *metadata, const char *key, int64_t index, const char **bytes,
                     int64_t *length) MUST_USE;

#endif
