#include "train_dense.h"

#include <math.h>
#include <string.h>

#include "alike.h"
#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "screen.h"
#include "threads.h"

static Status make_gradients(Train *t) {
  TrainDense *d = t->dense;
  const int64_t own = shard_count(t->sae->own), width = t->spec.width;
  TRY(MEMORY_NEW(&d->enc, own * width, "gradients of encoder rows"));
  TRY(MEMORY_NEW(&d->dec, own * width, "gradients of decoder rows"));
  TRY(MEMORY_NEW(&d->thresholds, own, "gradients of thresholds"));
  TRY(MEMORY_NEW(&d->penalties, own, "penalties of latents"));
  return MEMORY_NEW(&d->latents, own, "latents of a step");
}

static Status make_buffers(Train *t) {
  TrainDense *d = t->dense;
  const int64_t batch = t->spec.batch, width = t->spec.width, threads = d->threads;
  TRY(MEMORY_NEW(&t->residual, batch * width, "residuals"));
  TRY(MEMORY_NEW(&d->scores, threads * batch * d->block, "scores of a block"));
  TRY(MEMORY_NEW(&d->terms, threads * batch * d->block, "slopes of a block"));
  TRY(MEMORY_NEW(&d->partial, threads * batch * width, "parts of rows"));
  TRY(MEMORY_NEW(&d->sums, threads * batch * width, "sums of rows"));
  TRY(MEMORY_NEW(&d->active, threads, "counts of threads"));
  TRY(MEMORY_NEW(&d->scales, batch, "scales of rows"));
  return MEMORY_NEW(&d->norms, batch, "norms of rows");
}

Status train_dense_open(Train *t, const DenseRule *rule) {
  TRY(MEMORY_NEW(&t->dense, 1, "scores of a step"));
  *t->dense = (TrainDense){
      .rule = rule, .block = shard_latent_block(t->spec.latents), .threads = threads_count()};
  TRY(make_gradients(t));
  t->gradient.thresholds = t->dense->thresholds;
  return make_buffers(t);
}

void train_dense_close(Train *t) {
  TrainDense *d = t->dense;
  if (d != NULL) {
    MEMORY_FREE(d->enc);
    MEMORY_FREE(d->dec);
    MEMORY_FREE(d->thresholds);
    MEMORY_FREE(d->penalties);
    MEMORY_FREE(d->latents);
    MEMORY_FREE(t->residual);
    MEMORY_FREE(d->scores);
    MEMORY_FREE(d->terms);
    MEMORY_FREE(d->partial);
    MEMORY_FREE(d->sums);
    MEMORY_FREE(d->active);
    MEMORY_FREE(d->scales);
    MEMORY_FREE(d->norms);
  }
  MEMORY_FREE(t->dense);
}

static int64_t blocks_of(const Train *t) {
  return (shard_count(t->sae->own) + t->dense->block - 1) / t->dense->block;
}

static Shard block_of(const Train *t, int64_t unit) {
  const int64_t own = shard_count(t->sae->own), first = unit * t->dense->block;
  return (Shard){first, first + t->dense->block < own ? first + t->dense->block : own};
}

/* [batch, block] scores of a block, formed alike both times. */
static void score_block(const Train *t, Shard block, float *scores) {
  const int64_t count = shard_count(block);
  dense_gemm(t->centred, t->spec.batch, t->sae->w_enc + block.first * t->spec.width, count,
             t->spec.width, scores);
  for (int64_t row = 0; row < t->spec.batch; row++) {
    for (int64_t i = 0; i < count; i++) {
      scores[row * count + i] += t->sae->b_enc[block.first + i];
    }
  }
}

/* Scores become activations. */
static int64_t fire_block(const Train *t, Shard block, float *scores) {
  const TrainDense *d = t->dense;
  const int64_t count = shard_count(block);
  int64_t active = 0;
  for (int64_t row = 0; row < t->spec.batch; row++) {
    for (int64_t i = 0; i < count; i++) {
      float *score = scores + row * count + i;
      *score = d->rule->fire(&d->latents[block.first + i], *score);
      t->fired[block.first + i] |= *score > 0.0F;
      active += *score > 0.0F;
    }
  }
  return active;
}

