/* BatchTopK (Bussmann et al. 2024): of a batch the rows x k best pairs of row and latent. Afterwards one
 * threshold for all latents stands for the selection. */
#include "train_sparse.h"

static Status open_batchtopk(Train *t) {
  return train_sparse_open(t, true, 1);
}

const Architecture ARCHITECTURE_BATCHTOPK = {.name = "batchtopk",
                                             .encoded_as = "jumprelu",
                                             .has_k = true,
                                             .subtracts_b_dec = true,
                                             .has_replicas = true,
                                             .has_unit_rows = true,
                                             .decoder_norm = 1.0F,
                                             .open = open_batchtopk,
                                             .close = train_sparse_close,
                                             .forward = train_sparse_forward,
                                             .backward = train_sparse_backward,
                                             .form = train_sparse_form,
                                             .settle = train_sparse_follow_cutoff};
