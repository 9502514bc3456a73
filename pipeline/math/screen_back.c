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

void screen_back_look(const Screen *screen, const Tile *tile, ScreenScratch *s) {
  pthread_mutex_t *lock = &screen->locks[tile->base / TILE];
  pthread_mutex_lock(lock);
  memcpy(s->back, screen->back_least + tile->base, (size_t)tile->count * sizeof(*s->back));
  pthread_mutex_unlock(lock);
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
