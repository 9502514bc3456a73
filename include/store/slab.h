#ifndef SLAB_H
#define SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** Whole rows between memory and an open dataset, cut into pieces that MPI-IO can count. Inside
 *  store only: other floors use archive.h. */

enum { SLAB_DIMS = 3 };

typedef struct Slab {
  int64_t dataset; /* HDF5 handle */
  int64_t type;    /* HDF5 handle of the type in file and memory alike: nothing is converted */
  int dims;        /* 1 .. SLAB_DIMS */
  int64_t shape[SLAB_DIMS]; /* row-major */
  int64_t row_bytes;        /* of one index of the first dimension; at most 2^30 */
} Slab;

/** Write or read rows [first, first + rows) of each rank, in as many rounds as the rank with most
 *  rows needs. Every rank takes part in every round, whatever fails, so no rank waits.
 *  ranks   collective; first, rows (may be 0), data differ
 *  fails   ERR_FILE on the ranks where HDF5 failed: agree afterwards */
Status slab_write(const Slab *slab, Team *team, int64_t first, int64_t rows,
                  const void *data) MUST_USE;
Status slab_read(const Slab *slab, Team *team, int64_t first, int64_t rows, void *data) MUST_USE;
/** The same without other ranks.
 *  ranks   local */
Status slab_read_here(const Slab *slab, int64_t first, int64_t rows, void *data) MUST_USE;

/** Is [first, first + rows) inside the dataset?
 *  ranks   local */
bool slab_holds(const Slab *slab, int64_t first, int64_t rows);

/** Lower the length of a piece in bytes; 0 restores the default (256 MiB). For tests.
 *  ranks   local, but the same on all ranks */
void slab_set_piece(int64_t bytes);

#endif
