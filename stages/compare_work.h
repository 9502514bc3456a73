#ifndef COMPARE_WORK_H
#define COMPARE_WORK_H

#include "compare_columns.h"
#include "compare_run.h"

/** Work files: what an unfinished comparison has done so far, in RUN/comparing/. Every step has a name
 *  ("pair-3") and leaves
 *    NAME-rows-FIRST.h5   results of a panel of children, as they will stand in neighbours.h5
 *    NAME-lists-PAST.h5   when it was time for it: the heaps of the parents' children, after all children
 *                         before PAST
 *    NAME-done.h5         the rest of its results, when it is done
 *  They do not depend on the number of ranks, and all belong to one stamp (file `stamp`), that of the
 *  output. A killed run goes on from the last lists. After neighbours.h5 is there they are removed.
 *  ranks   collective, as all here that does not say local */

#define COMPARE_SCHEMA "comparing 1"

/** One step on its way through its children. */
typedef struct Step {
  char name[32];
  char title[2 * COMPARE_NAME]; /* for people: "8k -> 1k" */
  int64_t children;             /* in all */
  int64_t done;                 /* of them */
  Neighbours lists;             /* of own rows of the dictionary of `total` latents */
  int64_t total;
  int64_t *tally; /* [tallies] counted so far on this rank */
  int64_t tallies;
} Step;

/** Declare /NAME of `rows` rows in group `group` ("": the root). */
Status compare_add(const Compare *compare, Archive *archive, const char *group,
                   const Column *column, int64_t rows) MUST_USE;
/** Values a row.
 *  ranks   local */
int64_t compare_width(const Compare *compare, const Column *column);

/** Take up the folder, or make it. Files of another stamp are refused, or dropped by --force.
 *  fails   ERR_STALE */
Status compare_work_open(Compare *compare) MUST_USE;
/** Remove it, if it belongs to this output; fine if it is not there. */
Status compare_work_remove(Compare *compare) MUST_USE;

/** Set done to how far a step has come (to `children` when it is done), is_done to whether it is
 *  done. */
Status compare_work_find(Compare *compare, Step *step, bool *is_done) MUST_USE;
/** Read lists and tally of the step that compare_work_find() found begun, and remove what came after
 *  them. */
Status compare_work_resume(Compare *compare, Step *step) MUST_USE;
/** After a panel: is it time to keep the lists and the tally? Does a signal ask to stop?
 *  fails   ERR_INTERRUPTED after they are kept */
Status compare_work_save(Compare *compare, const Step *step) MUST_USE;

/** A step's file, "rows" of the panel from `at` or "done" (at < 0), for writing and for reading. */
Status compare_work_create(Compare *compare, const char *step, const char *what, int64_t at,
                           Archive **out) MUST_USE;
Status compare_work_read(Compare *compare, const char *step, const char *what, int64_t at,
                         Archive **out) MUST_USE;

/** Has a panel's file rows at all? Who goes through panels by their rows would else never end.
 *  fails   ERR_FORMAT */
Status compare_check_rows(const Compare *compare, Archive *rows, int64_t count) MUST_USE;

/** Stop between steps where a signal asks for it.
 *  fails   ERR_INTERRUPTED */
Status compare_work_pause(Compare *compare) MUST_USE;

#endif
