#ifndef FIRE_H
#define FIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "cut.h"
#include "sae.h"
#include "screen.h"
#include "select.h"
#include "status.h"
#include "team.h"

/** The rows of a batch for the screen. */
typedef struct FireRows {
  int64_t most;          /* rows */
  double *norms;         /* [rows] */
  double *shifted_norms; /* [rows] of what is in 8 bits */
  Lowp bytes;            /* [rows] shifted and turned */
  float *scratch;        /* [threads, 2, rows of a unit, width] */
  int threads;           /* that scratch is for */
} FireRows;

/** What fires in a batch of rows, of a dictionary of any architecture: this rank's latents, by row.
 *  Scores are formed exactly and whole, so the result depends neither on ranks nor on threads.
 *  Memory: 12 bytes a hit, and of topk 24 bytes for each of rows x wide. */
typedef struct Fire {
  int64_t rows;    /* of the last fire_select */
  int64_t *start;  /* [rows + 1] first hit of each row */
  SelectKey *keys; /* [start[rows]] the latent's id, under its place in the row: the score of topk,
                      else the activation */
  float *values;   /* [start[rows]] activation, > 0 */
  Cut *cut;        /* topk: where the rows end, over all ranks; NULL: all hits are active */
  int64_t room;    /* hits that keys and values have place for */
  /* Of fire_select. */
  int64_t capacity; /* hits of a row of topk */
  SelectKey *best;  /* topk: [rows, capacity] */
  int64_t *counts;  /* topk: [rows] */
  ScreenHits hits;  /* of thresholds */
  FireRows rows_in; /* the batch as the screen wants it */
  ScreenRoom screen;
  ScreenCost cost; /* of all calls so far */
} Fire;

/** Buffers for batches of up to rows_most rows. Of topk the k best of a row are active, the next
 *  wide - k inactive hits (wide >= k); thresholds take no notice of both.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status fire_create(Fire **out, const Sae *sae, const Team *team, int64_t rows_most, int64_t k,
                   int64_t wide) MUST_USE;
void fire_destroy(Fire **fire);

/** ranks   collective; centred and count the same on every rank
 *  centred in      [count, width]
 *  fails   ERR_MEMORY */
Status fire_select(Team *team, const Sae *sae, const float *centred, int64_t count,
                   Fire *fire) MUST_USE;

/** Is a hit of `row` active?
 *  ranks   local */
bool fire_is_active(const Fire *fire, int64_t row, int64_t hit);

/** Sum value * w_dec of the active hits of some rows, in fixed point, over all ranks.
 *  ranks   collective; which, count and scales the same on every rank
 *  which   in      [count] rows of the batch
 *  scales  in      [count] of fixed point: fixed_scale of a bound of all partial sums of the row
 *  sums    out     [count, width]; fixed_to(sums, scale) is the reconstruction without bias
 *  fails   ERR_MEMORY */
Status fire_rebuild(Team *team, const Sae *sae, const Fire *fire, const int64_t *which,
                    int64_t count, const double *scales, int64_t *sums) MUST_USE;

#endif
