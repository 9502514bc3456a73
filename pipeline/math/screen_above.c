#include <math.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "screen_parts.h"
#include "threads.h"

/* All pairs above a threshold: what can exceed its base row's threshold is scored exactly with the
 * tile. A unit's finds come in the order of tiles; a counting sort by query ends it. */

typedef struct Find {
  int32_t query; /* in the unit */
  uint32_t index;
  float score;
} Find;

typedef struct Finds {
  Find *items;
  int64_t count, room;
} Finds;

typedef struct Above {
  Screen screen;
  const float *threshold;
  float *least;    /* [base count] what a score without bias must reach */
  Finds *finds;    /* [threads] of the present unit */
  Finds *done;     /* [units] sorted */
  int64_t *counts; /* [queries] finds of each */
} Above;

/* fl(e + bias) > threshold needs e + bias > threshold less one rounding of that size. */
static float least_of(const Above *above, int64_t index) {
  const ScreenSide *base = &above->screen.job->base;
  const double bias = base->bias == NULL ? 0.0 : (double)base->bias[index];
  const double screened = screen_bias(base, index);
  const double threshold = (double)above->threshold[index];
  if (!(threshold < INFINITY)) {
    return INFINITY;
  }
  const double slack = 0x1p-22 * (fabs(threshold) + fabs(bias) + fabs(screened));
  return screen_least(&above->screen, threshold - screened - slack);
}

static Status make_place(Finds *finds, int64_t more) {
  if (finds->count + more <= finds->room) {
    return OK;
  }
  const int64_t room = 2 * finds->room + more;
  TRY(MEMORY_RESIZE(&finds->items, room, "finds of a tile"));
  finds->room = room;
  return OK;
}

/* Score the picks and keep those that are above. */
static Status settle(const Above *above, const Tile *tile, int thread) {
  const Screen *screen = &above->screen;
  const float *bias = screen->job->base.bias;
  ScreenScratch *s = &screen->room->scratch[thread];
  Finds *finds = &above->finds[thread];
  const double begun = clock_seconds();
  screen_settle(screen, tile, s);
  TRY(make_place(finds, s->picks.count));
  for (int64_t i = 0; i < s->picks.count; i++) {
    const Pick *pick = &s->picks.items[i];
    const int64_t index = tile->base + pick->base;
    const float score = bias == NULL ? pick->exact : pick->exact + bias[index];
    if (score > above->threshold[index]) {
      finds->items[finds->count++] = (Find){pick->query, (uint32_t)index, score};
      above->counts[tile->unit_first + pick->query]++;
    }
  }
  s->picks.count = 0;
  s->cost.score += clock_seconds() - begun;
  return OK;
}

static void scan_row(const Above *above, const Tile *tile, ScreenScratch *s, int64_t query) {
  const Screen *screen = &above->screen;
  const int64_t at = query - tile->unit_first;
  const void *scores = screen_scores(tile, query);
  const float *least = above->least + tile->base;
  LanesColumns columns = screen_columns_of(screen, tile->base);
  columns.bias = NULL; /* it is in the limits */
  columns.back = least;
  s->rows[at].least = INFINITY;
  const LanesRow row = screen_scan_row(screen, &s->rows[at], tile->base);
  const int64_t found = lanes()->scan(scores, &columns, &row, tile->count, s->hits);
  for (int64_t i = 0; i < found; i++) {
    const int32_t n = s->hits[i];
    const float upper = screen_mid(screen, &s->rows[at], scores, tile->base, n) +
                        screen_margin(screen, &s->rows[at], tile->base + n);
    s->picks.items[s->picks.count] = (Pick){.query = (int32_t)at, .base = (uint16_t)n};
    s->picks.count += upper >= least[n];
  }
}

static Status scan_block(const Above *above, const Tile *tile, int thread) {
  const ScreenSide *query = &above->screen.job->query;
  ScreenScratch *s = &above->screen.room->scratch[thread];
  const double begun = clock_seconds();
  const double scored = s->cost.score;
  for (int64_t q = tile->first; q < tile->past; q++) {
    if (s->picks.count + TILE > PICKS) {
      TRY(settle(above, tile, thread));
    }
    if (screen_takes_part(query, q)) {
      scan_row(above, tile, s, q);
    }
  }
  TRY(settle(above, tile, thread));
  s->cost.scan += clock_seconds() - begun - (s->cost.score - scored);
  return OK;
}

