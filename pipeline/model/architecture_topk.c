/* TopK (Gao et al. 2024): of each row the k best latents. */
#include "train_sparse.h"

static Status open_topk(Train *t) {
  return train_sparse_open(t, false, 1);
}

const Architecture ARCHITECTURE_TOPK = {.name = "topk",
                                        .encoded_as = "topk",
                                        .has_k = true,
                                        .subtracts_b_dec = true,
                                        .has_replicas = true,
                                        .has_unit_rows = true,
                                        .decoder_norm = 1.0F,
                                        .open = open_topk,
                                        .close = train_sparse_close,
                                        .forward = train_sparse_forward,
                                        .backward = train_sparse_backward,
                                        .form = train_sparse_form};
