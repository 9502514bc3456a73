#include "train.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "random.h"
#include "update.h"

static Status make_moments(TrainMoments *moments, int64_t count) {
  TRY(MEMORY_NEW(&moments->first, count, "first moments"));
  return MEMORY_NEW(&moments->second, count, "second moments");
}

static Status make_state(Train *t, const Team *team) {
  TRY(sae_create(&t->sae, team, t->spec.latents, t->spec.width));
  const int64_t own = shard_count(t->sae->own);
  TRY(make_moments(&t->enc, own * t->spec.width));
  TRY(make_moments(&t->dec, own * t->spec.width));
  TRY(make_moments(&t->b_enc, own));
  TRY(make_moments(&t->b_dec, t->spec.width));
  return MEMORY_NEW(&t->quiet, own, "counters of latents");
}

static Status make_buffers(Train *t, const Team *team) {
  const int64_t own = shard_count(t->sae->own);
  const int64_t values = t->spec.batch * t->spec.width;
  TRY(sae_picks_create(&t->picks, t->sae, team, t->spec.batch, t->spec.k, t->spec.k));
  TRY(MEMORY_NEW(&t->centred, values, "centred batch"));
  TRY(MEMORY_NEW(&t->residual, values, "residuals"));
  TRY(MEMORY_NEW(&t->rebuilt, values, "reconstruction"));
  TRY(MEMORY_NEW(&t->room, 2 * t->spec.width, "moments of the batch"));
  TRY(MEMORY_NEW(&t->is_dead, own, "dead latents"));
  TRY(MEMORY_NEW(&t->slopes[0], t->spec.batch * t->picks->capacity, "slopes"));
  if (t->spec.aux_weight > 0.0) {
    TRY(auxk_create(&t->auxk, t->sae, team, t->spec.batch));
    TRY(MEMORY_NEW(&t->slopes[1], t->spec.batch * t->auxk.capacity, "slopes of AuxK"));
  }
  return gradient_create(&t->gradient, t->sae);
}

Status train_create(Train **out, const Team *team, const TrainSpec *spec) {
  TRY(MEMORY_NEW(out, 1, "training"));
  (*out)->spec = *spec;
  Status status = make_state(*out, team);
  if (status == OK) {
    status = make_buffers(*out, team);
  }
  if (status != OK) {
    train_destroy(out);
  }
  return status;
}

static void free_moments(TrainMoments *moments) {
  MEMORY_FREE(moments->first);
  MEMORY_FREE(moments->second);
}

void train_destroy(Train **train) {
  if (*train != NULL) {
    Train *t = *train;
    sae_destroy(&t->sae);
    sae_picks_destroy(&t->picks);
    free_moments(&t->enc);
    free_moments(&t->dec);
    free_moments(&t->b_enc);
    free_moments(&t->b_dec);
    auxk_clear(&t->auxk);
    gradient_clear(&t->gradient);
    MEMORY_FREE(t->quiet);
    MEMORY_FREE(t->centred);
    MEMORY_FREE(t->residual);
    MEMORY_FREE(t->rebuilt);
    MEMORY_FREE(t->room);
    MEMORY_FREE(t->is_dead);
    MEMORY_FREE(t->slopes[0]);
    MEMORY_FREE(t->slopes[1]);
  }
  MEMORY_FREE(*train);
}

/* Without the name in the key, dictionaries of different sizes would share directions. */
void train_start(Train *t, const float *mean) {
  const int64_t width = t->spec.width;
  const uint64_t key = random_key(t->spec.seed, "decoder start", t->spec.name);
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    const uint64_t row_key = random_subkey(key, (uint64_t)(t->sae->own.first + i));
    float *row = t->sae->w_dec + i * width;
    for (int64_t j = 0; j < width; j++) {
      row[j] = (float)random_normal(row_key, (uint64_t)j);
    }
    update_unit_norm(row, width);
  }
  memcpy(t->sae->w_enc, t->sae->w_dec,
         (size_t)(shard_count(t->sae->own) * width) * sizeof(*t->sae->w_enc));
  memcpy(t->sae->b_dec, mean, (size_t)width * sizeof(*mean));
  sae_measure(t->sae);
  adam_open(&t->adam, 0);
}

