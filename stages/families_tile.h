#ifndef FAMILIES_TILE_H
#define FAMILIES_TILE_H

#include "families_codes.h"
#include "families_run.h"

/** The candidates of some children of a pair, and what is known of them: as many children as memory allows. The
 *  candidates of a child are `near` places for those by cosine, then `suggested` for those by activation alone. */

/** What all tiles of a pair share. */
typedef struct FamiliesTiles {
  FamiliesRun *run;
  FamiliesPair *pair;
  int64_t stored, suggested,
      span;             /* places in neighbours.h5; asked for; parents of the span fit (0: none) */
  int64_t room, count;  /* children of a tile; tiles, the same on all ranks */
  uint32_t *best_child; /* [own parents] of each and its near duplicates */
  uint32_t *parent_fired; /* [parents] rows; dead ones as if everywhere */
  FamiliesCodes codes;    /* of the parents */
} FamiliesTiles;

/** ranks collective
 *  fails ERR_FORMAT, ERR_MEMORY; families_tiles_close() is safe after both */
Status families_tiles_open(FamiliesTiles *tiles, FamiliesRun *run, FamiliesPair *pair) MUST_USE;
void families_tiles_close(FamiliesTiles *tiles);

typedef struct FamiliesTile {
  const FamiliesTiles *tiles;
  Shard of;                                        /* ids of the children */
  int64_t most;                                    /* places */
  uint32_t *candidate;                             /* [room, most] */
  float *cosine, *cosine_centred, *encoder_cosine; /* [room, most] */
  uint8_t *is_suggested;                           /* [room, most] */
  int64_t *parent_narrow, *parent_wide;            /* [room, most] */
  float *last;                                     /* [room] last stored cosine */
  VerdictSpan *span;                               /* [room] */
  uint32_t *best_child;                            /* [room] of the best parent */
  FamiliesFirings firings;                         /* of the children */
  Evidence evidence;
} FamiliesTile;

/** ranks local; families_tile_close() is safe after a failure */
Status families_tile_take(FamiliesTile *tile, const FamiliesTiles *tiles) MUST_USE;
void families_tile_close(FamiliesTile *tile);
/** Read, collapse near duplicates, suggest, count: tile number `index` of this rank (empty past its last).
 *  ranks collective */
Status families_tile_fill(FamiliesTile *tile, int64_t index) MUST_USE;

#endif
