#ifndef SAE_H
#define SAE_H

#include <stdbool.h>
#include <stdint.h>

#include "cut.h"
#include "hits.h"
#include "screen.h"
#include "select.h"
#include "shard.h"
#include "status.h"
#include "team.h"

/** A sparse autoencoder (TopK) whose dictionary is partitioned over ranks: a rank holds whole
 *  blocks of shard_latent_block(latents) latents. With a scaled row x (raw row times
 *  (float)input_scale, in float32):
 *    centred     x' = x - b_dec (or x, where subtract_b_dec is off)
 *    score       s_i = w_enc_i . x' + b_enc_i
 *    activation  a_i = s_i of the k best positive ones over all latents, ties to the lower id
 *    rebuilt     x^ = sum a_i w_dec_i + b_dec */
typedef struct Sae {
  int64_t latents, width; /* of the whole dictionary */
  Shard own;              /* latents of this rank; may be empty */
  float *w_enc;           /* [own, width] */
  float *w_dec;           /* [own, width], unit rows */
  float *b_enc;           /* [own] */
  float *b_dec;           /* [width], the same on all ranks */
  double *norm;           /* [own] norms of the encoder rows, rounded up: sae_measure() */
  bool subtract_b_dec;
} Sae;

/** Room for this rank's part; all zero, subtract_b_dec on. Fill the weights, then call sae_measure.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status sae_create(Sae **out, const Team *team, int64_t latents, int64_t width) MUST_USE;
void sae_destroy(Sae **sae);
/** Set `norm` after w_enc changed.
 *  ranks   local */
void sae_measure(Sae *sae);

/** rows scaled [count, width] -> centred. out may be rows.
 *  ranks   local */
void sae_centre(const Sae *sae, const float *rows, int64_t count, float *out);

/** The exact selection of a batch, and its buffers. cut->lines[row].sum is the sum of the row's
 *  activations; cut->slice are the rows that this rank owns, cut->keys all their keys, best first,
 *  the first cut->k of them active. */
typedef struct SaePicks {
  int64_t rows;     /* of the last sae_select */
  Hits hits;        /* this rank's latents: by row, and by latent */
  Cut *cut;         /* where the rows end, over all ranks */
  int64_t capacity; /* hits of a row */
  SelectKey *keys;  /* [rows, capacity] */
  int64_t *counts;  /* [rows] */
  double *norms;    /* [rows] */
  double *scales;   /* [rows] of sae_decode */
  ScreenRoom room;  /* of sae_select */
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