/* The unit's finds by query; within a query they are in order of base rows already. */
static Status sort_unit(const Above *above, int64_t unit, int thread) {
  Finds *finds = &above->finds[thread];
  Finds *done = &above->done[unit];
  const Tile all = screen_tile(&above->screen, unit, 0);
  int64_t next[UNIT] = {0};
  TRY(MEMORY_NEW(&done->items, finds->count, "finds of a unit"));
  for (int64_t q = all.first; q + 1 < all.past; q++) {
    next[q + 1 - all.first] = next[q - all.first] + above->counts[q];
  }
  for (int64_t i = 0; i < finds->count; i++) {
    done->items[next[finds->items[i].query]++] = finds->items[i];
  }
  done->count = finds->count;
  finds->count = 0;
  return OK;
}

static Status above_unit(int64_t unit, int thread, void *context) {
  const Above *above = context;
  const Screen *screen = &above->screen;
  ScreenScratch *s = &screen->room->scratch[thread];
  const Tile all = screen_tile(screen, unit, 0);
  for (int64_t q = all.first; q < all.past; q++) {
    s->rows[q - all.first] = screen_row_of(screen, q);
  }
  for (int64_t t = 0; t < screen->tiles; t++) {
    Tile tile = screen_tile(screen, unit, t);
    for (int64_t first = all.first; first < all.past; first += screen->block) {
      TRY(screen_multiply(screen, &tile, first, 0, s));
      TRY(scan_block(above, &tile, thread));
    }
  }
  return sort_unit(above, unit, thread);
}

static Status make_above(Above *above) {
  const int64_t count = above->screen.job->base.count;
  TRY(screen_open(&above->screen, 0));
  TRY(MEMORY_NEW(&above->least, count, "limits of base rows"));
  TRY(MEMORY_NEW(&above->finds, threads_count(), "finds of threads"));
  TRY(MEMORY_NEW(&above->done, above->screen.units, "finds of units"));
  for (int64_t i = 0; i < count; i++) {
    above->least[i] = least_of(above, i);
  }
  return MEMORY_NEW(&above->counts, above->screen.job->query.count, "counts of finds");
}

static void free_above(Above *above) {
  for (int t = 0; above->finds != NULL && t < threads_count(); t++) {
    MEMORY_FREE(above->finds[t].items);
  }
  for (int64_t u = 0; above->done != NULL && u < above->screen.units; u++) {
    MEMORY_FREE(above->done[u].items);
  }
  MEMORY_FREE(above->least);
  MEMORY_FREE(above->finds);
  MEMORY_FREE(above->done);
  MEMORY_FREE(above->counts);
  screen_close(&above->screen);
}

static Status fit_hits(ScreenHits *hits, int64_t count) {
  if (count > hits->room) {
    TRY(MEMORY_RESIZE(&hits->index, count, "hits above thresholds"));
    TRY(MEMORY_RESIZE(&hits->score, count, "hits above thresholds"));
    hits->room = count;
  }
  return OK;
}

static Status gather(const Above *above, ScreenHits *hits) {
  const int64_t queries = above->screen.job->query.count;
  int64_t at = 0;
  for (int64_t q = 0; q < queries; q++) {
    hits->start[q + 1] = hits->start[q] + above->counts[q];
  }
  TRY(fit_hits(hits, hits->start[queries]));
  for (int64_t u = 0; u < above->screen.units; u++) {
    for (int64_t i = 0; i < above->done[u].count; i++, at++) {
      hits->index[at] = above->done[u].items[i].index;
      hits->score[at] = above->done[u].items[i].score;
    }
    MEMORY_FREE(above->done[u].items);
  }
  return OK;
}

static Status run_above(Above *above, ScreenHits *hits) {
  TRY(make_above(above));
  TRY(threads_run(above->screen.units, above_unit, above));
  return gather(above, hits);
}

Status screen_above(const ScreenJob *job, const float *threshold, ScreenHits *hits) {
  TRY(MEMORY_RESIZE(&hits->start, job->query.count + 1, "hits of queries"));
  memset(hits->start, 0, (size_t)(job->query.count + 1) * sizeof(*hits->start));
  if (job->query.count == 0 || job->base.count == 0) {
    return OK;
  }
  ScreenRoom own = {0};
  Above above = {.threshold = threshold,
                 .screen = {.job = job, .room = job->room == NULL ? &own : job->room}};
  const Status status = run_above(&above, hits);
  free_above(&above);
  screen_room_clear(&own);
  return status;
}

void screen_hits_clear(ScreenHits *hits) {
  MEMORY_FREE(hits->start);
  MEMORY_FREE(hits->index);
  MEMORY_FREE(hits->score);
  *hits = (ScreenHits){0};
}
