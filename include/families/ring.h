#ifndef RING_H
#define RING_H

#include <stdint.h>

#include "directions.h"
#include "neighbours.h"
#include "status.h"
#include "team.h"

/** All rows of a dictionary come by on every rank, block by block: a rank sends the block it has on
 *  to the next rank and takes the one of the rank before, until the block has seen all ranks. Besides
 *  its own rows a rank holds two blocks of bounded size. Lists of the rows travel with them. */
typedef struct RingBlock {
  Shard here;                 /* whose rows */
  const float *rows;          /* [here, width] */
  const uint8_t *is_left_out; /* [here] */
  Neighbours lists;           /* of these rows; keys NULL where none travel */
} RingBlock;

/** What a rank does with a block that is here (never an empty one).
 *  ranks   local */
typedef Status (*RingVisit)(const RingBlock *block, void *context);

/** Visit every block of `rows` on every rank.
 *  ranks   collective
 *  rows    in      a whole dictionary
 *  lists   in/out  [own rows] changed by the visits; NULL for none
 *  fails   as the visits, ERR_MEMORY; the lists are then unusable */
Status ring_run(Team *team, const Directions *rows, const Neighbours *lists, RingVisit visit,
                void *context) MUST_USE;

/** Lower the rows of a block; 0 restores the default (64 MiB). For tests.
 *  ranks   local, but the same on all ranks */
void ring_set_rows(int64_t rows);

#endif
