#include "planted.h"

#include <math.h>
#include <string.h>

#include "lookup.h"
#include "memory.h"
#include "random.h"
#include "select.h"

enum { WIDTH = PLANTED_WIDTH, ROWS = PLANTED_ROWS, DRAWS = 3, RARE = 20, ROOM = 64 };

const int64_t PLANTED_LATENTS[PLANTED_COUNT] = {64, 192, 512, 192};

/* What grows under the parents of a level, by id modulo 16; ends with PLANTED_FREE. */
static const uint8_t UNDER[16][5] = {
    {PLANTED_KEPT, PLANTED_SPLIT, PLANTED_SPLIT},
    {PLANTED_SPLIT, PLANTED_SPLIT, PLANTED_SPLIT},
    {PLANTED_SPLIT},
    {PLANTED_KEPT},
    {PLANTED_NEAR},
    {PLANTED_RARE_KEPT, PLANTED_RARE_SPLIT},
    {PLANTED_NEAR_OPEN},
    {PLANTED_FREE},
    {PLANTED_SPLIT, PLANTED_SPLIT, PLANTED_NEAR},
    {PLANTED_KEPT, PLANTED_SPLIT},
    {PLANTED_FAR},
    {PLANTED_SPLIT, PLANTED_SPLIT, PLANTED_UNSEEN},
    {PLANTED_BETWEEN, PLANTED_BETWEEN}, /* 13 is a near copy of 12 */
    {PLANTED_FREE},
    {PLANTED_SKIP},
    {PLANTED_KEPT, PLANTED_NEAR, PLANTED_FAR},
};

static uint64_t key_of(const char *purpose, int64_t index) {
  return random_subkey(random_key(10, purpose, "planted"), (uint64_t)index);
}

static void scale_to_unit(float *row) {
  double square = 0;
  for (int64_t i = 0; i < WIDTH; ++i) {
    square += (double)row[i] * (double)row[i];
  }
  for (int64_t i = 0; i < WIDTH; ++i) {
    row[i] = (float)((double)row[i] / sqrt(square));
  }
}

/* A unit row at cosine `a` (up to rounding) with `parent`; NULL: any direction. */
static void draw_row(uint64_t key, const float *parent, double a, float *row) {
  double dot = 0;
  for (int64_t i = 0; i < WIDTH; ++i) {
    row[i] = (float)random_normal(key, (uint64_t)i);
    dot += parent != NULL ? (double)row[i] * (double)parent[i] : 0;
  }
  for (int64_t i = 0; parent != NULL && i < WIDTH; ++i) {
    row[i] -= (float)(dot * (double)parent[i]);
  }
  scale_to_unit(row);
  for (int64_t i = 0; parent != NULL && i < WIDTH; ++i) {
    row[i] = (float)(a * (double)parent[i] + sqrt(1 - a * a) * (double)row[i]);
  }
}

static double cosine_of(PlantedKind kind) {
  switch (kind) {
    case PLANTED_KEPT:
    case PLANTED_RARE_KEPT:
      return 0.9;
    case PLANTED_RARE_SPLIT:
      return 0.75;
    case PLANTED_NEAR:
    case PLANTED_NEAR_OPEN:
      return 0.55;
    case PLANTED_FAR:
      return 0.2;
    default:
      return 0.6;
  }
}

static ChildStatus truth_of(PlantedKind kind) {
  switch (kind) {
    case PLANTED_DEAD:
      return CHILD_DEAD;
    case PLANTED_UNSEEN:
      return CHILD_UNSEEN;
    case PLANTED_KEPT:
      return CHILD_KEPT;
    case PLANTED_SPLIT:
      return CHILD_SPLIT;
    case PLANTED_RARE_KEPT:
      return CHILD_KEPT_OPEN;
    case PLANTED_RARE_SPLIT:
      return CHILD_SPLIT_OPEN;
    case PLANTED_NEAR:
    case PLANTED_FAR:
      return CHILD_RELATED;
    case PLANTED_NEAR_OPEN:
      return CHILD_RELATED_OPEN;
    case PLANTED_BETWEEN:
      return CHILD_AMBIGUOUS;
    default:
      return CHILD_UNMATCHED;
  }
}

static void place(PlantedDictionary *one, int64_t id, PlantedKind kind, uint32_t parent) {
  one->kind[id] = (uint8_t)kind;
  one->parent[id] = parent;
  one->status[id] = (uint8_t)truth_of(kind);
  one->state[id] = kind == PLANTED_DEAD     ? DIRECTION_DEAD
                   : kind == PLANTED_UNSEEN ? DIRECTION_UNSEEN
                                            : DIRECTION_ALIVE;
}

