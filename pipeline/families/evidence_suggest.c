#include "evidence.h"
#include "evidence_walk.h"
#include "lookup.h"
#include "memory.h"
#include "select.h"
#include "threads.h"

/* Common rows of one child with any parent: only parents that fire along take room. While a child is counted its counters
   are a hash table; from one chunk to the next they are a list. */

enum { UNIT = 16, BITS_LEAST = 10, COMMON_LEAST = 2 };

typedef struct Counter {
  uint32_t key, both; /* 1 + parent, 0: an empty slot; common rows */
} Counter;

typedef struct Table {
  Counter *slot; /* [1 << bits] */
  int bits;
  int64_t used;
} Table;

typedef struct List {
  Counter *items;
  int64_t count;
} List;

/* Children that are counted together, and the scratch memory of all tiles. */
typedef struct Tile {
  const EvidenceSuggest *suggest;
  uint32_t *out;
  Shard of;
  List *lists;     /* [children] */
  int64_t *next;   /* [children] first firing not counted yet */
  SelectKey *keys; /* [threads, most] */
  EvidenceWalk walk;
} Tile;

static Status open_table(Table *table, int bits) {
  *table = (Table){.bits = bits};
  return MEMORY_NEW(&table->slot, (int64_t)1 << bits, "counters of common rows");
}

static Counter *find(const Table *table, uint32_t key) {
  const uint32_t mask = (uint32_t)(((int64_t)1 << table->bits) - 1);
  uint32_t at = (key * 2654435769u) >> (32 - table->bits);
  while (table->slot[at].key != key && table->slot[at].key != 0) {
    at = (at + 1) & mask;
  }
  return &table->slot[at];
}

static Status grow(Table *table) {
  Table larger;
  TRY(open_table(&larger, table->bits + 1));
  for (int64_t i = 0; i < (int64_t)1 << table->bits; ++i) {
    if (table->slot[i].key != 0) {
      *find(&larger, table->slot[i].key) = table->slot[i];
    }
  }
  larger.used = table->used;
  MEMORY_FREE(table->slot);
  *table = larger;
  return OK;
}

static Status add(Table *table, uint32_t key, uint32_t both) {
  Counter *counter = find(table, key);
  const bool is_new = counter->key == 0;
  counter->key = key;
  counter->both += both;
  table->used += is_new;
  return is_new && 2 * table->used > (int64_t)1 << table->bits ? grow(table) : OK;
}

static Status add_row(Table *table, const EvidenceChunk *chunk, int64_t row) {
  const EvidenceRow entries = evidence_row(chunk, row);
  for (int64_t e = entries.first; e < entries.past; ++e) {
    if (chunk->active[e] != 0) {
      TRY(add(table, chunk->id[e] + 1, 1));
    }
  }
  return OK;
}

static Status fill_table(Table *table, const Tile *tile, const List *list,
                         const EvidencePlaces *places) {
  const uint32_t *row = tile->suggest->children->row;
  for (int64_t i = 0; i < list->count; ++i) {
    TRY(add(table, list->items[i].key, list->items[i].both));
  }
  for (int64_t i = places->first; i < places->past; ++i) {
    TRY(add_row(table, &tile->walk.chunk, row[i]));
  }
  return OK;
}

static Status keep_list(const Table *table, List *list) {
  TRY(MEMORY_RESIZE(&list->items, table->used, "common rows of a child"));
  list->count = 0;
  for (int64_t i = 0; list->count < table->used; ++i) {
    if (table->slot[i].key != 0) {
      list->items[list->count++] = table->slot[i];
    }
  }
  return OK;
}

static Status count_child(const Tile *tile, int64_t child) {
  List *list = &tile->lists[child];
  EvidencePlaces places;
  Table table;
  TRY(evidence_places(&tile->walk, tile->suggest->children, child, &tile->next[child], &places));
  if (places.first == places.past) {
    return OK;
  }
  int bits = BITS_LEAST;
  while ((int64_t)1 << bits < 2 * list->count) {
    ++bits;
  }
  TRY(open_table(&table, bits));
  Status status = fill_table(&table, tile, list, &places);
  if (status == OK) {
    status = keep_list(&table, list);
  }
  MEMORY_FREE(table.slot);
  return status;
}

