#include "neighbours.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "lookup.h"
#include "lowp.h"
#include "memory.h"
#include "packed.h"
#include "ring.h"
#include "screen.h"
#include "threads.h"

Status neighbours_open(Neighbours *neighbours, int64_t count, int64_t most) {
  *neighbours = (Neighbours){.count = count, .most = most};
  TRY(MEMORY_NEW(&neighbours->keys, count * most, "neighbours"));
  return MEMORY_NEW(&neighbours->counts, count, "counts of neighbours");
}

void neighbours_clear(Neighbours *neighbours) {
  MEMORY_FREE(neighbours->keys);
  MEMORY_FREE(neighbours->counts);
}

void neighbours_unpack(const Neighbours *neighbours, uint32_t *ids, float *cosines) {
  const int64_t most = neighbours->most;
  for (int64_t i = 0; i < neighbours->count * most; i++) {
    const bool is_there = i % most < neighbours->counts[i / most];
    const float cosine = is_there ? select_score(neighbours->keys[i]) : NAN;
    ids[i] = is_there ? (uint32_t)select_id(neighbours->keys[i]) : UINT32_MAX;
    cosines[i] = cosine > 1 ? 1 : (cosine < -1 ? -1 : cosine);
  }
}

void neighbours_sort(Neighbours *neighbours) {
  for (int64_t i = 0; i < neighbours->count; i++) {
    SelectKey *keys = neighbours->keys + i * neighbours->most;
    select_sort(keys, neighbours->counts[i]);
    for (int64_t j = neighbours->counts[i]; j < neighbours->most; j++) {
      keys[j] = 0;
    }
  }
}

/** One panel on its way through all parents. */
typedef struct Search {
  const NeighboursJob *job;
  ScreenRoom room;
  Packed children; /* the panel's own rows */
  bool has_lowp;
  Shard own; /* inside one dictionary: the panel, else empty */
} Search;

/** Rows [first, past) of a block. */
static RingBlock cut_block(const RingBlock *block, int64_t width, Shard cut) {
  const int64_t first = cut.first > block->here.first ? cut.first : block->here.first;
  const int64_t past = cut.past < block->here.past ? cut.past : block->here.past;
  const int64_t skip = first - block->here.first;
  RingBlock part = *block;
  if (first >= past) {
    part.here = (Shard){first, first};
    return part;
  }
  part.here = (Shard){first, past};
  part.rows += skip * width;
  part.is_left_out += skip;
  if (part.lists.keys != NULL) {
    part.lists.keys += skip * part.lists.most;
    part.lists.counts += skip;
  }
  return part;
}

/** A block is packed, and quantised, where it arrives (2 microseconds a row of 640, where a panel of
 *  65,536 then multiplies for some hundred), so the integers need not travel. */
static Status screen_part(Search *search, const RingBlock *part, bool is_own) {
  const int64_t width = search->job->child->width;
  const bool has_back = !is_own && part->lists.keys != NULL;
  const PackedRows from = {.rows = part->rows,
                           .count = shard_count(part->here),
                           .width = width,
                           .first_id = part->here.first,
                           .is_left_out = part->is_left_out,
                           .lists = has_back ? &part->lists : NULL,
                           .has_lowp = search->has_lowp};
  Packed parents;
  Status status = packed_make(&parents, &from);
  const Neighbours *lists = &search->children.lists;
  if (status == OK) {
    const ScreenJob screen = {.query = search->children.side,
                              .base = parents.side,
                              .width = width,
                              .k = lists->most,
                              .floor = -2,
                              .keys = lists->keys,
                              .counts = lists->counts,
                              .back_keys = parents.lists.keys,
                              .back_counts = parents.lists.counts,
                              .skip_equal_ids = is_own,
                              .room = &search->room};
    status = screen_run(&screen);
    packed_return(&parents, &from);
  }
  packed_clear(&parents);
  return status;
}

/** Every rank sees every block, so what one has done stands for all. */
static void show_progress(const Search *search, int64_t rows) {
  NeighboursWatch *watch = search->job->watch;
  if (watch != NULL) {
    watch->done += shard_count(search->job->child->part) * rows;
    progress_step(watch->bar, watch->done);
  }
}

static Status meet_block(const RingBlock *block, void *context) {
  Search *search = context;
  const NeighboursJob *job = search->job;
  const int64_t width = job->child->width;
  const Shard rest = {search->own.past, job->parent->latents};
  const RingBlock own = cut_block(block, width, search->own);
  const RingBlock others = cut_block(block, width, rest);
  if (shard_count(own.here) > 0) {
    TRY(screen_part(search, &own, true));
  }
  if (shard_count(others.here) > 0) {
    TRY(screen_part(search, &others, false));
  }
  if (job->sample != NULL) {
    TRY(sample_add(job->sample, job->child, job->parent->latents, block->here, block->rows,
                   block->is_left_out));
  }
  show_progress(search, shard_count(own.here) + shard_count(others.here));
  return OK;
}

/** Fewer children are multiplied sooner than a block is quantised. */
enum { LOWP_CHILDREN = 64 };

static PackedRows children_of(const NeighboursJob *job, bool has_lowp) {
  const Directions *child = job->child;
  return (PackedRows){.rows = child->rows,
                      .count = shard_count(child->own),
                      .width = child->width,
                      .first_id = child->own.first,
                      .is_left_out = child->is_left_out,
                      .lists = job->parents,
                      .has_lowp = has_lowp,
                      .is_left = true};
}

