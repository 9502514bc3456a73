#ifndef HITS_H
#define HITS_H

#include <stdbool.h>
#include <stdint.h>

#include "shard.h"
#include "status.h"
#include "team.h"

/** One of this rank's latents in one row. */
typedef struct SaeHit {
  int32_t row;    /* of the batch */
  int32_t latent; /* from own.first */
  float value;    /* activation, > 0 */
  bool active;    /* among the k best of the row; else among the next */
} SaeHit;

/** The hits of a batch: this rank's latents alone. */
typedef struct Hits {
  int64_t rows, latents; /* of the batch; of this rank */
  SaeHit *by_row;        /* [row_start[rows]] */
  int64_t *row_start;    /* [rows + 1] */
  SaeHit *by_latent;     /* the same hits by latent, rows ascending */
  int64_t *latent_start; /* [latents + 1] */
} Hits;

/** Room for rows_most rows of at most `most` hits each.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status hits_create(Hits *hits, int64_t latents, int64_t rows_most, int64_t most) MUST_USE;
void hits_clear(Hits *hits);
/** Fill by_latent and latent_start from by_row and row_start.
 *  ranks   local */
void hits_sort(Hits *hits);

/** What each group of a mesh found in its rows becomes what all found, in the order of rows.
 *  ranks   collective over the lane (mesh.h); the groups' rows follow each other
 *  lane    in      its ranks are the groups
 *  hits    in/out  of this group's rows, numbered from 0; then of `rows` rows, for which it has room
 *  first   in      the group's first row
 *  fails   ERR_MEMORY */
Status hits_gather(Hits *hits, Team *lane, int64_t first, int64_t rows) MUST_USE;

/** Sum value * w_dec of the active hits of some latents into each row, in fixed point, over all ranks.
 *  ranks   collective; rows and scales the same on every rank
 *  part    in      latents [first, past) of this rank's that count
 *  w_dec   in      [latents, width] this rank's decoder rows
 *  scales  in      [rows] of fixed point: fixed_scale of a bound of all partial sums of the row
 *  sums    out     [rows, width]; fixed_to(sums, scale) is the reconstruction without bias
 *  fails   ERR_MEMORY */
Status hits_decode(const Hits *hits, Team *team, const float *w_dec, int64_t width, Shard part,
                   const double *scales, int64_t *sums) MUST_USE;

#endif
