#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include <stdint.h>

#include "directions.h"
#include "progress.h"
#include "select.h"
#include "status.h"
#include "team.h"

/** Exact nearest neighbours between two dictionaries by cosine, both ways. The children stay
 *  where they are; the parents' blocks go round the ring of ranks, and the lists of their best
 *  children travel with them. No rank ever holds more than its own rows and two blocks of
 *  parents. Cosines are fixed-order dot products of unit rows, so lists and cosines have the
 *  same bits at any number of ranks and threads. */

/** For each of `count` own rows the keys (cosine, id) of its neighbours, best first, ties to the
 *  lower id. */
typedef struct Neighbours {
  int64_t count;
  int64_t most;    /* neighbours kept a row */
  SelectKey *keys; /* [count, most]; 0 past the last */
  int64_t *counts; /* [count] neighbours found: fewer than `most` when there are fewer rows */
} Neighbours;

/** ranks   local
 *  fails   ERR_MEMORY */
Status neighbours_open(Neighbours *neighbours, int64_t count, int64_t most) MUST_USE;
/** ranks local */
void neighbours_clear(Neighbours *neighbours);

/** Ids and cosines as files keep them. Rounding may leave a cosine a little beyond 1: cut there.
 *  ranks   local
 *  ids     out     [count, most], 4294967295 where there is no neighbour
 *  cosines out     [count, most], nan there */
void neighbours_unpack(const Neighbours *neighbours, uint32_t *ids, float *cosines);

/** Progress over several searches: `done` counts pairs of rows, of all ranks. NULL for none. */
typedef struct NeighboursWatch {
  Progress *bar; /* total in pairs */
  int64_t done;
} NeighboursWatch;

/** The best parents of each child and the best children of each parent. Rows that are left out
 *  take no part: they get no neighbours and are nobody's.
 *  ranks   collective
 *  child   in      after directions_unit() or directions_centre()
 *  parent  in      of the same width
 *  parents in/out  opened for shard_count(child->own) rows, empty
 *  children in/out opened for shard_count(parent->own) rows with the same `most`, empty
 *  fails   ERR_MEMORY; the lists are then unusable */
Status neighbours_find(Team *team, const Directions *child, const Directions *parent,
                       Neighbours *parents, Neighbours *children, NeighboursWatch *watch) MUST_USE;

/** The nearest other rows of the same dictionary.
 *  ranks   collective
 *  fails   as neighbours_find() */
Status neighbours_find_own(Team *team, const Directions *rows, Neighbours *nearest,
                           NeighboursWatch *watch) MUST_USE;

/** The dot product of each child with each of its parents found before, of other rows of the
 *  same dictionaries: centred ones, or the encoder's.
 *  ranks   collective
 *  parents in      of neighbours_find() with the same owners of rows
 *  out     out     [shard_count(child->own), most]; nan where there is no parent
 *  fails   ERR_MEMORY */
Status neighbours_score(Team *team, const Directions *child, const Directions *parent,
                        const Neighbours *parents, float *out) MUST_USE;

#endif
