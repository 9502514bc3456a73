#include "train.h"

#include <math.h>
#include <string.h>

#include "alike.h"
#include "dense.h"
#include "exchange.h"
#include "logarithm.h"
#include "memory.h"
#include "random.h"
#include "update.h"

static Status make_moments(TrainMoments *moments, int64_t count) {
  TRY(MEMORY_NEW(&moments->first, count, "first moments"));
  return MEMORY_NEW(&moments->second, count, "second moments");
}

static Status make_row_moments(const Train *t, TrainMoments *moments, int64_t count) {
  if (!t->spec.has_half_moments) {
    return make_moments(moments, count);
  }
  TRY(MEMORY_NEW(&moments->half_first, count, "first moments"));
  return MEMORY_NEW(&moments->half_second, count, "second moments");
}

static Status make_thresholds(Train *t, int64_t own) {
  TRY(sae_take_threshold(t->sae));
  TRY(MEMORY_NEW(&t->log_threshold, own, "thresholds"));
  return make_moments(&t->threshold, own);
}

static Status make_state(Train *t) {
  const Architecture *architecture = t->spec.architecture;
  TRY(sae_create(&t->sae, &t->mesh->group, t->spec.latents, t->spec.width));
  const int64_t own = shard_count(t->sae->own);
  t->sae->subtract_b_dec = architecture->subtracts_b_dec;
  TRY(architecture->threshold > 0.0F ? make_thresholds(t, own) : OK);
  TRY(architecture->has_unit_rows ? OK : MEMORY_NEW(&t->dec_norm, own, "decoder norms"));
  TRY(make_row_moments(t, &t->enc, own * t->spec.width));
  TRY(make_row_moments(t, &t->dec, own * t->spec.width));
  TRY(make_moments(&t->b_enc, own));
  TRY(make_moments(&t->b_dec, t->spec.width));
  return MEMORY_NEW(&t->quiet, own, "counters of latents");
}

static Status make_buffers(Train *t) {
  const int64_t own = shard_count(t->sae->own);
  TRY(MEMORY_NEW(&t->centred, t->spec.batch * t->spec.width, "centred batch"));
  TRY(MEMORY_NEW(&t->room, 2 * t->spec.width, "moments of the batch"));
  TRY(MEMORY_NEW(&t->squares, t->spec.batch, "squares of residuals"));
  TRY(MEMORY_NEW(&t->is_dead, own, "dead latents"));
  TRY(MEMORY_NEW(&t->fired, own, "latents that fired"));
  TRY(gradient_create(&t->gradient, t->sae));
  return t->spec.architecture->open(t);
}

Status train_create(Train **out, Mesh *mesh, const TrainSpec *spec) {
  ASSERT(spec->architecture != NULL && (mesh->replicas == 1 || spec->architecture->has_replicas));
  TRY(MEMORY_NEW(out, 1, "training"));
  (*out)->spec = *spec;
  (*out)->mesh = mesh;
  (*out)->rounding = random_key(spec->seed, "moments", spec->name);
  Status status = make_state(*out);
  if (status == OK) {
    status = make_buffers(*out);
  }
  if (status != OK) {
    train_destroy(out);
  }
  return status;
}

static void free_moments(TrainMoments *moments) {
  MEMORY_FREE(moments->first);
  MEMORY_FREE(moments->second);
  MEMORY_FREE(moments->half_first);
  MEMORY_FREE(moments->half_second);
}

void train_destroy(Train **train) {
  if (*train != NULL) {
    Train *t = *train;
    t->spec.architecture->close(t);
    sae_destroy(&t->sae);
    free_moments(&t->enc);
    free_moments(&t->dec);
    free_moments(&t->b_enc);
    free_moments(&t->b_dec);
    free_moments(&t->threshold);
    gradient_clear(&t->gradient);
    MEMORY_FREE(t->log_threshold);
    MEMORY_FREE(t->dec_norm);
    MEMORY_FREE(t->quiet);
    MEMORY_FREE(t->centred);
    MEMORY_FREE(t->room);
    MEMORY_FREE(t->squares);
    MEMORY_FREE(t->is_dead);
    MEMORY_FREE(t->fired);
  }
  MEMORY_FREE(*train);
}

/* Everything that follows from the weights. */
static void measure_weights(Train *t) {
  const int64_t own = shard_count(t->sae->own);
  update_norms(t, 0, own);
  update_thresholds(t, 0, own);
}

/* Without the name in the key, dictionaries of different sizes would share directions. */
static void start_row(const Train *t, uint64_t key, int64_t latent) {
  const float norm = t->spec.architecture->decoder_norm;
  const uint64_t row_key = random_subkey(key, (uint64_t)(t->sae->own.first + latent));
  float *row = t->sae->w_dec + latent * t->spec.width;
  for (int64_t j = 0; j < t->spec.width; j++) {
    row[j] = (float)random_normal(row_key, (uint64_t)j);
  }
  update_unit_norm(row, t->spec.width);
  for (int64_t j = 0; j < t->spec.width && norm != 1.0F; j++) {
    row[j] *= norm;
  }
}

