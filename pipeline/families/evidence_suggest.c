#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "evidence_walk.h"
#include "lookup.h"
#include "memory.h"
#include "select.h"
#include "threads.h"

/* Common rows of one child with any parent. While a child is counted, each parent has a counter of
   the thread; from one chunk to the next a child keeps those that are not 0. Where these would fill
   the memory more often than the source can be read, children are counted one after the other, in
   the rows where they fire alone. */

enum { UNIT = 16, COMMON_LEAST = 2, ROWS_MOST = 1 << 20 };

/* A row that is read alone costs as much as so many of a chunk. */
static const double APART = 20;

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

/* Rows where some children fire, with their codes. */
typedef struct Gather {
  uint32_t *row; /* [most] ascending; row[i] is row i of the chunk */
  int64_t count, most;
  int64_t past; /* the last child's firings in hand end there */
  EvidenceChunk chunk;
} Gather;

typedef struct Tile Tile;
/* Add the firings of a child that are in hand. */
typedef Status CountChild(const Tile *tile, Counters *counters, int64_t child);

/* Children that are counted together. */
struct Tile {
  const EvidenceSuggest *suggest;
  uint32_t *out;
  Shard of;
  List *lists;        /* [children] */
  int64_t *next;      /* [children] first firing not counted yet */
  Counters *counters; /* [threads] */
  CountChild *count;
  EvidenceWalk walk;
  Gather gather;
};

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

/* The child's counters, until more of its firings come or for good. */
static Status leave_child(const Tile *tile, Counters *counters, int64_t child, bool is_counted) {
  List *list = &tile->lists[child];
  if (!is_counted) {
    return keep_list(counters, list);
  }
  choose(tile, counters, child);
  MEMORY_FREE(list->items);
  return OK;
}

static Status count_child(const Tile *tile, Counters *counters, int64_t child) {
  const EvidenceChildren *children = tile->suggest->children;
  const bool is_last = tile->walk.past == tile->suggest->source->rows;
  EvidencePlaces places;
  TRY(evidence_places(&tile->walk, children, child, &tile->next[child], &places));
  if (places.first == places.past && !is_last) {
    return OK;
  }
  take_list(counters, &tile->lists[child]);
  for (int64_t i = places.first; i < places.past; ++i) {
    evidence_fetch(&tile->walk.chunk, children->row + i, places.past - i);
    count_row(counters, &tile->walk.chunk, children->row[i]);
  }
  return leave_child(tile, counters, child, is_last);
}

static Shard unit_of(const Tile *tile, int64_t unit) {
  const int64_t first = tile->of.first + unit * UNIT;
  return (Shard){first, first + UNIT < tile->of.past ? first + UNIT : tile->of.past};
}

static Status count_unit(int64_t unit, int thread, void *context) {
  const Tile *tile = context;
  const Shard of = unit_of(tile, unit);
  for (int64_t child = of.first; child < of.past; ++child) {
    TRY(tile->count(tile, &tile->counters[thread], child));
  }
  return OK;
}

static Status count_children(Tile *tile, CountChild *count) {
  tile->count = count;
  return threads_run((shard_count(tile->of) + UNIT - 1) / UNIT, count_unit, tile);
}

