#include "neighbours.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "memory.h"
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

/** The block of parents that is here now. Before the first turn it is this rank's own, borrowed;
 *  later ones arrive in two buffers in turn. A block's lists of children travel with it and are
 *  home after a whole round. */
typedef struct Ring {
  Team *team;
  const Directions *parent;
  int turn;                   /* 0 .. team size - 1 */
  Shard here;                 /* whose rows are here */
  const float *rows;          /* [here, width] */
  const uint8_t *is_left_out; /* [here] */
  Neighbours lists;           /* of the rows here; keys NULL when none travel */
  float *row_buffer[2];       /* [largest block, width] */
  uint8_t *flag_buffer[2];
  Neighbours list_buffer[2];
} Ring;

static void ring_clear(Ring *ring) {
  for (int i = 0; i < 2; i++) {
    MEMORY_FREE(ring->row_buffer[i]);
    MEMORY_FREE(ring->flag_buffer[i]);
    neighbours_clear(&ring->list_buffer[i]);
  }
}

static Shard ring_shard(const Ring *ring, int turn) {
  const int size = ring->team->size;
  return directions_shard(ring->parent->latents, (ring->team->rank - turn + size) % size, size);
}

static Status ring_take(Ring *ring, int64_t most) {
  /* Rank 0 has the most rows, under any dealing. */
  const int64_t rows = shard_count(directions_shard(ring->parent->latents, 0, ring->team->size));
  for (int i = 0; i < 2 && ring->team->size > 1; i++) {
    TRY(MEMORY_NEW(&ring->row_buffer[i], rows * ring->parent->width, "rows of the ring"));
    TRY(MEMORY_NEW(&ring->flag_buffer[i], rows, "states of the ring"));
    if (most > 0) {
      TRY(neighbours_open(&ring->list_buffer[i], rows, most));
    }
  }
  return OK;
}

static Status ring_open(Ring *ring, Team *team, const Directions *parent, Neighbours *lists) {
  *ring = (Ring){.team = team,
                 .parent = parent,
                 .here = parent->own,
                 .rows = parent->rows,
                 .is_left_out = parent->is_left_out};
  if (lists != NULL) {
    ring->lists = *lists;
  }
  const Status status = team_agree(team, ring_take(ring, lists == NULL ? 0 : lists->most));
  if (status != OK) {
    ring_clear(ring);
  }
  return status;
}

static void ring_pass(Ring *ring, const void *send, int64_t from, void *receive, int64_t to,
                      size_t size) {
  exchange_ring(ring->team, send, from * (int64_t)size, receive, to * (int64_t)size);
}

static void ring_pass_lists(Ring *ring, const Neighbours *to, int64_t sent, int64_t got) {
  const int64_t most = ring->lists.most;
  ring_pass(ring, ring->lists.keys, sent * most, to->keys, got * most, sizeof(*to->keys));
  ring_pass(ring, ring->lists.counts, sent, to->counts, got, sizeof(*to->counts));
}

/** Hand the block on and take the next one; false after a whole round. */
static bool ring_turn(Ring *ring) {
  if (ring->turn + 1 >= ring->team->size) {
    return false;
  }
  const int buffer = ring->turn % 2;
  const Shard next = ring_shard(ring, ring->turn + 1);
  const int64_t sent = shard_count(ring->here);
  const int64_t got = shard_count(next);
  const int64_t width = ring->parent->width;
  ring_pass(ring, ring->rows, sent * width, ring->row_buffer[buffer], got * width, sizeof(float));
  ring_pass(ring, ring->is_left_out, sent, ring->flag_buffer[buffer], got, sizeof(uint8_t));
  if (ring->lists.keys != NULL) {
    ring_pass_lists(ring, &ring->list_buffer[buffer], sent, got);
    ring->lists = ring->list_buffer[buffer];
  }
  ring->rows = ring->row_buffer[buffer];
  ring->is_left_out = ring->flag_buffer[buffer];
  ring->here = next;
  ring->turn++;
  return true;
}

/** The lists' last step: from the last rank that saw a block back to its owner. */
static void ring_home(Ring *ring, const Neighbours *lists) {
  if (ring->team->size > 1 && ring->lists.keys != NULL) {
    ring_pass_lists(ring, lists, shard_count(ring->here), lists->count);
  }
}

static void sort_lists(const Neighbours *lists) {
  for (int64_t i = 0; i < lists->count; i++) {
    SelectKey *keys = lists->keys + i * lists->most;
    select_sort(keys, lists->counts[i]);
    for (int64_t j = lists->counts[i]; j < lists->most; j++) {
      keys[j] = 0;
    }
  }
}