/* Whatever a checkpoint may have left. */
static void forget(Train *t) {
  TrainPart parts[TRAIN_PARTS];
  const int count = train_parts(t, parts);
  for (int p = 0; p < count; p++) {
    const int64_t rows = parts[p].is_whole ? 1 : shard_count(t->sae->own);
    memset(parts[p].data, 0, (size_t)(rows * train_part_row(&parts[p], &t->spec)));
  }
  t->step = t->dead = 0;
  t->cutoff = 0.0;
}

void train_start(Train *t, const float *mean) {
  const int64_t width = t->spec.width, own = shard_count(t->sae->own);
  forget(t);
  const uint64_t key = random_key(t->spec.seed, "decoder start", t->spec.name);
  for (int64_t i = 0; i < own; i++) {
    start_row(t, key, i);
  }
  for (int64_t i = 0; t->log_threshold != NULL && i < own; i++) {
    t->log_threshold[i] = (float)logarithm((double)t->spec.architecture->threshold);
  }
  memcpy(t->sae->w_enc, t->sae->w_dec, (size_t)(own * width) * sizeof(*t->sae->w_enc));
  memcpy(t->sae->b_dec, mean, (size_t)width * sizeof(*mean));
  measure_weights(t);
  adam_open(&t->adam, 0);
}

/* From 0 to 1 over the first `share` of the steps. */
static double rise(const TrainSpec *spec, double share, int64_t step) {
  const double steps = floor(share * (double)spec->steps);
  return steps < 1.0 ? 1.0 : fmin(((double)step + 1.0) / steps, 1.0);
}

double train_rate(const TrainSpec *spec, int64_t step) {
  const double fall = floor(spec->decay * (double)spec->steps);
  const double down = fall < 1.0 ? 1.0 : fmin((double)(spec->steps - step) / fall, 1.0);
  return spec->rate * fmin(rise(spec, spec->warmup, step), down);
}

double train_sparsity(const TrainSpec *spec, int64_t step) {
  return spec->sparsity * rise(spec, spec->sparsity_warmup, step);
}

static bool is_dead(const Train *t, int64_t latent) {
  return t->quiet[latent] >= t->spec.dead_rows;
}

static int64_t count_dead(const Train *t) {
  int64_t dead = 0;
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    dead += is_dead(t, i);
  }
  return dead;
}

void train_resume(Train *t, int64_t step) {
  t->step = step;
  t->dead = count_dead(t);
  exchange_sum(&t->mesh->group, &t->dead, 1);
  measure_weights(t);
  adam_open(&t->adam, step);
}

/* Who was dead before this batch, then how long each has been quiet after it. */
static void count_quiet(Train *t) {
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    t->is_dead[i] = is_dead(t, i);
    t->quiet[i] = t->fired[i] ? 0 : t->quiet[i] + t->spec.batch;
  }
}

/* The same reason on all ranks. */
static Status raise_not_finite(const Train *t, const float *rows) {
  const bool is_data = !isfinite(dense_square(rows, t->spec.batch * t->spec.width));
  return RAISE(
      ERR_NUMERIC, "%s: %s at step %lld", t->spec.name,
      is_data ? "a training row is not finite" : "the loss is not finite (a lower rate may help)",
      (long long)t->step);
}

/* The residual and the loss are formed alike on every rank. */
static Status measure_loss(Train *t, const float *rows, TrainReport *report) {
  const int64_t batch = t->spec.batch, width = t->spec.width;
  double sum = 0.0;
  alike_squares(t->residual, batch, width, t->squares);
  for (int64_t row = 0; row < batch; row++) {
    sum += t->squares[row];
  }
  report->loss = sum / (double)batch;
  if (!isfinite(report->loss)) {
    return team_agree(t->mesh->all, raise_not_finite(t, rows));
  }
  t->spread = alike_spread(rows, batch, width, t->room);
  report->explained = t->spread > 0.0 ? 1.0 - sum / t->spread : 0.0;
  return OK;
}

static Status measure_gradient(Train *t, int request, TrainReport *report) {
  Gradient *g = &t->gradient;
  g->most = (double)request;
  g->sums[0] = count_dead(t);
  g->sums[1] = t->active;
  TRY(mesh_agree(t->mesh, gradient_agree(g, &t->mesh->group)));
  exchange_max(&t->mesh->lane, &g->most, 1);
  if (!g->is_finite) {
    return team_agree(
        t->mesh->all,
        RAISE(ERR_NUMERIC, "%s: a gradient is not finite at step %lld (a lower rate may help)",
              t->spec.name, (long long)t->step));
  }
  t->dead = g->sums[0];
  report->penalty = t->penalty;
  report->dead = t->dead;
  report->l0 = (double)g->sums[1] / (double)t->spec.batch;
  report->request = (int)g->most;
  report->gradient_norm = g->norm;
  return OK;
}

