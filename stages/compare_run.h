#ifndef COMPARE_RUN_H
#define COMPARE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "directions.h"
#include "neighbours.h"
#include "progress.h"
#include "stage.h"

/** A comparison as its files share it. neighbours.h5 is made in steps, each of which keeps its results
 *  in files of its own until all are done (compare_work.h): every dictionary is described
 *  (compare_describe.c), compared with itself (compare_self.c) and with the smaller ones
 *  (compare_pair.c), and at the end all is put together (compare_write.c). */

enum { COMPARE_NAME = 256 };

/** A child whose median best cosine is this near the null's is where it was initialised. */
#define COMPARE_UNDERTRAINED 0.04

/** One dictionary, as long as it is compared. */
typedef struct Dictionary {
  const DictionarySettings *settings;
  int64_t index; /* as declared */
  Archive *file;
  Archive *codes; /* NULL: nobody counted firings */
  int64_t seen;   /* rows that were encoded */
  int64_t latents, width;
  float *mean;      /* [width] of the alive unit rows */
  double dimension; /* effective */
  int64_t not_dead; /* latents that take part */
} Dictionary;

typedef struct Compare {
  Stage *stage;
  Team *team;
  Dictionary *dictionaries; /* [count], as declared */
  int64_t count;
  SettingsPair *pairs; /* [pair_count] */
  int64_t pair_count;
  int64_t most;   /* neighbours kept a row */
  char *folder;   /* of the work files */
  char stamp[32]; /* of the output */
  double saved;   /* clock_seconds() when progress was last kept */
  Archive *out;
  Progress bar;
  NeighboursWatch watch;
} Compare;

/** Open all dictionaries and, where they are, their codes.
 *  ranks   collective, as all here that does not say local
 *  compare in/out  with its stage and team; close it after a failure too
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_DATA (other latents or widths), ERR_STALE (codes of another
 *          dictionary), ERR_MEMORY */
Status compare_open(Compare *compare) MUST_USE;
void compare_close(Compare *compare);

/** The panel of children that begins at latent `first`: compare.panel of them a rank, in whole latent
 *  blocks.
 *  ranks   local */
Shard compare_panel(const Compare *compare, const Dictionary *one, int64_t first);
/** The unit decoder rows of a panel (or of all latents), with their states.
 *  rows    out     directions_clear() it after a failure too
 *  fails   ERR_FILE, ERR_MEMORY, ERR_NUMERIC (names the latent) */
Status compare_load(Compare *compare, const Dictionary *one, Shard part, Directions *rows) MUST_USE;
/** Replace them by the unit encoder rows of the same latents. */
Status compare_load_encoder(Compare *compare, const Dictionary *one, Directions *rows) MUST_USE;

/** The steps: make what is missing, take up what is there.
 *  fails   ERR_SPACE, ERR_FILE, ERR_MEMORY, ERR_NUMERIC, ERR_INTERRUPTED (a signal: progress is
 *          kept) */
Status compare_describe(Compare *compare, Dictionary *one) MUST_USE;
Status compare_self(Compare *compare, const Dictionary *one) MUST_USE;
Status compare_pair(Compare *compare, int64_t index) MUST_USE;

/** Write neighbours.h5 from what the steps have left.
 *  fails   ERR_SPACE, ERR_FILE, ERR_MEMORY; no file then */
Status compare_write(Compare *compare, const char *path) MUST_USE;

/** Print the nearest features of those that --of lists, "16k/1234,16k/77".
 *  fails   ERR_USAGE (no such feature) */
Status compare_of(Compare *compare, const char *features) MUST_USE;

/** The group of a pair, "/pair/8k/1k", or of one dictionary, "/self/8k" (parent NULL).
 *  ranks   local
 *  group   out     [COMPARE_NAME] */
void compare_name_group(char *group, const char *kind, const char *child, const char *parent);

#endif
