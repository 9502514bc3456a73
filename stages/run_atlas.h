#ifndef RUN_ATLAS_H
#define RUN_ATLAS_H

#include <stdbool.h>

#include "atlas.h"
#include "stage.h"

/** Open what a run's files show, for the dictionaries that run.yaml declares.
 *  ranks   collective
 *  whole   in      also neighbours and families must be there
 *  atlas   out     atlas_close() it
 *  fails   as atlas_open */
Status run_atlas_open(Stage *stage, bool whole, Atlas *atlas) MUST_USE;

/** The dictionary that the flag --dictionary names, else the largest level.
 *  ranks   local
 *  fails   ERR_USAGE */
Status run_atlas_dictionary(const Stage *stage, const Atlas *atlas, int *dictionary) MUST_USE;
/** The feature NAME/NUMBER that the flag --feature names.
 *  ranks   local
 *  fails   ERR_USAGE */
Status run_atlas_feature(const Stage *stage, const Atlas *atlas, int *dictionary,
                         int64_t *id) MUST_USE;

#endif