typedef struct Centring {
  Train *train;
  const float *rows;
} Centring;

static void centre_rows(void *context, int64_t first, int64_t count) {
  const Centring *centring = context;
  const Train *t = centring->train;
  const int64_t at = first * t->spec.width;
  sae_centre(t->sae, centring->rows + at, count, t->centred + at);
}

Status train_step(Train *t, const float *rows, int request, TrainReport *report) {
  const Architecture *architecture = t->spec.architecture;
  *report = (TrainReport){.rate = train_rate(&t->spec, t->step)};
  phases_start(&t->times);
  Centring centring = {t, rows};
  TRY_ALL(t->mesh->all, alike_start(t->spec.batch, centre_rows, &centring));
  TRY(architecture->forward(t, rows));
  TRY(measure_loss(t, rows, report));
  phases_lap(&t->times, PHASE_DECODE);
  count_quiet(t);
  TRY(architecture->backward(t, report));
  TRY(measure_gradient(t, request, report));
  phases_lap(&t->times, PHASE_GRADIENT);
  const bool is_clipped = t->spec.clip > 0.0 && report->gradient_norm > t->spec.clip;
  adam_begin(&t->adam, report->rate, is_clipped ? t->spec.clip / report->gradient_norm : 1.0);
  TRY_ALL(t->mesh->all, update_run(t));
  if (architecture->settle != NULL) {
    architecture->settle(t);
  }
  phases_lap(&t->times, PHASE_UPDATE);
  t->step++;
  return OK;
}

Shard train_written(const Train *t) {
  const Shard own = t->sae->own;
  return t->mesh->replica == 0 ? own : (Shard){own.first, own.first};
}

int64_t train_part_row(const TrainPart *part, const TrainSpec *spec) {
  static const int64_t SIZES[] = {[TRAIN_FLOAT] = 4, [TRAIN_BF16] = 2, [TRAIN_INTEGER] = 8};
  return (part->is_whole || part->has_width ? spec->width : 1) * SIZES[part->type];
}

int train_parts(Train *t, TrainPart parts[TRAIN_PARTS]) {
  const bool is_half = t->spec.has_half_moments;
  const TrainPartType row = is_half ? TRAIN_BF16 : TRAIN_FLOAT;
  void *enc[2] = {is_half ? (void *)t->enc.half_first : t->enc.first,
                  is_half ? (void *)t->enc.half_second : t->enc.second};
  void *dec[2] = {is_half ? (void *)t->dec.half_first : t->dec.first,
                  is_half ? (void *)t->dec.half_second : t->dec.second};
  const TrainPart all[TRAIN_PARTS] = {
      {"w_enc", "encoder rows", t->sae->w_enc, false, true, TRAIN_FLOAT},
      {"w_dec", "decoder rows", t->sae->w_dec, false, true, TRAIN_FLOAT},
      {"b_enc", "encoder biases", t->sae->b_enc, false, false, TRAIN_FLOAT},
      {"b_dec", "decoder bias", t->sae->b_dec, true, false, TRAIN_FLOAT},
      {"w_enc_first", "first moments of w_enc", enc[0], false, true, row},
      {"w_enc_second", "second moments of w_enc", enc[1], false, true, row},
      {"w_dec_first", "first moments of w_dec", dec[0], false, true, row},
      {"w_dec_second", "second moments of w_dec", dec[1], false, true, row},
      {"b_enc_first", "first moments of b_enc", t->b_enc.first, false, false, TRAIN_FLOAT},
      {"b_enc_second", "second moments of b_enc", t->b_enc.second, false, false, TRAIN_FLOAT},
      {"b_dec_first", "first moments of b_dec", t->b_dec.first, true, false, TRAIN_FLOAT},
      {"b_dec_second", "second moments of b_dec", t->b_dec.second, true, false, TRAIN_FLOAT},
      {"quiet", "training rows since the latent last fired", t->quiet, false, false, TRAIN_INTEGER},
      {"log_threshold", "logarithms of thresholds", t->log_threshold, false, false, TRAIN_FLOAT},
      {"log_threshold_first", "their first moments", t->threshold.first, false, false, TRAIN_FLOAT},
      {"log_threshold_second", "their second moments", t->threshold.second, false, false,
       TRAIN_FLOAT}};
  memcpy(parts, all, sizeof(all));
  return t->log_threshold == NULL ? TRAIN_PARTS - 3 : TRAIN_PARTS;
}
