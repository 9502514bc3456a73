#include "batchwise.h"

#include <math.h>
#include <string.h>

#include "exchange.h"
#include "fire_screen.h"
#include "fixed.h"
#include "memory.h"

static Status make_buffers(Batchwise *b, const Sae *sae) {
  const int64_t own = shard_count(sae->own);
  TRY(fire_rows_create(&b->rows_in, b->rows_most));
  TRY(MEMORY_NEW(&b->limits, own, "floor of scores"));
  TRY(MEMORY_NEW(&b->best, b->rows_most * b->depth, "keys of the batch"));
  TRY(MEMORY_NEW(&b->counts, b->rows_most, "keys of the batch"));
  return MEMORY_NEW(&b->sums, b->rows_most, "sums of the batch");
}

Status batchwise_create(Batchwise *out, const Sae *sae, int64_t rows_most, int64_t k) {
  const int64_t own = shard_count(sae->own);
  *out = (Batchwise){
      .k = k, .rows_most = rows_most, .floor = -1.0F, .depth = 2 * k < own ? 2 * k : own};
  const Status status = make_buffers(out, sae);
  if (status != OK) {
    batchwise_clear(out);
  }
  return status;
}

void batchwise_clear(Batchwise *b) {
  fire_rows_clear(&b->rows_in);
  screen_room_clear(&b->screen);
  screen_hits_clear(&b->found);
  MEMORY_FREE(b->limits);
  MEMORY_FREE(b->best);
  MEMORY_FREE(b->counts);
  MEMORY_FREE(b->hits);
  MEMORY_FREE(b->sums);
}

static Status make_room(Batchwise *b, int64_t count) {
  if (count > b->room) {
    TRY(MEMORY_RESIZE(&b->hits, count, "hits of the batch"));
    b->room = count;
  }
  return OK;
}

/* Of one batch. */
typedef struct Choice {
  Batchwise *b;
  Team *all;
  const Sae *sae;
  ScreenJob job;
  int64_t first, rows; /* of the group, in the batch */
  int64_t wanted;
  int64_t count; /* of b->hits */
} Choice;

static Status list_best(Choice *c) {
  Batchwise *b = c->b;
  ScreenJob job = c->job;
  job.k = b->depth;
  job.keys = b->best;
  job.counts = b->counts;
  memset(b->counts, 0, (size_t)c->rows * sizeof(*b->counts));
  TRY(b->depth > 0 ? screen_run(&job) : OK);
  TRY(make_room(b, c->rows * b->depth));
  c->count = 0;
  for (int64_t row = 0; row < c->rows; row++) {
    for (int64_t i = 0; i < b->counts[row]; i++) {
      const SelectKey key = b->best[row * b->depth + i];
      b->hits[c->count++] = (PoolHit){select_score(key), (int32_t)(c->first + row), select_id(key)};
    }
  }
  return OK;
}

/* So many scores reach it that the wanted ones are among them. */
static Status find_certain_floor(Choice *c) {
  PoolCut cut;
  TRY_ALL(c->all, list_best(c));
  pool_cut(c->all, c->b->hits, c->count, c->wanted, &cut);
  c->b->floor = cut.score;
  c->b->tries++;
  return OK;
}

/* All hits whose score is at least the floor (and above 0). */
static Status list_above(Choice *c) {
  Batchwise *b = c->b;
  const float below = b->floor > 0.0F ? nextafterf(b->floor, 0.0F) : 0.0F;
  for (int64_t i = 0; i < shard_count(c->sae->own); i++) {
    b->limits[i] = below;
  }
  TRY(screen_above(&c->job, b->limits, &b->found));
  c->count = b->found.start[c->rows];
  TRY(make_room(b, c->count));
  for (int64_t row = 0; row < c->rows; row++) {
    for (int64_t i = b->found.start[row]; i < b->found.start[row + 1]; i++) {
      b->hits[i] = (PoolHit){b->found.score[i], (int32_t)(c->first + row),
                             c->sae->own.first + b->found.index[i]};
    }
  }
  return OK;
}

static Status find_enough(Choice *c) {
  Batchwise *b = c->b;
  bool is_certain = b->floor < 0.0F;
  if (is_certain) {
    TRY(find_certain_floor(c));
  }
  for (;;) {
    int64_t found;
    TRY_ALL(c->all, list_above(c));
    found = c->count;
    exchange_sum(c->all, &found, 1);
    if (is_certain || found >= c->wanted || b->floor == 0.0F) {
      return OK;
    }
    is_certain = true;
    TRY(find_certain_floor(c));
  }
}

/* The floor for the next batch: what a third more than are wanted reach. */
static void set_floor(Choice *c) {
  PoolCut cut;
  pool_cut(c->all, c->b->hits, c->count, c->wanted + c->wanted / 3 + 1, &cut);
  c->b->floor = cut.score > 0.0F ? cut.score : 0.9F * c->b->cut.score;
  if (c->b->cut.score == 0.0F) {
    c->b->floor = -1.0F; /* there were too few: 0 might let far too many in */
  }
}

static void keep_hits(const Choice *c, Hits *hits) {
  const Batchwise *b = c->b;
  int64_t kept = 0;
  hits->rows = c->rows;
  for (int64_t row = 0; row < c->rows; row++) {
    hits->row_start[row] = kept;
    for (int64_t i = b->found.start[row]; i < b->found.start[row + 1]; i++) {
      if (pool_holds(&b->cut, &b->hits[i])) {
        hits->by_row[kept++] = (SaeHit){.row = (int32_t)row,
                                        .latent = (int32_t)b->found.index[i],
                                        .value = b->found.score[i],
                                        .active = true};
      }
    }
  }
  hits->row_start[c->rows] = kept;
  hits_sort(hits);
}

/* In fixed point, so that the bounds are the same on any number of ranks; 1.001 covers its rounding. */
static void bound_rows(const Choice *c, Team *group, const Hits *hits, double *bounds) {
  double most = 0.0;
  for (int64_t i = 0; i < hits->row_start[c->rows]; i++) {
    most = fmax(most, (double)hits->by_row[i].value);
  }
  exchange_max(c->all, &most, 1);
  const double scale = fixed_scale(most * (double)c->wanted);
  memset(c->b->sums, 0, (size_t)c->rows * sizeof(*c->b->sums));
  for (int64_t i = 0; i < hits->row_start[c->rows]; i++) {
    c->b->sums[hits->by_row[i].row] += fixed_of((double)hits->by_row[i].value, scale) + 1;
  }
  exchange_sum(group, c->b->sums, c->rows);
  for (int64_t row = 0; row < c->rows; row++) {
    bounds[row] = 1.001 * fixed_to(c->b->sums[row], scale);
  }
}

Status batchwise_select(Batchwise *b, const Mesh *mesh, const Sae *sae, const float *centred,
                        int64_t count, int64_t batch, Hits *hits, double *bounds) {
  Team group = mesh->group;
  Choice c = {.b = b,
              .all = mesh->all,
              .sae = sae,
              .first = mesh_rows(mesh, batch).first,
              .rows = count,
              .wanted = batch * b->k};
  c.job = (ScreenJob){.floor = 0.0F, .room = &b->screen, .cost = &b->cost};
  TRY_ALL(c.all, fire_rows_set(&b->rows_in, sae, centred, count, &c.job));
  TRY(find_enough(&c));
  pool_cut(c.all, b->hits, c.count, c.wanted, &b->cut);
  set_floor(&c);
  keep_hits(&c, hits);
  bound_rows(&c, &group, hits, bounds);
  return OK;
}