static bool can_have_children(const PlantedDictionary *one, int64_t id) {
  const uint8_t kind = one->kind[id];
  return kind != PLANTED_DEAD && kind != PLANTED_HUB && kind != PLANTED_UNSEEN &&
         kind != PLANTED_RARE_KEPT && kind != PLANTED_RARE_SPLIT;
}

/* Between two near copies: the direction of their sum, then away from it. */
static void draw_between(uint64_t key, const PlantedDictionary *below, uint32_t parent,
                         float *row) {
  float middle[WIDTH];
  for (int64_t i = 0; i < WIDTH; ++i) {
    middle[i] = below->rows[parent * WIDTH + i] + below->rows[(parent + 1) * WIDTH + i];
  }
  scale_to_unit(middle);
  draw_row(key, middle, 0.6, row);
}

static void draw_feature(PlantedDictionary *one, int64_t level, int64_t id,
                         const PlantedDictionary *below) {
  const PlantedKind kind = (PlantedKind)one->kind[id];
  const uint64_t key = key_of("row", level * 100000 + id);
  float *row = one->rows + id * WIDTH;
  if (kind == PLANTED_DEAD) {
    return;
  }
  if (kind == PLANTED_BETWEEN) {
    draw_between(key, below, one->parent[id], row);
    return;
  }
  const bool is_copy = id > 0 && one->kind[id - 1] == PLANTED_COPY;
  const float *parent = is_copy                          ? row - WIDTH
                        : one->parent[id] != LOOKUP_NONE ? below->rows + one->parent[id] * WIDTH
                                                         : NULL;
  draw_row(key, parent, is_copy ? 0.9 : cosine_of(kind), row);
}

/* Children of all parents, then dead, unseen, hub, and features of their own up to the end. */
static void grow_level(Planted *planted, int64_t level) {
  PlantedDictionary *one = &planted->dictionaries[level];
  const PlantedDictionary *below = level > 0 ? one - 1 : NULL;
  int64_t id = 0;
  for (int64_t p = 0; below != NULL && p < below->latents; ++p) {
    for (int j = 0; j < 5 && UNDER[p % 16][j] != PLANTED_FREE && can_have_children(below, p); ++j) {
      const PlantedKind kind = (PlantedKind)UNDER[p % 16][j];
      const bool is_pair = kind != PLANTED_BETWEEN || below->kind[p] == PLANTED_COPY;
      if (is_pair && (kind != PLANTED_SKIP || (level == 2 && p < PLANTED_LATENTS[0]))) {
        place(one, id++, kind, (uint32_t)p);
      }
    }
  }
  place(one, id++, PLANTED_HUB, LOOKUP_NONE);
  place(one, id++, PLANTED_DEAD, LOOKUP_NONE);
  for (int64_t first = id; id < one->latents; ++id) {
    /* Pairs of near copies stand where UNDER expects them. */
    const bool is_copy = id % 16 == 12 && id > first && id + 1 < one->latents;
    place(one, id, is_copy ? PLANTED_COPY : PLANTED_FREE, LOOKUP_NONE);
  }
  for (id = 0; id < one->latents; ++id) {
    const bool is_skip = one->kind[id] == PLANTED_SKIP;
    draw_feature(one, level, id, is_skip ? below - 1 : below);
  }
}

/* The twin finds 60 % of the middle level again at cosine 0.9, at other places. */
static int64_t original_of(int64_t twin_id) {
  const int64_t original = twin_id * 5 % PLANTED_LATENTS[PLANTED_TWIN];
  return original % 5 < 3 ? original : -1;
}

static void grow_twin(Planted *planted) {
  PlantedDictionary *twin = &planted->dictionaries[PLANTED_TWIN];
  const PlantedDictionary *middle = &planted->dictionaries[1];
  for (int64_t id = 0; id < twin->latents; ++id) {
    const int64_t original = original_of(id);
    const bool is_found = original >= 0 && middle->state[original] == DIRECTION_ALIVE;
    place(twin, id, PLANTED_FREE, LOOKUP_NONE);
    draw_row(key_of("twin", id), is_found ? middle->rows + original * WIDTH : NULL, 0.9,
             twin->rows + id * WIDTH);
  }
}

/* The codes of the row that is being made. */
typedef struct Row {
  uint32_t id[PLANTED_COUNT][ROOM];
  uint8_t active[PLANTED_COUNT][ROOM];
  int64_t count[PLANTED_COUNT];
} Row;