static Status forward_unit(int64_t unit, int thread, void *context) {
  const Train *t = context;
  const TrainDense *d = t->dense;
  const int64_t batch = t->spec.batch, width = t->spec.width;
  const Shard block = block_of(t, unit);
  float *scores = d->scores + thread * batch * d->block;
  float *partial = d->partial + thread * batch * width;
  int64_t *sums = d->sums + thread * batch * width;
  score_block(t, block, scores);
  d->active[thread] += fire_block(t, block, scores);
  dense_gemm_plain(scores, batch, t->sae->w_dec + block.first * width, width, shard_count(block),
                   partial);
  for (int64_t row = 0; row < batch; row++) {
    fixed_add_row(sums + row * width, partial + row * width, width, 1.0, d->scales[row]);
  }
  return OK;
}

/* What a latent can add to a row of norm 1, and whatever the row. */
static double reach_of(const Train *t, int64_t latent, int which) {
  const double bias = fabs((double)t->sae->b_enc[latent]);
  return t->dec_norm[latent] * (which == 0 ? t->sae->norm[latent] : bias);
}

/* |sum a_i w_dec_i| <= sum (|x| |w_enc_i| + |b_i|) |w_dec_i|, far too large: up to a few million latents the unit is
 * still a small part of a rounding to float32, at 34 million some of them. The sums are in fixed point, so they are
 * the same on any ranks. */
static void set_scales(Train *t, Team *team) {
  TrainDense *d = t->dense;
  const int64_t own = shard_count(t->sae->own);
  double most[2] = {0.0, 0.0}, reach[2];
  int64_t sums[2] = {0, 0};
  for (int64_t i = 0; i < 2 * own; i++) {
    most[i % 2] = fmax(most[i % 2], reach_of(t, i / 2, (int)(i % 2)));
  }
  exchange_max(team, most, 2);
  for (int which = 0; which < 2; which++) {
    const double scale =
        fixed_scale(isfinite(most[which]) ? most[which] * (double)t->spec.latents : 0);
    for (int64_t i = 0; i < own && isfinite(most[which]); i++) {
      sums[which] += fixed_of(reach_of(t, i, which), scale) + 1;
    }
    exchange_sum(team, &sums[which], 1);
    reach[which] = fixed_to(sums[which], scale);
  }
  screen_norms(t->centred, t->spec.batch, t->spec.width, d->norms);
  for (int64_t row = 0; row < t->spec.batch; row++) {
    const double bound = 1.01 * (d->norms[row] * reach[0] + reach[1]);
    d->scales[row] = fixed_scale(isfinite(bound) ? bound : 0.0);
  }
}

static void set_latents(Train *t) {
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    t->dense->latents[i] =
        (DenseLatent){.threshold = t->sae->threshold == NULL ? 0.0 : (double)t->sae->threshold[i],
                      .norm = t->dec_norm[i],
                      .share = 1.0 / (double)t->spec.batch,
                      .sparsity = train_sparsity(&t->spec, t->step),
                      .bandwidth = t->spec.bandwidth,
                      .revival = t->spec.revival,
                      .is_step = t->spec.counts_active};
  }
}

typedef struct Subtraction {
  const Train *train;
  const float *rows;
} Subtraction;

static void subtract_rows(void *context, int64_t first, int64_t count) {
  const Subtraction *subtraction = context;
  const Train *t = subtraction->train;
  const float *rows = subtraction->rows;
  const TrainDense *d = t->dense;
  const int64_t width = t->spec.width;
  for (int64_t row = first; row < first + count; row++) {
    for (int64_t j = 0; j < width; j++) {
      const int64_t i = row * width + j;
      const double rebuilt = fixed_to(d->sums[i], d->scales[row]) + (double)t->sae->b_dec[j];
      t->residual[i] = rows[i] - (float)rebuilt;
    }
  }
}

Status train_dense_forward(Train *t, const float *rows) {
  TrainDense *d = t->dense;
  Team *team = t->mesh->all;
  const int64_t values = t->spec.batch * t->spec.width;
  ASSERT(d->threads == threads_count());
  set_scales(t, team);
  set_latents(t);
  memset(t->fired, 0, (size_t)shard_count(t->sae->own));
  memset(d->sums, 0, (size_t)(d->threads * values) * sizeof(*d->sums));
  memset(d->active, 0, (size_t)d->threads * sizeof(*d->active));
  TRY_ALL(team, threads_run(blocks_of(t), forward_unit, t));
  t->active = d->active[0];
  for (int thread = 1; thread < d->threads; thread++) {
    t->active += d->active[thread];
    for (int64_t i = 0; i < values; i++) {
      d->sums[i] += d->sums[thread * values + i];
    }
  }
  exchange_sum(team, d->sums, values);
  phases_lap(&t->times, PHASE_SCORES);
  Subtraction subtraction = {t, rows};
  alike_run(t->spec.batch, subtract_rows, &subtraction);
  return OK;
}

