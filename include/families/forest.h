#ifndef FOREST_H
#define FOREST_H

#include <stdint.h>

#include "lookup.h"
#include "verdict_table.h"

/** The primary forest: one edge from every kept, split or absorbed child to its parent in the next
 *  smaller level. Each feature that is not dead is in exactly one tree; a near duplicate is in that of
 *  its representative, and not counted. */

/** The forest children of this rank's parents, in ascending order under each parent. */
typedef struct ForestChildren {
  int64_t parents; /* own */
  int64_t *start;  /* [parents + 1] */
  uint32_t *child; /* [children] ids */
  uint8_t *status; /* [children] ChildStatus */
} ForestChildren;

/** Invert a pair's table; near duplicates are nobody's children.
 *  ranks   collective
 *  children, parents  in  of the whole dictionaries
 *  fails   ERR_MEMORY; forest_clear() is safe after it */
Status forest_children(Team *team, int64_t children, int64_t parents, const VerdictTable *table,
                       ForestChildren *out) MUST_USE;
/** ranks local; safe on a zeroed struct */
void forest_clear(ForestChildren *children);

/** Kept, split (with or without `?`) and absorbed children of own parent `parent`, and all of them.
 *  ranks   local */
typedef struct ForestCounts {
  int64_t all, kept, split, absorbed;
} ForestCounts;
ForestCounts forest_counts(const ForestChildren *children, int64_t parent);

/** Where the trees of features stand: for each own feature of one level. */
typedef struct ForestRoot {
  uint32_t level; /* index of the root's level; LOOKUP_NONE with dead features */
  uint32_t id;    /* the root; LOOKUP_NONE with dead features */
} ForestRoot;

/** Roots of the features of the smallest level: themselves.
 *  ranks   local
 *  state   in      [own] DirectionState
 *  roots   out     [own] */
void forest_plant(Shard own, const uint8_t *state, uint32_t level, ForestRoot *roots);
/** Roots of a level's features from those of the next smaller level.
 *  ranks   collective
 *  parents in      features of the smaller level
 *  below   in      [own parents] their roots
 *  table   in      of the pair
 *  roots   in/out  [own children] of forest_plant(); features with an edge take their parent's root
 *  fails   ERR_MEMORY */
Status forest_grow(Team *team, int64_t parents, const ForestRoot *below, const VerdictTable *table,
                   ForestRoot *roots) MUST_USE;

/** Near duplicates get the roots of their representatives. After forest_plant() or forest_grow().
 *  ranks   collective
 *  latents in      features of the level
 *  representative  in  [own] of duplicates_collapse()
 *  fails   ERR_MEMORY */
Status forest_join(Team *team, int64_t latents, const uint32_t *representative,
                   ForestRoot *roots) MUST_USE;

/** Does the best parent's best parent agree with the direct one, through a middle dictionary?
 *  ranks   collective
 *  middle  in      features of the middle dictionary
 *  chain   in      [own, width] each own child's best middle parents; LOOKUP_NONE: none
 *  above   in      [own middle] best parent of each middle feature in the small dictionary
 *  direct  in      [own] best small parent of each child
 *  agrees  out     [own] 0: none of the chain's parents is the direct one; 1: one of them; 3: the
 *                  first one; 4: there is no chain or no direct parent
 *  fails   ERR_MEMORY */
enum { FOREST_CHAIN = 5, FOREST_NO_CHAIN = 4 };
Status forest_consistency(Team *team, int64_t middle, const uint32_t *chain, int64_t width,
                          const uint32_t *above, const uint32_t *direct, int64_t own,
                          uint8_t *agrees) MUST_USE;

#endif
