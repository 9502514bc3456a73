#ifndef CODES_SOURCE_H
#define CODES_SOURCE_H

#include <stdint.h>

#include "status.h"
#include "team.h"

/** Sparse codes in other tools' files, by row: a CSR matrix (`indptr`, `indices`, `data`, `shape`, and `format`
 *  where it is there: scipy.sparse.save_npz), or `row` (ascending), `feature` and `value` of each entry. Every rank
 *  reads the rows that it wants. */
typedef struct CodesSource CodesSource;

/** ranks   collective
 *  path    in      .npz or .safetensors
 *  folder  in      where compressed arrays are unpacked to; nothing is left there
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_UNSUPPORTED, ERR_SPACE, ERR_FILE, ERR_MEMORY */
Status codes_source_open(CodesSource **out, Team *team, const char *path,
                         const char *folder) MUST_USE;
/** NULL is fine.
 *  ranks   local */
void codes_source_close(CodesSource **source);

/** Do they fit `rows` rows and `latents` latents, and are the rows in order?
 *  ranks   collective
 *  fails   ERR_DATA (names the place) */
Status codes_source_check(CodesSource *source, int64_t rows, int64_t latents) MUST_USE;

/** Entries of some rows; the arrays belong to the source and last until the next call. */
typedef struct CodesSlice {
  const int64_t *start; /* [rows + 1] start[0] = 0 */
  uint32_t *id;         /* as in the file: see codes_order() */
  float *value;
} CodesSlice;

/** Entries of rows [first, first + rows), after codes_source_check().
 *  ranks   local
 *  fails   ERR_DATA (an id out of range: names the row), ERR_FORMAT, ERR_FILE, ERR_MEMORY */
Status codes_source_read(CodesSource *source, int64_t first, int64_t rows,
                         CodesSlice *out) MUST_USE;

#endif
