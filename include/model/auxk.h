#ifndef AUXK_H
#define AUXK_H

#include <stdint.h>

#include "cut.h"
#include "grid.h"
#include "hits.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** AuxK: dead latents learn to predict what the living ones left over.
 *    loss  weight * min(dead / k, 1) * mean_b |e_b - e^_b|^2 * V_x / V_e
 *    e     x - x^, detached
 *    V_e   mean_b |e_b - mean e|^2, and V_x the same of x: the unit of the main loss
 *    e^_b  sum of a_i w_dec_i over the row's k picks, without b_dec;   a_i = max(score_i, 0)
 *    k     min(width / 2, 512)
 *  The picks of a row are the k best dead latents by a score on a 7-bit grid, exact in integers on
 *  every CPU, ties to the lower id, over all ranks; only their scores are formed in full. (With an
 *  exact ranking nearly all dead latents would have to be.)
 *  The derivative of a_i by a score that is not positive is 1 where raising the score lowers the loss, else 0
 *  (gradient.h): a latent that is dead for long has a positive score nowhere, and would never move again if those
 *  alone took part. (16,384 latents, half a million rows: 36 % stayed dead so, now 0.4 %. With a_i = score_i, as
 *  SAELens has it, 0.2 %, but less is explained and 464 of 512 planted directions are found instead of 491.) */
typedef struct Auxk {
  int64_t k;
  Hits hits;    /* picks, all `active` */
  float *pull;  /* [rows, width] e^ - e */
  float factor; /* of GradientTerm: the loss is this / 2 * sum_b |pull_b|^2 */
  double loss;  /* weighted; 0 when the residual has no variance */
  Cut *cut;
  int64_t capacity; /* keys of a row: min(k, this rank's latents) */
  int32_t *dead;    /* [own] this rank's dead latents, from own.first; dead_count of them */
  int64_t dead_count;
  Grid grid;             /* rows, and a tile of dead latents */
  float *tile;           /* [tile, width] their encoder rows */
  float *columns;        /* [3, tile] for the scan of their scores */
  float *room;           /* [threads, rows of a unit, tile] */
  int32_t *products;     /* the same */
  int32_t *found;        /* [threads, tile] */
  SelectKey *keys;       /* [rows, capacity] */
  int64_t *counts;       /* [rows] */
  double *scales, *most; /* [rows]; at the end most has the squares of pull */
  int64_t *sums;         /* [rows, width] */
  double *moments;       /* [2, width] */
} Auxk;

/** ranks   local
 *  rows_most in    of the batch
 *  fails   ERR_MEMORY */
Status auxk_create(Auxk *auxk, const Sae *sae, const Team *team, int64_t rows_most) MUST_USE;
void auxk_clear(Auxk *auxk);

/** Fill hits, and pull, of some rows of the batch: then of all, where groups of ranks took different
 *  rows, the caller gathers both.
 *  ranks   collective; all but is_dead the same on every rank
 *  centred, residual in  [batch, width] x', e
 *  rows    in      of the batch
 *  is_dead in      [own]
 *  dead    in      dead latents over all ranks, > 0
 *  fails   ERR_MEMORY */
typedef struct AuxkBatch {
  const float *centred, *residual;
  const uint8_t *is_dead;
  Shard rows;
  int64_t dead;
  double weight;
  double spread; /* alike_spread of x */
} AuxkBatch;
Status auxk_pick(Auxk *auxk, Team *team, const Sae *sae, const AuxkBatch *batch) MUST_USE;
/** Set factor and loss from the pull of all `rows` rows; 0 when the residual has no variance.
 *  ranks   local */
void auxk_settle(Auxk *auxk, const AuxkBatch *batch, int64_t rows);

#endif
