#include "fire.h"

#include <string.h>

#include "fire_screen.h"
#include "memory.h"

static Status make_best(Fire *fire, const Sae *sae, const Team *team, int64_t rows_most, int64_t k,
                        int64_t wide) {
  const int64_t own = shard_count(sae->own);
  fire->capacity = wide < own ? wide : own;
  TRY(cut_create(&fire->cut, team, sae->latents, rows_most, k, wide));
  TRY(MEMORY_NEW(&fire->best, rows_most * fire->capacity, "keys of the batch"));
  return MEMORY_NEW(&fire->counts, rows_most, "keys of the batch");
}

static Status make_buffers(Fire *fire, const Sae *sae, const Team *team, int64_t rows_most,
                           int64_t k, int64_t wide) {
  TRY(MEMORY_NEW(&fire->start, rows_most + 1, "hits of rows"));
  TRY(fire_rows_create(&fire->rows_in, rows_most));
  return sae->threshold == NULL ? make_best(fire, sae, team, rows_most, k, wide) : OK;
}

Status fire_create(Fire **out, const Sae *sae, const Team *team, int64_t rows_most, int64_t k,
                   int64_t wide) {
  TRY(MEMORY_NEW(out, 1, "what fires"));
  const Status status = make_buffers(*out, sae, team, rows_most, k, wide);
  if (status != OK) {
    fire_destroy(out);
  }
  return status;
}

void fire_destroy(Fire **fire) {
  if (*fire != NULL) {
    Fire *f = *fire;
    cut_destroy(&f->cut);
    screen_hits_clear(&f->hits);
    screen_room_clear(&f->screen);
    MEMORY_FREE(f->start);
    MEMORY_FREE(f->keys);
    MEMORY_FREE(f->values);
    MEMORY_FREE(f->best);
    MEMORY_FREE(f->counts);
    fire_rows_clear(&f->rows_in);
  }
  MEMORY_FREE(*fire);
}

static Status make_room(Fire *fire, int64_t hits) {
  if (hits > fire->room) {
    TRY(MEMORY_RESIZE(&fire->keys, hits, "hits of the batch"));
    TRY(MEMORY_RESIZE(&fire->values, hits, "hits of the batch"));
    fire->room = hits;
  }
  return OK;
}

/* The two roundings are those of float32 on every CPU: no fma. */
static float activation_of(const Sae *sae, int64_t latent, float score) {
  if (sae->gain == NULL) {
    return score;
  }
  const float shifted = score + sae->offset[latent];
  return sae->gain[latent] * shifted;
}

/* Thresholds. */

static Status find_above(const Sae *sae, const float *centred, int64_t count, Fire *fire) {
  ScreenJob job = {.room = &fire->screen, .cost = &fire->cost};
  TRY(fire_rows_set(&fire->rows_in, sae, centred, count, &job));
  TRY(screen_above(&job, sae->threshold, &fire->hits));
  return make_room(fire, fire->hits.start[count]);
}

static void keep_above(const Sae *sae, int64_t count, Fire *fire) {
  const ScreenHits *hits = &fire->hits;
  int64_t kept = 0;
  for (int64_t row = 0; row < count; row++) {
    fire->start[row] = kept;
    for (int64_t i = hits->start[row]; i < hits->start[row + 1]; i++) {
      const float value = activation_of(sae, hits->index[i], hits->score[i]);
      if (value > 0.0F) {
        fire->values[kept] = value;
        fire->keys[kept++] = select_key(value, sae->own.first + hits->index[i]);
      }
    }
  }
  fire->start[count] = kept;
}

/* TopK. */

static Status find_best(const Sae *sae, const float *centred, int64_t count, Fire *fire) {
  ScreenJob job = {.k = fire->capacity,
                   .floor = 0.0F,
                   .keys = fire->best,
                   .counts = fire->counts,
                   .room = &fire->screen,
                   .cost = &fire->cost};
  TRY(fire_rows_set(&fire->rows_in, sae, centred, count, &job));
  memset(fire->counts, 0, (size_t)count * sizeof(*fire->counts));
  TRY(screen_run(&job));
  int64_t hits = 0;
  for (int64_t row = 0; row < count; row++) {
    hits += fire->counts[row];
  }
  return make_room(fire, hits);
}

/* Of this rank's keys those that made the cut. */
static void keep_best(const Sae *sae, int64_t count, Fire *fire) {
  int64_t kept = 0;
  for (int64_t row = 0; row < count; row++) {
    const SelectKey *best = fire->best + row * fire->capacity;
    fire->start[row] = kept;
    for (int64_t i = 0; i < fire->counts[row]; i++) {
      if (best[i] < fire->cut->lines[row].next) {
        continue;
      }
      const float value =
          activation_of(sae, select_id(best[i]) - sae->own.first, select_score(best[i]));
      if (value > 0.0F) {
        fire->values[kept] = value;
        fire->keys[kept++] = best[i];
      }
    }
  }
  fire->start[count] = kept;
}

Status fire_select(Team *team, const Sae *sae, const float *centred, int64_t count, Fire *fire) {
  fire->rows = count;
  if (fire->cut == NULL) {
    TRY_ALL(team, find_above(sae, centred, count, fire));
    keep_above(sae, count, fire);
    return OK;
  }
  TRY_ALL(team, find_best(sae, centred, count, fire));
  TRY(cut_agree(fire->cut, team, fire->best, fire->counts, fire->capacity, count));
  keep_best(sae, count, fire);
  return OK;
}

bool fire_is_active(const Fire *fire, int64_t row, int64_t hit) {
  return fire->cut == NULL || fire->keys[hit] >= fire->cut->lines[row].best;
}
