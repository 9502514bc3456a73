#include "picks.h"

#include "fixed.h"
#include "memory.h"

static Status make_buffers(SaePicks *picks, const Sae *sae, const Team *team, int64_t rows_most,
                           int64_t k, int64_t wide) {
  TRY(fire_create(&picks->fire, sae, team, rows_most, k, wide));
  picks->capacity = picks->fire->capacity;
  TRY(hits_create(&picks->hits, shard_count(sae->own), rows_most, picks->capacity));
  TRY(MEMORY_NEW(&picks->scales, rows_most, "scales of the batch"));
  return MEMORY_NEW(&picks->sums, rows_most * sae->width, "sums of the batch");
}

Status sae_picks_create(SaePicks **out, const Sae *sae, const Team *team, int64_t rows_most,
                        int64_t k, int64_t wide) {
  ASSERT(sae->threshold == NULL && sae->gain == NULL);
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
    fire_destroy(&p->fire);
    hits_clear(&p->hits);
    MEMORY_FREE(p->scales);
    MEMORY_FREE(p->sums);
  }
  MEMORY_FREE(*picks);
}

static void keep_hits(const Sae *sae, SaePicks *picks) {
  const Fire *fire = picks->fire;
  Hits *hits = &picks->hits;
  hits->rows = fire->rows;
  for (int64_t row = 0; row < fire->rows; row++) {
    hits->row_start[row] = fire->start[row];
    for (int64_t i = fire->start[row]; i < fire->start[row + 1]; i++) {
      hits->by_row[i] = (SaeHit){.row = (int32_t)row,
                                 .latent = (int32_t)(select_id(fire->keys[i]) - sae->own.first),
                                 .value = fire->values[i],
                                 .active = fire_is_active(fire, row, i)};
    }
  }
  hits->row_start[fire->rows] = fire->start[fire->rows];
  hits_sort(hits);
}

Status sae_select(Team *team, const Sae *sae, const float *centred, int64_t count,
                  SaePicks *picks) {
  TRY(fire_select(team, sae, centred, count, picks->fire));
  picks->rows = count;
  keep_hits(sae, picks);
  return OK;
}

/* No partial sum is larger than the sum of the row's activations: decoder rows have unit norm
 * (1.001 covers their rounding). */
Status sae_decode(Team *team, const Sae *sae, SaePicks *picks, float *out) {
  for (int64_t row = 0; row < picks->rows; row++) {
    picks->scales[row] = fixed_scale(1.001 * picks->fire->cut->lines[row].sum);
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