/* Scores become their slopes, the residuals' products with decoder rows become activations. */
static void slope_block(const Train *t, Shard block, float *scores, float *terms,
                        DenseTotals *totals) {
  const TrainDense *d = t->dense;
  const int64_t count = shard_count(block);
  const double factor = -2.0 / (double)t->spec.batch;
  for (int64_t row = 0; row < t->spec.batch; row++) {
    for (int64_t i = 0; i < count; i++) {
      const DenseLatent *latent = &d->latents[block.first + i];
      float *score = scores + row * count + i, *term = terms + row * count + i;
      const double pull = factor * (double)*term;
      *term = d->rule->fire(latent, *score);
      const float slope = (float)d->rule->slope(latent, *score, pull, &totals[i]);
      *score = slope;
      totals[i].bias += (double)slope;
    }
  }
}

/* The decoder's gradient is the residuals' part and the norm's; and what a latent adds to the norm. */
static void end_latent(const Train *t, int64_t latent, const DenseTotals *totals) {
  const TrainDense *d = t->dense;
  const int64_t width = t->spec.width;
  float *dec = d->dec + latent * width;
  const float *row = t->sae->w_dec + latent * width;
  const double norm = t->dec_norm[latent];
  const float factor = (float)(-2.0 / (double)t->spec.batch);
  const float along = norm > 0.0 ? (float)(totals->norm / norm) : 0.0F;
  for (int64_t j = 0; j < width; j++) {
    dec[j] = factor * dec[j] + along * row[j];
  }
  const double threshold = t->log_threshold == NULL ? 0.0 : totals->threshold;
  d->thresholds[latent] = (float)threshold;
  d->penalties[latent] = totals->penalty;
  t->gradient.biases[latent] = (float)totals->bias;
  t->gradient.squares[latent] = dense_square(d->enc + latent * width, width) +
                                dense_square(dec, width) + totals->bias * totals->bias +
                                threshold * threshold;
}

static Status backward_unit(int64_t unit, int thread, void *context) {
  const Train *t = context;
  const TrainDense *d = t->dense;
  const int64_t batch = t->spec.batch, width = t->spec.width;
  const Shard block = block_of(t, unit);
  const int64_t count = shard_count(block);
  float *scores = d->scores + thread * batch * d->block;
  float *terms = d->terms + thread * batch * d->block;
  DenseTotals *totals = NULL;
  TRY(MEMORY_NEW(&totals, count, "totals of a block"));
  score_block(t, block, scores);
  dense_gemm(t->residual, batch, t->sae->w_dec + block.first * width, count, width, terms);
  slope_block(t, block, scores, terms, totals);
  dense_gemm_turned(scores, count, t->centred, width, batch, d->enc + block.first * width);
  dense_gemm_turned(terms, count, t->residual, width, batch, d->dec + block.first * width);
  for (int64_t i = 0; i < count; i++) {
    end_latent(t, block.first + i, &totals[i]);
  }
  MEMORY_FREE(totals);
  return OK;
}

/* The sum over all latents, in fixed point. */
static double sum_penalties(const Train *t, Team *team) {
  double most = 0.0;
  int64_t sum = 0;
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    most = fmax(most, fabs(t->dense->penalties[i]));
  }
  exchange_max(team, &most, 1);
  if (!isfinite(most)) {
    return most; /* the gradient is not finite either */
  }
  const double scale = fixed_scale(most * (double)t->spec.latents);
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    sum += fixed_of(t->dense->penalties[i], scale);
  }
  exchange_sum(team, &sum, 1);
  return fixed_to(sum, scale);
}

Status train_dense_backward(Train *t, TrainReport *report) {
  Team *team = t->mesh->all;
  (void)report;
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    t->dense->latents[i].is_dead = t->is_dead[i];
  }
  gradient_begin(&t->gradient, t->residual, t->spec.batch, (float)(-2.0 / (double)t->spec.batch));
  TRY_ALL(team, threads_run(blocks_of(t), backward_unit, t));
  t->penalty = sum_penalties(t, team);
  phases_lap(&t->times, PHASE_SCORES);
  return OK;
}

bool train_dense_form(const Train *t, int64_t latent, float *enc, float *dec) {
  const int64_t width = t->spec.width;
  memcpy(enc, t->dense->enc + latent * width, (size_t)width * sizeof(*enc));
  memcpy(dec, t->dense->dec + latent * width, (size_t)width * sizeof(*dec));
  return true;
}
