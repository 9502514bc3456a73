#ifndef SAE_H
#define SAE_H

#include <stdbool.h>
#include <stdint.h>

#include "lowp.h"
#include "rotate.h"
#include "shard.h"
#include "status.h"
#include "team.h"

/** A sparse autoencoder whose dictionary is partitioned over ranks: a rank holds whole blocks of
 *  shard_latent_block(latents) latents. With a scaled row x (raw row times (float)input_scale, in
 *  float32):
 *    centred     x' = x - b_dec (or x, where subtract_b_dec is off)
 *    score       s_i = w_enc_i . x' + b_enc_i
 *    activation  a_i = s_i, or gain_i (s_i + offset_i) where there is a gain
 *    firing      a_i > 0 and: topk, s_i is one of the k best positive scores over all latents, ties to the
 *                lower id; with thresholds (jumprelu, relu, gated), s_i > threshold_i
 *    rebuilt     x^ = sum of a_i w_dec_i over what fires, + b_dec */
typedef struct Sae {
  int64_t latents, width; /* of the whole dictionary */
  Shard own;              /* latents of this rank; may be empty */
  float *w_enc;           /* [own, width] */
  float *w_dec; /* [own, width], unit rows (or zero), but while some architectures train */
  float *b_enc; /* [own] */
  float *b_dec; /* [width], the same on all ranks */
  double *norm; /* [own] norms of the encoder rows, rounded up: sae_measure() */
  bool subtract_b_dec;
  float *threshold;     /* [own]; NULL: topk */
  float *gain, *offset; /* [own] both, or NULL both */
  struct SaeBytes
      *bytes; /* the encoder in 8 bits for screening: sae_quantise(); NULL: in float32 */
} Sae;

/** What a screen in 8 bits needs of the dictionary. Rows are quantised as x' - shift, turned. */
typedef struct SaeBytes {
  Rotate rotate;
  Lowp w_enc;     /* [own] turned encoder rows */
  float *bias;    /* [own] b_enc + shift . w_enc */
  float *shift;   /* [width] */
  bool has_shift; /* else it is zero */
} SaeBytes;

/** Room for this rank's part, of topk without gain; all zero, subtract_b_dec on. Fill the weights,
 *  then call sae_measure.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status sae_create(Sae **out, const Team *team, int64_t latents, int64_t width) MUST_USE;
void sae_destroy(Sae **sae);
/** Add room for thresholds (from then on the dictionary is not topk), or for gain and offset.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status sae_take_threshold(Sae *sae) MUST_USE;
Status sae_take_gain(Sae *sae) MUST_USE;
/** Set `norm` after w_enc changed.
 *  ranks   local */
void sae_measure(Sae *sae);

/** Screen in 8 bits from now on: a quarter of the encoder's memory, the same results. Call it again
 *  after w_enc or b_enc changed. Where this process has no products in 8 bits (lowp_open() said no)
 *  nothing happens.
 *  ranks   local
 *  shift   in      [width] about the mean of the centred rows, which takes no bits then; NULL: 0
 *  fails   ERR_MEMORY */
Status sae_quantise(Sae *sae, const float *shift) MUST_USE;

/** rows scaled [count, width] -> centred. out may be rows.
 *  ranks   local */
void sae_centre(const Sae *sae, const float *rows, int64_t count, float *out);

#endif
