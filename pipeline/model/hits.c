#include "hits.h"

#include <string.h>

#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "threads.h"

enum { ROWS_A_UNIT = 16 };

static Status make_buffers(Hits *hits, int64_t latents, int64_t rows_most, int64_t most) {
  TRY(MEMORY_NEW(&hits->by_row, rows_most * most, "hits of the batch"));
  TRY(MEMORY_NEW(&hits->by_latent, rows_most * most, "hits of the batch"));
  TRY(MEMORY_NEW(&hits->row_start, rows_most + 1, "hits of rows"));
  return MEMORY_NEW(&hits->latent_start, latents + 2, "hits of latents");
}

Status hits_create(Hits *hits, int64_t latents, int64_t rows_most, int64_t most) {
  *hits = (Hits){.latents = latents};
  const Status status = make_buffers(hits, latents, rows_most, most);
  if (status != OK) {
    hits_clear(hits);
  }
  return status;
}

void hits_clear(Hits *hits) {
  MEMORY_FREE(hits->by_row);
  MEMORY_FREE(hits->by_latent);
  MEMORY_FREE(hits->row_start);
  MEMORY_FREE(hits->latent_start);
}

/* Counting sort; start[latent + 1] serves as the place of the latent's next hit. */
void hits_sort(Hits *hits) {
  const int64_t count = hits->row_start[hits->rows];
  int64_t *start = hits->latent_start;
  memset(start, 0, (size_t)(hits->latents + 2) * sizeof(*start));
  for (int64_t i = 0; i < count; i++) {
    start[hits->by_row[i].latent + 2]++;
  }
  for (int64_t latent = 0; latent < hits->latents; latent++) {
    start[latent + 2] += start[latent + 1];
  }
  for (int64_t i = 0; i < count; i++) {
    hits->by_latent[start[hits->by_row[i].latent + 1]++] = hits->by_row[i];
  }
}

static void set_row_starts(Hits *hits, int64_t rows, int64_t count) {
  int64_t at = 0;
  for (int64_t row = 0; row < rows; row++) {
    hits->row_start[row] = at;
    while (at < count && hits->by_row[at].row == row) {
      at++;
    }
  }
  hits->row_start[rows] = at;
  hits->rows = rows;
}

Status hits_gather(Hits *hits, Team *lane, int64_t first, int64_t rows) {
  SaeHit *all = NULL;
  int64_t total;
  const int64_t mine = hits->row_start[hits->rows];
  for (int64_t i = 0; i < mine; i++) {
    hits->by_row[i].row += (int32_t)first;
  }
  TRY(exchange_collect(lane, hits->by_row, mine, sizeof(SaeHit), (void **)&all, &total,
                       "hits of the batch"));
  memcpy(hits->by_row, all, (size_t)total * sizeof(*all));
  MEMORY_FREE(all);
  set_row_starts(hits, rows, total);
  hits_sort(hits);
  return OK;
}

typedef struct Decoding {
  const Hits *hits;
  const float *w_dec;
  int64_t width;
  Shard part;
  const double *scales;
  int64_t *sums;
} Decoding;

static void add_row(const Decoding *d, int64_t row, int64_t *sums) {
  FixedRows rows = {.sums = sums, .width = d->width, .scale = d->scales[row]};
  for (int64_t i = d->hits->row_start[row]; i < d->hits->row_start[row + 1]; i++) {
    const SaeHit *hit = &d->hits->by_row[i];
    if (hit->active && hit->latent >= d->part.first && hit->latent < d->part.past) {
      fixed_push(&rows, d->w_dec + hit->latent * d->width, hit->value);
    }
  }
  fixed_flush(&rows);
}

static Status add_unit(int64_t unit, int thread, void *context) {
  const Decoding *d = context;
  const int64_t first = unit * ROWS_A_UNIT;
  (void)thread;
  for (int64_t row = first; row < first + ROWS_A_UNIT && row < d->hits->rows; row++) {
    int64_t *sums = d->sums + row * d->width;
    memset(sums, 0, (size_t)d->width * sizeof(*sums));
    add_row(d, row, sums);
  }
  return OK;
}

Status hits_decode(const Hits *hits, Team *team, const float *w_dec, int64_t width, Shard part,
                   const double *scales, int64_t *sums) {
  Decoding decoding = {hits, w_dec, width, part, scales, sums};
  const int64_t units = (hits->rows + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  TRY_ALL(team, threads_run(units, add_unit, &decoding));
  exchange_sum(team, sums, hits->rows * width);
  return OK;
}
