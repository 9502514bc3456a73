#include "screen.h"

#include <math.h>

#include "clock.h"
#include "memory.h"
#include "screen_parts.h"
#include "threads.h"

/* The k best: of a tile's screened scores, what may be among a query's or a base row's best is
 * scored exactly at once or kept for the end (screen_pool.c, screen_back.c). A score that is passed
 * over cannot be among the k best, whatever the tiles were: so the result depends on none of
 * them. */
enum { LIST_LEAST = 256 };

/* The column of a query's own row, where pairs with equal ids take no part; else -1. */
static int64_t own_column(const ScreenJob *job, const Tile *tile, int64_t query) {
  if (!job->skip_equal_ids) {
    return -1;
  }
  const int64_t id = screen_id(&job->query, query);
  int64_t low = 0;
  for (int64_t high = tile->count; low < high;) { /* ids ascend */
    const int64_t middle = low + (high - low) / 2;
    const bool is_before = screen_id(&job->base, tile->base + middle) < id;
    low = is_before ? middle + 1 : low;
    high = is_before ? high : middle;
  }
  return low < tile->count && screen_id(&job->base, tile->base + low) == id ? low : -1;
}

/* Columns that reached one of the two limits become picks or candidates. All are written, and
 * counted if they are one: which they are cannot be foreseen, and a branch on it costs more. */
static void take_hits(const Screen *screen, const Tile *tile, ScreenScratch *s, int64_t query,
                      const int32_t *hits, int64_t count) {
  const int32_t at = (int32_t)(query - tile->unit_first);
  const LanesRow row = s->rows[at];
  const void *scores = screen_scores(tile, query);
  const int64_t own = own_column(screen->job, tile, query);
  const float *bias = screen->columns.bias;
  const bool has_back = screen->locks != NULL;
  Pool *pool = &s->pools[at];
  Candidate *list = s->lists + at * screen->room->list + pool->count;
  Pick *picks = s->picks.items + s->picks.count;
  int64_t listed = 0, picked = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t n = hits[i];
    const float plain = screen_mid(screen, &row, scores, tile->base, n);
    const float mid = bias == NULL ? plain : plain + bias[tile->base + n];
    const float upper = mid + screen_margin(screen, &row, tile->base + n);
    const bool is_candidate = (upper >= row.least) & (mid < pool->first) & (n != own);
    const bool for_query = is_candidate & (mid >= pool->bar);
    const bool for_base = has_back && (upper >= s->back[n]) & (mid < s->back_first[n]) & (n != own);
    list[listed] = (Candidate){upper, (int32_t)tile->base + n};
    listed += is_candidate & !for_query;
    picks[picked] =
        (Pick){.query = at, .base = (uint16_t)n, .for_query = for_query, .for_base = for_base};
    picked += for_query | for_base;
  }
  pool->count += listed;
  s->picks.count += picked;
}

static void scan_row(const Screen *screen, const Tile *tile, ScreenScratch *s, int64_t query) {
  const int64_t at = query - tile->unit_first;
  LanesColumns columns = screen_columns_of(screen, tile->base);
  columns.back = screen->locks == NULL ? NULL : s->back;
  const LanesRow row = screen_scan_row(screen, &s->rows[at], tile->base);
  const int64_t found =
      lanes()->scan(screen_scores(tile, query), &columns, &row, tile->count, s->hits);
  for (int64_t i = 0; i < found;) {
    const int64_t room = screen_pool_room(screen, s, query, at);
    const int64_t count = found - i < room ? found - i : room;
    take_hits(screen, tile, s, query, s->hits + i, count);
    i += count;
  }
}

/* The pairs that reach the limits of a first look: those alone, since an upper bound without an error
 * is the screened score. */
static void pick_first(const Screen *screen, const Tile *tile, ScreenScratch *s, int64_t query,
                       float least, const float *back) {
  const int32_t at = (int32_t)(query - tile->unit_first);
  const LanesRow row = {.scale = s->rows[at].scale, .least = least};
  const int64_t own = own_column(screen->job, tile, query);
  LanesColumns columns = screen_columns_of(screen, tile->base);
  columns.back = back;
  const int64_t found =
      lanes()->scan(screen_scores(tile, query), &columns, &row, tile->count, s->hits);
  for (int64_t i = 0; i < found; i++) {
    const int32_t n = s->hits[i];
    s->picks.items[s->picks.count] = (Pick){
        .query = at, .base = (uint16_t)n, .for_query = back == NULL, .for_base = back != NULL};
    s->picks.count += n != own;
  }
}

static void scan_first(const Screen *screen, const Tile *tile, ScreenScratch *s, int64_t query) {
  const int64_t at = query - tile->unit_first;
  pick_first(screen, tile, s, query, s->pools[at].first, NULL);
}

static void scan_back_first(const Screen *screen, const Tile *tile, ScreenScratch *s,
                            int64_t query) {
  pick_first(screen, tile, s, query, INFINITY, s->back_first);
}

/* Score the picks. What base rows ask for has changed then. */
static void settle(const Screen *screen, const Tile *tile, ScreenScratch *s) {
  const double begun = clock_seconds();
  screen_settle(screen, tile, s);
  screen_pool_offer(screen, tile, s);
  if (screen->locks != NULL) {
    screen_back_offer(screen, tile, s);
    (void)screen_back_look(screen, tile, s);
  }
  s->picks.count = 0;
  s->cost.score += clock_seconds() - begun;
}

