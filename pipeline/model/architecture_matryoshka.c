/* Matryoshka (Bussmann et al. 2025): BatchTopK whose first latents must rebuild the row alone, and the
 * first half, and so on, all with the same weight. */
#include "train_sparse.h"

static Status open_matryoshka(Train *t) {
  return train_sparse_open(t, true, t->spec.prefixes);
}

const Architecture ARCHITECTURE_MATRYOSHKA = {.name = "matryoshka",
                                              .encoded_as = "jumprelu",
                                              .has_k = true,
                                              .has_prefixes = true,
                                              .subtracts_b_dec = true,
                                              .has_replicas = true,
                                              .has_unit_rows = true,
                                              .decoder_norm = 1.0F,
                                              .open = open_matryoshka,
                                              .close = train_sparse_close,
                                              .forward = train_sparse_forward,
                                              .backward = train_sparse_backward,
                                              .form = train_sparse_form,
                                              .settle = train_sparse_follow_cutoff};
