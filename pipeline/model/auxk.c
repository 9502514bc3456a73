#include "auxk.h"

#include <math.h>
#include <string.h>

#include "alike.h"
#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "lanes.h"
#include "memory.h"
#include "threads.h"

enum { TILE = 512, ROWS_A_UNIT = 32, PICKS_MOST = 512 };
enum { UNIT = ROWS_A_UNIT * TILE };

static Status make_buffers(Auxk *a, const Sae *sae, const Team *team, int64_t rows) {
  const int64_t own = shard_count(sae->own);
  const int64_t width = sae->width;
  a->k = width / 2 < PICKS_MOST ? (width / 2 < 1 ? 1 : width / 2) : PICKS_MOST;
  a->capacity = a->k < own ? a->k : own;
  TRY(cut_create(&a->cut, team, sae->latents, rows, a->k, a->k));
  TRY(hits_create(&a->hits, own, rows, a->capacity));
  TRY(MEMORY_NEW(&a->pull, rows * width, "residuals of AuxK"));
  TRY(MEMORY_NEW(&a->dead, own, "dead latents"));
  TRY(grid_create(&a->grid, width, rows, TILE));
  TRY(MEMORY_NEW(&a->tile, TILE * width, "a tile of dead latents"));
  TRY(MEMORY_NEW(&a->columns, 3 * TILE, "bounds of a tile"));
  TRY(MEMORY_NEW(&a->room, (int64_t)threads_count() * UNIT, "products on a grid"));
  TRY(MEMORY_NEW(&a->products, (int64_t)threads_count() * UNIT, "products on a grid"));
  TRY(MEMORY_NEW(&a->found, (int64_t)threads_count() * TILE, "dead latents that may be picks"));
  TRY(MEMORY_NEW(&a->keys, rows * a->capacity, "keys of AuxK"));
  TRY(MEMORY_NEW(&a->counts, rows, "keys of AuxK"));
  TRY(MEMORY_NEW(&a->scales, rows, "scales of AuxK"));
  TRY(MEMORY_NEW(&a->most, rows, "activations of AuxK"));
  TRY(MEMORY_NEW(&a->sums, rows * width, "sums of AuxK"));
  return MEMORY_NEW(&a->moments, 2 * width, "moments of residuals");
}

Status auxk_create(Auxk *auxk, const Sae *sae, const Team *team, int64_t rows_most) {
  *auxk = (Auxk){0};
  const Status status = make_buffers(auxk, sae, team, rows_most);
  if (status != OK) {
    auxk_clear(auxk);
  }
  return status;
}

void auxk_clear(Auxk *auxk) {
  cut_destroy(&auxk->cut);
  hits_clear(&auxk->hits);
  MEMORY_FREE(auxk->pull);
  MEMORY_FREE(auxk->dead);
  grid_clear(&auxk->grid);
  MEMORY_FREE(auxk->tile);
  MEMORY_FREE(auxk->columns);
  MEMORY_FREE(auxk->room);
  MEMORY_FREE(auxk->products);
  MEMORY_FREE(auxk->found);
  MEMORY_FREE(auxk->keys);
  MEMORY_FREE(auxk->counts);
  MEMORY_FREE(auxk->scales);
  MEMORY_FREE(auxk->most);
  MEMORY_FREE(auxk->sums);
  MEMORY_FREE(auxk->moments);
}

typedef struct AuxkWork {
  Auxk *auxk;
  const Sae *sae;
  const AuxkBatch *batch;
  int64_t rows;         /* of the batch that are worked on, numbered from 0: */
  const float *centred; /* [rows, width] */
  int64_t first, count; /* the tile: dead latents [first, first + count) of the list */
} AuxkWork;

/* The score that decides: in double, and in this order, on every CPU. */
static float score_of(const AuxkWork *work, int64_t row, int64_t n, int32_t product) {
  const Grid *grid = &work->auxk->grid;
  const double step = (double)grid->left_step[row] * (double)grid->right_step[n];
  return (float)((double)product * step +
                 (double)work->sae->b_enc[work->auxk->dead[work->first + n]]);
}

/* What may beat a row's worst pick, by a score in float32 with a bound of what it has lost; most do
 * not. */
