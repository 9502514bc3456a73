#ifndef ARCHITECTURE_H
#define ARCHITECTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

struct Train;
struct TrainReport;

/** What training must know of an architecture; the trainer knows none by name. One file each
 *  (architecture_NAME.c), built on one of two engines: train_sparse.h selects and then touches what was
 *  selected alone, train_dense.h forms all scores block by block. */
typedef struct Architecture {
  const char *name;
  const char *encoded_as; /* how its dictionaries fire afterwards: "topk", "jumprelu" or "relu" */
  bool has_k;             /* takes k, and AuxK for the dead */
  bool has_prefixes;
  bool has_sparsity;       /* takes a weight of its sparsity loss, and a warm-up of it */
  bool has_threshold_loss; /* takes the form of that loss and the bandwidth of the kernel */
  double sparsity, sparsity_warmup; /* what is taken where run.yaml is silent */
  bool subtracts_b_dec;             /* from a row, before the encoder */
  bool has_replicas;  /* groups of ranks may take different rows: gradients are sparse */
  bool has_unit_rows; /* decoder rows stay at unit norm; else their norm is free */
  float decoder_norm; /* at the start */
  float threshold;    /* at the start, of each latent's own; 0: there are none */

  /** Buffers.  ranks local.  fails ERR_MEMORY; close() is safe after it */
  Status (*open)(struct Train *train);
  void (*close)(struct Train *train);
  /** From train->centred to residual, penalty, fired and active.  ranks collective */
  Status (*forward)(struct Train *train, const float *rows);
  /** biases, squares and the first part of b_dec of train->gradient.  ranks collective */
  Status (*backward)(struct Train *train, struct TrainReport *report);
  /** The gradient of a latent's rows, [width] each; false: it is zero.  ranks local */
  bool (*form)(const struct Train *train, int64_t latent, float *enc, float *dec);
  /** After a good step; NULL: nothing to do.  ranks local */
  void (*settle)(struct Train *train);
} Architecture;

/** All of them, then NULL. */
extern const Architecture *const ARCHITECTURES[];
extern const Architecture ARCHITECTURE_TOPK, ARCHITECTURE_BATCHTOPK, ARCHITECTURE_MATRYOSHKA,
    ARCHITECTURE_JUMPRELU, ARCHITECTURE_RELU;

#endif
