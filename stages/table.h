#ifndef TABLE_H
#define TABLE_H

#include <stdint.h>

#include "status.h"
#include "team.h"
#include "text.h"

/** A text file that all ranks write at once, in one fixed order: the lines of rank 0, of rank 1, ...
 *  Lines are made twice, first to learn their length, so that memory stays small. */
typedef struct Table {
  Team *team;
  char *path, *part; /* final name, PATH.part */
  int file;
  int64_t length; /* bytes so far */
} Table;

/** Append line `index` of this rank to `out`, with its line end. Must give the same bytes each time. */
typedef Status (*TableLine)(int64_t index, void *context, Text *out);

/** Start PATH.part with a heading ("" for none).
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE; table_abandon() is safe after it */
Status table_open(Table *table, Team *team, const char *path, const char *heading) MUST_USE;
/** Append lines 0 .. lines-1 of every rank (lines may differ, also be 0).
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE, or what `line` returns */
Status table_add(Table *table, int64_t lines, TableLine line, void *context) MUST_USE;
/** Close and rename.
 *  ranks   collective */
Status table_finish(Table *table) MUST_USE;
/** Remove the .part after a failure; safe on a zeroed or finished table.
 *  ranks   collective */
void table_abandon(Table *table);

#endif