static int64_t look(const AuxkWork *work, int64_t row, const int32_t *products, int32_t *found) {
  const Auxk *a = work->auxk;
  const float *columns = a->columns;
  const LanesColumns bounds = {.scale = a->grid.right_step,
                               .size = columns,
                               .error = columns + TILE,
                               .bias = columns + 2 * TILE};
  const SelectKey worst = select_worst(a->keys + row * a->capacity, a->counts[row], a->capacity);
  const LanesRow limit = {.scale = a->grid.left_step[row],
                          .size = a->grid.left_norm[row],
                          .error = 1.0F,
                          .least = worst == 0 ? -INFINITY : select_score(worst)};
  return lanes()->scan(products, &bounds, &limit, work->count, found);
}

static Status offer_unit(int64_t unit, int thread, void *context) {
  const AuxkWork *work = context;
  Auxk *a = work->auxk;
  const int64_t first = unit * ROWS_A_UNIT;
  const int64_t left = work->rows - first;
  const int64_t rows = left < ROWS_A_UNIT ? left : ROWS_A_UNIT;
  int32_t *products = a->products + (int64_t)thread * UNIT;
  int32_t *found = a->found + (int64_t)thread * TILE;
  TRY(grid_multiply(&a->grid, first, rows, a->room + (int64_t)thread * UNIT, products));
  for (int64_t row = first; row < first + rows; row++) {
    const int32_t *own = products + (row - first) * work->count;
    const int64_t count = look(work, row, own, found);
    for (int64_t i = 0; i < count; i++) {
      const float score = score_of(work, row, found[i], own[found[i]]);
      const int64_t latent = a->dead[work->first + found[i]];
      select_offer(a->keys + row * a->capacity, &a->counts[row], a->capacity,
                   select_key(score, work->sae->own.first + latent));
    }
  }
  return OK;
}

