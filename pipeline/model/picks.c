#include "picks.h"

#include "alike.h"
#include "fixed.h"
#include "memory.h"

static Status make_selection(SaePicks *picks, const Sae *sae, const Team *group, int64_t rows_most,
                             int64_t k, bool is_batchwise) {
  if (is_batchwise) {
    TRY(MEMORY_NEW(&picks->batchwise, 1, "selection"));
    return batchwise_create(picks->batchwise, sae, rows_most, k);
  }
  return fire_create(&picks->fire, sae, group, rows_most, k, k);
}

static Status make_buffers(SaePicks *picks, const Sae *sae, const Mesh *mesh, int64_t rows_most,
                           int64_t batch, int64_t k, bool is_batchwise) {
  const int64_t own = shard_count(sae->own);
  picks->capacity = k < own ? k : own;
  TRY(make_selection(picks, sae, &mesh->group, rows_most, k, is_batchwise));
  TRY(hits_create(&picks->hits, own, batch, picks->capacity));
  TRY(MEMORY_NEW(&picks->bounds, rows_most, "bounds of the batch"));
  TRY(MEMORY_NEW(&picks->scales, rows_most, "scales of the batch"));
  TRY(MEMORY_NEW(&picks->part, rows_most * sae->width, "sums of the batch"));
  return MEMORY_NEW(&picks->sums, rows_most * sae->width, "sums of the batch");
}

Status sae_picks_create(SaePicks **out, const Sae *sae, const Mesh *mesh, int64_t rows_most,
                        int64_t batch, int64_t k, bool is_batchwise) {
  ASSERT(sae->threshold == NULL && sae->gain == NULL);
  TRY(MEMORY_NEW(out, 1, "selection"));
  const Status status = make_buffers(*out, sae, mesh, rows_most, batch, k, is_batchwise);
  if (status != OK) {
    sae_picks_destroy(out);
  }
  return status;
}

void sae_picks_destroy(SaePicks **picks) {
  if (*picks != NULL) {
    SaePicks *p = *picks;
    fire_destroy(&p->fire);
    if (p->batchwise != NULL) {
      batchwise_clear(p->batchwise);
    }
    MEMORY_FREE(p->batchwise);
    hits_clear(&p->hits);
    MEMORY_FREE(p->bounds);
    MEMORY_FREE(p->scales);
    MEMORY_FREE(p->part);
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
    picks->bounds[row] = fire->cut->lines[row].sum;
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

Status sae_select(const Mesh *mesh, const Sae *sae, const float *centred, int64_t count,
                  int64_t batch, SaePicks *picks) {
  Team group = mesh->group;
  picks->rows = count;
  if (picks->batchwise != NULL) {
    return batchwise_select(picks->batchwise, mesh, sae, centred, count, batch, &picks->hits,
                            picks->bounds);
  }
  TRY(mesh_agree(mesh, fire_select(&group, sae, centred, count, picks->fire)));
  keep_hits(sae, picks);
  return OK;
}

/* Those of this rank's latents that lie in [first, past). */
static Shard own_part(const Sae *sae, int64_t first, int64_t past) {
  const Shard own = sae->own;
  const int64_t low = first < own.first ? own.first : (first < own.past ? first : own.past);
  const int64_t high = past < own.first ? own.first : (past < own.past ? past : own.past);
  return (Shard){low - own.first, high - own.first};
}

typedef struct Reading {
  const SaePicks *picks;
  const Sae *sae;
  float *out;
} Reading;

/* What the sums are as numbers. */
static void read_sums(void *context, int64_t first, int64_t count) {
  const Reading *reading = context;
  const SaePicks *picks = reading->picks;
  const Sae *sae = reading->sae;
  float *out = reading->out;
  for (int64_t row = first; row < first + count; row++) {
    for (int64_t j = 0; j < sae->width; j++) {
      const int64_t i = row * sae->width + j;
      out[i] = (float)(fixed_to(picks->sums[i], picks->scales[row]) + (double)sae->b_dec[j]);
    }
  }
}

/* No partial sum is larger than the sum of the row's activations: decoder rows have unit norm
 * (1.001 covers their rounding). Parts add up in fixed point, so a nested part costs no more. */
Status sae_decode(Team *group, const Sae *sae, SaePicks *picks, const int64_t *past, int64_t parts,
                  float *out, int64_t stride) {
  const int64_t values = picks->rows * sae->width;
  for (int64_t row = 0; row < picks->rows; row++) {
    picks->scales[row] = fixed_scale(1.001 * picks->bounds[row]);
  }
  for (int64_t g = 0; g < parts; g++) {
    const Shard part = own_part(sae, g == 0 ? 0 : past[g - 1], past[g]);
    int64_t *sums = g == 0 ? picks->sums : picks->part; /* without nested parts never touched */
    TRY(hits_decode(&picks->hits, group, sae->w_dec, sae->width, part, picks->scales, sums));
    for (int64_t i = 0; g > 0 && i < values; i++) {
      picks->sums[i] += picks->part[i];
    }
    Reading reading = {picks, sae, out + g * stride};
    alike_run(picks->rows, read_sums, &reading);
  }
  return OK;
}
