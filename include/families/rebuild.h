#ifndef REBUILD_H
#define REBUILD_H

#include <stdint.h>

#include "status.h"

/** The reconstruction test of a parent p with its forest children c (unit decoder rows d, activations
 *  f):
 *    dR = 1 - sum |f_p d_p - sum_c f_c d_c|^2 / sum f_p^2        over the rows where p fires
 *  1: the children put back what the parent put into the stream; 0: no more than nothing would;
 *  below 0: they point elsewhere. (HSAE's L_PC, normalised; coverage alone is no proof: Tree SAE.)
 *  Zeroed is empty; used for one parent after the other. No function here communicates. */

enum { REBUILD_MOST = 4096 }; /* children; hubs with more have no figure */

typedef struct RebuildShare {
  uint32_t at, child; /* the parent's firing; the child, in the order of rebuild_add() */
  float value;        /* the child's activation there */
} RebuildShare;

typedef struct Rebuild {
  int64_t width;
  int64_t children, shares;
  float *direction, *rest;    /* [direction_room, width] of the children; [width] */
  RebuildShare *share, *turn; /* [share_room] as they came; by firing */
  int64_t *start;             /* [firing_room + 1] */
  int64_t direction_room, share_room, firing_room;
} Rebuild;

/** A new parent.
 *  ranks   local */
void rebuild_begin(Rebuild *rebuild, int64_t width);

/** One more child, of at most REBUILD_MOST.
 *  ranks   local
 *  at, value       in  [count] the parent's firings (0: the first) where the child fires too, and the
 *                      child's activations there
 *  direction       out where its unit decoder row goes, [width]; lasts until the next call
 *  fails   ERR_MEMORY */
Status rebuild_add(Rebuild *rebuild, const uint32_t *at, const float *value, int64_t count,
                   float **direction) MUST_USE;

/** dR; nan without children and where the parent never fires.
 *  ranks   local
 *  direction in    [width] the parent's unit decoder row
 *  value     in    [firings] its activations
 *  fails   ERR_MEMORY */
Status rebuild_end(Rebuild *rebuild, const float *direction, const float *value, int64_t firings,
                   double *out) MUST_USE;

/** ranks local; safe on a zeroed struct */
void rebuild_close(Rebuild *rebuild);

#endif
