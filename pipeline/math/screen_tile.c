#include "clock.h"
#include "dense.h"
#include "memory.h"
#include "screen_parts.h"
#include "threads.h"

/* Blocks are as large as leaves a tile's scores in the cache (8 bits), or as lets the BLAS pack
 * seldom (float32). */
enum { BLOCK_BYTES = 256, BLOCK_FLOATS = 512 };
_Static_assert(UNIT <= WIDE * BLOCK_BYTES, "all blocks of a unit may be kept");

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* Units are large, so that a base row is read once for many queries, but every thread gets one. */
Status screen_open(Screen *screen, int64_t list) {
  const ScreenJob *job = screen->job;
  const int64_t threads = threads_count();
  const int64_t share = (job->query.count + threads - 1) / threads;
  const bool in_bytes = job->query.lowp != NULL;
  ASSERT(in_bytes == (job->base.lowp != NULL));
  ASSERT(!in_bytes || job->base.lowp->count == job->base.count);
  ASSERT(job->query.bias == NULL && job->base.count < INT32_MAX);
  screen->unit = share < LEAST_UNIT ? LEAST_UNIT : smaller(share, UNIT);
  screen->block = smaller(screen->unit, in_bytes ? BLOCK_BYTES : BLOCK_FLOATS);
  screen->units = (job->query.count + screen->unit - 1) / screen->unit;
  screen->tiles = (job->base.count + TILE - 1) / TILE;
  screen->tiny = (double)(job->width + 16) * 0x1p-146;
  TRY(screen_room_fit(screen, list));
  return screen_columns_create(screen);
}

void screen_close(Screen *screen) {
  ScreenCost *cost = screen->job->cost;
  for (int t = 0; t < screen->room->threads; t++) {
    ScreenScratch *s = &screen->room->scratch[t];
    if (cost != NULL) {
      cost->multiply += s->cost.multiply;
      cost->scan += s->cost.scan;
      cost->score += s->cost.score;
      cost->scored += s->cost.scored;
    }
    s->cost = (ScreenCost){0};
  }
  screen_columns_clear(&screen->columns);
}

Tile screen_tile(const Screen *screen, int64_t unit, int64_t tile) {
  const int64_t first = unit * screen->unit;
  const int64_t base = tile * TILE;
  return (Tile){.unit_first = first,
                .first = first,
                .past = smaller(first + screen->unit, screen->job->query.count),
                .base = base,
                .count = smaller(screen->job->base.count - base, TILE)};
}

_Static_assert(sizeof(float) == sizeof(int32_t), "scores of both kinds share their memory");

Status screen_multiply(const Screen *screen, Tile *tile, int64_t first, int64_t slot,
                       ScreenScratch *s) {
  const ScreenSide *query = &screen->job->query;
  const ScreenSide *base = &screen->job->base;
  const int64_t width = screen->job->width;
  const double begun = clock_seconds();
  tile->first = first;
  tile->past =
      smaller(first + screen->block, smaller(tile->unit_first + screen->unit, query->count));
  tile->scores = (float *)s->score + slot * screen->block * TILE;
  const int64_t rows = tile->past - first;
  if (query->lowp != NULL) {
    TRY(lowp_multiply(query->lowp, first, rows, base->lowp, tile->base, tile->scores));
  } else {
    dense_gemm(query->rows + first * width, rows, base->rows + tile->base * width, tile->count,
               width, tile->scores);
  }
  s->cost.multiply += clock_seconds() - begun;
  return OK;
}

const void *screen_scores(const Tile *tile, int64_t query) {
  return (const float *)tile->scores + (query - tile->first) * tile->count;
}

/* A query with some base rows. */
static void score_query(const float *query, const float *base, int64_t width, Pick *picks,
                        int64_t count) {
  for (int64_t i = 0; i < count; i += 4) {
    const float *rows[4];
    float scores[4];
    for (int64_t j = 0; j < 4; j++) {
      rows[j] = base + picks[i + j < count ? i + j : i].base * width;
    }
    if (count - i >= 3) {
      dense_dot4(query, (const float *const *)rows, width, scores);
    } else {
      for (int64_t j = 0; j < count - i; j++) {
        scores[j] = dense_dot(query, rows[j], width);
      }
    }
    for (int64_t j = 0; j < 4 && i + j < count; j++) {
      picks[i + j].exact = scores[j];
    }
  }
}

/* Read a float of each cache line: in order they come from memory faster than in none (and than by
 * prefetching). The sum is there to be used. */
static float pass_over(const float *rows, int64_t count) {
  enum { LINE = 16 };
  float sum = 0;
  for (int64_t i = 0; i < count; i += LINE) {
    sum += rows[i];
  }
  return sum;
}

/* Picks stand by query: its row is read once, and the tile's base rows, which stay in the second cache, are what is
 * read in no order. The other way round it would be the queries of a unit, which are too many for that. The first block
 * of a unit brings the base rows there. */
void screen_settle(const Screen *screen, const Tile *tile, ScreenScratch *s) {
  const ScreenJob *job = screen->job;
  const float *queries = job->query.rows + tile->unit_first * job->width;
  const float *base = job->base.rows + tile->base * job->width;
  Pick *picks = s->picks.items;
  if (tile->first == tile->unit_first && s->picks.count > tile->count) {
    s->passed = pass_over(base, tile->count * job->width);
  }
  for (int64_t i = 0, past; i < s->picks.count; i = past) {
    const int32_t query = picks[i].query;
    for (past = i + 1; past < s->picks.count && picks[past].query == query; past++) {
    }
    score_query(queries + query * job->width, base, job->width, picks + i, past - i);
  }
  s->cost.scored += s->picks.count;
}
