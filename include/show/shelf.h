#ifndef SHELF_H
#define SHELF_H

#include <stdint.h>

#include "archive.h"
#include "status.h"
#include "team.h"

/** Small reads all over a dataset: blocks of it that were read stay in memory, a few megabytes at
 *  most, so that neighbouring reads cost no call of the file. */
typedef struct Shelf Shelf;

/** ranks   collective
 *  archive in      stays open, and borrowed, as long as the shelf
 *  fails   ERR_FORMAT when the dataset is not there or is of another type, ERR_MEMORY */
Status shelf_open(Shelf **out, Team *team, Archive *archive, const char *name, ArchiveType type,
                  int dims) MUST_USE;
/** Rows [first, first + rows) of the first dimension, in the dataset's type.
 *  ranks   local
 *  fails   ERR_FORMAT outside the dataset, ERR_FILE, ERR_MEMORY */
Status shelf_read(Shelf *shelf, int64_t first, int64_t rows, void *out) MUST_USE;
/** ranks   local */
int64_t shelf_rows(const Shelf *shelf);
int64_t shelf_shape(const Shelf *shelf, int dim);
void shelf_close(Shelf **shelf);

#endif
