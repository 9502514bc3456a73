#include "spread.h"

#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "threads.h"

static int64_t entries_of(const Spread *spread) {
  return spread->width * (spread->mean == NULL ? 1 : spread->width);
}

/* Coordinates of unit rows are at most 1 (and a rounding); a centred row is no longer than 2, so no
 * product of two of its coordinates exceeds 4. */
static double scale_of(const Spread *spread) {
  return fixed_scale((spread->mean == NULL ? 2.0 : 4.0) * (double)spread->latents);
}

Status spread_open(Spread *spread, int64_t latents, int64_t width, const float *mean) {
  *spread = (Spread){.latents = latents, .width = width, .mean = mean};
  return MEMORY_NEW(&spread->sums, entries_of(spread), "sums over a dictionary's rows");
}

void spread_clear(Spread *spread) {
  MEMORY_FREE(spread->sums);
}

static int64_t count_alive(const Directions *rows) {
  int64_t alive = 0;
  for (int64_t i = 0; i < shard_count(rows->own); i++) {
    alive += rows->state[i] == DIRECTION_ALIVE;
  }
  return alive;
}

static void add_rows(Spread *spread, const Directions *rows) {
  const double scale = scale_of(spread);
  for (int64_t i = 0; i < shard_count(rows->own); i++) {
    if (rows->state[i] == DIRECTION_ALIVE) {
      fixed_add_row(spread->sums, rows->rows + i * rows->width, rows->width, 1.0, scale);
    }
  }
}

/* The Gram matrix of one latent block, column by column: a unit of work is one row of the upper
 * triangle. Panels hold whole blocks, so the products are the same in any panels. */
typedef struct Gram {
  const Spread *spread;
  float *columns; /* [width, block] centred rows of one block, transposed */
  int64_t block;
} Gram;

static Status gram_row(int64_t i, int thread, void *context) {
  const Gram *gram = context;
  (void)thread;
  const int64_t width = gram->spread->width;
  const double scale = scale_of(gram->spread);
  const float *column = gram->columns + i * gram->block;
  int64_t *sums = gram->spread->sums + i * width;
  int64_t j = i;
  for (; j + 4 <= width; j += 4) {
    const float *other = gram->columns + j * gram->block;
    const float *const four[4] = {other, other + gram->block, other + 2 * gram->block,
                                  other + 3 * gram->block};
    float dots[4];
    dense_dot4(column, four, gram->block, dots);
    for (int l = 0; l < 4; l++) {
      sums[j + l] += fixed_of((double)dots[l], scale);
    }
  }
  for (; j < width; j++) {
    const float dot = dense_dot(column, gram->columns + j * gram->block, gram->block);
    sums[j] += fixed_of((double)dot, scale);
  }
  return OK;
}

/* Columns of the latents [first, first + block) less the mean; zero where a latent is not alive or
 * past the end. */
static void fill_columns(const Gram *gram, const Directions *rows, int64_t first) {
  const int64_t width = rows->width;
  memset(gram->columns, 0, (size_t)(width * gram->block) * sizeof(*gram->columns));
  for (int64_t i = 0; i < gram->block && first + i < rows->own.past; i++) {
    const int64_t own = first + i - rows->own.first;
    if (rows->state[own] == DIRECTION_ALIVE) {
      for (int64_t j = 0; j < width; j++) {
        gram->columns[j * gram->block + i] = rows->rows[own * width + j] - gram->spread->mean[j];
      }
    }
  }
}

static Status add_products(const Spread *spread, const Directions *rows) {
  Gram gram = {.spread = spread, .block = shard_latent_block(spread->latents)};
  TRY(MEMORY_NEW(&gram.columns, spread->width * gram.block, "columns of a block"));
  Status status = OK;
  for (int64_t first = rows->own.first; first < rows->own.past && status == OK;
       first += gram.block) {
    fill_columns(&gram, rows, first);
    status = threads_run(spread->width, gram_row, &gram);
  }
  MEMORY_FREE(gram.columns);
  return status;
}

Status spread_add(Spread *spread, const Directions *rows) {
  ASSERT(rows->latents == spread->latents && rows->width == spread->width);
  spread->alive += count_alive(rows);
  if (spread->mean != NULL) {
    return add_products(spread, rows);
  }
  add_rows(spread, rows);
  return OK;
}

void spread_join(Spread *spread, Team *team) {
  exchange_sum(team, &spread->alive, 1);
  exchange_sum(team, spread->sums, entries_of(spread));
}

void spread_mean_of(const Spread *spread, float *mean) {
  const double scale = scale_of(spread);
  for (int64_t j = 0; j < spread->width; j++) {
    const double sum = fixed_to(spread->sums[j], scale);
    mean[j] = spread->alive > 0 ? (float)(sum / (double)spread->alive) : 0.0F;
  }
}

/* Entry (i, j) of the sum of products, j >= i. */
static double product(const Spread *spread, int64_t i, int64_t j) {
  return fixed_to(spread->sums[i * spread->width + j], scale_of(spread));
}

/* The number of rows cancels. */
double spread_dimension_of(const Spread *spread) {
  double trace = 0;
  double square = 0;
  for (int64_t i = 0; i < spread->width; i++) {
    const double diagonal = product(spread, i, i);
    trace += diagonal;
    square += diagonal * diagonal;
    for (int64_t j = i + 1; j < spread->width; j++) {
      const double entry = product(spread, i, j);
      square += 2 * entry * entry;
    }
  }
  return square > 0 ? trace * trace / square : 0.0;
}

void spread_covariance_of(const Spread *spread, double *out) {
  const double count = spread->alive > 0 ? (double)spread->alive : 1.0;
  for (int64_t i = 0; i < spread->width; i++) {
    for (int64_t j = i; j < spread->width; j++) {
      const double entry = product(spread, i, j) / count;
      out[i * spread->width + j] = entry;
      out[j * spread->width + i] = entry;
    }
  }
}

static Status sum_whole(Spread *spread, Team *team, const Directions *rows, const float *mean) {
  TRY_ALL(team, spread_open(spread, rows->latents, rows->width, mean));
  TRY_ALL(team, spread_add(spread, rows));
  spread_join(spread, team);
  return OK;
}

Status spread_mean(Team *team, const Directions *rows, float *mean) {
  Spread spread = {0};
  const Status status = sum_whole(&spread, team, rows, NULL);
  if (status == OK) {
    spread_mean_of(&spread, mean);
  }
  spread_clear(&spread);
  return status;
}

Status spread_dimension(Team *team, const Directions *rows, const float *mean, double *out) {
  Spread spread = {0};
  const Status status = sum_whole(&spread, team, rows, mean);
  if (status == OK) {
    *out = spread_dimension_of(&spread);
  }
  spread_clear(&spread);
  return status;
}
