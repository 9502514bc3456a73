#include "duplicates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "lookup.h"
#include "memory.h"
#include "threads.h"

enum { TILE_BYTES = 1 << 27 }; /* of rows that are here at once */

void duplicates_clear(DuplicatesNear *near) {
  MEMORY_FREE(near->start);
  MEMORY_FREE(near->id);
}

static bool is_lower(uint32_t id, int64_t feature) {
  return id != LOOKUP_NONE && (int64_t)id < feature;
}

Status duplicates_stored(DuplicatesNear *near, Shard own, const uint32_t *id, const float *cosine,
                         int64_t most, double cut) {
  int64_t found = 0;
  *near = (DuplicatesNear){.count = shard_count(own)};
  for (int64_t i = 0; i < near->count * most; ++i) {
    found += is_lower(id[i], own.first + i / most) && (double)cosine[i] >= cut;
  }
  TRY(MEMORY_NEW(&near->start, near->count + 1, "first near features"));
  TRY(MEMORY_NEW(&near->id, found, "near features"));
  found = 0;
  for (int64_t i = 0; i < near->count; ++i) {
    for (int64_t at = i * most; at < (i + 1) * most; ++at) {
      if (is_lower(id[at], own.first + i) && (double)cosine[at] >= cut) {
        near->id[found++] = id[at];
      }
    }
    near->start[i + 1] = found;
  }
  return OK;
}

/* A feature that names a parent among its best. */
typedef struct Named {
  uint32_t parent, feature;
  float cosine;
} Named;

/* Two features that lie near. */
typedef struct Pair {
  uint32_t higher, lower;
  float cosine;
} Pair;

typedef struct Pairs {
  Pair *items;
  int64_t count, room;
} Pairs;

static Status list_named(const DuplicatesSiblings *job, Named **named, uint32_t **to) {
  const Directions *rows = job->rows;
  const int64_t cells = shard_count(rows->own) * job->share;
  TRY(MEMORY_NEW(named, cells, "features of parents"));
  TRY(MEMORY_NEW(to, cells, "parents of features"));
  for (int64_t i = 0; i < cells; ++i) {
    const int64_t feature = i / job->share;
    (*to)[i] = rows->is_left_out[feature] ? LOOKUP_NONE : job->best[i];
    (*named)[i] = (Named){job->best[i], (uint32_t)(rows->own.first + feature), job->cosine[i]};
  }
  return OK;
}

static int compare_named(const void *left, const void *right) {
  const Named *a = left, *b = right;
  const int order = (a->parent > b->parent) - (a->parent < b->parent);
  return order != 0 ? order : (a->feature > b->feature) - (a->feature < b->feature);
}

/* All features of a group share a parent. */
static int64_t group_past(const Named *named, int64_t count, int64_t first) {
  int64_t past = first + 1;
  while (past < count && named[past].parent == named[first].parent) {
    ++past;
  }
  return past;
}

/* Groups whose rows are here at once. */
typedef struct Tile {
  const DuplicatesSiblings *job;
  const Named *named; /* [count] whole groups */
  int64_t count;
  uint32_t *wanted; /* [count] features */
  float *rows;      /* [count, width] */
  int64_t *group;   /* [groups + 1] first of each */
  int64_t groups;
  Pairs *found; /* [threads] */
} Tile;

static Status add_pair(Pairs *pairs, Pair pair) {
  if (pairs->count == pairs->room) {
    const int64_t room = 2 * pairs->room + 64;
    TRY(MEMORY_RESIZE(&pairs->items, room, "near features"));
    pairs->room = room;
  }
  pairs->items[pairs->count++] = pair;
  return OK;
}

/* Unit rows at cosine `cut` are sqrt(2 - 2 cut) apart: so far at most do their cosines with a third
   one differ. */
static Status meet(int64_t unit, int thread, void *context) {
  const Tile *tile = context;
  const int64_t width = tile->job->rows->width;
  const double apart = sqrt(fmax(0, 2 - 2 * tile->job->cut)) + 1e-5;
  for (int64_t i = tile->group[unit]; i < tile->group[unit + 1]; ++i) {
    for (int64_t j = tile->group[unit]; j < i; ++j) {
      const Named *high = &tile->named[i], *low = &tile->named[j];
      if (fabs((double)high->cosine - (double)low->cosine) > apart) {
        continue;
      }
      const float cosine = dense_dot(tile->rows + i * width, tile->rows + j * width, width);
      if ((double)cosine >= tile->job->cut) {
        TRY(add_pair(&tile->found[thread], (Pair){high->feature, low->feature, cosine}));
      }
    }
  }
  return OK;
}

