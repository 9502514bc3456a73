#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "sae.h"
#include "screen.h"
#include "threads.h"

static Status make_buffers(SaePicks *picks, const Sae *sae, const Team *team, int64_t rows_most,
                           int64_t k, int64_t wide) {
  const int64_t own = shard_count(sae->own);
  picks->capacity = wide < own ? wide : own;
  const int64_t hits = rows_most * picks->capacity;
  TRY(cut_create(&picks->cut, team, sae->latents, rows_most, k, wide));
  TRY(MEMORY_NEW(&picks->by_row, hits, "hits of the batch"));
  TRY(MEMORY_NEW(&picks->by_latent, hits, "hits of the batch"));
  TRY(MEMORY_NEW(&picks->row_start, rows_most + 1, "hits of the batch"));
  TRY(MEMORY_NEW(&picks->latent_start, own + 2, "hits of latents"));
  TRY(MEMORY_NEW(&picks->keys, hits, "keys of the batch"));
  TRY(MEMORY_NEW(&picks->counts, rows_most, "keys of the batch"));
  TRY(MEMORY_NEW(&picks->norms, rows_most, "norms of the batch"));
  return MEMORY_NEW(&picks->sums, rows_most * sae->width, "sums of the batch");
}

Status sae_picks_create(SaePicks **out, const Sae *sae, const Team *team, int64_t rows_most,
                        int64_t k, int64_t wide) {
  TRY(MEMORY_NEW(out, 1, "selection"));
  const Status status = make_buffers(*out, sae, team, rows_most, k, wide);
  if (status != OK) {
    sae_picks_destroy(out);
  }
  return status;
}

void sae_picks_destroy(SaePicks **picks) {
  if (*picks != NULL) {
    SaePicks *p = *picks;
    cut_destroy(&p->cut);
    MEMORY_FREE(p->by_row);
    MEMORY_FREE(p->by_latent);
    MEMORY_FREE(p->row_start);
    MEMORY_FREE(p->latent_start);
    MEMORY_FREE(p->keys);
    MEMORY_FREE(p->counts);
    MEMORY_FREE(p->norms);
    MEMORY_FREE(p->sums);
  }
  MEMORY_FREE(*picks);
}

/* This rank's best of each row. */
static Status pick_own(const Sae *sae, const float *centred, int64_t count, SaePicks *picks) {
  const ScreenJob job = {.query = {.rows = centred, .norm = picks->norms, .count = count},
                         .base = {.rows = sae->w_enc,
                                  .bias = sae->b_enc,
                                  .norm = sae->norm,
                                  .count = shard_count(sae->own),
                                  .first_id = sae->own.first},
                         .width = sae->width,
                         .k = picks->capacity,
                         .floor = 0.0F,
                         .keys = picks->keys,
                         .counts = picks->counts};
  memset(picks->counts, 0, (size_t)count * sizeof(*picks->counts));
  screen_norms(centred, count, sae->width, picks->norms);
  return screen_run(&job);
}

/* Of this rank's keys those that made the cut. */
static void keep_hits(const Sae *sae, SaePicks *picks) {
  int64_t hits = 0;
  for (int64_t row = 0; row < picks->rows; row++) {
    const CutLine *line = &picks->cut->lines[row];
    picks->row_start[row] = hits;
    for (int64_t i = 0; i < picks->counts[row]; i++) {
      const SelectKey key = picks->keys[row * picks->capacity + i];
      if (key >= line->next) {
        picks->by_row[hits++] = (SaeHit){.row = (int32_t)row,
                                         .latent = (int32_t)(select_id(key) - sae->own.first),
                                         .value = select_score(key),
                                         .active = key >= line->best};
      }
    }
  }
  picks->row_start[picks->rows] = hits;
}

/* Counting sort; start[latent + 1] serves as the place of the latent's next hit. */
static void sort_by_latent(const Sae *sae, SaePicks *picks) {
  const int64_t own = shard_count(sae->own);
  const int64_t hits = picks->row_start[picks->rows];
  int64_t *start = picks->latent_start;
  memset(start, 0, (size_t)(own + 2) * sizeof(*start));
  for (int64_t i = 0; i < hits; i++) {
    start[picks->by_row[i].latent + 2]++;
  }
  for (int64_t latent = 0; latent < own; latent++) {
    start[latent + 2] += start[latent + 1];
  }
  for (int64_t i = 0; i < hits; i++) {
    picks->by_latent[start[picks->by_row[i].latent + 1]++] = picks->by_row[i];
  }
}

Status sae_select(Team *team, const Sae *sae, const float *centred, int64_t count,
                  SaePicks *picks) {
  TRY_ALL(team, pick_own(sae, centred, count, picks));
  picks->rows = count;
  cut_agree(picks->cut, team, picks->keys, picks->counts, picks->capacity, count);
  keep_hits(sae, picks);
  sort_by_latent(sae, picks);
  return OK;
}

enum { ROWS_A_UNIT = 16 };

typedef struct Decoding {
  const Sae *sae;
  SaePicks *picks;
  float *out;
} Decoding;

/* No partial sum is larger than the sum of the row's activations: decoder rows have unit norm (1.001 covers their
 * rounding). */
static double row_scale(const SaePicks *picks, int64_t row) {
  return fixed_scale(1.001 * picks->cut->lines[row].sum);
}

static Status add_unit(int64_t unit, int thread, void *context) {
  const Decoding *d = context;
  const int64_t width = d->sae->width;
  const int64_t first = unit * ROWS_A_UNIT;
  (void)thread;
  for (int64_t row = first; row < first + ROWS_A_UNIT && row < d->picks->rows; row++) {
    int64_t *sums = d->picks->sums + row * width;
    const double scale = row_scale(d->picks, row);
    memset(sums, 0, (size_t)width * sizeof(*sums));
    for (int64_t i = d->picks->row_start[row]; i < d->picks->row_start[row + 1]; i++) {
      const SaeHit *hit = &d->picks->by_row[i];
      if (hit->active) {
        fixed_add_row(sums, d->sae->w_dec + hit->latent * width, width, (double)hit->value, scale);
      }
    }
  }
  return OK;
}

static Status widen_unit(int64_t unit, int thread, void *context) {
  const Decoding *d = context;
  const int64_t width = d->sae->width;
  const int64_t first = unit * ROWS_A_UNIT;
  (void)thread;
  for (int64_t row = first; row < first + ROWS_A_UNIT && row < d->picks->rows; row++) {
    const int64_t *sums = d->picks->sums + row * width;
    const double scale = row_scale(d->picks, row);
    for (int64_t j = 0; j < width; j++) {
      d->out[row * width + j] = (float)(fixed_to(sums[j], scale) + (double)d->sae->b_dec[j]);
    }
  }
  return OK;
}

Status sae_decode(Team *team, const Sae *sae, SaePicks *picks, float *out) {
  Decoding decoding = {sae, picks, out};
  const int64_t units = (picks->rows + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  TRY_ALL(team, threads_run(units, add_unit, &decoding));
  exchange_sum(team, picks->sums, picks->rows * sae->width);
  return threads_run(units, widen_unit, &decoding);
}
