#include "evidence.h"
#include "evidence_walk.h"
#include "lookup.h"
#include "memory.h"
#include "select.h"
#include "threads.h"

/* Common rows of one child with any parent. While a child is counted, each parent has a counter of
   the thread; from one chunk to the next a child keeps those that are not 0. */

enum { UNIT = 16, COMMON_LEAST = 2 };

typedef struct Common {
  uint32_t parent, both;
} Common;

typedef struct List {
  Common *items;
  int64_t count;
} List;

typedef struct Counters {
  uint32_t *both;    /* [parents] 0 between children */
  uint32_t *touched; /* [parents + 1] those that are not 0, in order of first meeting */
  int64_t count;     /* touched */
  SelectKey *keys;   /* [most] */
} Counters;

/* Children that are counted together. */
typedef struct Tile {
  const EvidenceSuggest *suggest;
  uint32_t *out;
  Shard of;
  List *lists;        /* [children] */
  int64_t *next;      /* [children] first firing not counted yet */
  Counters *counters; /* [threads] */
  EvidenceWalk walk;
} Tile;

static void take_list(Counters *counters, const List *list) {
  for (int64_t i = 0; i < list->count; ++i) {
    counters->both[list->items[i].parent] = list->items[i].both;
    counters->touched[i] = list->items[i].parent;
  }
  counters->count = list->count;
}

static Status keep_list(Counters *counters, List *list) {
  TRY(MEMORY_RESIZE(&list->items, counters->count, "common rows of a child"));
  list->count = counters->count;
  for (int64_t i = 0; i < list->count; ++i) {
    const uint32_t parent = counters->touched[i];
    list->items[i] = (Common){parent, counters->both[parent]};
    counters->both[parent] = 0;
  }
  return OK;
}

static void count_row(Counters *counters, const EvidenceChunk *chunk, int64_t row) {
  const EvidenceRow entries = evidence_row(chunk, row);
  uint32_t *both = counters->both, *touched = counters->touched;
  int64_t count = counters->count;
  for (int64_t e = entries.first; e < entries.past; ++e) {
    if (chunk->active[e] != 0) {
      const uint32_t parent = chunk->id[e];
      touched[count] = parent; /* without a branch: new ones cannot be foretold */
      count += both[parent]++ == 0;
    }
  }
  counters->count = count;
}

static double lift_of(const EvidenceSuggest *suggest, int64_t child, uint32_t parent,
                      uint32_t both) {
  const int64_t fired = suggest->children->start[child + 1] - suggest->children->start[child];
  const double p = (double)both / (double)fired;
  return p * (double)suggest->source->rows / (double)suggest->parent_fired[parent];
}

/* All have the same n_c: more common rows is a higher P. Keys order by them, then by the lower
   id. */
static void choose(const Tile *tile, Counters *counters, int64_t child) {
  const EvidenceSuggest *suggest = tile->suggest;
  uint32_t *out = tile->out + child * suggest->most;
  int64_t count = 0;
  for (int64_t i = 0; i < counters->count; ++i) {
    const uint32_t parent = counters->touched[i], both = counters->both[parent];
    const SelectKey key = (SelectKey)both << 32 | (UINT32_MAX - parent);
    counters->both[parent] = 0;
    if (both >= COMMON_LEAST && key > select_worst(counters->keys, count, suggest->most) &&
        lift_of(suggest, child, parent, both) >= suggest->lift_min) {
      select_offer(counters->keys, &count, suggest->most, key);
    }
  }
  select_sort(counters->keys, count);
  for (int64_t j = 0; j < suggest->most; ++j) {
    out[j] = j < count ? UINT32_MAX - (uint32_t)counters->keys[j] : LOOKUP_NONE;
  }
}

static Status count_child(const Tile *tile, Counters *counters, int64_t child) {
  const EvidenceChildren *children = tile->suggest->children;
  const bool is_last = tile->walk.past == tile->suggest->source->rows;
  List *list = &tile->lists[child];
  EvidencePlaces places;
  TRY(evidence_places(&tile->walk, children, child, &tile->next[child], &places));
  if (places.first == places.past && !is_last) {
    return OK;
  }
  take_list(counters, list);
  for (int64_t i = places.first; i < places.past; ++i) {
    evidence_fetch(&tile->walk.chunk, children->row + i, places.past - i);
    count_row(counters, &tile->walk.chunk, children->row[i]);
  }
  if (!is_last) {
    return keep_list(counters, list);
  }
  choose(tile, counters, child);
  MEMORY_FREE(list->items);
  return OK;
}

