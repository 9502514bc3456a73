#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** The best of a whole batch over all ranks, exactly: where the n best scores end, by digits of the
 *  scores and then of the places, 2,048 counts a digit. No score travels. */
typedef struct PoolHit {
  float score; /* > 0 */
  int32_t row;
  int64_t id; /* global, below 2^32 */
} PoolHit;

/** A hit is among the n best when its score is above `score`, or equal and its place (row, then id)
 *  at most `place`. */
typedef struct PoolCut {
  float score; /* 0: there are fewer than n, so all are in */
  uint64_t place;
} PoolCut;

/** ranks   collective
 *  hits    in      [count] this rank's, in any order; count may differ between ranks
 *  n       in      >= 1, the same on all ranks
 *  cut     out     the same on all ranks */
void pool_cut(Team *team, const PoolHit *hits, int64_t count, int64_t n, PoolCut *cut);
/** ranks   local */
bool pool_holds(const PoolCut *cut, const PoolHit *hit);

#endif