static ScreenSide side_of(const float *rows, const double *norm, Shard ids,
                          const uint8_t *is_left_out) {
  return (ScreenSide){.rows = rows,
                      .norm = norm,
                      .count = shard_count(ids),
                      .first_id = ids.first,
                      .is_left_out = is_left_out};
}

/** Children against the parents that are here. */
static Status screen_here(const Ring *ring, const Directions *child, const double *child_norm,
                          double *norm, const Neighbours *parents, bool is_own) {
  screen_norms(ring->rows, shard_count(ring->here), child->width, norm);
  const ScreenJob job = {.query = side_of(child->rows, child_norm, child->own, child->is_left_out),
                         .base = side_of(ring->rows, norm, ring->here, ring->is_left_out),
                         .width = child->width,
                         .k = parents->most,
                         .floor = -2,
                         .keys = parents->keys,
                         .counts = parents->counts,
                         .back_keys = ring->lists.keys,
                         .back_counts = ring->lists.counts,
                         .skip_equal_ids = is_own};
  return screen_run(&job);
}

static Status go_round(Ring *ring, const Directions *child, double *child_norm, double *norm,
                       const Neighbours *parents, bool is_own) {
  screen_norms(child->rows, shard_count(child->own), child->width, child_norm);
  do {
    TRY_ALL(ring->team, screen_here(ring, child, child_norm, norm, parents, is_own));
  } while (ring_turn(ring));
  return OK;
}

static Status find(Team *team, const Directions *child, const Directions *parent,
                   Neighbours *parents, Neighbours *children, bool is_own) {
  ASSERT(child->width == parent->width);
  ASSERT(parents->count == shard_count(child->own));
  double *child_norm = NULL;
  double *norm = NULL;
  Ring ring;
  TRY(ring_open(&ring, team, parent, children));
  Status status = MEMORY_NEW(&child_norm, shard_count(child->own), "norms of children");
  if (status == OK) {
    const int64_t most = shard_count(directions_shard(parent->latents, 0, team->size));
    status = MEMORY_NEW(&norm, most, "norms of parents");
  }
  status = team_agree(team, status);
  if (status == OK) {
    status = go_round(&ring, child, child_norm, norm, parents, is_own);
  }
  if (status == OK && children != NULL) {
    ring_home(&ring, children);
    sort_lists(children);
  }
  sort_lists(parents);
  MEMORY_FREE(child_norm);
  MEMORY_FREE(norm);
  ring_clear(&ring);
  return status;
}

Status neighbours_find(Team *team, const Directions *child, const Directions *parent,
                       Neighbours *parents, Neighbours *children) {
  ASSERT(children->count == shard_count(parent->own) && children->most == parents->most);
  return find(team, child, parent, parents, children, false);
}

Status neighbours_find_own(Team *team, const Directions *rows, Neighbours *nearest) {
  return find(team, rows, rows, nearest, NULL, true);
}

enum { SCORE_ROWS = 64 }; /* children a unit of work */

typedef struct Score {
  const Directions *child;
  const Neighbours *parents;
  const Ring *ring;
  float *out;
} Score;

static Status score_unit(int64_t unit, int thread, void *context) {
  const Score *score = context;
  (void)thread;
  const int64_t most = score->parents->most;
  const int64_t width = score->child->width;
  const Shard here = score->ring->here;
  const int64_t past = (unit + 1) * SCORE_ROWS;
  const int64_t stop = past < score->parents->count ? past : score->parents->count;
  for (int64_t i = unit * SCORE_ROWS; i < stop; i++) {
    for (int64_t j = 0; j < score->parents->counts[i]; j++) {
      const int64_t id = select_id(score->parents->keys[i * most + j]);
      if (id >= here.first && id < here.past) {
        score->out[i * most + j] = dense_dot(score->child->rows + i * width,
                                             score->ring->rows + (id - here.first) * width, width);
      }
    }
  }
  return OK;
}

Status neighbours_score(Team *team, const Directions *child, const Directions *parent,
                        const Neighbours *parents, float *out) {
  Ring ring;
  TRY(ring_open(&ring, team, parent, NULL));
  for (int64_t i = 0; i < parents->count * parents->most; i++) {
    out[i] = NAN;
  }
  Score score = {.child = child, .parents = parents, .ring = &ring, .out = out};
  const int64_t units = (parents->count + SCORE_ROWS - 1) / SCORE_ROWS;
  Status status = OK;
  do {
    status = team_agree(team, threads_run(units, score_unit, &score));
  } while (status == OK && ring_turn(&ring));
  ring_clear(&ring);
  return status;
}
