#ifndef GRADIENT_H
#define GRADIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "hits.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** Gradients of this rank's latents, row by row and never all at once: a first pass finds their
 *  norms (for the global clip) and b_dec's gradient, the update then forms each latent's gradient
 *  again where it needs it. */

/** One term of the loss, factor / 2 * sum_b |pull_b|^2 with pull = reconstruction - target (or its
 *  negative, and the factor's sign with it; the target is detached). A hit (b, i) of activation a
 *  adds, with slope = factor * pull_b . w_dec_i,
 *    slope                 to b_enc_i
 *    slope * x'_b          to w_enc_i
 *    factor * a * pull_b   to w_dec_i
 *  A hit that does not fire (a = 0) is drawn up, never down: its slope counts where it is negative. */
typedef struct GradientTerm {
  const Hits *hits;
  const float *pull; /* [groups, rows, width]: of latents below past[0], then below past[1], ... */
  const int64_t *past; /* [groups] global latents, ascending; NULL: one group */
  float factor;
  float *slopes; /* [hits], in the order of hits->by_latent: filled by gradient_measure */
} GradientTerm;

enum { GRADIENT_TERMS = 2, GRADIENT_RIDERS = 2, GRADIENT_ROWS = 4 };

typedef struct Gradient {
  const Sae *sae;
  const float *centred; /* [rows, width] x' */
  GradientTerm terms[GRADIENT_TERMS];
  int count; /* terms in use */
  /* results of gradient_measure */
  float *biases;     /* [own] gradient of b_enc */
  float *thresholds; /* [own] gradient of log_threshold, by train_dense.h; else NULL */
  double *squares;   /* [own] squared norm of a latent's gradient */
  float *b_dec;      /* [width] gradient of b_dec, the same on all ranks */
  double norm;       /* of all gradients, the same on all ranks */
  bool is_finite;    /* on all ranks */
  /* what rides along with its two exchanges */
  int64_t sums[GRADIENT_RIDERS]; /* in: this rank's; out: summed over ranks */
  double most;                   /* in: this rank's; out: the largest of any rank */
  float *rows;                   /* [threads, GRADIENT_ROWS, width] scratch */
  int64_t *pieces;               /* [threads, width] scratch */
  int64_t *whole;                /* [width + 1 + GRADIENT_RIDERS] scratch */
} Gradient;

/** ranks   local
 *  fails   ERR_MEMORY */
Status gradient_create(Gradient *gradient, const Sae *sae) MUST_USE;
void gradient_clear(Gradient *gradient);

/** Start b_dec's gradient with its part that does not go through the encoder: factor times the sum of
 *  `rows` rows of pull, in order.
 *  ranks   local */
void gradient_begin(Gradient *gradient, const float *pull, int64_t rows, float factor);
/** Slopes, biases and squares of the terms that were set; then gradient_agree() is due.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status gradient_measure(Gradient *gradient) MUST_USE;
/** The norm over all ranks, from biases and squares, and the encoder's part of b_dec's gradient where
 *  rows are centred by b_dec.
 *  ranks   collective
 *  b_dec   in/out  on entry the part that does not go through the encoder
 *  fails   ERR_MEMORY; not when numbers are not finite (see is_finite) */
Status gradient_agree(Gradient *gradient, Team *team) MUST_USE;

/** Has this latent any hit?
 *  ranks   local */
bool gradient_is_active(const Gradient *gradient, int64_t latent);
/** The gradient of one latent's rows, after gradient_measure. The decoder's is projected on the
 *  tangent of the unit sphere (its part along the row is removed).
 *  ranks   local
 *  enc, dec out    [width] */
void gradient_form(const Gradient *gradient, int64_t latent, float *enc, float *dec);

#endif
