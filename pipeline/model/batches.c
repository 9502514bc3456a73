#include "batches.h"

#include <string.h>

#include "alike.h"
#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "random.h"
#include "shard.h"

enum { CHUNK = 256 };

/* One window of an epoch: slots [slot, slot + slots) of its order of chunks. The chunk that is not
 * full keeps the last place, so row r of a window is always in slot r / CHUNK. */
typedef struct Window {
  int64_t epoch;
  int64_t slot, slots;
  int64_t first, rows;  /* its place in the epoch's sequence of rows */
  uint64_t chunk_key;   /* permutes the epoch's full chunks */
  uint64_t shuffle_key; /* permutes the window's rows */
} Window;

struct Batches {
  BatchesSpec spec;
  int64_t chunks;       /* of the data */
  int64_t window_slots; /* chunks of a window */
  int64_t epoch_steps;
  int64_t row_bytes;
  Window window;                  /* whose slots are loaded; epoch -1: none */
  Shard own;                      /* this rank's slots of it */
  unsigned char *loaded;          /* [own slots, CHUNK, width] as stored */
  unsigned char *sent, *received; /* [batch, width] as stored */
  int32_t *owners;                /* [batch] ranks that hold the rows */
  int64_t *places;                /* [batch] of the rows in received */
  int64_t *counts, *next;         /* [team size] */
};

static Status make_buffers(Batches *b, const Team *team) {
  const int64_t slots = shard_count(shard_of(b->window_slots, 1, 0, team->size));
  TRY(MEMORY_NEW(&b->loaded, slots * CHUNK * b->row_bytes, "rows of a window"));
  TRY(MEMORY_NEW(&b->sent, b->spec.batch * b->row_bytes, "rows to send"));
  TRY(MEMORY_NEW(&b->received, b->spec.batch * b->row_bytes, "rows of the batch"));
  TRY(MEMORY_NEW(&b->owners, b->spec.batch, "owners of rows"));
  TRY(MEMORY_NEW(&b->places, b->spec.batch, "places of rows"));
  TRY(MEMORY_NEW(&b->counts, team->size, "counts of rows"));
  return MEMORY_NEW(&b->next, team->size, "places of rows");
}

Status batches_create(Batches **out, const Team *team, const BatchesSpec *spec) {
  ASSERT(1 <= spec->batch && spec->batch <= spec->rows);
  TRY(MEMORY_NEW(out, 1, "batches"));
  Batches *b = *out;
  b->spec = *spec;
  b->chunks = (spec->rows + CHUNK - 1) / CHUNK;
  const int64_t wanted = (spec->window + CHUNK - 1) / CHUNK;
  b->window_slots = wanted < 1 ? 1 : (wanted < b->chunks ? wanted : b->chunks);
  b->epoch_steps = spec->rows / spec->batch;
  b->row_bytes = spec->width * (spec->is_bf16 ? 2 : 4);
  b->window.epoch = -1;
  const Status status = make_buffers(b, team);
  if (status != OK) {
    batches_destroy(out);
  }
  return status;
}

void batches_destroy(Batches **batches) {
  if (*batches != NULL) {
    MEMORY_FREE((*batches)->loaded);
    MEMORY_FREE((*batches)->sent);
    MEMORY_FREE((*batches)->received);
    MEMORY_FREE((*batches)->owners);
    MEMORY_FREE((*batches)->places);
    MEMORY_FREE((*batches)->counts);
    MEMORY_FREE((*batches)->next);
  }
  MEMORY_FREE(*batches);
}

int64_t batches_steps(const Batches *b, double passes) {
  const int64_t steps = (int64_t)(passes * (double)b->spec.rows / (double)b->spec.batch);
  return steps < 1 ? 1 : steps;
}

/* The window of an epoch that holds place `place` of its sequence. */
static Window find_window(const Batches *b, int64_t epoch, int64_t place) {
  const uint64_t key =
      random_subkey(random_key(b->spec.seed, "order of data", b->spec.name), (uint64_t)epoch);
  const int64_t index = place / (b->window_slots * CHUNK);
  Window w = {.epoch = epoch,
              .slot = index * b->window_slots,
              .chunk_key = random_subkey(key, 0),
              .shuffle_key = random_subkey(random_subkey(key, 1), (uint64_t)index)};
  const int64_t slots = b->chunks - w.slot;
  const int64_t rows = b->spec.rows - w.slot * CHUNK;
  w.slots = slots < b->window_slots ? slots : b->window_slots;
  w.first = w.slot * CHUNK;
  w.rows = rows < w.slots * CHUNK ? rows : w.slots * CHUNK;
  return w;
}

/* Place of the epoch's sequence -> row of the window. */
static int64_t shuffled_row(const Window *w, int64_t place) {
  return random_permute(w->shuffle_key, w->rows, place - w->first);
}

static int64_t chunk_of(const Batches *b, const Window *w, int64_t slot) {
  const int64_t at = w->slot + slot;
  const int64_t full = b->spec.rows / CHUNK;
  return at < full ? random_permute(w->chunk_key, full, at) : at;
}