static Status count_tile(Tile *tile) {
  tile->walk = (EvidenceWalk){.source = tile->suggest->source};
  for (;;) {
    TRY(evidence_walk(&tile->walk));
    if (tile->walk.chunk.rows == 0) {
      return OK;
    }
    TRY(count_children(tile, count_child));
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
  MEMORY_FREE(tile->gather.row);
}

static int64_t end_of(const EvidenceChildren *children, int64_t child) {
  return children->start[child + 1] - children->start[0];
}

static Status check_rows(const Tile *tile, int64_t child, int64_t first, int64_t past) {
  const EvidenceChildren *children = tile->suggest->children;
  const int64_t rows = tile->suggest->source->rows;
  for (int64_t i = first; i < past; ++i) {
    const bool is_first = i == children->start[child] - children->start[0];
    if (children->row[i] >= rows || (!is_first && children->row[i] <= children->row[i - 1])) {
      return RAISE(ERR_FORMAT,
                   "%s: firing %lld: row %lld of %lld, and rows ascend: run cleave-encode again",
                   children->place, (long long)(children->start[0] + i),
                   (long long)children->row[i], (long long)rows);
    }
  }
  return OK;
}

/* The rows of the next children, the last of which may be left halfway. */
static Status list_rows(Tile *tile) {
  const EvidenceChildren *children = tile->suggest->children;
  Gather *g = &tile->gather;
  Shard *of = &tile->of;
  const bool is_left = of->past > 0 && tile->next[of->past - 1] < end_of(children, of->past - 1);
  of->first = of->past - (is_left ? 1 : 0);
  g->count = 0;
  for (of->past = of->first; of->past < children->count && g->count < g->most; ++of->past) {
    const int64_t from = tile->next[of->past], left = end_of(children, of->past) - from;
    const int64_t count = left < g->most - g->count ? left : g->most - g->count;
    TRY(check_rows(tile, of->past, from, from + count));
    if (count > 0) {
      memcpy(g->row + g->count, children->row + from, (size_t)count * sizeof *g->row);
    }
    g->count += count;
    g->past = from + count;
  }
  return OK;
}

static int by_row(const void *a, const void *b) {
  const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static void keep_once(Gather *g) {
  int64_t kept = 0;
  qsort(g->row, (size_t)g->count, sizeof *g->row, by_row);
  for (int64_t i = 0; i < g->count; ++i) {
    if (kept == 0 || g->row[i] != g->row[kept - 1]) {
      g->row[kept++] = g->row[i];
    }
  }
  g->count = kept;
}

static Status count_gathered(const Tile *tile, Counters *counters, int64_t child) {
  const EvidenceChildren *children = tile->suggest->children;
  const Gather *g = &tile->gather;
  const int64_t end = end_of(children, child), first = tile->next[child];
  const int64_t past = child + 1 == tile->of.past ? g->past : end;
  take_list(counters, &tile->lists[child]);
  for (int64_t i = first; i < past; ++i) {
    const uint32_t *at =
        bsearch(&children->row[i], g->row, (size_t)g->count, sizeof *g->row, by_row);
    count_row(counters, &g->chunk, at - g->row);
  }
  tile->next[child] = past;
  return leave_child(tile, counters, child, past == end);
}

static Status count_gathers(Tile *tile) {
  const EvidenceSource *source = tile->suggest->source;
  Gather *g = &tile->gather;
  const double fitting = (double)source->room * (double)source->rows / (double)source->entries;
  g->most = fitting < 1 ? 1 : fitting < ROWS_MOST ? (int64_t)fitting : ROWS_MOST;
  TRY(MEMORY_NEW(&g->row, g->most, "rows of some children"));
  for (;;) {
    TRY(list_rows(tile));
    if (tile->of.first == tile->of.past) {
      return OK;
    }
    keep_once(g);
    TRY(source->gather(source->context, g->row, g->count, &g->chunk));
    TRY(evidence_check_ids(source, &g->chunk));
    TRY(count_children(tile, count_gathered));
  }
}

/* Are the rows of each child fewer than those of as many walks as the lists are full? */
static bool is_sparse(const EvidenceSuggest *suggest) {
  const EvidenceChildren *children = suggest->children;
  const EvidenceSource *source = suggest->source;
  double lists = 0;
  if (source->gather == NULL || source->entries <= source->room) {
    return false;
  }
  for (int64_t child = 0; child < children->count; ++child) {
    lists += bytes_of(suggest, child);
  }
  const double firings = (double)(children->start[children->count] - children->start[0]);
  return APART * firings < ceil(lists / (double)suggest->bytes) * (double)source->rows;
}

static Status walk_tiles(Tile *tile) {
  for (next_tile(tile); tile->of.first < tile->of.past; next_tile(tile)) {
    TRY(count_tile(tile));
  }
  return evidence_walked(tile->suggest->children, tile->next);
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
  return is_sparse(tile->suggest) ? count_gathers(tile) : walk_tiles(tile);
}

Status evidence_suggest(const EvidenceSuggest *suggest, uint32_t *out) {
  Tile tile = {.suggest = suggest, .out = out};
  const Status status = count_tiles(&tile);
  give_back(&tile);
  return status;
}