static void fire(Row *row, int64_t dictionary, uint32_t id, bool is_active) {
  const int64_t count = row->count[dictionary];
  for (int64_t e = 0; e < count; ++e) {
    if (row->id[dictionary][e] == id) {
      row->active[dictionary][e] |= is_active;
      return;
    }
  }
  ASSERT(count < ROOM);
  row->id[dictionary][count] = id;
  row->active[dictionary][count] = is_active;
  row->count[dictionary] = count + 1;
}

/* A feature fires, and along with it its ancestors. */
static void fire_with_ancestors(const Planted *planted, Row *row, int64_t level, uint32_t id,
                                uint64_t key) {
  fire(row, level, id, true);
  for (int64_t step = 0; level > 0; ++step) {
    const PlantedDictionary *one = &planted->dictionaries[level];
    const PlantedKind kind = (PlantedKind)one->kind[id];
    const uint32_t parent = one->parent[id];
    if (parent == LOOKUP_NONE || kind == PLANTED_NEAR) {
      return;
    }
    level -= kind == PLANTED_SKIP ? 2 : 1;
    const double along = 0.85 + 0.12 * random_uniform(key_of("along", id), 0);
    const double drawn = random_uniform(key, (uint64_t)step);
    if (drawn < along) {
      fire(row, level, parent, kind != PLANTED_NEAR_OPEN || drawn < along * 0.4);
    }
    if (kind == PLANTED_BETWEEN && random_uniform(key, (uint64_t)(step + 10)) < along) {
      fire(row, level, parent + 1, true);
    }
    id = parent;
  }
}

static bool is_drawn(uint8_t kind) {
  return kind != PLANTED_DEAD && kind != PLANTED_UNSEEN && kind != PLANTED_HUB &&
         kind != PLANTED_RARE_KEPT && kind != PLANTED_RARE_SPLIT;
}

static void draw_features(const Planted *planted, Row *row, int64_t index) {
  const int64_t all = PLANTED_LATENTS[0] + PLANTED_LATENTS[1] + PLANTED_LATENTS[2];
  for (int64_t draw = 0; draw < DRAWS; ++draw) {
    const uint64_t key = key_of("draw", index * DRAWS + draw);
    int64_t level = 0, id = random_below(key, 100, all);
    while (id >= PLANTED_LATENTS[level]) {
      id -= PLANTED_LATENTS[level++];
    }
    if (is_drawn(planted->dictionaries[level].kind[id])) {
      fire_with_ancestors(planted, row, level, (uint32_t)id, key);
    }
  }
}

/* Hubs on 30 % of the rows, rare features on RARE rows of their own, far apart. */
static void draw_special(const Planted *planted, Row *row, int64_t index) {
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    const PlantedDictionary *one = &planted->dictionaries[level];
    for (int64_t id = 0; id < one->latents; ++id) {
      const uint64_t key = key_of("special", level * 100000 + id);
      const bool is_rare =
          one->kind[id] == PLANTED_RARE_KEPT || one->kind[id] == PLANTED_RARE_SPLIT;
      if (one->kind[id] == PLANTED_HUB && random_uniform(key, (uint64_t)index) < 0.3) {
        fire(row, level, (uint32_t)id, true);
      } else if (is_rare && (index + 37 * id) % (ROWS / RARE) == 0) {
        fire_with_ancestors(planted, row, level, (uint32_t)id, random_subkey(key, (uint64_t)index));
      }
    }
  }
}

/* Found features fire with their originals, one of the others now and then. */
static void draw_twin(Row *row, int64_t index) {
  const int64_t latents = PLANTED_LATENTS[PLANTED_TWIN];
  const uint64_t key = key_of("twin fires", index);
  const int64_t stranger = random_below(key, 1000, latents);
  for (int64_t e = 0; e < row->count[1]; ++e) {
    const int64_t id = (int64_t)row->id[1][e] * 77 % latents; /* 5 * 77 = 1 modulo 192 */
    const bool is_found = original_of(id) == (int64_t)row->id[1][e];
    if (is_found && row->active[1][e] && random_uniform(key, (uint64_t)id) < 0.9) {
      fire(row, PLANTED_TWIN, (uint32_t)id, true);
    }
  }
  if (original_of(stranger) < 0) {
    fire(row, PLANTED_TWIN, (uint32_t)stranger, true);
  }
}

