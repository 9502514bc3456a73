#include "auxk.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "threads.h"

/* Integers up to GRID in magnitude; products of COLUMNS of them sum to less than 2^24, so float32
 * GEMM is exact. */
enum { GRID = 63, COLUMNS = 4096, TILE = 256, ROWS_A_UNIT = 32, PICKS_MOST = 512 };
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
  TRY(MEMORY_NEW(&a->grid_rows, rows * width, "rows on a grid"));
  TRY(MEMORY_NEW(&a->row_steps, rows, "steps of grids"));
  TRY(MEMORY_NEW(&a->grid_latents, TILE * width, "latents on a grid"));
  TRY(MEMORY_NEW(&a->latent_steps, TILE, "steps of grids"));
  TRY(MEMORY_NEW(&a->products, (int64_t)threads_count() * UNIT, "products on a grid"));
  TRY(MEMORY_NEW(&a->scores, (int64_t)threads_count() * UNIT, "scores on a grid"));
  TRY(MEMORY_NEW(&a->keys, rows * a->capacity, "keys of AuxK"));
  TRY(MEMORY_NEW(&a->counts, rows, "keys of AuxK"));
  TRY(MEMORY_NEW(&a->scales, rows, "scales of AuxK"));
  TRY(MEMORY_NEW(&a->most, rows, "activations of AuxK"));
  TRY(MEMORY_NEW(&a->sums, rows * width, "sums of AuxK"));
  return MEMORY_NEW(&a->room, 2 * width, "moments of residuals");
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
  MEMORY_FREE(auxk->grid_rows);
  MEMORY_FREE(auxk->row_steps);
  MEMORY_FREE(auxk->grid_latents);
  MEMORY_FREE(auxk->latent_steps);
  MEMORY_FREE(auxk->products);
  MEMORY_FREE(auxk->scores);
  MEMORY_FREE(auxk->keys);
  MEMORY_FREE(auxk->counts);
  MEMORY_FREE(auxk->scales);
  MEMORY_FREE(auxk->most);
  MEMORY_FREE(auxk->sums);
  MEMORY_FREE(auxk->room);
}

typedef struct AuxkWork {
  Auxk *auxk;
  const Sae *sae;
  const AuxkBatch *batch;
  int64_t first, count; /* the tile: dead latents [first, first + count) of the list */
} AuxkWork;

/* Columns [0, width) are kept a block of COLUMNS at a time, [count, columns] each, so that the BLAS
 * sees dense rows. */
static float *grid_block(float *grid, int64_t count, int64_t column) {
  return grid + count * column;
}

static int64_t columns_at(int64_t width, int64_t column) {
  return width - column < COLUMNS ? width - column : COLUMNS;
}

/* row = step * integers of at most GRID; row `at` of `count`. Adding 1.5 * 2^23 rounds to an
 * integer. */
static float put_on_grid(const float *row, int64_t width, float *grid, int64_t at, int64_t count) {
  const float magic = 12582912.0F;
  float most = 0.0F;
  for (int64_t j = 0; j < width; j++) {
    most = fmaxf(most, fabsf(row[j]));
  }
  const float inverse = most > 1e-30F ? (float)GRID / most : 0.0F;
  for (int64_t column = 0; column < width; column += COLUMNS) {
    const int64_t columns = columns_at(width, column);
    float *to = grid_block(grid, count, column) + at * columns;
    for (int64_t j = 0; j < columns; j++) {
      to[j] = (row[column + j] * inverse + magic) - magic;
    }
  }
  return most / (float)GRID;
}

static Status grid_rows_unit(int64_t unit, int thread, void *context) {
  const AuxkWork *work = context;
  Auxk *a = work->auxk;
  const int64_t width = work->sae->width;
  const int64_t rows = work->batch->rows;
  (void)thread;
  for (int64_t row = unit * ROWS_A_UNIT; row < (unit + 1) * ROWS_A_UNIT && row < rows; row++) {
    a->row_steps[row] =
        put_on_grid(work->batch->centred + row * width, width, a->grid_rows, row, rows);
  }
  return OK;
}

/* The integer dot products of some rows with the tile, exact. */
static void multiply(const AuxkWork *work, int64_t first, int64_t rows, float *products,
                     double *scores) {
  Auxk *a = work->auxk;
  const int64_t width = work->sae->width;
  for (int64_t column = 0; column < width; column += COLUMNS) {
    const int64_t columns = columns_at(width, column);
    const float *left = grid_block(a->grid_rows, work->batch->rows, column) + first * columns;
    dense_gemm(left, rows, grid_block(a->grid_latents, work->count, column), work->count, columns,
               products);
    for (int64_t i = 0; i < rows * work->count; i++) {
      scores[i] = (column == 0 ? 0.0 : scores[i]) + (double)products[i];
    }
  }
}

static Status offer_unit(int64_t unit, int thread, void *context) {
  const AuxkWork *work = context;
  Auxk *a = work->auxk;
  const int64_t first = unit * ROWS_A_UNIT;
  const int64_t left = work->batch->rows - first;
  const int64_t rows = left < ROWS_A_UNIT ? left : ROWS_A_UNIT;
  double *scores = a->scores + (int64_t)thread * UNIT;
  multiply(work, first, rows, a->products + (int64_t)thread * UNIT, scores);
  for (int64_t i = 0; i < rows * work->count; i++) {
    const int64_t row = first + i / work->count;
    const int64_t n = i % work->count;
    const int64_t latent = a->dead[work->first + n];
    const double step = (double)a->row_steps[row] * (double)a->latent_steps[n];
    const float score = (float)(scores[i] * step + (double)work->sae->b_enc[latent]);
    if (score > 0.0F) {
      select_offer(a->keys + row * a->capacity, &a->counts[row], a->capacity,
                   select_key(score, work->sae->own.first + latent));
    }
  }
  return OK;
}