static Status tile_take(Tile *tile, int64_t room) {
  TRY(MEMORY_NEW(&tile->wanted, room, "features of a tile"));
  TRY(MEMORY_NEW(&tile->rows, room * tile->job->rows->width, "rows of a tile"));
  TRY(MEMORY_NEW(&tile->group, room + 1, "groups of a tile"));
  return MEMORY_NEW(&tile->found, threads_count(), "near features");
}

static void tile_clear(Tile *tile) {
  for (int thread = 0; tile->found != NULL && thread < threads_count(); ++thread) {
    MEMORY_FREE(tile->found[thread].items);
  }
  MEMORY_FREE(tile->found);
  MEMORY_FREE(tile->wanted);
  MEMORY_FREE(tile->rows);
  MEMORY_FREE(tile->group);
}

/* The next groups that fit; those of one feature, and crowds, are passed over. Returns where the
   next tile begins. */
static int64_t fill_tile(Tile *tile, Named *named, int64_t count, int64_t first, int64_t room) {
  int64_t kept = first;
  tile->named = named + first;
  tile->count = tile->groups = 0;
  while (first < count) {
    const int64_t past = group_past(named, count, first), size = past - first;
    if (size > 1 && size <= DUPLICATES_CROWD) {
      if (tile->count + size > room) {
        break;
      }
      memmove(named + kept, named + first, (size_t)size * sizeof *named);
      kept += size;
      tile->count += size;
      tile->group[++tile->groups] = tile->count;
    }
    first = past;
  }
  for (int64_t i = 0; i < tile->count; ++i) {
    tile->wanted[i] = tile->named[i].feature;
  }
  return first;
}

static Status run_tiles(Team *team, Tile *tile, Named *named, int64_t count, int64_t room) {
  const Directions *rows = tile->job->rows;
  for (int64_t first = 0; team_any(team, first < count);) {
    first = fill_tile(tile, named, count, first, room);
    TRY(lookup_items(team, rows->latents, rows->rows, (size_t)rows->width * sizeof(float),
                     tile->wanted, tile->count, tile->rows));
    TRY_ALL(team, threads_run(tile->groups, meet, tile));
  }
  return OK;
}

static int64_t count_crowds(Team *team, const Named *named, int64_t count) {
  int64_t crowds = 0, past;
  for (int64_t first = 0; first < count; first = past) {
    past = group_past(named, count, first);
    crowds += past - first > DUPLICATES_CROWD;
  }
  exchange_sum(team, &crowds, 1);
  return crowds;
}

/* At least one group of any size that takes part fits. */
static int64_t room_of(const DuplicatesSiblings *job, int64_t count) {
  const int64_t rows = TILE_BYTES / (job->rows->width * (int64_t)sizeof(float));
  const int64_t room = rows > DUPLICATES_CROWD ? rows : DUPLICATES_CROWD;
  return room < count ? room : count;
}

static Status find_pairs(Team *team, const DuplicatesSiblings *job, Named *named, int64_t count,
                         Pairs *pairs) {
  Tile tile = {.job = job};
  const int64_t room = room_of(job, count);
  Status status = team_agree(team, tile_take(&tile, room));
  if (status == OK) {
    status = run_tiles(team, &tile, named, count, room);
  }
  if (status == OK) {
    Status mine = OK;
    for (int thread = 0; mine == OK && thread < threads_count(); ++thread) {
      for (int64_t i = 0; mine == OK && i < tile.found[thread].count; ++i) {
        mine = add_pair(pairs, tile.found[thread].items[i]);
      }
    }
    status = team_agree(team, mine);
  }
  tile_clear(&tile);
  return status;
}

static int compare_pairs(const void *left, const void *right) {
  const Pair *a = left, *b = right;
  if (a->higher != b->higher) {
    return (a->higher > b->higher) - (a->higher < b->higher);
  }
  if (a->cosine != b->cosine) {
    return (a->cosine < b->cosine) - (a->cosine > b->cosine);
  }
  return (a->lower > b->lower) - (a->lower < b->lower);
}

/* A pair was found once for each parent that it shares. */
static Status near_of_pairs(DuplicatesNear *near, Shard own, Pair *pairs, int64_t count) {
  *near = (DuplicatesNear){.count = shard_count(own)};
  TRY(MEMORY_NEW(&near->start, near->count + 1, "first near features"));
  TRY(MEMORY_NEW(&near->id, count, "near features"));
  if (count > 0) {
    qsort(pairs, (size_t)count, sizeof *pairs, compare_pairs);
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (i == 0 || compare_pairs(&pairs[i - 1], &pairs[i]) != 0) {
      near->id[kept++] = pairs[i].lower;
      ++near->start[pairs[i].higher - own.first + 1];
    }
  }
  for (int64_t i = 0; i < near->count; ++i) {
    near->start[i + 1] += near->start[i];
  }
  return OK;
}