static Status meet(Team *team, const NeighboursJob *job, Shard own) {
  Search search = {.job = job, .own = own};
  const Directions *child = job->child;
  ASSERT(child->width == job->parent->width);
  ASSERT(job->parents->count == shard_count(child->own));
  search.has_lowp =
      lowp_is_open() && child->width <= LOWP_WIDEST && job->parents->count >= LOWP_CHILDREN;
  const PackedRows from = children_of(job, search.has_lowp);
  Status status = team_agree(team, packed_make(&search.children, &from));
  if (status == OK) {
    status = ring_run(team, job->parent, job->children, meet_block, &search);
    packed_return(&search.children, &from);
  }
  packed_clear(&search.children);
  screen_room_clear(&search.room);
  return status;
}

Status neighbours_meet(Team *team, const NeighboursJob *job) {
  return meet(team, job, (Shard){0, 0});
}

Status neighbours_meet_own(Team *team, const NeighboursJob *job) {
  ASSERT(job->child->latents == job->parent->latents);
  return meet(team, job, job->child->part);
}

static Status list_own(const Directions *panel, uint32_t **ids) {
  const int64_t count = shard_count(panel->own);
  TRY(MEMORY_NEW(ids, count, "ids of a panel"));
  for (int64_t i = 0; i < count; i++) {
    (*ids)[i] = (uint32_t)(panel->own.first + i);
  }
  return OK;
}

Status neighbours_take(Team *team, const Directions *panel, const Neighbours *whole,
                       Neighbours *out) {
  const size_t row = (size_t)whole->most * sizeof(*whole->keys);
  uint32_t *ids = NULL;
  ASSERT(out->count == shard_count(panel->own) && out->most == whole->most);
  TRY_OWN(team, &ids, list_own(panel, &ids));
  Status status = lookup_items(team, panel->latents, whole->keys, row, ids, out->count, out->keys);
  if (status == OK) {
    status = lookup_items(team, panel->latents, whole->counts, sizeof(*whole->counts), ids,
                          out->count, out->counts);
  }
  MEMORY_FREE(ids);
  return status;
}

Status neighbours_find(Team *team, const Directions *child, const Directions *parent,
                       Neighbours *parents, Neighbours *children, NeighboursWatch *watch) {
  const NeighboursJob job = {
      .child = child, .parent = parent, .parents = parents, .children = children, .watch = watch};
  TRY(neighbours_meet(team, &job));
  neighbours_sort(parents);
  if (children != NULL) {
    neighbours_sort(children);
  }
  return OK;
}

Status neighbours_find_own(Team *team, const Directions *rows, Neighbours *nearest,
                           NeighboursWatch *watch) {
  const NeighboursJob job = {.child = rows, .parent = rows, .parents = nearest, .watch = watch};
  TRY(neighbours_meet_own(team, &job));
  neighbours_sort(nearest);
  return OK;
}

enum { SCORE_ROWS = 64 }; /* children a unit of work */

typedef struct Score {
  const Directions *child;
  const Neighbours *parents;
  const RingBlock *block;
  float *out;
} Score;

/* Rows of parents that lie anywhere: four at once wait for memory together. */
typedef struct Four {
  const float *rows[4];
  float *out[4];
  int count;
} Four;

static void score_four(const float *child, Four *four, int64_t width) {
  float dots[4];
  dense_dot4(child, four->rows, width, dots);
  for (int i = 0; i < 4; i++) {
    *four->out[i] = dots[i];
  }
  four->count = 0;
}

static void score_child(const Score *score, int64_t child) {
  const int64_t most = score->parents->most, width = score->child->width;
  const float *row = score->child->rows + child * width;
  const Shard here = score->block->here;
  Four four = {.count = 0};
  for (int64_t j = child * most; j < child * most + score->parents->counts[child]; j++) {
    const int64_t id = select_id(score->parents->keys[j]);
    if (id >= here.first && id < here.past) {
      four.rows[four.count] = score->block->rows + (id - here.first) * width;
      four.out[four.count++] = score->out + j;
    }
    if (four.count == 4) {
      score_four(row, &four, width);
    }
  }
  for (int i = 0; i < four.count; i++) {
    *four.out[i] = dense_dot(row, four.rows[i], width);
  }
}

static Status score_unit(int64_t unit, int thread, void *context) {
  const Score *score = context;
  (void)thread;
  const int64_t past = (unit + 1) * SCORE_ROWS;
  for (int64_t i = unit * SCORE_ROWS; i < past && i < score->parents->count; i++) {
    score_child(score, i);
  }
  return OK;
}

static Status score_block(const RingBlock *block, void *context) {
  Score *score = context;
  score->block = block;
  return threads_run((score->parents->count + SCORE_ROWS - 1) / SCORE_ROWS, score_unit, score);
}

Status neighbours_score(Team *team, const Directions *child, const Directions *parent,
                        const Neighbours *parents, float *out) {
  for (int64_t i = 0; i < parents->count * parents->most; i++) {
    out[i] = NAN;
  }
  Score score = {.child = child, .parents = parents, .out = out};
  return ring_run(team, parent, NULL, score_block, &score);
}
