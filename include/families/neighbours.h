#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include <stdint.h>

#include "directions.h"
#include "progress.h"
#include "sample.h"
#include "select.h"
#include "status.h"
#include "team.h"

/** Exact nearest neighbours between two dictionaries by cosine, both ways. The children stay where
 *  they are; the parents' blocks go round the ring of ranks, and the lists of their best children
 *  travel with them. A large dictionary of children comes in panels, one after the other, so that a
 *  rank holds its share of a panel, its share of the parents and two blocks. Cosines are fixed-order
 *  dot products of unit rows, so lists and cosines have the same bits at any number of ranks,
 *  threads and panels. */

/** For each of `count` own rows the keys (cosine, id) of its neighbours: heaps of select_offer while
 *  they grow; then best first, ties to the lower id. */
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
/** Heaps into lists: best first.
 *  ranks   local */
void neighbours_sort(Neighbours *neighbours);

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

/** A panel of children meets all parents. Rows that are left out take no part: they get no
 *  neighbours and are nobody's. */
typedef struct NeighboursJob {
  const Directions *child;  /* unit rows: a panel, or the whole */
  const Directions *parent; /* unit rows of the same width: the whole */
  Neighbours *parents;      /* [own children] heaps, in/out */
  Neighbours *children;     /* [own parents] heaps with the same `most`, in/out; NULL for none */
  Sample *sample;           /* of all pairs; NULL for none */
  NeighboursWatch *watch;
} NeighboursJob;

/** ranks   collective
 *  fails   ERR_MEMORY; the lists are then unusable */
Status neighbours_meet(Team *team, const NeighboursJob *job) MUST_USE;

/** The same inside one dictionary, each pair of rows once: a panel of it meets its own rows and the
 *  later ones, and `children` are the lists of the dictionary's rows. When the panels have come in
 *  ascending order, the lists of each panel's rows are complete: `parents` begins as what earlier
 *  panels left in `children` (neighbours_take()) and ends as their nearest other rows. */
Status neighbours_meet_own(Team *team, const NeighboursJob *job) MUST_USE;

/** The heaps of a panel's rows from the ranks that own them.
 *  ranks   collective
 *  whole   in      [own rows of the whole dictionary]
 *  out     in/out  opened for the panel's own rows with the same `most`
 *  fails   ERR_MEMORY */
Status neighbours_take(Team *team, const Directions *panel, const Neighbours *whole,
                       Neighbours *out) MUST_USE;

/** The best parents of each child and the best children of each parent, all in one panel.
 *  ranks   collective
 *  parents in/out  opened for shard_count(child->own) rows, empty; ends sorted
 *  children in/out opened for shard_count(parent->own) rows with the same `most`, empty; ends
 *                  sorted; NULL for none
 *  fails   as neighbours_meet() */
Status neighbours_find(Team *team, const Directions *child, const Directions *parent,
                       Neighbours *parents, Neighbours *children, NeighboursWatch *watch) MUST_USE;

/** The nearest other rows of the same dictionary, all in one panel.
 *  ranks   collective
 *  fails   as neighbours_meet() */
Status neighbours_find_own(Team *team, const Directions *rows, Neighbours *nearest,
                           NeighboursWatch *watch) MUST_USE;

/** The dot product of each child with each of its parents found before, of other rows of the same
 *  dictionaries: the encoder's.
 *  ranks   collective
 *  child   in      a panel, or the whole
 *  parents in      sorted lists of its rows
 *  out     out     [shard_count(child->own), most]; nan where there is no parent
 *  fails   ERR_MEMORY */
Status neighbours_score(Team *team, const Directions *child, const Directions *parent,
                        const Neighbours *parents, float *out) MUST_USE;

#endif
