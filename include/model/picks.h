#ifndef PICKS_H
#define PICKS_H

#include <stdint.h>

#include "fire.h"
#include "hits.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** The exact selection of a training batch (topk): what fires, also by latent, and what it
 *  rebuilds. */
typedef struct SaePicks {
  int64_t rows;     /* of the last sae_select */
  int64_t capacity; /* hits of a row */
  Fire *fire;       /* fire->cut->lines[row].sum is the sum of the row's activations */
  Hits hits;        /* this rank's latents: by row, and by latent */
  double *scales;   /* [rows] of sae_decode */
  int64_t *sums;    /* [rows, width] of sae_decode */
} SaePicks;

/** Buffers for batches of up to rows_most rows: the k best are active, the next wide - k inactive
 *  hits (wide >= k).
 *  ranks   local
 *  fails   ERR_MEMORY */
Status sae_picks_create(SaePicks **out, const Sae *sae, const Team *team, int64_t rows_most,
                        int64_t k, int64_t wide) MUST_USE;
void sae_picks_destroy(SaePicks **picks);

/** Select over all ranks. Positive scores alone count, so a row may have fewer hits. The result
 *  depends neither on ranks nor on threads.
 *  ranks   collective; centred and count the same on every rank
 *  centred in      [count, width]
 *  fails   ERR_MEMORY */
Status sae_select(Team *team, const Sae *sae, const float *centred, int64_t count,
                  SaePicks *picks) MUST_USE;

/** Reconstruct the batch of the last sae_select from its active hits, in fixed point.
 *  ranks   collective
 *  out     out     [rows, width] scaled x^, the same on all ranks
 *  fails   ERR_MEMORY */
Status sae_decode(Team *team, const Sae *sae, SaePicks *picks, float *out) MUST_USE;

#endif