typedef void ScanRow(const Screen *screen, const Tile *tile, ScreenScratch *s, int64_t query);

static void scan_block(const Screen *screen, const Tile *tile, ScreenScratch *s, ScanRow *scan) {
  const double begun = clock_seconds();
  const double scored = s->cost.score;
  for (int64_t q = tile->first; q < tile->past; q++) {
    if (s->picks.count + TILE > PICKS) {
      settle(screen, tile, s);
    }
    /* where a later query's list goes on: a long way to fetch it from */
    const int64_t next = q + 4 < tile->past ? q + 4 - tile->unit_first : 0;
    __builtin_prefetch(s->lists + next * screen->room->list + s->pools[next].count, 1);
    if (screen_takes_part(&screen->job->query, q)) {
      scan(screen, tile, s, q);
    }
  }
  s->cost.scan += clock_seconds() - begun - (s->cost.score - scored);
}

/* A block meets the first tiles together: the best of them all are scored first, so that few pairs
 * reach the bar even there. */
static Status meet_first(const Screen *screen, Tile *tiles, int64_t count, int64_t first,
                         ScreenScratch *s) {
  for (int64_t t = 0; t < count; t++) {
    TRY(screen_multiply(screen, &tiles[t], first, t, s));
  }
  for (int64_t q = first; q < tiles->past && !screen->columns.has_infinite; q++) {
    if (screen->job->counts[q] < screen->job->k) {
      screen_pool_look(screen, tiles, count, s, q);
    }
  }
  for (int64_t t = 0; t < count; t++) {
    scan_block(screen, &tiles[t], s, scan_first);
    settle(screen, &tiles[t], s);
  }
  for (int64_t t = 0; t < count; t++) {
    if (screen->locks != NULL) {
      (void)screen_back_look(screen, &tiles[t], s);
    }
    scan_block(screen, &tiles[t], s, scan_row);
    settle(screen, &tiles[t], s);
  }
  return OK;
}

/* Base rows that meet their first unit meet all its blocks together, and their best are scored
 * first, like a query's in its first tiles. */
static Status meet_new(const Screen *screen, Tile *tile, ScreenScratch *s) {
  Tile parts[WIDE];
  int64_t count = 0;
  for (int64_t first = tile->unit_first; first < tile->past; first += screen->block, count++) {
    parts[count] = *tile;
    TRY(screen_multiply(screen, &parts[count], first, count, s));
  }
  screen_back_first(screen, parts, count, s);
  for (int64_t p = 0; p < count; p++) {
    scan_block(screen, &parts[p], s, scan_back_first);
  }
  settle(screen, tile, s);
  for (int64_t p = 0; p < count; p++) {
    scan_block(screen, &parts[p], s, scan_row);
  }
  settle(screen, tile, s);
  for (int64_t n = 0; n < TILE; n++) {
    s->back_first[n] = INFINITY;
  }
  return OK;
}

static Status meet_tile(const Screen *screen, Tile *tile, ScreenScratch *s) {
  if (screen->locks != NULL && screen_back_look(screen, tile, s) && !screen->columns.has_infinite) {
    return meet_new(screen, tile, s);
  }
  const int64_t past = tile->past;
  for (int64_t first = tile->unit_first; first < past; first += screen->block) {
    TRY(screen_multiply(screen, tile, first, 0, s));
    scan_block(screen, tile, s, scan_row);
  }
  settle(screen, tile, s);
  return OK;
}

static Status screen_unit(int64_t unit, int thread, void *context) {
  const Screen *screen = context;
  ScreenScratch *s = &screen->room->scratch[thread];
  Tile tiles[WIDE] = {screen_tile(screen, unit, 0)};
  int64_t t = 1;
  for (; t < WIDE && t < screen->tiles; t++) {
    tiles[t] = screen_tile(screen, unit, t);
  }
  const int64_t past = tiles[0].past;
  for (int64_t n = 0; n < TILE; n++) {
    s->back_first[n] = INFINITY;
  }
  for (int64_t q = tiles[0].first; q < past; q++) {
    screen_pool_open(screen, s, q, q - tiles[0].first);
  }
  for (int64_t first = tiles[0].first; first < past; first += screen->block) {
    TRY(meet_first(screen, tiles, t, first, s));
  }
  for (int64_t q = 0; q < past - tiles[0].unit_first; q++) {
    s->pools[q].first = INFINITY;
  }
  for (; t < screen->tiles; t++) {
    Tile tile = screen_tile(screen, unit, t);
    TRY(meet_tile(screen, &tile, s));
  }
  screen_pool_finish(screen, unit, s);
  return OK;
}

static Status run_units(Screen *screen) {
  const int64_t k = screen->job->k;
  TRY(screen_open(screen, LIST_LEAST + 4 * k));
  if (screen->job->back_keys != NULL) {
    TRY(screen_back_create(screen));
  }
  return threads_run(screen->units, screen_unit, screen);
}

Status screen_run(const ScreenJob *job) {
  ScreenRoom own = {0};
  Screen screen = {.job = job, .room = job->room == NULL ? &own : job->room};
  if (job->query.count == 0 || job->base.count == 0 || job->k == 0) {
    return OK;
  }
  const Status status = run_units(&screen);
  screen_back_clear(&screen);
  screen_close(&screen);
  screen_room_clear(&own);
  return status;
}