double train_rate(const TrainSpec *spec, int64_t step) {
  const double rise = floor(spec->warmup * (double)spec->steps);
  const double fall = floor(spec->decay * (double)spec->steps);
  const double up = rise < 1.0 ? 1.0 : fmin(((double)step + 1.0) / rise, 1.0);
  const double down = fall < 1.0 ? 1.0 : fmin((double)(spec->steps - step) / fall, 1.0);
  return spec->rate * fmin(up, down);
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

void train_resume(Train *t, Team *team, int64_t step) {
  t->step = step;
  t->dead = count_dead(t);
  exchange_sum(team, &t->dead, 1);
  sae_measure(t->sae);
  adam_open(&t->adam, step);
}

/* Who was dead before this batch, then how long each has been quiet after it. */
static void count_quiet(Train *t) {
  const int64_t *start = t->picks->hits.latent_start;
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    t->is_dead[i] = is_dead(t, i);
    t->quiet[i] = start[i] < start[i + 1] ? 0 : t->quiet[i] + t->spec.batch;
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

/* Weights change every step, so bytes are worth making only where products of them are fast (VNNI:
 * a fifth of a step's time saved; without it a twelfth lost). The results are the same. */
static Status quantise(Train *t) {
  const int grid_with_vnni = 127;
  return lowp_grid() == grid_with_vnni ? sae_quantise(t->sae, NULL) : OK;
}

/* Selection and reconstruction; the residual and the loss are formed alike on every rank. */
static Status rebuild(Train *t, Team *team, const float *rows, TrainReport *report) {
  const int64_t batch = t->spec.batch;
  const int64_t width = t->spec.width;
  double sum = 0.0;
  sae_centre(t->sae, rows, batch, t->centred);
  TRY_ALL(team, quantise(t));
  TRY(sae_select(team, t->sae, t->centred, batch, t->picks));
  TRY(sae_decode(team, t->sae, t->picks, t->rebuilt));
  for (int64_t row = 0; row < batch; row++) {
    for (int64_t i = row * width; i < (row + 1) * width; i++) {
      t->residual[i] = rows[i] - t->rebuilt[i];
    }
    sum += dense_square(t->residual + row * width, width);
  }
  report->loss = sum / (double)batch;
  if (!isfinite(report->loss)) {
    return team_agree(team, raise_not_finite(t, rows));
  }
  t->spread = dense_spread(rows, batch, width, t->room);
  report->explained = t->spread > 0.0 ? 1.0 - sum / t->spread : 0.0;
  return OK;
}

static Status add_auxk(Train *t, Team *team, TrainReport *report) {
  const AuxkBatch batch = {.centred = t->centred,
                           .residual = t->residual,
                           .is_dead = t->is_dead,
                           .rows = t->spec.batch,
                           .dead = t->dead,
                           .weight = t->spec.aux_weight,
                           .spread = t->spread};
  TRY(auxk_run(&t->auxk, team, t->sae, &batch));
  report->aux_loss = t->auxk.loss;
  t->gradient.terms[t->gradient.count++] = (GradientTerm){.hits = &t->auxk.hits,
                                                          .pull = t->auxk.pull,
                                                          .factor = t->auxk.factor,
                                                          .slopes = t->slopes[1]};
  return OK;
}

/* b_dec's gradient that does not pass the encoder: the residuals' sum, in the order of rows. */
static void begin_gradient(Train *t) {
  Gradient *g = &t->gradient;
  const int64_t width = t->spec.width;
  g->centred = t->centred;
  g->count = 1;
  g->terms[0] = (GradientTerm){.hits = &t->picks->hits,
                               .pull = t->residual,
                               .factor = (float)(-2.0 / (double)t->spec.batch),
                               .slopes = t->slopes[0]};
  memset(g->b_dec, 0, (size_t)width * sizeof(*g->b_dec));
  for (int64_t row = 0; row < t->spec.batch; row++) {
    dense_add(g->b_dec, t->residual + row * width, width, g->terms[0].factor);
  }
}

static Status measure(Train *t, Team *team, int request, TrainReport *report) {
  Gradient *g = &t->gradient;
  g->most = (double)request;
  g->sums[0] = count_dead(t);
  g->sums[1] = t->picks->hits.row_start[t->picks->rows];
  TRY(gradient_measure(g, team));
  if (!g->is_finite) {
    return team_agree(
        team,
        RAISE(ERR_NUMERIC, "%s: a gradient is not finite at step %lld (a lower rate may help)",
              t->spec.name, (long long)t->step));
  }
  t->dead = g->sums[0];
  report->dead = t->dead;
  report->l0 = (double)g->sums[1] / (double)t->spec.batch;
  report->request = (int)g->most;
  report->gradient_norm = g->norm;
  return OK;
}

Status train_step(Train *t, Team *team, const float *rows, int request, TrainReport *report) {
  *report = (TrainReport){.rate = train_rate(&t->spec, t->step)};
  TRY(rebuild(t, team, rows, report));
  count_quiet(t);
  begin_gradient(t);
  if (t->spec.aux_weight > 0.0 && t->dead > 0) {
    TRY(add_auxk(t, team, report));
  }
  TRY(measure(t, team, request, report));
  const bool is_clipped = t->spec.clip > 0.0 && report->gradient_norm > t->spec.clip;
  adam_begin(&t->adam, report->rate, is_clipped ? t->spec.clip / report->gradient_norm : 1.0);
  TRY_ALL(team, update_run(t));
  t->step++;
  return OK;
}

void train_parts(Train *t, TrainPart parts[TRAIN_PARTS]) {
  const TrainPart all[TRAIN_PARTS] = {
      {"w_enc", "encoder rows", t->sae->w_enc, false, true, false},
      {"w_dec", "decoder rows", t->sae->w_dec, false, true, false},
      {"b_enc", "encoder biases", t->sae->b_enc, false, false, false},
      {"b_dec", "decoder bias", t->sae->b_dec, true, false, false},
      {"w_enc_first", "first moments of w_enc", t->enc.first, false, true, false},
      {"w_enc_second", "second moments of w_enc", t->enc.second, false, true, false},
      {"w_dec_first", "first moments of w_dec", t->dec.first, false, true, false},
      {"w_dec_second", "second moments of w_dec", t->dec.second, false, true, false},
      {"b_enc_first", "first moments of b_enc", t->b_enc.first, false, false, false},
      {"b_enc_second", "second moments of b_enc", t->b_enc.second, false, false, false},
      {"b_dec_first", "first moments of b_dec", t->b_dec.first, true, false, false},
      {"b_dec_second", "second moments of b_dec", t->b_dec.second, true, false, false},
      {"quiet", "training rows since the latent last fired", t->quiet, false, false, true}};
  memcpy(parts, all, sizeof(all));
}
