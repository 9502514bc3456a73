#include "memory.h"
#include "screen_parts.h"
#include "threads.h"

static Status make_scratch(ScreenScratch *s, int64_t unit, int64_t block, int64_t list) {
  float *score = NULL;
  TRY(MEMORY_NEW(&score, WIDE * block * TILE, "scores of a tile"));
  s->score = score;
  TRY(MEMORY_NEW(&s->hits, TILE, "hits of a row"));
  TRY(MEMORY_NEW(&s->rows, unit, "bounds of queries"));
  TRY(MEMORY_NEW(&s->pools, unit, "candidates of queries"));
  TRY(MEMORY_NEW(&s->lists, unit * list, "candidates of queries"));
  TRY(MEMORY_NEW(&s->best, WIDE * TILE, "scores of a row"));
  TRY(MEMORY_NEW(&s->keys, WIDE * TILE, "scores of a row"));
  TRY(MEMORY_NEW(&s->back, TILE, "limits of a tile"));
  TRY(MEMORY_NEW(&s->back_first, TILE, "limits of a tile"));
  TRY(MEMORY_NEW(&s->groups, BACK_GROUPS * TILE, "scores of a tile"));
  return MEMORY_NEW(&s->picks.items, PICKS, "pairs to be scored");
}

static void free_scratch(ScreenScratch *s) {
  MEMORY_FREE(s->score);
  MEMORY_FREE(s->hits);
  MEMORY_FREE(s->rows);
  MEMORY_FREE(s->pools);
  MEMORY_FREE(s->lists);
  MEMORY_FREE(s->best);
  MEMORY_FREE(s->keys);
  MEMORY_FREE(s->back);
  MEMORY_FREE(s->back_first);
  MEMORY_FREE(s->groups);
  MEMORY_FREE(s->picks.items);
}

void screen_room_clear(ScreenRoom *room) {
  for (int t = 0; room->scratch != NULL && t < room->threads; t++) {
    free_scratch(&room->scratch[t]);
  }
  MEMORY_FREE(room->scratch);
  *room = (ScreenRoom){0};
}

static Status make_room(ScreenRoom *room) {
  TRY(MEMORY_NEW(&room->scratch, room->threads, "screening threads"));
  for (int t = 0; t < room->threads; t++) {
    TRY(make_scratch(&room->scratch[t], room->unit, room->block, room->list));
  }
  return OK;
}

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* Sizes only grow, so that calls of different sizes may share a room. */
Status screen_room_fit(const Screen *screen, int64_t list) {
  ScreenRoom *room = screen->room;
  if (room->threads == threads_count() && room->unit >= screen->unit &&
      room->block >= screen->block && room->list >= list) {
    return OK;
  }
  const ScreenRoom wanted = {.threads = threads_count(),
                             .unit = larger(room->unit, screen->unit),
                             .block = larger(room->block, screen->block),
                             .list = larger(room->list, list)};
  screen_room_clear(room);
  *room = wanted;
  const Status status = make_room(room);
  if (status != OK) {
    screen_room_clear(room);
  }
  return status;
}
