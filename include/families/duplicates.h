#ifndef DUPLICATES_H
#define DUPLICATES_H

#include "directions.h"
#include "status.h"
#include "team.h"

/** Near duplicates inside one dictionary count as one feature. In ascending id a feature whose cosine
 *  with a lower representative reaches the cut joins the nearest such one (ties to the lower id);
 *  every other feature is a representative itself. */

/** For each own feature the lower ids that lie at or above the cut, nearest first, ties to the lower
 *  id. */
typedef struct DuplicatesNear {
  int64_t count;  /* own features */
  int64_t *start; /* [count + 1] */
  uint32_t *id;   /* [start[count]] */
} DuplicatesNear;

/** ranks local; safe on a zeroed struct */
void duplicates_clear(DuplicatesNear *near);

/** From the stored nearest features of the same dictionary.
 *  ranks   local
 *  own     in      ids of the features
 *  id, cosine  in  [own, most] by descending cosine; LOOKUP_NONE: none
 *  fails   ERR_MEMORY; duplicates_clear() is safe after it, here and below */
Status duplicates_stored(DuplicatesNear *near, Shard own, const uint32_t *id, const float *cosine,
                         int64_t most, double cut) MUST_USE;

/** Where the nearest features are not stored: among features that share one of their best parents.
 *  A parent that is among the best of more than DUPLICATES_CROWD features proposes none of them
 *  (their others do).
 *  ranks   collective
 *  rows    in      unit rows; features that are left out take no part
 *  best    in      [own, share] best parents, LOOKUP_NONE: none
 *  cosine  in      [own, share] with them
 *  parents in      of the whole dictionary of parents
 *  crowded out     parents that proposed none, over all ranks
 *  fails   ERR_MEMORY */
enum { DUPLICATES_CROWD = 1 << 14 };
typedef struct DuplicatesSiblings {
  const Directions *rows;
  const uint32_t *best;
  const float *cosine;
  int64_t share, parents;
  double cut;
} DuplicatesSiblings;
Status duplicates_siblings(DuplicatesNear *near, Team *team, const DuplicatesSiblings *siblings,
                           int64_t *crowded) MUST_USE;

/** The rule above.
 *  ranks   collective
 *  latents in      of the whole dictionary, dealt by lookup_own()
 *  representative out [own] ids; the feature itself where it joins none
 *  fails   ERR_MEMORY */
Status duplicates_collapse(Team *team, int64_t latents, const DuplicatesNear *near,
                           uint32_t *representative) MUST_USE;

/** In a list of neighbours, best first, an entry stands for its representative with the largest
 *  cosine of the group: keep the first of each.
 *  ranks   local
 *  representative in [count] of each entry; LOOKUP_NONE ends the list
 *  kept    out     [count] places of the entries that stay, ascending; returned: how many */
int64_t duplicates_keep(const uint32_t *representative, int64_t count, int64_t *kept);

#endif
