#include "ring.h"

#include "exchange.h"
#include "memory.h"

/* 64 MiB, in whole tiles of the screen. */
enum { BLOCK_BYTES = 1 << 26, BLOCK_TILE = 512 };

static int64_t rows_set;

void ring_set_rows(int64_t rows) {
  rows_set = rows;
}

/* A block that came from another rank. Two of them serve in turn. */
typedef struct Buffer {
  float *rows;
  uint8_t *is_left_out;
  Neighbours lists;
} Buffer;

typedef struct Ring {
  Team *team;
  const Directions *rows;
  const Neighbours *lists; /* NULL: none travel */
  int64_t most;            /* rows of a block */
  Buffer buffer[2];
} Ring;

/* No more than the largest share: rank 0's, under any dealing. */
static int64_t block_rows(const Directions *rows, int size) {
  const int64_t tiles = BLOCK_BYTES / (BLOCK_TILE * rows->width * (int64_t)sizeof(float));
  const int64_t bound = rows_set > 0 ? rows_set : BLOCK_TILE * (tiles < 1 ? 1 : tiles);
  const int64_t largest = shard_count(directions_shard(rows->latents, 0, size));
  return bound < largest ? bound : largest;
}

/* Rows of `rank` that round `round` is about: a block of its share. */
static Shard block_of(const Ring *ring, int64_t round, int rank) {
  const Shard own = directions_shard(ring->rows->latents, rank, ring->team->size);
  const int64_t first = own.first + round * ring->most;
  const int64_t past = first + ring->most;
  return (Shard){first < own.past ? first : own.past, past < own.past ? past : own.past};
}

/* As many as the largest share needs. */
static int64_t rounds_of(const Ring *ring) {
  const Shard own = directions_shard(ring->rows->latents, 0, ring->team->size);
  return (shard_count(own) + ring->most - 1) / ring->most;
}

static Status take_buffers(Ring *ring) {
  for (int i = 0; i < 2 && ring->team->size > 1; i++) {
    Buffer *buffer = &ring->buffer[i];
    TRY(MEMORY_NEW(&buffer->rows, ring->most * ring->rows->width, "rows of the ring"));
    TRY(MEMORY_NEW(&buffer->is_left_out, ring->most, "states of the ring"));
    if (ring->lists != NULL) {
      TRY(neighbours_open(&buffer->lists, ring->most, ring->lists->most));
    }
  }
  return OK;
}

static void clear_buffers(Ring *ring) {
  for (int i = 0; i < 2; i++) {
    MEMORY_FREE(ring->buffer[i].rows);
    MEMORY_FREE(ring->buffer[i].is_left_out);
    neighbours_clear(&ring->buffer[i].lists);
  }
}

static Neighbours lists_from(const Neighbours *lists, int64_t first, int64_t count) {
  return (Neighbours){.count = count,
                      .most = lists->most,
                      .keys = lists->keys + first * lists->most,
                      .counts = lists->counts + first};
}

static RingBlock own_block(const Ring *ring, int64_t round) {
  const Directions *rows = ring->rows;
  const Shard here = block_of(ring, round, ring->team->rank);
  const int64_t first = here.first - rows->own.first;
  RingBlock block = {.here = here,
                     .rows = rows->rows + first * rows->width,
                     .is_left_out = rows->is_left_out + first};
  if (ring->lists != NULL) {
    block.lists = lists_from(ring->lists, first, shard_count(here));
  }
  return block;
}

static void pass(const Ring *ring, const void *send, int64_t from, void *receive, int64_t to,
                 size_t size) {
  exchange_ring(ring->team, send, from * (int64_t)size, receive, to * (int64_t)size);
}

static void pass_lists(const Ring *ring, const Neighbours *from, const Neighbours *to) {
  const int64_t most = from->most;
  pass(ring, from->keys, from->count * most, to->keys, to->count * most, sizeof(*to->keys));
  pass(ring, from->counts, from->count, to->counts, to->count, sizeof(*to->counts));
}

/* Hand the block on, and take the one that is at its turn `turn` here. */
static void turn_ring(const Ring *ring, int64_t round, int turn, RingBlock *block) {
  const Team *team = ring->team;
  const Buffer *buffer = &ring->buffer[turn % 2];
  const int64_t sent = shard_count(block->here);
  block->here = block_of(ring, round, (team->rank - turn + team->size) % team->size);
  const int64_t got = shard_count(block->here);
  const int64_t width = ring->rows->width;
  pass(ring, block->rows, sent * width, buffer->rows, got * width, sizeof(float));
  pass(ring, block->is_left_out, sent, buffer->is_left_out, got, sizeof(uint8_t));
  if (ring->lists != NULL) {
    const Neighbours to = lists_from(&buffer->lists, 0, got);
    pass_lists(ring, &block->lists, &to);
    block->lists = to;
  }
  block->rows = buffer->rows;
  block->is_left_out = buffer->is_left_out;
}

static Status go_round(const Ring *ring, int64_t round, RingVisit visit, void *context) {
  RingBlock block = own_block(ring, round);
  for (int turn = 0; turn < ring->team->size; turn++) {
    if (turn > 0) {
      turn_ring(ring, round, turn, &block);
    }
    TRY_ALL(ring->team, shard_count(block.here) > 0 ? visit(&block, context) : OK);
  }
  if (ring->lists != NULL &&
      ring->team->size > 1) { /* the last rank that saw them sends them home */
    const RingBlock own = own_block(ring, round);
    pass_lists(ring, &block.lists, &own.lists);
  }
  return OK;
}

Status ring_run(Team *team, const Directions *rows, const Neighbours *lists, RingVisit visit,
                void *context) {
  Ring ring = {.team = team, .rows = rows, .lists = lists, .most = block_rows(rows, team->size)};
  ASSERT(rows->part.first == 0 && rows->part.past == rows->latents);
  const int64_t rounds = rounds_of(&ring);
  Status status = team_agree(team, take_buffers(&ring));
  for (int64_t round = 0; round < rounds && status == OK; round++) {
    status = go_round(&ring, round, visit, context);
  }
  clear_buffers(&ring);
  return status;
}
