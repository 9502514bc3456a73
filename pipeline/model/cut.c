#include "cut.h"

#include <string.h>

#include "exchange.h"
#include "memory.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

/* Counts of items by rank, [team size] each, of the two exchanges. */
typedef struct Numbers {
  int64_t *sent, *received, *lines;
} Numbers;

static Numbers numbers_of(const Cut *cut, int size) {
  return (Numbers){cut->numbers, cut->numbers + size, cut->numbers + 2 * size};
}

static int64_t lesser(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static Status make_buffers(Cut *cut, const Team *team, int64_t latents) {
  const int64_t slice = shard_count(shard_of(cut->rows_most, 1, 0, team->size));
  int64_t depth = 0;
  TRY(MEMORY_NEW(&cut->depths, team->size, "key counts of ranks"));
  for (int r = 0; r < team->size; r++) {
    const Shard own = shard_of(latents, shard_latent_block(latents), r, team->size);
    cut->depths[r] = lesser(cut->wide, shard_count(own));
    depth += cut->depths[r];
  }
  TRY(MEMORY_NEW(&cut->lines, cut->rows_most, "cuts of the batch"));
  TRY(MEMORY_NEW(&cut->own_lines, slice, "cuts of a slice"));
  TRY(MEMORY_NEW(&cut->keys, slice * cut->wide, "keys of a slice"));
  TRY(MEMORY_NEW(&cut->counts, slice, "keys of a slice"));
  TRY(MEMORY_NEW(&cut->sent, cut->rows_most * cut->depths[team->rank], "keys to send"));
  TRY(MEMORY_NEW(&cut->received, slice * depth, "keys to receive"));
  return MEMORY_NEW(&cut->numbers, 3 * (int64_t)team->size, "counts of exchanges");
}

Status cut_create(Cut **out, const Team *team, int64_t latents, int64_t rows_most, int64_t k,
                  int64_t wide) {
  ASSERT(1 <= k && k <= wide);
  TRY(MEMORY_NEW(out, 1, "selection over ranks"));
  **out = (Cut){.k = k, .wide = wide, .rows_most = rows_most};
  const Status status = make_buffers(*out, team, latents);
  if (status != OK) {
    cut_destroy(out);
  }
  return status;
}

void cut_destroy(Cut **cut) {
  if (*cut != NULL) {
    Cut *c = *cut;
    MEMORY_FREE(c->lines);
    MEMORY_FREE(c->keys);
    MEMORY_FREE(c->counts);
    MEMORY_FREE(c->depths);
    MEMORY_FREE(c->sent);
    MEMORY_FREE(c->received);
    MEMORY_FREE(c->own_lines);
    MEMORY_FREE(c->numbers);
  }
  MEMORY_FREE(*cut);
}

/* A row takes the same room whatever was found, 0 for no key: so the sizes are known to all. */
static void send_keys(Cut *cut, Team *team, const SelectKey *keys, const int64_t *counts,
                      int64_t stride) {
  const Numbers n = numbers_of(cut, team->size);
  const int64_t depth = cut->depths[team->rank];
  for (int64_t row = 0; row < cut->rows; row++) {
    ASSERT(counts[row] <= depth);
    SelectKey *to = cut->sent + row * depth;
    memcpy(to, keys + row * stride, (size_t)counts[row] * sizeof(*to));
    memset(to + counts[row], 0, (size_t)(depth - counts[row]) * sizeof(*to));
  }
  for (int r = 0; r < team->size; r++) {
    const int64_t slice = shard_count(shard_of(cut->rows, 1, r, team->size));
    n.sent[r] = slice * depth;
    n.received[r] = shard_count(cut->slice) * cut->depths[r];
    n.lines[r] = slice;
  }
  exchange_all_to_all(team, cut->sent, n.sent, cut->received, n.received, sizeof(SelectKey));
}

/* The best of row `row` of the slice over all ranks. */
static void merge_row(const Cut *cut, int ranks, int64_t row) {
  SelectKey *keys = cut->keys + row * cut->wide;
  const int64_t slice = shard_count(cut->slice);
  const SelectKey *from = cut->received;
  int64_t count = 0;
  for (int r = 0; r < ranks; r++) {
    const int64_t depth = cut->depths[r];
    for (int64_t i = 0; i < depth && from[row * depth + i] != 0; i++) {
      select_offer(keys, &count, cut->wide, from[row * depth + i]);
    }
    from += slice * depth;
  }
  select_sort(keys, count);
  cut->counts[row] = count;
  CutLine *line = &cut->own_lines[row];
  *line = (CutLine){.best = count < cut->k ? 0 : keys[cut->k - 1],
                    .next = count < cut->wide ? 0 : keys[cut->wide - 1]};
  for (int64_t i = 0; i < count && i < cut->k; i++) {
    line->sum += (double)select_score(keys[i]);
  }
}

typedef struct Merging {
  const Cut *cut;
  int ranks;
} Merging;

static Status merge_unit(int64_t unit, int thread, void *context) {
  const Merging *merging = context;
  const int64_t slice = shard_count(merging->cut->slice);
  (void)thread;
  for (int64_t row = unit * ROWS_A_UNIT; row < (unit + 1) * ROWS_A_UNIT && row < slice; row++) {
    merge_row(merging->cut, merging->ranks, row);
  }
  return OK;
}

Status cut_agree(Cut *cut, Team *team, const SelectKey *keys, const int64_t *counts, int64_t stride,
                 int64_t rows) {
  ASSERT(rows <= cut->rows_most);
  cut->rows = rows;
  cut->slice = shard_of(rows, 1, team->rank, team->size);
  send_keys(cut, team, keys, counts, stride);
  Merging merging = {cut, team->size};
  const int64_t units = (shard_count(cut->slice) + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  TRY_ALL(team, threads_run(units, merge_unit, &merging));
  exchange_gather(team, cut->own_lines, numbers_of(cut, team->size).lines, sizeof(CutLine),
                  cut->lines);
  return OK;
}
