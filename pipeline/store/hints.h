#ifndef HINTS_H
#define HINTS_H

#include "archive_file.h"

/** What the system is told of rows that will be read, or were written. Wishes: where they cannot be told or
 *  heard, nothing happens.
 *  ranks   all local */

/** They will be read soon: fetch them meanwhile. */
void hints_fetch(Archive *archive, const Slab *slab, int64_t first, int64_t rows);
/** They were written: put them on the disk meanwhile, not all at the end. */
void hints_settle(Archive *archive, const Slab *slab, int64_t first, int64_t rows);

#endif
