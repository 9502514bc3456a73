#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"

/** A small file with every type, one to three dimensions, groups, empty shapes and attributes, for
 *  the tests of store. Its values depend on the row alone. */
enum { SAMPLE_ROWS = 37, SAMPLE_WIDTH = 5 };
#define SAMPLE_SCHEMA "sample 1"

/** Its content checksum, whatever wrote it. */
extern const char *const SAMPLE_CONTENT;

typedef enum SampleOrder {
  SAMPLE_BY_SHARD,     /* every rank its part; with many ranks some have none */
  SAMPLE_BY_LAST_RANK, /* one rank all, the others nothing */
  SAMPLE_BACKWARDS     /* three rows at a time from the end, ranks in turn */
} SampleOrder;

/** All ranks of the test, opened on first use (the runner starts MPI). ranks collective */
Team *sample_team(void);
/** The team of the first `size` ranks; false on the others. End with sample_leave().
 *  ranks   collective */
bool sample_subteam(int size, Team *team);
void sample_leave(Team *team);

/** A path in the check's folder; valid until the fourth next call. ranks local */
const char *sample_path(const char *name);
/** Is the file, or its .part, there? Asked on rank 0. ranks collective */
bool sample_is_there(const char *name);

/** Declare the datasets; write all rows; the whole way to a finished file. ranks collective */
Status sample_add(Archive *archive) MUST_USE;
Status sample_fill(Archive *archive, Team *team, SampleOrder order) MUST_USE;
Status sample_write(Team *team, const char *name, SampleOrder order, char content[17]) MUST_USE;

/** Open it, read every dataset (each rank an overlapping part) and attribute, compare.
 *  ranks   collective
 *  same    out     is everything as written? */
Status sample_read(Team *team, const char *name, bool *same) MUST_USE;

#endif
