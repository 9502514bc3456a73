#ifndef TRAIN_DENSE_H
#define TRAIN_DENSE_H

#include "train.h"

/** The engine of architectures in which every latent that passes a threshold of its own fires: at the
 *  start that is half of them. Scores are formed twice, a block of shard_latent_block() latents at a
 *  time, by the BLAS: six products of rows x latents x width a step, and memory for rows x (two blocks
 *  and three widths) a thread, and for the gradients of all rows. Blocks and their shapes are fixed by
 *  the configuration, and they meet in fixed point: the same bits at any number of ranks and threads,
 *  on one kind of processor. */

/** One latent, as its rule sees it. */
typedef struct DenseLatent {
  double threshold;
  double norm;      /* of the decoder row */
  double share;     /* 1 / rows of the batch */
  double sparsity;  /* weight of the sparsity loss, now */
  double bandwidth; /* of the kernel around the threshold */
  double revival;   /* weight of the loss for the dead */
  bool is_step, is_dead;
} DenseLatent;

/** What a latent's rows add up to. */
typedef struct DenseTotals {
  double bias, threshold, norm; /* derivatives of the loss by them; threshold by its logarithm */
  double penalty;               /* the loss but for the reconstruction's */
} DenseTotals;

typedef struct DenseRule {
  /** The activation of a score. */
  float (*fire)(const DenseLatent *latent, float score);
  /** The derivative of the loss by a score; `pull` is that of the reconstruction's loss by the
   *  activation. Adds to all totals but bias. */
  double (*slope)(const DenseLatent *latent, float score, double pull, DenseTotals *totals);
} DenseRule;

typedef struct TrainDense {
  const DenseRule *rule;
  int64_t block;
  float *enc, *dec;      /* [own, width] gradients */
  float *thresholds;     /* [own] gradient of log_threshold */
  double *penalties;     /* [own] */
  DenseLatent *latents;  /* [own] */
  float *scores, *terms; /* [threads, batch, block] */
  float *partial;        /* [threads, batch, width] */
  int64_t *sums;         /* [threads, batch, width] */
  int64_t *active;       /* [threads] */
  double *scales;        /* [batch] */
  double *norms;         /* [batch] of the centred rows */
  int threads;
} TrainDense;

/** Architecture's (see there); the rule is borrowed.
 *  ranks   local */
Status train_dense_open(Train *train, const DenseRule *rule) MUST_USE;
void train_dense_close(Train *train);
Status train_dense_forward(Train *train, const float *rows) MUST_USE;
Status train_dense_backward(Train *train, TrainReport *report) MUST_USE;
bool train_dense_form(const Train *train, int64_t latent, float *enc, float *dec);

#endif
