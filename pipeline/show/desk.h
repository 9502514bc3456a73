#ifndef DESK_H
#define DESK_H

#include <stdint.h>

#include "atlas.h"
#include "kin.h"
#include "names.h"
#include "pen.h"
#include "progress.h"
#include "status.h"
#include "text.h"

/** What the writers of the report share. A shard is a script data/KEY.js that calls cleave("KEY",
 *  value): a browser refuses to fetch files of a page that came from disk, but adds scripts. */
typedef struct Desk {
  const Atlas *atlas;
  const Kin *kin;
  const Names *names;
  const char *folder;                                 /* of the report while it is being written */
  int64_t strips, strip_side, neighbours, table_most; /* as in PageSettings */
  char *last_folder;                                  /* made last */
  int64_t files, bytes;                               /* written by this rank */
  Progress *progress;                                 /* NULL: not shown */
  int64_t done;                                       /* units of it */
} Desk;

/** Shards hold so many features, families, rows of the table; folders so many shards. The page's
 *  script reads them in data/run.js. */
enum { DESK_FEATURES = 32, DESK_FAMILIES = 16, DESK_ROWS = 500, DESK_FOLDER = 1000 };
/** A feature lists so many children, promoted tokens, intervals of activation. */
enum { DESK_CHILDREN = 12, DESK_TOKENS = 10, DESK_BINS = 30 };

/** Write data/KEY.js from the JSON in `json`, which is emptied.
 *  ranks   local
 *  fails   ERR_SPACE, ERR_FILE */
Status desk_write(Desk *desk, const char *key, Text *json) MUST_USE;

/** Write a label as a JSON value: "text" when it is automatic, ["text"] when it is the user's.
 *  desk_label_of: of a feature that was looked up.
 *  ranks   local */
Status desk_label(const Desk *desk, int dictionary, int64_t id, Pen *pen) MUST_USE;
Status desk_label_of(const Desk *desk, int dictionary, int64_t id, const uint32_t *label_token,
                     Pen *pen) MUST_USE;
/** P(parent | child) and its interval as an array of numbers, [] for insufficient evidence. */
void desk_share(const AtlasLink *link, Pen *pen);

/** One unit of work of a rank: writes files of its own. */
typedef Status (*DeskUnit)(Desk *desk, int64_t unit, void *context);
/** Deal units 0 .. units-1 to the ranks in consecutive ranges; the ranks agree every few units, so
 *  that one rank's failure ends all soon. Units are counted in desk->progress where it is open.
 *  ranks   collective */
Status desk_deal(Desk *desk, int64_t units, DeskUnit unit, void *context) MUST_USE;

/** The shards of all features: `shard` is called for each with its dictionary's number (an int) as
 *  context and writes DESK_FEATURES features of it. what: for the progress.
 *  ranks   collective */
Status desk_deal_features(Desk *desk, const char *what, DeskUnit shard) MUST_USE;

/** The writers, each collective. */
Status summary_write(Desk *desk,
                     const char *title) MUST_USE; /* run.js: what was run, all figures */
Status roll_write(Desk *desk) MUST_USE;           /* families/: the table */
Status pedigree_write(Desk *desk) MUST_USE;       /* family/: the trees */
Status portrait_write(Desk *desk) MUST_USE;       /* feature/: one record a feature */
Status vicinity_write(Desk *desk) MUST_USE;       /* near/: each feature's neighbours */
Status roster_write(Desk *desk) MUST_USE; /* status/: the strongest features of each status */
Status novel_write(Desk *desk) MUST_USE;  /* novel/: groups of features without a parent */
Status finder_write(Desk *desk) MUST_USE; /* search/: words of labels */
/** Has a pair a file of groups? Pairs of next levels have, whose child was compared with itself.
 *  ranks   local */
bool novel_is_asked(const Atlas *atlas, const AtlasPair *pair);
/** Files that the words of labels are dealt to.
 *  ranks   local */
int64_t finder_buckets(const Atlas *atlas);

#endif
