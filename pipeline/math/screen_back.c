#include <math.h>
#include <string.h>

#include "memory.h"
#include "screen_parts.h"

/* The base rows' heaps are shared by the threads: which thread offers what, and when, is chance,
 * but what is among the k best of all is offered by someone. What a score must reach may be looked
 * up late: it only ever rises. */

static float least_of(const Screen *screen, int64_t index) {
  const ScreenJob *job = screen->job;
  const SelectKey worst =
      select_worst(job->back_keys + index * job->k, job->back_counts[index], job->k);
  const float bar =
      worst != 0 && select_score(worst) > job->floor ? select_score(worst) : job->floor;
  return screen_least(screen, (double)bar);
}

Status screen_back_create(Screen *screen) {
  const int64_t count = screen->job->base.count;
  ASSERT(screen->columns.bias == NULL);
  TRY(MEMORY_NEW(&screen->back_least, count, "limits of base rows"));
  TRY(MEMORY_NEW(&screen->locks, screen->tiles, "locks of tiles"));
  for (int64_t t = 0; t < screen->tiles; t++) {
    pthread_mutex_init(&screen->locks[t], NULL);
  }
  for (int64_t i = 0; i < count; i++) {
    screen->back_least[i] = least_of(screen, i);
  }
  return OK;
}

void screen_back_clear(Screen *screen) {
  for (int64_t t = 0; screen->locks != NULL && t < screen->tiles; t++) {
    pthread_mutex_destroy(&screen->locks[t]);
  }
  MEMORY_FREE(screen->locks);
  MEMORY_FREE(screen->back_least);
}

/* A row that takes no part never gets any. */
static bool has_bar(const ScreenJob *job, int64_t index) {
  return job->back_counts[index] == job->k || !screen_takes_part(&job->base, index);
}

bool screen_back_look(const Screen *screen, const Tile *tile, ScreenScratch *s) {
  const ScreenJob *job = screen->job;
  pthread_mutex_t *lock = &screen->locks[tile->base / TILE];
  bool has_bars = true;
  pthread_mutex_lock(lock);
  memcpy(s->back, screen->back_least + tile->base, (size_t)tile->count * sizeof(*s->back));
  for (int64_t n = 0; n < tile->count; n++) {
    has_bars = has_bars && has_bar(job, tile->base + n);
  }
  pthread_mutex_unlock(lock);
  return !has_bars;
}

/* Queries take turns in the groups. */
static void group_maxima(const Screen *screen, const Tile *parts, int64_t count, ScreenScratch *s) {
  const ScreenSide *query = &screen->job->query;
  const LanesColumns columns = screen_columns_of(screen, parts->base);
  for (int64_t i = 0; i < BACK_GROUPS * TILE; i++) {
    s->groups[i] = -INFINITY;
  }
  for (int64_t p = 0; p < count; p++) {
    for (int64_t q = parts[p].first; q < parts[p].past; q++) {
      if (screen_takes_part(query, q)) {
        lanes()->keep_larger(screen_scores(&parts[p], q), &columns, &s->rows[q - parts->unit_first],
                             parts->count, s->groups + q % BACK_GROUPS * TILE);
      }
    }
  }
}

/* As screen_pool_look does it for queries. */
void screen_back_first(const Screen *screen, const Tile *parts, int64_t count, ScreenScratch *s) {
  const ScreenJob *job = screen->job;
  group_maxima(screen, parts, count, s);
  for (int64_t n = 0; n < parts->count; n++) {
    for (int64_t g = 0; g < BACK_GROUPS; g++) {
      s->keys[g] = select_key(s->groups[g * TILE + n], 0);
    }
    const SelectKey kth = select_nth(s->keys, BACK_GROUPS, job->k + job->skip_equal_ids);
    const bool is_new = kth != 0 && select_score(kth) >= s->back[n];
    s->back_first[n] = is_new ? select_score(kth) : INFINITY;
  }
}

void screen_back_offer(const Screen *screen, const Tile *tile, const ScreenScratch *s) {
  const ScreenJob *job = screen->job;
  pthread_mutex_t *lock = &screen->locks[tile->base / TILE];
  pthread_mutex_lock(lock);
  for (int64_t i = 0; i < s->picks.count; i++) {
    const Pick *pick = &s->picks.items[i];
    const int64_t index = tile->base + pick->base;
    if (pick->for_base && pick->exact > job->floor && pick->exact >= s->back[pick->base]) {
      select_offer(job->back_keys + index * job->k, &job->back_counts[index], job->k,
                   select_key(pick->exact, screen_id(&job->query, tile->unit_first + pick->query)));
      screen->back_least[index] = least_of(screen, index);
    }
  }
  pthread_mutex_unlock(lock);
}
