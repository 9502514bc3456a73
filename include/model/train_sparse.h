#ifndef TRAIN_SPARSE_H
#define TRAIN_SPARSE_H

#include "train.h"

/** The engine of architectures that select: TopK, BatchTopK, Matryoshka. After the selection a step
 *  touches what was selected alone; AuxK for the dead. Nothing of rows x latents is held.
 *    loss  mean over nested parts g of mean_b |x_b - x^_b,g|^2, x^_g from the latents below past[g] */
enum { SPARSE_PARTS = 16 };

typedef struct TrainSparse {
  SaePicks *picks;
  int64_t parts, past[SPARSE_PARTS];
  float *pulls; /* [parts, batch, width] x - x^ of the part, and of all larger ones */
  float *slopes[GRADIENT_TERMS];
  Auxk auxk;
} TrainSparse;

/** parts: each half the size of the next, the last all latents; parts that would be empty are left
 *  out. The others are Architecture's (see there).
 *  ranks   local */
Status train_sparse_open(Train *train, bool is_batchwise, int64_t parts) MUST_USE;
void train_sparse_close(Train *train);
Status train_sparse_forward(Train *train, const float *rows) MUST_USE;
Status train_sparse_backward(Train *train, TrainReport *report) MUST_USE;
bool train_sparse_form(const Train *train, int64_t latent, float *enc, float *dec);
/** What selecting has cost this rank so far; NULL where nothing is selected.  ranks local */
const ScreenCost *train_sparse_cost(const Train *train);
/** For Architecture.settle: the threshold that will take the place of the selection, a moving average
 *  of the least selected score. */
void train_sparse_follow_cutoff(Train *train);

#endif