static Shard unit_of(const Tile *tile, int64_t unit) {
  const int64_t first = tile->of.first + unit * UNIT;
  return (Shard){first, first + UNIT < tile->of.past ? first + UNIT : tile->of.past};
}

static Status count_unit(int64_t unit, int thread, void *context) {
  const Tile *tile = context;
  const Shard of = unit_of(tile, unit);
  for (int64_t child = of.first; child < of.past; ++child) {
    TRY(count_child(tile, &tile->counters[thread], child));
  }
  return OK;
}

static Status count_tile(Tile *tile) {
  const int64_t units = (shard_count(tile->of) + UNIT - 1) / UNIT;
  tile->walk = (EvidenceWalk){.source = tile->suggest->source};
  for (;;) {
    TRY(evidence_walk(&tile->walk));
    if (tile->walk.chunk.rows == 0) {
      return OK;
    }
    TRY(threads_run(units, count_unit, tile));
  }
}

/* The most that a child's counters may take, were no row longer than the mean. */
static double bytes_of(const EvidenceSuggest *suggest, int64_t child) {
  const EvidenceSource *source = suggest->source;
  const int64_t fired = suggest->children->start[child + 1] - suggest->children->start[child];
  const double entries = source->rows > 0 ? (double)source->entries / (double)source->rows : 0;
  const double met = (double)fired * entries;
  return sizeof(Common) * (met < (double)source->parents ? met : (double)source->parents);
}

static void next_tile(Tile *tile) {
  double bytes = 0;
  tile->of.first = tile->of.past;
  while (tile->of.past < tile->suggest->children->count) {
    bytes += bytes_of(tile->suggest, tile->of.past);
    if (bytes > (double)tile->suggest->bytes && tile->of.past > tile->of.first) {
      return;
    }
    ++tile->of.past;
  }
}

static Status take_counters(Tile *tile) {
  const int64_t parents = tile->suggest->source->parents;
  TRY(MEMORY_NEW(&tile->counters, threads_count(), "threads that count"));
  for (int t = 0; t < threads_count(); ++t) {
    TRY(MEMORY_NEW(&tile->counters[t].both, parents, "common rows of parents"));
    TRY(MEMORY_NEW(&tile->counters[t].touched, parents + 1, "parents that were met"));
    TRY(MEMORY_NEW(&tile->counters[t].keys, tile->suggest->most, "best parents"));
  }
  return OK;
}

static void give_back(Tile *tile) {
  for (int64_t child = 0; tile->lists != NULL && child < tile->suggest->children->count; ++child) {
    MEMORY_FREE(tile->lists[child].items);
  }
  for (int t = 0; tile->counters != NULL && t < threads_count(); ++t) {
    MEMORY_FREE(tile->counters[t].both);
    MEMORY_FREE(tile->counters[t].touched);
    MEMORY_FREE(tile->counters[t].keys);
  }
  MEMORY_FREE(tile->counters);
  MEMORY_FREE(tile->lists);
  MEMORY_FREE(tile->next);
}

static Status count_tiles(Tile *tile) {
  const EvidenceChildren *children = tile->suggest->children;
  TRY(MEMORY_NEW(&tile->lists, children->count, "common rows of children"));
  TRY(MEMORY_NEW(&tile->next, children->count, "firings of children"));
  TRY(take_counters(tile));
  for (int64_t child = 0; child < children->count; ++child) {
    tile->next[child] = children->start[child] - children->start[0];
  }
  for (int64_t i = 0; i < children->count * tile->suggest->most; ++i) {
    tile->out[i] = LOOKUP_NONE;
  }
  for (next_tile(tile); tile->of.first < tile->of.past; next_tile(tile)) {
    TRY(count_tile(tile));
  }
  return evidence_walked(children, tile->next);
}

Status evidence_suggest(const EvidenceSuggest *suggest, uint32_t *out) {
  Tile tile = {.suggest = suggest, .out = out};
  const Status status = count_tiles(&tile);
  give_back(&tile);
  return status;
}
