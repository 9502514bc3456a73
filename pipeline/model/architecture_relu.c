/* ReLU with an L1 loss, as in "Scaling Monosemanticity": what is positive fires, decoder norms are
 * free, and
 *    loss  mean_b |x_b - x^_b|^2 + sparsity * mean_b sum_i a_bi |w_dec_i| */
#include "train_dense.h"

static float fire(const DenseLatent *latent, float score) {
  (void)latent;
  return score > 0.0F ? score : 0.0F;
}

static double slope(const DenseLatent *latent, float score, double pull, DenseTotals *totals) {
  if (!(score > 0.0F)) {
    return 0.0;
  }
  const double weight = latent->sparsity * latent->share;
  totals->norm += weight * (double)score;
  totals->penalty += weight * (double)score * latent->norm;
  return pull + weight * latent->norm;
}

static Status open_relu(Train *t) {
  static const DenseRule RULE = {fire, slope};
  return train_dense_open(t, &RULE);
}

const Architecture ARCHITECTURE_RELU = {.name = "relu",
                                        .encoded_as = "relu",
                                        .has_sparsity = true,
                                        .sparsity = 5.0,
                                        .sparsity_warmup = 0.05,
                                        .decoder_norm = 0.1F,
                                        .open = open_relu,
                                        .close = train_dense_close,
                                        .forward = train_dense_forward,
                                        .backward = train_dense_backward,
                                        .form = train_dense_form};
