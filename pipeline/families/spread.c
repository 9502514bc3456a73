#include "spread.h"

#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "threads.h"

static void mean_of(Team *team, const Directions *rows, int64_t *sums, float *mean) {
  /* Coordinates of unit rows are at most 1 (and a rounding). */
  const double scale = fixed_scale(2.0 * (double)rows->latents);
  for (int64_t i = 0; i < shard_count(rows->own); i++) {
    if (rows->state[i] == DIRECTION_ALIVE) {
      fixed_add_row(sums, rows->rows + i * rows->width, rows->width, 1.0, scale);
    }
  }
  exchange_sum(team, sums, rows->width);
  const int64_t alive = directions_count(team, rows, DIRECTION_ALIVE);
  for (int64_t j = 0; j < rows->width; j++) {
    mean[j] = alive > 0 ? (float)(fixed_to(sums[j], scale) / (double)alive) : 0.0F;
  }
}

Status spread_mean(Team *team, const Directions *rows, float *mean) {
  int64_t *sums = NULL;
  const Status status =
      team_agree(team, MEMORY_NEW(&sums, rows->width, "sum of a dictionary's rows"));
  if (status == OK) {
    mean_of(team, rows, sums, mean);
  }
  MEMORY_FREE(sums);
  return status;
}

/** The Gram matrix of one block of rows, column by column: a unit of work is one row of the
 *  upper triangle. */
typedef struct Gram {
  const float *columns; /* [width, block] centred rows of one block, transposed */
  int64_t *sums;        /* [width, width] fixed point, upper triangle */
  int64_t width, block;
  double scale;
} Gram;

static Status gram_row(int64_t i, int thread, void *context) {
  const Gram *gram = context;
  (void)thread;
  const float *column = gram->columns + i * gram->block;
  int64_t *sums = gram->sums + i * gram->width;
  int64_t j = i;
  for (; j + 4 <= gram->width; j += 4) {
    const float *other = gram->columns + j * gram->block;
    const float *const four[4] = {other, other + gram->block, other + 2 * gram->block,
                                  other + 3 * gram->block};
    float dots[4];
    dense_dot4(column, four, gram->block, dots);
    for (int l = 0; l < 4; l++) {
      sums[j + l] += fixed_of((double)dots[l], gram->scale);
    }
  }
  for (; j < gram->width; j++) {
    const float dot = dense_dot(column, gram->columns + j * gram->block, gram->block);
    sums[j] += fixed_of((double)dot, gram->scale);
  }
  return OK;
}

/** Columns of the latents [first, first + block) less the mean; zero where a latent is not alive
 *  or past the end. */
static void gram_columns(const Directions *rows, const float *mean, int64_t first, int64_t block,
                         float *columns) {
  memset(columns, 0, (size_t)(rows->width * block) * sizeof(*columns));
  for (int64_t i = 0; i < block && first + i < rows->own.past; i++) {
    const int64_t own = first + i - rows->own.first;
    if (rows->state[own] == DIRECTION_ALIVE) {
      for (int64_t j = 0; j < rows->width; j++) {
        columns[j * block + i] = rows->rows[own * rows->width + j] - mean[j];
      }
    }
  }
}

/** tr(S)^2 / tr(S^2) of a symmetric matrix given by its upper triangle; the unit of S cancels. */
static double gram_dimension(const Gram *gram) {
  double trace = 0;
  double square = 0;
  for (int64_t i = 0; i < gram->width; i++) {
    const int64_t *sums = gram->sums + i * gram->width;
    const double diagonal = fixed_to(sums[i], gram->scale);
    trace += diagonal;
    square += diagonal * diagonal;
    for (int64_t j = i + 1; j < gram->width; j++) {
      const double entry = fixed_to(sums[j], gram->scale);
      square += 2 * entry * entry;
    }
  }
  return square > 0 ? trace * trace / square : 0.0;
}

static Status gram_sum(const Directions *rows, const float *mean, Gram *gram) {
  float *columns = NULL;
  TRY(MEMORY_NEW(&columns, gram->width * gram->block, "columns of a block"));
  gram->columns = columns;
  Status status = OK;
  for (int64_t first = rows->own.first; first < rows->own.past && status == OK;
       first += gram->block) {
    gram_columns(rows, mean, first, gram->block, columns);
    status = threads_run(gram->width, gram_row, gram);
  }
  MEMORY_FREE(columns);
  return status;
}

Status spread_dimension(Team *team, const Directions *rows, const float *mean, double *out) {
  /* A centred row is no longer than 2, so no entry of the sum exceeds 4 latents. */
  Gram gram = {.width = rows->width,
               .block = shard_latent_block(rows->latents),
               .scale = fixed_scale(4.0 * (double)rows->latents)};
  Status status = MEMORY_NEW(&gram.sums, gram.width * gram.width, "covariance of a dictionary");
  if (status == OK) {
    status = gram_sum(rows, mean, &gram);
  }
  status = team_agree(team, status);
  if (status == OK) {
    exchange_sum(team, gram.sums, gram.width * gram.width);
    *out = gram_dimension(&gram);
  }
  MEMORY_FREE(gram.sums);
  return status;
}