static int64_t row_units(const AuxkWork *work) {
  return (work->rows + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
}

/* The tile's latents on the grid. The scan's scores differ from those that decide by a few roundings
 * of the product, which is at most |row| |latent|, and of the bias. */
static Status set_tile(AuxkWork *work) {
  Auxk *a = work->auxk;
  const int64_t width = work->sae->width;
  const float lost = 0x1p-20F;
  for (int64_t n = 0; n < work->count; n++) {
    memcpy(a->tile + n * width, work->sae->w_enc + a->dead[work->first + n] * width,
           (size_t)width * sizeof(*a->tile));
  }
  TRY(grid_set_latents(&a->grid, a->tile, work->count));
  for (int64_t n = 0; n < work->count; n++) {
    const float bias = work->sae->b_enc[a->dead[work->first + n]];
    a->columns[n] = a->grid.right_norm[n] * lost;
    a->columns[TILE + n] = fabsf(bias) * lost + 0x1p-120F;
    a->columns[2 * TILE + n] = bias;
  }
  return OK;
}

/* This rank's best dead latents of each row by the score on the grid. */
static Status rank_dead(AuxkWork *work) {
  Auxk *a = work->auxk;
  a->dead_count = 0;
  for (int64_t i = 0; i < shard_count(work->sae->own); i++) {
    if (work->batch->is_dead[i]) {
      a->dead[a->dead_count++] = (int32_t)i;
    }
  }
  memset(a->counts, 0, (size_t)work->rows * sizeof(*a->counts));
  TRY(grid_set_rows(&a->grid, work->centred, work->rows));
  for (work->first = 0; work->first < a->dead_count; work->first += TILE) {
    work->count = a->dead_count - work->first < TILE ? a->dead_count - work->first : TILE;
    TRY(set_tile(work));
    TRY(threads_run(row_units(work), offer_unit, work));
  }
  return OK;
}

/* The keys that made the cut become hits; their place is known, their values follow. */
static void keep_hits(AuxkWork *work) {
  Auxk *a = work->auxk;
  int64_t count = 0;
  a->hits.rows = work->rows;
  for (int64_t row = 0; row < a->hits.rows; row++) {
    a->hits.row_start[row] = count;
    for (int64_t i = 0; i < a->counts[row]; i++) {
      const SelectKey key = a->keys[row * a->capacity + i];
      if (key >= a->cut->lines[row].best) {
        a->hits.by_row[count++] =
            (SaeHit){.row = (int32_t)row,
                     .latent = (int32_t)(select_id(key) - work->sae->own.first),
                     .active = true};
      }
    }
  }
  a->hits.row_start[a->hits.rows] = count;
}

/* What the picks add, by their real scores; one that is not positive stays as a hit that does not fire. */
static Status score_unit(int64_t unit, int thread, void *context) {
  const AuxkWork *work = context;
  Auxk *a = work->auxk;
  const Sae *sae = work->sae;
  (void)thread;
  for (int64_t row = unit * ROWS_A_UNIT; row < (unit + 1) * ROWS_A_UNIT && row < a->hits.rows;
       row++) {
    a->most[row] = 0.0;
    for (int64_t h = a->hits.row_start[row]; h < a->hits.row_start[row + 1]; h++) {
      SaeHit *hit = &a->hits.by_row[h];
      const float score = dense_dot(work->centred + row * sae->width,
                                    sae->w_enc + hit->latent * sae->width, sae->width) +
                          sae->b_enc[hit->latent];
      hit->value = score > 0.0F ? score : 0.0F;
      a->most[row] = fmax(a->most[row], (double)hit->value);
    }
  }
  return OK;
}

static void predict_rows(void *context, int64_t first, int64_t count) {
  const AuxkWork *work = context;
  const Auxk *a = work->auxk;
  const int64_t width = work->sae->width;
  for (int64_t row = first; row < first + count; row++) {
    for (int64_t j = 0; j < width; j++) {
      const int64_t at = (work->batch->rows.first + row) * width + j;
      const double predicted = fixed_to(a->sums[row * width + j], a->scales[row]);
      a->pull[at] = (float)(predicted - (double)work->batch->residual[at]);
    }
  }
}

/* e^ from the picks, then e^ - e. The largest activation of a row bounds its k picks. */
static Status predict(AuxkWork *work, Team *team) {
  Auxk *a = work->auxk;
  const int64_t width = work->sae->width;
  const Shard all = {0, shard_count(work->sae->own)};
  exchange_max(team, a->most, work->rows);
  for (int64_t row = 0; row < work->rows; row++) {
    a->scales[row] = fixed_scale(1.001 * (double)a->k * a->most[row]);
  }
  TRY(hits_decode(&a->hits, team, work->sae->w_dec, width, all, a->scales, a->sums));
  alike_run(work->rows, predict_rows, work);
  return OK;
}

/* The loss of training is |x - x^|^2, not divided by the variance of x. So the normalised loss of
 * AuxK is multiplied by that variance: left in its own unit, it would be hundreds of times weaker
 * than where both are normalised, and the dead would hardly move against the second moments of
 * their former life. */
void auxk_settle(Auxk *a, const AuxkBatch *batch, int64_t rows) {
  const int64_t width = a->grid.width;
  const double residual = alike_spread(batch->residual, rows, width, a->moments);
  const double share = fmin((double)batch->dead / (double)a->k, 1.0);
  double sum = 0.0;
  alike_squares(a->pull, rows, width, a->most);
  for (int64_t row = 0; row < rows; row++) {
    sum += a->most[row];
  }
  const double factor =
      residual > 0.0 ? batch->weight * share * batch->spread / residual / (double)rows : 0.0;
  a->factor = (float)(2.0 * factor);
  a->loss = factor * sum;
}

Status auxk_pick(Auxk *auxk, Team *team, const Sae *sae, const AuxkBatch *batch) {
  AuxkWork work = {.auxk = auxk,
                   .sae = sae,
                   .batch = batch,
                   .rows = shard_count(batch->rows),
                   .centred = batch->centred + batch->rows.first * sae->width};
  TRY_ALL(team, rank_dead(&work));
  TRY(cut_agree(auxk->cut, team, auxk->keys, auxk->counts, auxk->capacity, work.rows));
  keep_hits(&work);
  TRY_ALL(team, threads_run(row_units(&work), score_unit, &work));
  hits_sort(&auxk->hits);
  return predict(&work, team);
}