static Status deliver_pairs(DuplicatesNear *near, Team *team, const Directions *rows,
                            const Pairs *pairs) {
  uint32_t *to = NULL;
  void *arrived = NULL;
  int64_t count = 0;
  TRY_NEW(team, &to, pairs->count, "near features");
  for (int64_t i = 0; i < pairs->count; ++i) {
    to[i] = pairs->items[i].higher;
  }
  Status status = lookup_deliver(team, rows->latents, to, pairs->items, sizeof *pairs->items,
                                 pairs->count, &arrived, &count);
  if (status == OK) {
    status = team_agree(team, near_of_pairs(near, rows->own, arrived, count));
  }
  MEMORY_FREE(to);
  MEMORY_FREE(arrived);
  return status;
}

static Status gather_named(Team *team, const DuplicatesSiblings *job, void **named,
                           int64_t *count) {
  Named *mine = NULL;
  uint32_t *to = NULL;
  Status status = team_agree(team, list_named(job, &mine, &to));
  if (status == OK) {
    status = lookup_deliver(team, job->parents, to, mine, sizeof *mine,
                            shard_count(job->rows->own) * job->share, named, count);
  }
  MEMORY_FREE(mine);
  MEMORY_FREE(to);
  return status;
}

Status duplicates_siblings(DuplicatesNear *near, Team *team, const DuplicatesSiblings *siblings,
                           int64_t *crowded) {
  void *named = NULL;
  Pairs pairs = {0};
  int64_t count = 0;
  *near = (DuplicatesNear){0};
  Status status = gather_named(team, siblings, &named, &count);
  if (status == OK) {
    if (count > 0) {
      qsort(named, (size_t)count, sizeof(Named), compare_named);
    }
    *crowded = count_crowds(team, named, count);
    status = find_pairs(team, siblings, named, count, &pairs);
  }
  if (status == OK) {
    status = deliver_pairs(near, team, siblings->rows, &pairs);
  }
  MEMORY_FREE(named);
  MEMORY_FREE(pairs.items);
  return status;
}

/* Settle the feature if the fate of all that lie nearer than its representative is known. `fate`
   are the representatives of near->id, LOOKUP_NONE where not yet settled. */
static bool settle(const DuplicatesNear *near, const uint32_t *fate, int64_t feature, uint32_t id,
                   uint32_t *representative) {
  for (int64_t e = near->start[feature]; e < near->start[feature + 1]; ++e) {
    if (fate[e] == LOOKUP_NONE) {
      return false;
    }
    if (fate[e] == near->id[e]) {
      *representative = near->id[e];
      return true;
    }
  }
  *representative = id;
  return true;
}

/* Each round settles at least the lowest feature that was open. */
static Status settle_all(Team *team, int64_t latents, const DuplicatesNear *near,
                         uint32_t *representative, uint32_t *fate) {
  const int64_t first = lookup_own(team, latents).first, edges = near->start[near->count];
  bool is_open = true;
  while (team_any(team, is_open)) {
    for (int64_t e = 0; e < edges; ++e) {
      fate[e] = LOOKUP_NONE;
    }
    TRY(lookup_items(team, latents, representative, sizeof *representative, near->id, edges, fate));
    is_open = false;
    for (int64_t i = 0; i < near->count; ++i) {
      if (representative[i] == LOOKUP_NONE &&
          !settle(near, fate, i, (uint32_t)(first + i), &representative[i])) {
        is_open = true;
      }
    }
  }
  return OK;
}

Status duplicates_collapse(Team *team, int64_t latents, const DuplicatesNear *near,
                           uint32_t *representative) {
  uint32_t *fate = NULL;
  for (int64_t i = 0; i < near->count; ++i) {
    representative[i] = LOOKUP_NONE;
  }
  TRY_NEW(team, &fate, near->start[near->count], "representatives");
  const Status status = settle_all(team, latents, near, representative, fate);
  MEMORY_FREE(fate);
  return status;
}

int64_t duplicates_keep(const uint32_t *representative, int64_t count, int64_t *kept) {
  int64_t found = 0;
  for (int64_t i = 0; i < count && representative[i] != LOOKUP_NONE; ++i) {
    int64_t j = 0;
    while (j < found && representative[kept[j]] != representative[i]) {
      ++j;
    }
    if (j == found) {
      kept[found++] = i;
    }
  }
  return found;
}
