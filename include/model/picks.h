#ifndef PICKS_H
#define PICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "batchwise.h"
#include "fire.h"
#include "hits.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** The exact selection of a training batch: what fires, also by latent, and what it rebuilds. */
typedef struct SaePicks {
  int64_t rows;         /* of the last sae_select */
  int64_t capacity;     /* hits of a row, on average */
  Fire *fire;           /* the k best of each row; or */
  Batchwise *batchwise; /* the rows x k best of the batch */
  Hits hits;            /* this rank's latents: by row, and by latent */
  double *bounds;       /* [rows] of the sum of a row's activations, the same on all ranks */
  double *scales;       /* [rows] of sae_decode */
  int64_t *sums, *part; /* [rows, width] of sae_decode */
} SaePicks;

/** Buffers for batches of up to rows_most rows, of which the k best latents of each row are kept
 *  (topk), or the rows x k best of the batch.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status sae_picks_create(SaePicks **out, const Sae *sae, const Team *team, int64_t rows_most,
                        int64_t k, bool is_batchwise) MUST_USE;
void sae_picks_destroy(SaePicks **picks);

/** Select over all ranks. Positive scores alone count, so there may be fewer hits. The result
 *  depends neither on ranks nor on threads.
 *  ranks   collective; centred and count the same on every rank
 *  centred in      [count, width]
 *  fails   ERR_MEMORY */
Status sae_select(Team *team, const Sae *sae, const float *centred, int64_t count,
                  SaePicks *picks) MUST_USE;

/** Reconstruct the batch of the last sae_select from its hits, in fixed point, by nested parts of the
 *  dictionary: out[g] from the latents below past[g].
 *  ranks   collective
 *  past    in      [groups] ascending, the last the number of latents
 *  out     out     [groups, rows, width] scaled x^, the same on all ranks
 *  fails   ERR_MEMORY */
Status sae_decode(Team *team, const Sae *sae, SaePicks *picks, const int64_t *past, int64_t groups,
                  float *out) MUST_USE;

#endif
