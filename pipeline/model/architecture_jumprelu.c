/* JumpReLU: a latent fires above a threshold t_i of its own, which is learned through its logarithm.
 *    a     s where s > t, else 0
 *    loss  mean_b |x_b - x^_b|^2 + sparsity * mean_b sum_i S_bi
 *          + revival * mean_b sum over dead i of max(t_i - s_bi, 0) |w_dec_i|
 *    S     tanh: that of 4 a_bi |w_dec_i|  (Anthropic, January 2025)
 *          step: 1 where s > t           (Rajamanoharan et al. 2024)
 *  The derivative by t of what jumps there is that of the loss smoothed by a box of width `bandwidth`:
 *    of a: -(t / bandwidth), of the step: -(1 / bandwidth), where |s - t| < bandwidth / 2. */
#include <math.h>

#include "exponential.h"
#include "train_dense.h"

static const double TANH_SCALE = 4.0;

static float fire(const DenseLatent *latent, float score) {
  return (double)score > latent->threshold ? score : 0.0F;
}

/* The derivative of the tanh loss by the activation; its part of the totals. */
static double add_tanh(const DenseLatent *latent, double active, DenseTotals *totals) {
  const double weight = latent->sparsity * latent->share;
  const double height = hyperbolic_tangent(TANH_SCALE * active * latent->norm);
  const double rise = weight * TANH_SCALE * (1.0 - height * height);
  totals->norm += rise * active;
  totals->penalty += weight * height;
  return rise * latent->norm;
}

/* A dead latent's score is drawn up to its threshold. */
static double revive(const DenseLatent *latent, double score, DenseTotals *totals) {
  const double weight = latent->revival * latent->share;
  const double gap = latent->threshold - score;
  if (!latent->is_dead || gap <= 0.0) {
    return 0.0;
  }
  totals->threshold += latent->threshold * weight * latent->norm;
  totals->norm += weight * gap;
  totals->penalty += weight * gap * latent->norm;
  return -weight * latent->norm;
}

static double slope(const DenseLatent *latent, float score, double pull, DenseTotals *totals) {
  const double s = (double)score, t = latent->threshold;
  const double active = s > t ? s : 0.0;
  const double step_weight = latent->is_step ? latent->sparsity * latent->share : 0.0;
  if (!latent->is_step) {
    pull += add_tanh(latent, active, totals);
  } else if (active > 0.0) {
    totals->penalty += step_weight;
  }
  if (fabs(s - t) < 0.5 * latent->bandwidth) {
    totals->threshold -= t * (t * pull + step_weight) / latent->bandwidth;
  }
  return (active > 0.0 ? pull : 0.0) + revive(latent, s, totals);
}

static Status open_jumprelu(Train *t) {
  static const DenseRule RULE = {fire, slope};
  return train_dense_open(t, &RULE);
}

const Architecture ARCHITECTURE_JUMPRELU = {.name = "jumprelu",
                                            .encoded_as = "jumprelu",
                                            .has_sparsity = true,
                                            .has_threshold_loss = true,
                                            .sparsity = 5.0,
                                            .sparsity_warmup = 1.0,
                                            .decoder_norm = 0.1F,
                                            .threshold = 0.1F,
                                            .open = open_jumprelu,
                                            .close = train_dense_close,
                                            .forward = train_dense_forward,
                                            .backward = train_dense_backward,
                                            .form = train_dense_form};