static int64_t row_units(const AuxkWork *work) {
  return (work->batch->rows + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
}

/* This rank's best dead latents of each row by the score on the grid. */
static Status rank_dead(AuxkWork *work) {
  Auxk *a = work->auxk;
  const int64_t width = work->sae->width;
  a->dead_count = 0;
  for (int64_t i = 0; i < shard_count(work->sae->own); i++) {
    if (work->batch->is_dead[i]) {
      a->dead[a->dead_count++] = (int32_t)i;
    }
  }
  memset(a->counts, 0, (size_t)work->batch->rows * sizeof(*a->counts));
  TRY(threads_run(row_units(work), grid_rows_unit, work));
  for (work->first = 0; work->first < a->dead_count; work->first += TILE) {
    work->count = a->dead_count - work->first < TILE ? a->dead_count - work->first : TILE;
    for (int64_t n = 0; n < work->count; n++) {
      a->latent_steps[n] = put_on_grid(work->sae->w_enc + a->dead[work->first + n] * width, width,
                                       a->grid_latents, n, work->count);
    }
    TRY(threads_run(row_units(work), offer_unit, work));
  }
  return OK;
}

/* The keys that made the cut become hits; their place is known, their values follow. */
static void keep_hits(AuxkWork *work) {
  Auxk *a = work->auxk;
  int64_t count = 0;
  a->hits.rows = work->batch->rows;
  for (int64_t row = 0; row < a->hits.rows; row++) {
    a->hits.row_start[row] = count;
    for (int64_t i = 0; i < a->counts[row]; i++) {
      const SelectKey key = a->keys[row * a->capacity + i];
      if (key >= a->cut->lines[row].best) {
        a->hits.by_row[count++] = (SaeHit){
            .row = (int32_t)row, .latent = (int32_t)(select_id(key) - work->sae->own.first)};
      }
    }
  }
  a->hits.row_start[a->hits.rows] = count;
}

/* The real scores; what is not positive takes no part. */
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
      const float score = dense_dot(work->batch->centred + row * sae->width,
                                    sae->w_enc + hit->latent * sae->width, sae->width) +
                          sae->b_enc[hit->latent];
      hit->active = score > 0.0F;
      hit->value = hit->active ? score : 0.0F;
      a->most[row] = fmax(a->most[row], (double)hit->value);
    }
  }
  return OK;
}

static void drop_inactive(Hits *hits) {
  int64_t count = 0;
  int64_t first = 0;
  for (int64_t row = 0; row < hits->rows; row++) {
    const int64_t past = hits->row_start[row + 1];
    hits->row_start[row] = count;
    for (int64_t h = first; h < past; h++) {
      if (hits->by_row[h].active) {
        hits->by_row[count++] = hits->by_row[h];
      }
    }
    first = past;
  }
  hits->row_start[hits->rows] = count;
  hits_sort(hits);
}

/* e^ from the picks, then e^ - e. The largest activation of a row bounds its k picks. */
static Status predict(AuxkWork *work, Team *team) {
  Auxk *a = work->auxk;
  const AuxkBatch *batch = work->batch;
  const int64_t width = work->sae->width;
  exchange_max(team, a->most, batch->rows);
  for (int64_t row = 0; row < batch->rows; row++) {
    a->scales[row] = fixed_scale(1.001 * (double)a->k * a->most[row]);
  }
  TRY(hits_decode(&a->hits, team, work->sae->w_dec, width, a->scales, a->sums));
  for (int64_t row = 0; row < batch->rows; row++) {
    for (int64_t i = row * width; i < (row + 1) * width; i++) {
      const double predicted = fixed_to(a->sums[i], a->scales[row]);
      a->pull[i] = (float)(predicted - (double)batch->residual[i]);
    }
  }
  return OK;
}

/* The loss of training is |x - x^|^2, not divided by the variance of x. So the normalised loss of
 * AuxK is multiplied by that variance: left in its own unit, it would be hundreds of times weaker
 * than where both are normalised, and the dead would hardly move against the second moments of
 * their former life. */
static void set_loss(AuxkWork *work) {
  Auxk *a = work->auxk;
  const AuxkBatch *batch = work->batch;
  const int64_t width = work->sae->width;
  const double residual = dense_spread(batch->residual, batch->rows, width, a->room);
  const double share = fmin((double)batch->dead / (double)a->k, 1.0);
  double sum = 0.0;
  for (int64_t row = 0; row < batch->rows; row++) {
    sum += dense_square(a->pull + row * width, width);
  }
  const double factor =
      residual > 0.0 ? batch->weight * share * batch->spread / residual / (double)batch->rows : 0.0;
  a->factor = (float)(2.0 * factor);
  a->loss = factor * sum;
}

Status auxk_run(Auxk *auxk, Team *team, const Sae *sae, const AuxkBatch *batch) {
  AuxkWork work = {.auxk = auxk, .sae = sae, .batch = batch};
  TRY_ALL(team, rank_dead(&work));
  TRY(cut_agree(auxk->cut, team, auxk->keys, auxk->counts, auxk->capacity, batch->rows));
  keep_hits(&work);
  TRY_ALL(team, threads_run(row_units(&work), score_unit, &work));
  drop_inactive(&auxk->hits);
  TRY(predict(&work, team));
  set_loss(&work);
  return OK;
}
