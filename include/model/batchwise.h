#ifndef BATCHWISE_H
#define BATCHWISE_H

#include <stdint.h>

#include "fire.h"
#include "hits.h"
#include "mesh.h"
#include "pool.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** Selection of BatchTopK: of all positive scores of a batch the rows x k best, over all latents, rows
 *  and ranks; ties by score, row, id. What a row gets may be any number, also 0. Scores that can reach
 *  a floor are formed exactly; the floor comes from the batch before and decides nothing: where too
 *  few reach it, one that is certain (the rows x k-th of the rows' own 2 k best) takes its place.
 *  Memory: some times rows x k hits. */
typedef struct Batchwise {
  int64_t k, rows_most;
  PoolCut cut;       /* of the last batchwise_select */
  float floor;       /* for the next batch; below 0: none yet */
  int64_t tries;     /* batches so far that needed the certain floor */
  FireRows rows_in;  /* the batch as the screen wants it */
  ScreenRoom screen; /* kept between batches */
  ScreenHits found;
  ScreenCost cost;
  float *limits; /* [own] the floor, for each latent */
  int64_t depth; /* keys of a row for the certain floor */
  SelectKey *best;
  int64_t *counts;
  PoolHit *hits;
  int64_t room;
  int64_t *sums; /* [rows] of activations, in fixed point */
} Batchwise;

/** ranks   local
 *  fails   ERR_MEMORY; batchwise_clear() is safe after it */
Status batchwise_create(Batchwise *out, const Sae *sae, int64_t rows_most, int64_t k) MUST_USE;
void batchwise_clear(Batchwise *batchwise);

/** ranks   collective over all; centred and count the same in a group
 *  centred in      [count, width] the rows of this rank's group
 *  batch   in      rows of all groups, <= the hits' room / k
 *  hits    out     of the group's rows
 *  bounds  out     [count] of the sum of each row's activations over the group, the same in it
 *  fails   ERR_MEMORY */
Status batchwise_select(Batchwise *batchwise, const Mesh *mesh, const Sae *sae,
                        const float *centred, int64_t count, int64_t batch, Hits *hits,
                        double *bounds) MUST_USE;

#endif
