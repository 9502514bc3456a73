#include "deal.h"

#include <stdlib.h>

#include "exchange.h"
#include "memory.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

typedef struct DealCode {
  SelectKey key;
  float value;
} DealCode;

static Status make_buffers(Deal *deal, const Team *team, int64_t rows_most) {
  /* Rank 0's slice is the largest. */
  const int64_t slice = shard_count(shard_of(rows_most, 1, 0, team->size));
  TRY(MEMORY_NEW(&deal->start, slice + 1, "codes of rows"));
  TRY(MEMORY_NEW(&deal->sums, rows_most, "sums of rows"));
  TRY(MEMORY_NEW(&deal->slice_sums, slice, "sums of rows"));
  TRY(MEMORY_NEW(&deal->hits, rows_most, "counts of rows"));
  TRY(MEMORY_NEW(&deal->slice_hits, team->size * slice, "counts of rows"));
  TRY(MEMORY_NEW(&deal->places, team->size * slice, "places of rows"));
  TRY(MEMORY_NEW(&deal->sent, team->size, "counts of exchanges"));
  return MEMORY_NEW(&deal->received, team->size, "counts of exchanges");
}

Status deal_create(Deal **out, const Team *team, int64_t rows_most) {
  TRY(MEMORY_NEW(out, 1, "codes by row"));
  const Status status = make_buffers(*out, team, rows_most);
  if (status != OK) {
    deal_destroy(out);
  }
  return status;
}

void deal_destroy(Deal **deal) {
  if (*deal != NULL) {
    Deal *d = *deal;
    MEMORY_FREE(d->start);
    MEMORY_FREE(d->id);
    MEMORY_FREE(d->value);
    MEMORY_FREE(d->active);
    MEMORY_FREE(d->sums);
    MEMORY_FREE(d->codes);
    MEMORY_FREE(d->keys);
    MEMORY_FREE(d->values);
    MEMORY_FREE(d->sent);
    MEMORY_FREE(d->received);
    MEMORY_FREE(d->hits);
    MEMORY_FREE(d->slice_hits);
    MEMORY_FREE(d->slice_sums);
    MEMORY_FREE(d->places);
  }
  MEMORY_FREE(*deal);
}

static Shard slice_of(const Fire *fire, const Team *team, int rank) {
  return shard_of(fire->rows, 1, rank, team->size);
}

/* How many hits of each row come from each rank; leaves in `received` how many from a rank. */
static void count_hits(Deal *deal, Team *team, const Fire *fire) {
  const int64_t slice = shard_count(deal->slice);
  for (int64_t row = 0; row < fire->rows; row++) {
    deal->hits[row] = (int32_t)(fire->start[row + 1] - fire->start[row]);
  }
  for (int r = 0; r < team->size; r++) {
    deal->sent[r] = shard_count(slice_of(fire, team, r));
    deal->received[r] = slice;
  }
  exchange_all_to_all(team, deal->hits, deal->sent, deal->slice_hits, deal->received,
                      sizeof(*deal->hits));
  int64_t place = 0;
  for (int r = 0; r < team->size; r++) {
    const Shard their = slice_of(fire, team, r);
    const int64_t before = place;
    for (int64_t row = 0; row < slice; row++) {
      deal->places[r * slice + row] = place;
      place += deal->slice_hits[r * slice + row];
    }
    deal->received[r] = place - before;
    deal->sent[r] = fire->start[their.past] - fire->start[their.first];
  }
}

static Status make_room(Deal *deal, const Team *team) {
  const int64_t slice = shard_count(deal->slice);
  deal->start[0] = 0;
  for (int64_t row = 0; row < slice; row++) {
    int64_t count = 0;
    for (int r = 0; r < team->size; r++) {
      count += deal->slice_hits[r * slice + row];
    }
    deal->start[row + 1] = deal->start[row] + count;
  }
  const int64_t codes = deal->start[slice];
  if (codes > deal->codes_room) {
    const int64_t room = codes + codes / 4;
    TRY(MEMORY_RESIZE(&deal->codes, room, "codes of rows"));
    TRY(MEMORY_RESIZE(&deal->keys, room, "keys of rows"));
    TRY(MEMORY_RESIZE(&deal->values, room, "values of rows"));
    TRY(MEMORY_RESIZE(&deal->id, room, "ids of rows"));
    TRY(MEMORY_RESIZE(&deal->value, room, "values of rows"));
    TRY(MEMORY_RESIZE(&deal->active, room, "activity of rows"));
    deal->codes_room = room;
  }
  return OK;
}

static int by_key(const void *left, const void *right) {
  const SelectKey a = ((const DealCode *)left)->key;
  const SelectKey b = ((const DealCode *)right)->key;
  return a > b ? -1 : (a < b ? 1 : 0);
}

typedef struct Merging {
  Deal *deal;
  const Fire *fire;
  int ranks;
} Merging;

/* One row's hits of all ranks, in order. */
static void merge_row(const Merging *m, int64_t row) {
  Deal *deal = m->deal;
  const int64_t slice = shard_count(deal->slice);
  const int64_t first = deal->start[row], past = deal->start[row + 1];
  DealCode *to = deal->codes + first;
  for (int r = 0; r < m->ranks; r++) {
    const int64_t place = deal->places[r * slice + row];
    for (int64_t i = 0; i < deal->slice_hits[r * slice + row]; i++) {
      *to++ = (DealCode){deal->keys[place + i], deal->values[place + i]};
    }
  }
  if (past > first) { /* where nothing fires at all there are no codes */
    qsort(deal->codes + first, (size_t)(past - first), sizeof(DealCode), by_key);
  }
  const Cut *cut = m->fire->cut;
  const SelectKey best = cut == NULL ? 0 : cut->lines[deal->slice.first + row].best;
  double sum = 0;
  for (int64_t i = first; i < past; i++) {
    deal->id[i] = (uint32_t)select_id(deal->codes[i].key);
    deal->value[i] = deal->codes[i].value;
    deal->active[i] = deal->codes[i].key >= best;
    sum += deal->active[i] ? (double)deal->value[i] : 0.0;
  }
  deal->slice_sums[row] = sum;
}

static Status merge_unit(int64_t unit, int thread, void *context) {
  const Merging *m = context;
  const int64_t slice = shard_count(m->deal->slice);
  (void)thread;
  for (int64_t row = unit * ROWS_A_UNIT; row < (unit + 1) * ROWS_A_UNIT && row < slice; row++) {
    merge_row(m, row);
  }
  return OK;
}

static void share_sums(Deal *deal, Team *team, const Fire *fire) {
  for (int r = 0; r < team->size; r++) {
    deal->sent[r] = shard_count(slice_of(fire, team, r));
  }
  exchange_gather(team, deal->slice_sums, deal->sent, sizeof(*deal->sums), deal->sums);
}

Status deal_rows(Deal *deal, Team *team, const Fire *fire) {
  deal->slice = slice_of(fire, team, team->rank);
  count_hits(deal, team, fire);
  TRY_ALL(team, make_room(deal, team));
  exchange_all_to_all(team, fire->keys, deal->sent, deal->keys, deal->received,
                      sizeof(*deal->keys));
  exchange_all_to_all(team, fire->values, deal->sent, deal->values, deal->received,
                      sizeof(*deal->values));
  Merging merging = {deal, fire, team->size};
  const int64_t units = (shard_count(deal->slice) + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  TRY_ALL(team, threads_run(units, merge_unit, &merging));
  share_sums(deal, team, fire);
  return OK;
}
