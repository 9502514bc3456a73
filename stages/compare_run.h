#ifndef COMPARE_RUN_H
#define COMPARE_RUN_H

#include <stdint.h>

#include "archive.h"
#include "neighbours.h"
#include "progress.h"
#include "stage.h"

/** A comparison as its files share it: inputs (compare_inputs.c), results of each dictionary and
 *  pair (compare_pair.c), the table at the end (compare.c). */

enum { COMPARE_NAME = 256 };

/** A child whose median best cosine is this near the null's is where it was initialised. */
#define COMPARE_UNDERTRAINED 0.04

/** One dictionary, as long as it is compared. */
typedef struct Dictionary {
  const DictionarySettings *settings;
  Archive *file;
  Archive *codes; /* NULL: nobody counted firings */
  int64_t latents, width;
  uint8_t *state;   /* [own] DirectionState */
  float *mean;      /* [width] of the alive unit rows */
  double dimension; /* effective */
  int64_t not_dead; /* latents that take part, over all ranks */
} Dictionary;

typedef struct Compare {
  Stage *stage;
  Team *team;
  Dictionary *dictionaries; /* [count], as declared */
  int64_t count;
  SettingsPair *pairs; /* [pair_count] */
  int64_t pair_count;
  int64_t most; /* neighbours kept a row */
  Archive *out;
  Progress bar;
  NeighboursWatch watch;
} Compare;

/** Open all dictionaries and, where they are, their codes.
 *  ranks   collective
 *  compare in/out  with its stage and team; close it after a failure too
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_DATA (other latents or widths), ERR_STALE (codes of another
 *          dictionary), ERR_MEMORY */
Status compare_open(Compare *compare) MUST_USE;
/** ranks   collective */
void compare_close(Compare *compare);

/** Write neighbours.h5.
 *  ranks   collective
 *  fails   ERR_SPACE, ERR_FILE, ERR_MEMORY, ERR_NUMERIC; no file then */
Status compare_write(Compare *compare, const char *path, const char *stamp) MUST_USE;

/** The group of a pair, "/pair/8k/1k", or of one dictionary, "/self/8k" (parent NULL).
 *  ranks   local
 *  group   out     [COMPARE_NAME] */
void compare_name_group(char *group, const char *kind, const char *child, const char *parent);

#endif
