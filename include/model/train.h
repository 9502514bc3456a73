#ifndef TRAIN_H
#define TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "adam.h"
#include "architecture.h"
#include "auxk.h"
#include "gradient.h"
#include "mesh.h"
#include "phases.h"
#include "picks.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** Training of one dictionary of any architecture (architecture.h), partitioned over ranks as in Sae.
 *  The state after a step is the same, bit for bit, at any number of ranks and threads.
 *    loss = mean_b |x_b - x^_b|^2 (summed over the width) + what the architecture adds
 *    Adam; global clip of the gradient's norm; the rate rises linearly over the first `warmup` share
 *    of the steps and falls linearly to 0 over the last `decay` share; where decoder rows have unit
 *    norm, their gradients are projected and they are renormalised. */
typedef struct TrainSpec {
  const char *name; /* of the dictionary; borrowed */
  const Architecture *architecture;
  int64_t latents, width;
  int64_t k;        /* active latents a row, where the architecture takes it */
  int64_t prefixes; /* nested parts, the same */
  int64_t batch, steps;
  int64_t seed;
  double rate, warmup, decay;
  double clip;            /* 0: none */
  double aux_weight;      /* of AuxK; 0: none */
  int64_t dead_rows;      /* dead: not fired for so many rows */
  double sparsity;        /* weight of the sparsity loss */
  double sparsity_warmup; /* share of the steps over which it rises from 0 */
  bool counts_active;     /* that loss counts what fires; else it grows with the activation */
  double revival;         /* weight of the loss that draws dead latents to their thresholds */
  bool has_half_moments;  /* moments of rows in bfloat16: a third less memory */
  double bandwidth;       /* of the kernel around thresholds */
} TrainSpec;

/** Of the shape of the weights; of encoder and decoder rows in bfloat16 where that is wanted. */
typedef struct TrainMoments {
  float *first, *second;
  uint16_t *half_first, *half_second;
} TrainMoments;

typedef struct Train {
  TrainSpec spec;
  Mesh *
      mesh; /* borrowed: groups of ranks have a copy of the dictionary each, and take their part of a
                 batch to select in; gradients and updates are the same in all */
  int64_t step; /* steps done */
  Sae *sae;     /* thresholds: those of log_threshold */
  TrainMoments enc, dec, b_enc, b_dec;
  float *log_threshold; /* [own], with its moments; NULL: no thresholds of their own */
  TrainMoments threshold;
  double *dec_norm; /* [own] norms of the decoder rows, rounded up; NULL: 1 */
  int64_t *quiet;   /* [own] rows since a latent last fired */
  int64_t dead;     /* over all ranks */
  double cutoff;    /* moving average of the least selected score; 0 where nothing is selected so */
  Adam adam;
  uint64_t rounding; /* key of that of moments in bfloat16 */
  /* of the current step */
  float *centred;   /* [batch, width] */
  float *residual;  /* [batch, width] x - x^; the engine's */
  double penalty;   /* loss but for |x - x^|^2 and AuxK */
  double spread;    /* of the batch about its mean */
  double *room;     /* [2, width] */
  double *squares;  /* [batch] of rows' residuals */
  uint8_t *is_dead; /* [own] before the step */
  uint8_t *fired;   /* [own] in the step */
  int64_t active;   /* hits of this rank's latents in the step */
  Gradient gradient;
  PhaseTimes times;           /* of all steps so far; the caller laps what it does between them */
  struct TrainSparse *sparse; /* the engines: one of them */
  struct TrainDense *dense;
} Train;

/** What one step came to; the same on all ranks. */
typedef struct TrainReport {
  double loss;          /* reconstruction */
  double aux_loss;      /* weighted */
  double penalty;       /* what else the architecture adds */
  double gradient_norm; /* before the clip */
  double rate;
  double l0;        /* active latents a row */
  double explained; /* 1 - sum |x - x^|^2 / sum |x - mean x|^2 of the batch */
  int64_t dead;     /* latents, after the step */
  int request;      /* the largest `request` of any rank */
} TrainReport;

/** ranks   local
 *  mesh    in      one replica, where the architecture is dense
 *  fails   ERR_MEMORY */
Status train_create(Train **out, Mesh *mesh, const TrainSpec *spec) MUST_USE;
void train_destroy(Train **train);

/** Fresh weights: Gaussian decoder rows of the architecture's norm keyed by (seed, dictionary name,
 *  latent), encoder rows equal to them, b_enc = 0.
 *  ranks   local
 *  mean    in      [width] scaled mean of the training rows: b_dec */
void train_start(Train *train, const float *mean);

/** One step on a batch.
 *  ranks   collective
 *  rows    in      [batch, width] scaled, the same on all ranks
 *  request in      any small number of this rank's (a signal); report->request has the largest
 *  fails   ERR_NUMERIC when the loss or a gradient is not finite (the state is then as before the
 *          step, but for `quiet`), ERR_MEMORY */
Status train_step(Train *train, const float *rows, int request, TrainReport *report) MUST_USE;

/** The rate, and the weight of the sparsity loss, of step `step` (0-based).
 *  ranks   local */
double train_rate(const TrainSpec *spec, int64_t step);
double train_sparsity(const TrainSpec *spec, int64_t step);

/** One array of the state, for checkpoints: everything but `step` and `cutoff`. */
typedef enum TrainPartType {
  TRAIN_FLOAT,
  TRAIN_BF16,
  TRAIN_INTEGER
} TrainPartType; /* 4, 2, 8 bytes */
typedef struct TrainPart {
  const char *name; /* "w_enc" */
  const char *meaning;
  void *data;
  bool is_whole;  /* [width], the same on all ranks; else this rank's latents */
  bool has_width; /* [own, width]; else [own] */
  TrainPartType type;
} TrainPart;
enum { TRAIN_PARTS = 16 };
/** Bytes of a part's row: of one latent, or of what is whole.  ranks local */
int64_t train_part_row(const TrainPart *part, const TrainSpec *spec);
/** ranks   local
 *  parts   out     [TRAIN_PARTS], pointers into `train`
 *  return          how many there are */
int train_parts(Train *train, TrainPart parts[TRAIN_PARTS]);
/** Go on from a state whose parts were filled in: `step` steps are done.
 *  ranks   collective */
void train_resume(Train *train, int64_t step);
/** The latents that this rank writes to files: its own, or none where another replica writes them.
 *  ranks   local */
Shard train_written(const Train *train);

#endif