int64_t batches_row(const Batches *b, int64_t step, int64_t place) {
  const int64_t at = step % b->epoch_steps * b->spec.batch + place;
  const Window w = find_window(b, step / b->epoch_steps, at);
  const int64_t row = shuffled_row(&w, at);
  return chunk_of(b, &w, row / CHUNK) * CHUNK + row % CHUNK;
}

/* This rank's part of the window that follows the loaded one, in the next epoch if need be. */
static void ask_ahead(const Batches *b, const Team *team) {
  const int64_t past = b->window.first + b->window.rows;
  const bool is_last = past >= b->epoch_steps * b->spec.batch;
  const Window next = find_window(b, b->window.epoch + is_last, is_last ? 0 : past);
  const Shard own = shard_of(next.slots, 1, team->rank, team->size);
  for (int64_t slot = own.first; b->spec.ahead != NULL && slot < own.past; slot++) {
    const int64_t chunk = chunk_of(b, &next, slot);
    const int64_t left = b->spec.rows - chunk * CHUNK;
    b->spec.ahead(b->spec.context, chunk * CHUNK, left < CHUNK ? left : CHUNK);
  }
}

static Status load_slots(Batches *b) {
  for (int64_t slot = b->own.first; slot < b->own.past; slot++) {
    const int64_t chunk = chunk_of(b, &b->window, slot);
    const int64_t left = b->spec.rows - chunk * CHUNK;
    const int64_t rows = left < CHUNK ? left : CHUNK;
    TRY(b->spec.read(b->spec.context, chunk * CHUNK, rows,
                     b->loaded + (slot - b->own.first) * CHUNK * b->row_bytes));
  }
  return OK;
}

/* Make the window that holds `place` the loaded one. */
static Status enter_window(Batches *b, Team *team, int64_t epoch, int64_t place) {
  const Window *w = &b->window;
  if (w->epoch == epoch && place >= w->first && place < w->first + w->rows) {
    return OK;
  }
  b->window = find_window(b, epoch, place);
  b->own = shard_of(b->window.slots, 1, team->rank, team->size);
  const Status status = team_agree(team, load_slots(b));
  if (status != OK) {
    b->window.epoch = -1;
    return status;
  }
  ask_ahead(b, team);
  return OK;
}

/* This rank's rows among places [place, place + count), in their order; everybody's counts and
 * owners. */
static void pack_rows(Batches *b, const Team *team, int64_t place, int64_t count) {
  unsigned char *to = b->sent;
  memset(b->counts, 0, (size_t)team->size * sizeof(*b->counts));
  for (int64_t i = 0; i < count; i++) {
    const int64_t row = shuffled_row(&b->window, place + i);
    const int owner = shard_owner(b->window.slots, 1, row / CHUNK, team->size);
    b->owners[i] = owner;
    b->counts[owner]++;
    if (owner == team->rank) {
      memcpy(to, b->loaded + (row - b->own.first * CHUNK) * b->row_bytes, (size_t)b->row_bytes);
      to += b->row_bytes;
    }
  }
}

typedef struct Unpacking {
  const Batches *batches;
  float *out;
} Unpacking;

static void unpack_slice(void *context, int64_t first, int64_t count) {
  const Unpacking *unpacking = context;
  const Batches *b = unpacking->batches;
  const float scale = (float)b->spec.scale;
  for (int64_t i = first; i < first + count; i++) {
    const void *from = b->received + b->places[i] * b->row_bytes;
    float *row = unpacking->out + i * b->spec.width;
    if (b->spec.is_bf16) {
      dense_from_bf16(from, b->spec.width, row);
    } else {
      memcpy(row, from, (size_t)b->row_bytes);
    }
    for (int64_t j = 0; j < b->spec.width; j++) {
      row[j] *= scale;
    }
  }
}

/* Received are the rows of rank 0, of rank 1, ..., each rank's in the order of the batch. */
static Status unpack_rows(Batches *b, const Team *team, int64_t count, float *out) {
  Unpacking unpacking = {b, out};
  for (int rank = 0; rank < team->size; rank++) {
    b->next[rank] = rank == 0 ? 0 : b->next[rank - 1] + b->counts[rank - 1];
  }
  for (int64_t i = 0; i < count; i++) {
    b->places[i] = b->next[b->owners[i]]++;
  }
  return alike_start(count, unpack_slice, &unpacking);
}

Status batches_take(Batches *b, Team *team, int64_t step, float *out) {
  const int64_t epoch = step / b->epoch_steps;
  const int64_t first = step % b->epoch_steps * b->spec.batch;
  for (int64_t done = 0; done < b->spec.batch;) {
    TRY(enter_window(b, team, epoch, first + done));
    const int64_t left = b->window.first + b->window.rows - (first + done);
    const int64_t count = left < b->spec.batch - done ? left : b->spec.batch - done;
    pack_rows(b, team, first + done, count);
    exchange_gather(team, b->sent, b->counts, (size_t)b->row_bytes, b->received);
    TRY_ALL(team, unpack_rows(b, team, count, out + done * b->spec.width));
    done += count;
  }
  return OK;
}