static Shard unit_of(const Tile *tile, int64_t unit) {
  const int64_t first = tile->of.first + unit * UNIT;
  return (Shard){first, first + UNIT < tile->of.past ? first + UNIT : tile->of.past};
}

static Status count_unit(int64_t unit, int thread, void *context) {
  const Tile *tile = context;
  const Shard of = unit_of(tile, unit);
  (void)thread;
  for (int64_t child = of.first; child < of.past; ++child) {
    TRY(count_child(tile, child));
  }
  return OK;
}

static double lift_of(const EvidenceSuggest *suggest, int64_t child, const Counter *counter) {
  const int64_t fired = suggest->children->start[child + 1] - suggest->children->start[child];
  const double p = (double)counter->both / (double)fired;
  return p * (double)suggest->source->rows / (double)suggest->parent_fired[counter->key - 1];
}

/* All have the same n_c: more common rows is a higher P. Keys order by them, then by the lower id. */
static void choose(const Tile *tile, int64_t child, SelectKey *keys) {
  const EvidenceSuggest *suggest = tile->suggest;
  const List *list = &tile->lists[child];
  uint32_t *out = tile->out + child * suggest->most;
  int64_t count = 0;
  for (int64_t i = 0; i < list->count; ++i) {
    const Counter *one = &list->items[i];
    if (one->both >= COMMON_LEAST && lift_of(suggest, child, one) >= suggest->lift_min) {
      select_offer(keys, &count, suggest->most,
                   (SelectKey)one->both << 32 | (UINT32_MAX - one->key));
    }
  }
  select_sort(keys, count);
  for (int64_t j = 0; j < suggest->most; ++j) {
    out[j] = j < count ? UINT32_MAX - (uint32_t)keys[j] - 1 : LOOKUP_NONE;
  }
}

static Status choose_unit(int64_t unit, int thread, void *context) {
  const Tile *tile = context;
  const Shard of = unit_of(tile, unit);
  for (int64_t child = of.first; child < of.past; ++child) {
    choose(tile, child, tile->keys + thread * tile->suggest->most);
    MEMORY_FREE(tile->lists[child].items);
    tile->lists[child].count = 0;
  }
  return OK;
}

static Status count_tile(Tile *tile) {
  const int64_t units = (shard_count(tile->of) + UNIT - 1) / UNIT;
  tile->walk = (EvidenceWalk){.source = tile->suggest->source};
  for (;;) {
    TRY(evidence_walk(&tile->walk));
    if (tile->walk.chunk.rows == 0) {
      return threads_run(units, choose_unit, tile);
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
  return sizeof(Counter) * (met < (double)source->parents ? met : (double)source->parents);
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

static Status count_tiles(Tile *tile) {
  const EvidenceChildren *children = tile->suggest->children;
  TRY(MEMORY_NEW(&tile->lists, children->count, "common rows of children"));
  TRY(MEMORY_NEW(&tile->next, children->count, "firings of children"));
  TRY(MEMORY_NEW(&tile->keys, threads_count() * tile->suggest->most, "best parents"));
  for (int64_t child = 0; child < children->count; ++child) {
    tile->next[child] = children->start[child] - children->start[0];
  }
  for (next_tile(tile); tile->of.first < tile->of.past; next_tile(tile)) {
    TRY(count_tile(tile));
  }
  return evidence_walked(children, tile->next);
}

Status evidence_suggest(const EvidenceSuggest *suggest, uint32_t *out) {
  Tile tile = {.suggest = suggest, .out = out};
  const Status status = count_tiles(&tile);
  for (int64_t child = 0; tile.lists != NULL && child < suggest->children->count; ++child) {
    MEMORY_FREE(tile.lists[child].items);
  }
  MEMORY_FREE(tile.lists);
  MEMORY_FREE(tile.next);
  MEMORY_FREE(tile.keys);
  return status;
}
