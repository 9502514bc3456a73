#include "encode_pca.h"

#include <math.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "shard.h"
#include "spectrum.h"

static Status take(EncodePca *pca, int64_t batch) {
  const int64_t cells = pca->width * pca->width;
  TRY(MEMORY_NEW(&pca->cells, cells, "covariance of held-out rows"));
  TRY(MEMORY_NEW(&pca->products, cells, "covariance of a batch"));
  TRY(MEMORY_NEW(&pca->values, pca->width, "spectrum of held-out rows"));
  return MEMORY_NEW(&pca->rows, batch * pca->width, "held-out rows of a batch");
}

Status encode_pca_open(EncodePca *pca, int64_t width, int64_t batch) {
  *pca = (EncodePca){.width = width};
  return take(pca, batch);
}

void encode_pca_close(EncodePca *pca) {
  MEMORY_FREE(pca->cells);
  MEMORY_FREE(pca->products);
  MEMORY_FREE(pca->values);
  MEMORY_FREE(pca->rows);
}

void encode_pca_add(EncodePca *pca, const Team *team, const EncodeBatch *batch, const float *mean) {
  const int64_t width = pca->width;
  const Shard own = shard_of(batch->rows, 1, team->rank, team->size);
  int64_t count = 0;
  for (int64_t row = own.first; row < own.past; row++) {
    for (int64_t j = 0; batch->is_held_out[row] && j < width; j++) {
      pca->rows[count * width + j] = batch->x[row * width + j] - mean[j];
    }
    count += batch->is_held_out[row] ? 1 : 0;
  }
  if (count > 0) {
    dense_gemm_turned(pca->rows, width, pca->rows, width, count, pca->products);
    for (int64_t i = 0; i < width * width; i++) {
      pca->cells[i] += (double)pca->products[i];
    }
  }
}

/* In fixed point; cells of ranks are no larger than the largest. */
static Status add_ranks(EncodePca *pca, Team *team) {
  const int64_t cells = pca->width * pca->width;
  int64_t *sums = NULL;
  double most = 0.0;
  TRY_NEW(team, &sums, cells, "sums of a covariance");
  for (int64_t i = 0; i < cells; i++) {
    most = fmax(most, fabs(pca->cells[i]));
  }
  exchange_max(team, &most, 1);
  const double scale = fixed_scale(most * team->size);
  for (int64_t i = 0; i < cells; i++) {
    sums[i] = fixed_of(pca->cells[i], scale);
  }
  exchange_sum(team, sums, cells);
  for (int64_t i = 0; i < cells; i++) {
    pca->cells[i] = fixed_to(sums[i], scale);
  }
  MEMORY_FREE(sums);
  return OK;
}

Status encode_pca_finish(EncodePca *pca, Team *team) {
  TRY(add_ranks(pca, team));
  for (int64_t i = 0; i < pca->width; i++) {
    pca->total += pca->cells[i * pca->width + i];
  }
  pca->is_done = true;
  return pca->total > 0.0 ? spectrum_of(team, pca->cells, pca->width, pca->values) : OK;
}

double encode_pca_explained(const EncodePca *pca, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count && i < pca->width; i++) {
    sum += pca->values[i];
  }
  return pca->total > 0.0 ? sum / pca->total : (double)NAN;
}
