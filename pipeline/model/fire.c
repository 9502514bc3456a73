#include "fire.h"

#include <string.h>

#include "memory.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

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
  TRY(MEMORY_NEW(&fire->norms, rows_most, "norms of the batch"));
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
    MEMORY_FREE(f->norms);
  }
  MEMORY_FREE(*fire);
}

typedef struct Norming {
  const float *rows;
  int64_t count, width;
  double *norms;
} Norming;

static Status norm_unit(int64_t unit, int thread, void *context) {
  const Norming *n = context;
  const int64_t first = unit * ROWS_A_UNIT;
  const int64_t count = n->count - first < ROWS_A_UNIT ? n->count - first : ROWS_A_UNIT;
  (void)thread;
  screen_norms(n->rows + first * n->width, count, n->width, n->norms + first);
  return OK;
}

static Status norm_rows(const Sae *sae, const float *centred, int64_t count, Fire *fire) {
  Norming norming = {centred, count, sae->width, fire->norms};
  return threads_run((count + ROWS_A_UNIT - 1) / ROWS_A_UNIT, norm_unit, &norming);
}

static ScreenJob job_of(const Sae *sae, const float *centred, int64_t count, Fire *fire) {
  return (ScreenJob){.query = {.rows = centred, .norm = fire->norms, .count = count},
                     .base = {.rows = sae->w_enc,
                              .bias = sae->b_enc,
                              .norm = sae->norm,
                              .count = shard_count(sae->own),
                              .first_id = sae->own.first},
                     .width = sae->width,
                     .room = &fire->screen};
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
  TRY(norm_rows(sae, centred, count, fire));
  const ScreenJob job = job_of(sae, centred, count, fire);
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
  TRY(norm_rows(sae, centred, count, fire));
  ScreenJob job = job_of(sae, centred, count, fire);
  job.k = fire->capacity;
  job.floor = 0.0F;
  job.keys = fire->best;
  job.counts = fire->counts;
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
