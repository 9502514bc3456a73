#ifndef DIRECTIONS_H
#define DIRECTIONS_H

#include <stdint.h>

#include "shard.h"
#include "status.h"
#include "team.h"

/** What is known of a feature's life; the codes stand in neighbours.h5. */
typedef enum DirectionState {
  DIRECTION_DEAD = 0,   /* zero norm, or no firing in DIRECTION_DEAD_ROWS rows: takes no part */
  DIRECTION_UNSEEN = 1, /* no firing in fewer rows: has neighbours, is counted apart */
  DIRECTION_ALIVE = 2
} DirectionState;

enum { DIRECTION_DEAD_ROWS = 10000000 };

/** This rank's rows of one dictionary, or of a panel: a part of it that is in memory for a while.
 *  Every rank owns whole latent blocks, as in training; with more ranks than blocks some own none. */
typedef struct Directions {
  int64_t latents, width; /* of the whole dictionary */
  Shard part;             /* the latents that all ranks hold together */
  Shard own;              /* this rank's of them */
  float *rows;            /* [own, width] */
  uint8_t *state;         /* [own] DirectionState */
  uint8_t *is_left_out;   /* [own] 1: dead */
} Directions;

/** The state of a latent whose decoder row has this sum of squares, with so many firings in the rows
 *  seen.
 *  ranks   local */
DirectionState directions_state(double square, int64_t firings, int64_t seen);

/** Take memory for this rank's rows: zero rows, all alive.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status directions_open(Directions *directions, const Team *team, int64_t latents,
                       int64_t width) MUST_USE;
/** The same for a panel.
 *  part    in      begins and ends at a latent block, or at the end of the dictionary */
Status directions_open_part(Directions *directions, const Team *team, int64_t latents,
                            int64_t width, Shard part) MUST_USE;
/** ranks local */
void directions_clear(Directions *directions);

/** The part of a dictionary that rank `rank` owns.
 *  ranks   local */
Shard directions_shard(int64_t latents, int rank, int size);

/** Set the states from the rows as read and from the firings.
 *  ranks   local
 *  firings in      [own], or NULL when nobody counted: then only rows of zero norm are dead
 *  seen    in      rows that were encoded */
void directions_judge(Directions *directions, const int64_t *firings, int64_t seen);
/** Set the states that were found before.
 *  ranks   local
 *  state   in      [own] */
void directions_adopt(Directions *directions, const uint8_t *state);
/** How many latents of the part have a state, over all ranks.
 *  ranks   collective */
int64_t directions_count(Team *team, const Directions *directions, DirectionState state);

/** Scale every row to norm 1, in a fixed order of operations; rows of zero norm stay zero.
 *  ranks   local
 *  place   in      where the rows come from, for the message: "dictionaries/8k.h5 /w_dec"
 *  fails   ERR_NUMERIC when a row is not finite (names the latent) */
Status directions_unit(Directions *directions, const char *place) MUST_USE;
#endif
