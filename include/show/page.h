#ifndef PAGE_H
#define PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "atlas.h"
#include "names.h"
#include "stamp.h"
#include "status.h"
#include "team.h"

/** The report: a folder that opens from disk in a browser. index.html and assets/ are the same in
 *  every report; data/ holds the run, in shards that the page loads when it needs them. */

enum { PAGE_TABLE = 20000 };

typedef struct PageSettings {
  const char *title;
  int64_t strips;     /* strongest examples a feature */
  int64_t strip_side; /* tokens on either side */
  int64_t neighbours; /* nearest features of each dictionary, on a feature's page and map */
  int64_t
      table_most; /* families up to which the page loads the whole table and sorts it itself; above,
                         it has the first ones by each column. 0: PAGE_TABLE */
} PageSettings;

typedef struct PageTotals {
  int64_t files, bytes;
} PageTotals;

/** Add the page's own files to a stamp: another version of the program makes another page.
 *  ranks   local */
void page_add_stamp(Stamp *stamp);

/** What stands at `folder`? Its stamp is the text of the file `stamp` in it.
 *  ranks   collective
 *  is_there   out  something is there
 *  is_current out  a report with this stamp
 *  fails   ERR_FILE when something is there that is no report: it is never replaced */
Status page_check(Team *team, const char *folder, const Stamp *stamp, bool *is_there,
                  bool *is_current) MUST_USE;

/** Write the report into FOLDER.part and put it in the place of what is at `folder` when it is
 *  whole. The same files at any number of ranks. Each rank holds the forest's links (kin.h), the
 *  table of families (roll.h), its share of the words of labels, and one shard.
 *  ranks   collective
 *  atlas   in      opened whole
 *  totals  out     files and bytes of the report
 *  fails   ERR_SPACE, ERR_FILE, ERR_FORMAT, ERR_MEMORY; the old report then stays */
Status page_write(const Atlas *atlas, const Names *names, const char *folder,
                  const PageSettings *settings, const Stamp *stamp, PageTotals *totals) MUST_USE;

#endif
