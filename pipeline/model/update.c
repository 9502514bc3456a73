#include "update.h"

#include <math.h>

#include "dense.h"
#include "exponential.h"
#include "random.h"
#include "screen.h"
#include "threads.h"

enum { LATENTS_A_UNIT = 32 };

void update_unit_norm(float *row, int64_t width) {
  const double norm = sqrt(dense_square(row, width));
  const float factor = norm > 0.0 ? (float)(1.0 / norm) : 1.0F;
  if (factor != 1.0F) {
    for (int64_t j = 0; j < width; j++) {
      row[j] *= factor;
    }
  }
}

/* `which` tells encoder and decoder rows apart in the key of the rounding. */
static void update_row(const Train *t, const TrainMoments *moments, float *weights, int64_t latent,
                       const float *gradient, uint64_t which, float *room) {
  const int64_t width = t->spec.width;
  const int64_t at = latent * width;
  if (moments->half_first == NULL) {
    adam_update(&t->adam, weights + at, moments->first + at, moments->second + at, gradient, width);
    return;
  }
  const uint64_t step = random_subkey(t->rounding, 2 * (uint64_t)t->adam.step + which);
  adam_update_bf16(&t->adam, weights + at, moments->half_first + at, moments->half_second + at,
                   gradient, width, random_subkey(step, (uint64_t)(t->sae->own.first + latent)),
                   room);
}

void update_norms(const Train *t, int64_t first, int64_t count) {
  const int64_t width = t->spec.width;
  screen_norms(t->sae->w_enc + first * width, count, width, t->sae->norm + first);
  if (t->dec_norm != NULL) {
    screen_norms(t->sae->w_dec + first * width, count, width, t->dec_norm + first);
  }
}

void update_thresholds(const Train *t, int64_t first, int64_t count) {
  for (int64_t i = first; t->log_threshold != NULL && i < first + count; i++) {
    t->sae->threshold[i] = (float)exponential((double)t->log_threshold[i]);
  }
}

static Status update_unit(int64_t unit, int thread, void *context) {
  Train *t = context;
  const Gradient *g = &t->gradient;
  const Architecture *architecture = t->spec.architecture;
  const int64_t width = t->spec.width;
  const int64_t own = shard_count(t->sae->own);
  const int64_t first = unit * LATENTS_A_UNIT;
  const int64_t past = first + LATENTS_A_UNIT < own ? first + LATENTS_A_UNIT : own;
  float *enc = g->rows + GRADIENT_ROWS * thread * width;
  float *dec = enc + width, *room = dec + width;
  for (int64_t latent = first; latent < past; latent++) {
    const bool is_active = architecture->form(t, latent, enc, dec);
    update_row(t, &t->enc, t->sae->w_enc, latent, is_active ? enc : NULL, 0, room);
    update_row(t, &t->dec, t->sae->w_dec, latent, is_active ? dec : NULL, 1, room);
    if (architecture->has_unit_rows) {
      update_unit_norm(t->sae->w_dec + latent * width, width);
    }
    update_norms(t, latent, 1);
  }
  adam_update(&t->adam, t->sae->b_enc + first, t->b_enc.first + first, t->b_enc.second + first,
              g->biases + first, past - first);
  if (t->log_threshold != NULL) {
    adam_update(&t->adam, t->log_threshold + first, t->threshold.first + first,
                t->threshold.second + first, g->thresholds + first, past - first);
    update_thresholds(t, first, past - first);
  }
  return OK;
}

Status update_run(Train *t) {
  const int64_t units = (shard_count(t->sae->own) + LATENTS_A_UNIT - 1) / LATENTS_A_UNIT;
  TRY(threads_run(units, update_unit, t));
  adam_update(&t->adam, t->sae->b_dec, t->b_dec.first, t->b_dec.second, t->gradient.b_dec,
              t->spec.width);
  return OK;
}
