#include <string.h>

#include "fixed.h"
#include "memory.h"
#include "sae.h"
#include "screen.h"

static Status make_buffers(SaePicks *picks, const Sae *sae, const Team *team, int64_t rows_most,
                           int64_t k, int64_t wide) {
  const int64_t own = shard_count(sae->own);
  picks->capacity = wide < own ? wide : own;
  TRY(cut_create(&picks->cut, team, sae->latents, rows_most, k, wide));
  TRY(hits_create(&picks->hits, own, rows_most, picks->capacity));
  TRY(MEMORY_NEW(&picks->keys, rows_most * picks->capacity, "keys of the batch"));
  TRY(MEMORY_NEW(&picks->counts, rows_most, "keys of the batch"));
  TRY(MEMORY_NEW(&picks->norms, rows_most, "norms of the batch"));
  TRY(MEMORY_NEW(&picks->scales, rows_most, "scales of the batch"));
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
    hits_clear(&p->hits);
    screen_room_clear(&p->room);
    MEMORY_FREE(p->keys);
    MEMORY_FREE(p->counts);
    MEMORY_FREE(p->norms);
    MEMORY_FREE(p->scales);
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
                         .counts = picks->counts,
                         .room = &picks->room};
  memset(picks->counts, 0, (size_t)count * sizeof(*picks->counts));
  screen_norms(centred, count, sae->width, picks->norms);
  return screen_run(&job);
}

/* Of this rank's keys those that made the cut. */
static void keep_hits(const Sae *sae, SaePicks *picks) {
  Hits *hits = &picks->hits;
  int64_t count = 0;
  hits->rows = picks->rows;
  for (int64_t row = 0; row < picks->rows; row++) {
    const CutLine *line = &picks->cut->lines[row];
    hits->row_start[row] = count;
    for (int64_t i = 0; i < picks->counts[row]; i++) {
      const SelectKey key = picks->keys[row * picks->capacity + i];
      if (key >= line->next) {
        hits->by_row[count++] = (SaeHit){.row = (int32_t)row,
                                         .latent = (int32_t)(select_id(key) - sae->own.first),
                                         .value = select_score(key),
                                         .active = key >= line->best};
      }
    }
  }
  hits->row_start[picks->rows] = count;
  hits_sort(hits);
}

Status sae_select(Team *team, const Sae *sae, const float *centred, int64_t count,
                  SaePicks *picks) {
  TRY_ALL(team, pick_own(sae, centred, count, picks));
  picks->rows = count;
  cut_agree(picks->cut, team, picks->keys, picks->counts, picks->capacity, count);
  keep_hits(sae, picks);
  return OK;
}

/* No partial sum is larger than the sum of the row's activations: decoder rows have unit norm
 * (1.001 covers their rounding). */
Status sae_decode(Team *team, const Sae *sae, SaePicks *picks, float *out) {
  for (int64_t row = 0; row < picks->rows; row++) {
    picks->scales[row] = fixed_scale(1.001 * picks->cut->lines[row].sum);
  }
  TRY(hits_decode(&picks->hits, team, sae->w_dec, sae->width, picks->scales, picks->sums));
  for (int64_t row = 0; row < picks->rows; row++) {
    const int64_t *sums = picks->sums + row * sae->width;
    for (int64_t j = 0; j < sae->width; j++) {
      const double value = fixed_to(sums[j], picks->scales[row]) + (double)sae->b_dec[j];
      out[row * sae->width + j] = (float)value;
    }
  }
  return OK;
}
