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

void neighbours_unpack(const Neighbours *neighbours, uint32_t *ids, float *cosines) {
  const int64_t most = neighbours->most;
  for (int64_t i = 0; i < neighbours->count * most; i++) {
    const bool is_there = i % most < neighbours->counts[i / most];
    const float cosine = is_there ? select_score(neighbours->keys[i]) : NAN;
    ids[i] = is_there ? (uint32_t)select_id(neighbours->keys[i]) : UINT32_MAX;
    cosines[i] = cosine > 1 ? 1 : (cosine < -1 ? -1 : cosine);
  }
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

/** Rows of the largest block: rank 0's, under any dealing. */
static int64_t ring_most(const Team *team, const Directions *parent) {
  return shard_count(directions_shard(parent->latents, 0, team->size));
}

static Status ring_take(Ring *ring, int64_t most) {
  const int64_t rows = ring_most(ring->team, ring->parent);
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

/** One search. Children meet the parents that are here in panels, so that progress shows. */
enum { PANEL_ROWS = 16384 };

typedef struct Search {
  Ring ring;
  const Directions *child;
  const Neighbours *parents;
  double *child_norm; /* [own children] */
  double *norm;       /* [largest block of parents] of the block that is here */
  bool is_own;        /* a dictionary with itself */
  NeighboursWatch *watch;
  int64_t begun; /* watch->done before this search */
} Search;

static Status screen_panel(const Search *search, int64_t first, int64_t count) {
  const Ring *ring = &search->ring;
  const Directions *child = search->child;
  const int64_t most = search->parents->most;
  const ScreenJob job = {.query = {.rows = child->rows + first * child->width,
                                   .norm = search->child_norm + first,
                                   .count = count,
                                   .first_id = child->own.first + first,
                                   .is_left_out = child->is_left_out + first},
                         .base = {.rows = ring->rows,
                                  .norm = search->norm,
                                  .count = shard_count(ring->here),
                                  .first_id = ring->here.first,
                                  .is_left_out = ring->is_left_out},
                         .width = child->width,
                         .k = most,
                         .floor = -2,
                         .keys = search->parents->keys + first * most,
                         .counts = search->parents->counts + first,
                         .back_keys = ring->lists.keys,
                         .back_counts = ring->lists.counts,
                         .skip_equal_ids = search->is_own};
  return screen_run(&job);
}

/** What rank 0 has done of its share stands for all. */
static void show_progress(const Search *search, int64_t children) {
  NeighboursWatch *watch = search->watch;
  const Ring *ring = &search->ring;
  if (watch != NULL && search->parents->count > 0) {
    const double turns = ring->turn + (double)children / (double)search->parents->count;
    const double pairs = (double)search->child->latents * (double)ring->parent->latents;
    watch->done = search->begun + (int64_t)(pairs * turns / ring->team->size);
    progress_step(watch->bar, watch->done);
  }
}

static Status screen_here(const Search *search) {
  const Ring *ring = &search->ring;
  const int64_t children = search->parents->count;
  screen_norms(ring->rows, shard_count(ring->here), search->child->width, search->norm);
  for (int64_t first = 0; first < children; first += PANEL_ROWS) {
    const int64_t left = children - first;
    const int64_t count = left < PANEL_ROWS ? left : PANEL_ROWS;
    TRY(screen_panel(search, first, count));
    show_progress(search, first + count);
  }
  return OK;
}

static Status search_take(Search *search) {
  const Directions *child = search->child;
  const int64_t children = shard_count(child->own);
  const int64_t most = ring_most(search->ring.team, search->ring.parent);
  TRY(MEMORY_NEW(&search->child_norm, children, "norms of children"));
  screen_norms(child->rows, children, child->width, search->child_norm);
  return MEMORY_NEW(&search->norm, most, "norms of parents");
}

static Status go_round(Search *search) {
  TRY_ALL(search->ring.team, search_take(search));
  do {
    TRY_ALL(search->ring.team, screen_here(search));
  } while (ring_turn(&search->ring));
  return OK;
}

static Status find(Search *search, Team *team, const Directions *parent, Neighbours *children) {
  ASSERT(search->child->width == parent->width);
  ASSERT(search->parents->count == shard_count(search->child->own));
  search->begun = search->watch != NULL ? search->watch->done : 0;
  TRY(ring_open(&search->ring, team, parent, children));
  const Status status = go_round(search);
  if (status == OK) {
    sort_lists(search->parents);
  }
  if (status == OK && children != NULL) {
    ring_home(&search->ring, children);
    sort_lists(children);
  }
  MEMORY_FREE(search->child_norm);
  MEMORY_FREE(search->norm);
  ring_clear(&search->ring);
  return status;
}

Status neighbours_find(Team *team, const Directions *child, const Directions *parent,
                       Neighbours *parents, Neighbours *children, NeighboursWatch *watch) {
  ASSERT(children->count == shard_count(parent->own) && children->most == parents->most);
  Search search = {.child = child, .parents = parents, .watch = watch};
  return find(&search, team, parent, children);
}

Status neighbours_find_own(Team *team, const Directions *rows, Neighbours *nearest,
                           NeighboursWatch *watch) {
  Search search = {.child = rows, .parents = nearest, .watch = watch, .is_own = true};
  return find(&search, team, rows, NULL);
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