static Status append_row(Planted *planted, const Row *row, int64_t index) {
  for (int64_t d = 0; d < PLANTED_COUNT; ++d) {
    PlantedDictionary *one = &planted->dictionaries[d];
    const int64_t count = row->count[d], first = one->entries;
    one->entries += count;
    one->start[index + 1] = one->entries;
    if (one->entries > one->room) {
      one->room = 2 * one->entries + ROWS;
      TRY(MEMORY_RESIZE(&one->id, one->room, "planted codes"));
      TRY(MEMORY_RESIZE(&one->value, one->room, "planted codes"));
      TRY(MEMORY_RESIZE(&one->active, one->room, "planted codes"));
    }
    for (int64_t e = 0; e < count; ++e) {
      one->id[first + e] = row->id[d][e];
      one->active[first + e] = row->active[d][e];
      one->value[first + e] =
          (float)(0.5 + random_uniform(key_of("value", d), (uint64_t)(first + e)));
    }
  }
  return OK;
}

static Status take(Planted *planted) {
  TRY(MEMORY_NEW(&planted->document, ROWS, "planted documents"));
  for (int64_t d = 0; d < PLANTED_COUNT; ++d) {
    PlantedDictionary *one = &planted->dictionaries[d];
    one->latents = PLANTED_LATENTS[d];
    TRY(MEMORY_NEW(&one->rows, one->latents * WIDTH, "planted rows"));
    TRY(MEMORY_NEW(&one->kind, one->latents, "planted kinds"));
    TRY(MEMORY_NEW(&one->state, one->latents, "planted states"));
    TRY(MEMORY_NEW(&one->parent, one->latents, "planted parents"));
    TRY(MEMORY_NEW(&one->status, one->latents, "planted statuses"));
    TRY(MEMORY_NEW(&one->start, ROWS + 1, "planted codes"));
  }
  return OK;
}

Status planted_open(Planted *planted) {
  memset(planted, 0, sizeof *planted);
  TRY(take(planted));
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    grow_level(planted, level);
  }
  grow_twin(planted);
  for (int64_t index = 0; index < ROWS; ++index) {
    Row row = {.count = {0}};
    planted->document[index] = index / PLANTED_DOCUMENT;
    draw_features(planted, &row, index);
    draw_special(planted, &row, index);
    draw_twin(&row, index);
    TRY(append_row(planted, &row, index));
  }
  return OK;
}

void planted_close(Planted *planted) {
  for (int64_t d = 0; d < PLANTED_COUNT; ++d) {
    PlantedDictionary *one = &planted->dictionaries[d];
    MEMORY_FREE(one->rows);
    MEMORY_FREE(one->kind);
    MEMORY_FREE(one->state);
    MEMORY_FREE(one->parent);
    MEMORY_FREE(one->status);
    MEMORY_FREE(one->start);
    MEMORY_FREE(one->id);
    MEMORY_FREE(one->value);
    MEMORY_FREE(one->active);
  }
  MEMORY_FREE(planted->document);
}

static float cosine_between(const float *a, const float *b) {
  double dot = 0;
  for (int64_t i = 0; i < WIDTH; ++i) {
    dot += (double)a[i] * (double)b[i];
  }
  return (float)dot;
}

Status planted_neighbours(const PlantedDictionary *child, const PlantedDictionary *parent,
                          int64_t first, int64_t past, int64_t most, uint32_t *ids,
                          float *cosines) {
  SelectKey *keys = NULL;
  TRY(MEMORY_NEW(&keys, most, "keys of neighbours"));
  for (int64_t c = first; c < past; ++c) {
    int64_t count = 0;
    for (int64_t p = 0; p < parent->latents && child->state[c] != DIRECTION_DEAD; ++p) {
      if (parent->state[p] != DIRECTION_DEAD) {
        const float cosine = cosine_between(child->rows + c * WIDTH, parent->rows + p * WIDTH);
        select_offer(keys, &count, most, select_key(cosine, p));
      }
    }
    select_sort(keys, count);
    for (int64_t j = 0; j < most; ++j) {
      const int64_t at = (c - first) * most + j;
      ids[at] = j < count ? (uint32_t)select_id(keys[j]) : LOOKUP_NONE;
      cosines[at] = j < count ? select_score(keys[j]) : NAN;
    }
  }
  MEMORY_FREE(keys);
  return OK;
}

uint32_t planted_root(const Planted *planted, int64_t *level, uint32_t id) {
  while (*level > 0) {
    const PlantedDictionary *one = &planted->dictionaries[*level];
    if (!verdict_in_forest((ChildStatus)one->status[id])) {
      break;
    }
    id = one->parent[id];
    --*level;
  }
  return id;
}
