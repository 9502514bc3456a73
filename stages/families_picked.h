#ifndef FAMILIES_PICKED_H
#define FAMILIES_PICKED_H

#include "families_codes.h"

/** The firings of some of the features that are here: evidence is counted for these alone. */
typedef struct FamiliesPicked {
  EvidenceChildren children; /* of the arrays below */
  int64_t *start;
  uint32_t *row;
  float *value;
} FamiliesPicked;

/** ranks   local
 *  from    in      firings of all of them
 *  feature in      [count] places in `from`, ascending
 *  fails   ERR_MEMORY; families_picked_close() is safe after it */
Status families_pick(FamiliesPicked *picked, const EvidenceChildren *from, const int64_t *feature,
                     int64_t count) MUST_USE;
/** ranks local; safe on a zeroed struct */
void families_picked_close(FamiliesPicked *picked);

#endif
