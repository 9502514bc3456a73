#include <math.h>

#include "clock.h"
#include "dense.h"
#include "screen_parts.h"

/* A query's heap holds exact scores alone; once it is full its worst is the bar. A pair whose upper
 * bound is below the bar is out. One whose screened score reaches it is likely to move the bar: it
 * is scored with the tile. The others wait in a list for the last bar, which few of them reach. */

static void raise_bar(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at) {
  const ScreenJob *job = screen->job;
  const SelectKey worst = select_worst(job->keys + query * job->k, job->counts[query], job->k);
  if (worst != 0) { /* above the floor, as all keys are */
    s->pools[at].bar = select_score(worst);
    s->rows[at].least = screen_least(screen, (double)s->pools[at].bar);
  }
}

void screen_pool_open(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at) {
  const float floor = screen->job->floor;
  s->pools[at] = (Pool){.bar = floor, .first = INFINITY};
  s->rows[at] = screen_row_of(screen, query);
  s->rows[at].least = screen_least(screen, (double)floor);
  raise_bar(screen, s, query, at);
}

enum { GROUPS = 64 };

/* The maxima of at least 2 k groups of columns (4 k if the tiles allow), a column each if there are
 * no more; a tile's columns go to 64 groups, or in parts of a tile to as many each. Returns their
 * number. */
static int64_t group_maxima(const Screen *screen, const Tile *tiles, int64_t count, int64_t query,
                            const LanesRow *row, float *best) {
  const int64_t k = screen->job->k;
  int64_t parts = 1;
  while (parts * count * GROUPS < 2 * k && parts * GROUPS < TILE) {
    parts *= 2;
  }
  int64_t sets = (4 * k + GROUPS - 1) / GROUPS;
  sets = sets < parts * count ? sets : parts * count;
  for (int64_t i = 0; i < sets * GROUPS; i++) {
    best[i] = -INFINITY;
  }
  for (int64_t i = 0; i < parts * count; i++) {
    const Tile *tile = &tiles[i / parts];
    const int64_t run = tile->count / parts;
    const int64_t first = i % parts * run;
    const LanesColumns columns = screen_columns_of(screen, tile->base + first);
    const float *scores = screen_scores(tile, query);
    lanes()->maxima(scores + first, &columns, row, run, best + i % sets * GROUPS);
  }
  return sets * GROUPS;
}

/* The k-th best of the maxima is a screened score that k columns reach (one more if one of them may
 * be the row itself). */
void screen_pool_look(const Screen *screen, const Tile *tiles, int64_t count, ScreenScratch *s,
                      int64_t query) {
  const ScreenJob *job = screen->job;
  const int64_t at = query - tiles->unit_first;
  const int64_t groups = group_maxima(screen, tiles, count, query, &s->rows[at], s->best);
  for (int64_t i = 0; i < groups; i++) {
    s->keys[i] = select_key(s->best[i], 0);
  }
  const SelectKey kth = select_nth(s->keys, groups, job->k + job->skip_equal_ids);
  if (kth != 0 && select_score(kth) > s->pools[at].bar) {
    s->pools[at].first = select_score(kth);
  }
}

static void offer(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at, int64_t index,
                  float dot) {
  const ScreenJob *job = screen->job;
  const float score = job->base.bias == NULL ? dot : dot + job->base.bias[index];
  if (score > job->floor && score >= s->pools[at].bar) {
    select_offer(job->keys + query * job->k, &job->counts[query], job->k,
                 select_key(score, screen_id(&job->base, index)));
    raise_bar(screen, s, query, at);
  }
}

void screen_pool_offer(const Screen *screen, const Tile *tile, ScreenScratch *s) {
  for (int64_t i = 0; i < s->picks.count; i++) {
    const Pick *pick = &s->picks.items[i];
    if (pick->for_query) {
      offer(screen, s, tile->unit_first + pick->query, pick->query, tile->base + pick->base,
            pick->exact);
    }
  }
}

/* Score a list that stays full (ties, ascending scores) at once. */
static void empty_list(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at) {
  const ScreenJob *job = screen->job;
  const Candidate *list = s->lists + at * screen->room->list;
  const float *row = job->query.rows + query * job->width;
  for (int64_t i = 0; i < s->pools[at].count; i++) {
    if (list[i].upper >= s->rows[at].least) {
      const float *base = job->base.rows + list[i].index * job->width;
      offer(screen, s, query, at, list[i].index, dense_dot(row, base, job->width));
      s->cost.scored++;
    }
  }
  s->pools[at].count = 0;
}

static void tidy_list(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at) {
  Candidate *list = s->lists + at * screen->room->list;
  Pool *pool = &s->pools[at];
  int64_t kept = 0;
  for (int64_t i = 0; i < pool->count; i++) {
    list[kept] = list[i];
    kept += list[i].upper >= s->rows[at].least;
  }
  pool->count = kept;
  if (4 * kept > 3 * screen->room->list) {
    empty_list(screen, s, query, at);
  }
}

int64_t screen_pool_room(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at) {
  if (s->pools[at].count == screen->room->list) {
    tidy_list(screen, s, query, at);
  }
  return screen->room->list - s->pools[at].count;
}

static void settle_picks(const Screen *screen, const Tile *tile, ScreenScratch *s) {
  screen_settle(screen, tile, s);
  screen_pool_offer(screen, tile, s);
  s->picks.count = 0;
}

/* Pick of a query's list what lies in these tiles and still reaches the bar. */
static void pick_list(const Screen *screen, const Tile *tile, ScreenScratch *s, int64_t at) {
  const Candidate *list = s->lists + at * screen->room->list;
  Pool *pool = &s->pools[at];
  for (; pool->next < pool->count && list[pool->next].index < tile->base + tile->count;
       pool->next++) {
    if (s->picks.count == PICKS) {
      settle_picks(screen, tile, s);
    }
    if (list[pool->next].upper >= s->rows[at].least) {
      s->picks.items[s->picks.count++] =
          (Pick){.query = (int32_t)at,
                 .base = (uint16_t)(list[pool->next].index - tile->base),
                 .for_query = true};
    }
  }
}

/* Lists hold little of each tile, so a query's row is fetched for some tiles together. */
enum { TOGETHER = 8 };

void screen_pool_finish(const Screen *screen, int64_t unit, ScreenScratch *s) {
  const double begun = clock_seconds();
  for (int64_t t = 0; t < screen->tiles; t += TOGETHER) {
    Tile tile = screen_tile(screen, unit, t);
    const int64_t rest = screen->job->base.count - tile.base;
    tile.count = rest < TOGETHER * TILE ? rest : TOGETHER * TILE;
    for (int64_t at = 0; at < tile.past - tile.first; at++) {
      pick_list(screen, &tile, s, at);
    }
    settle_picks(screen, &tile, s);
  }
  s->cost.score += clock_seconds() - begun;
}
