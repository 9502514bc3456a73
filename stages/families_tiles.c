#include <stdio.h>

#include "exchange.h"
#include "families_tile.h"
#include "memory.h"

enum {
  BLOCK = 1 << 14,      /* parents read at once */
  TILE_BYTES = 1 << 30, /* of candidates and their counts */
  CANDIDATE_BYTES =
      160 /* of one: cosines as stored and collapsed, counts, what evidence_count() needs */
};

/* The best child of a parent, on its way to what the parent stands for. */
typedef struct BestChild {
  uint32_t stands, child;
  float cosine;
} BestChild;

static Status check_shape(const FamiliesTiles *tiles, const char *column, const int64_t *shape,
                          int64_t rows, int64_t columns) {
  if (shape[0] != rows || shape[1] < 1 || (columns > 0 && shape[1] != columns)) {
    return RAISE(ERR_FORMAT, "%s: %s/%s is not made for %lld features: run cleave-compare again",
                 archive_path(tiles->run->neighbours), tiles->pair->group, column, (long long)rows);
  }
  return OK;
}

static Status check_column(const FamiliesTiles *tiles, const char *column, ArchiveType type,
                           int64_t rows, int64_t columns, int64_t *found) {
  char name[FAMILIES_NAME + 32];
  int64_t shape[2];
  TRY(archive_shape(tiles->run->neighbours, families_dataset(tiles->pair, column, name), type, 2,
                    shape));
  TRY_ALL(tiles->run->team, check_shape(tiles, column, shape, rows, columns));
  *found = shape[1];
  return OK;
}

static Status check_columns(FamiliesTiles *tiles) {
  const int64_t children = tiles->pair->child->latents, parents = tiles->pair->parent->latents;
  int64_t found;
  TRY(check_column(tiles, "parent_id", ARCHIVE_U32, children, 0, &tiles->stored));
  TRY(check_column(tiles, "cosine", ARCHIVE_F32, children, tiles->stored, &found));
  TRY(check_column(tiles, "cosine_centred", ARCHIVE_F32, children, tiles->stored, &found));
  TRY(check_column(tiles, "encoder_cosine", ARCHIVE_F32, children, tiles->stored, &found));
  TRY(check_column(tiles, "child_id", ARCHIVE_U32, parents, tiles->stored, &found));
  TRY(check_column(tiles, "child_cosine", ARCHIVE_F32, parents, tiles->stored, &found));
  TRY(check_column(tiles, "span_parent", ARCHIVE_U32, children, 0, &tiles->span));
  return check_column(tiles, "span_weight", ARCHIVE_F32, children, tiles->span, &found);
}

/* First columns of child_id and child_cosine of the own parents, block by block. */
static Status read_first(const FamiliesTiles *tiles, uint32_t *child, float *cosine) {
  char name[FAMILIES_NAME + 32];
  const Shard own = tiles->pair->parent->own;
  const int64_t most = tiles->stored;
  uint32_t *ids = NULL;
  float *cosines = NULL;
  Status status = MEMORY_NEW(&ids, BLOCK * most, "children of parents");
  if (status == OK) {
    status = MEMORY_NEW(&cosines, BLOCK * most, "children of parents");
  }
  for (int64_t first = own.first; status == OK && first < own.past; first += BLOCK) {
    const int64_t rows = own.past - first < BLOCK ? own.past - first : BLOCK;
    status = archive_read_here(tiles->run->neighbours,
                               families_dataset(tiles->pair, "child_id", name), first, rows, ids);
    if (status == OK) {
      status = archive_read_here(tiles->run->neighbours,
                                 families_dataset(tiles->pair, "child_cosine", name), first, rows,
                                 cosines);
    }
    for (int64_t i = 0; status == OK && i < rows; ++i) {
      child[first - own.first + i] = ids[i * most];
      cosine[first - own.first + i] = cosines[i * most];
    }
  }
  MEMORY_FREE(ids);
  MEMORY_FREE(cosines);
  return status;
}

/* The nearest of the children that the members of a group name; ties to the lower id. */
static void choose(const BestChild *named, int64_t count, Shard own, float *cosine,
                   uint32_t *best_child) {
  for (int64_t i = 0; i < shard_count(own); ++i) {
    cosine[i] = -2;
    best_child[i] = LOOKUP_NONE;
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = named[i].stands - own.first;
    if (named[i].cosine > cosine[at] ||
        (named[i].cosine == cosine[at] && named[i].child < best_child[at])) {
      cosine[at] = named[i].cosine;
      best_child[at] = named[i].child;
    }
  }
}

/* Every parent tells what it stands for of its best child, and that of what the child stands for. */
static Status tell(const FamiliesTiles *tiles, const uint32_t *child, const float *cosine,
                   void **arrived, int64_t *count) {
  const FamiliesDictionary *parent = tiles->pair->parent, *one = tiles->pair->child;
  const int64_t own = shard_count(parent->own);
  BestChild *named = NULL;
  uint32_t *stands = NULL, *to = NULL;
  Status status = MEMORY_NEW(&named, own, "best children");
  if (status == OK) {
    status = MEMORY_NEW(&stands, own, "best children");
  }
  if (status == OK) {
    status = MEMORY_NEW(&to, own, "best children");
  }
  status = team_agree(tiles->run->team, status);
  if (status == OK) {
    status = lookup_items(tiles->run->team, one->latents, one->representative, sizeof *stands,
                          child, own, stands);
  }
  ASSERT(status != OK || (named != NULL && stands != NULL && to != NULL));
  for (int64_t i = 0; status == OK && i < own; ++i) {
    named[i] = (BestChild){parent->representative[i], stands[i], cosine[i]};
    to[i] = child[i] == LOOKUP_NONE ? LOOKUP_NONE : parent->representative[i];
  }
  if (status == OK) {
    status = lookup_deliver(tiles->run->team, parent->latents, to, named, sizeof *named, own,
                            arrived, count);
  }
  MEMORY_FREE(named);
  MEMORY_FREE(stands);
  MEMORY_FREE(to);
  return status;
}

static Status find_best_children(FamiliesTiles *tiles) {
  const int64_t own = shard_count(tiles->pair->parent->own);
  uint32_t *child = NULL;
  float *cosine = NULL;
  void *arrived = NULL;
  int64_t count = 0;
  Status status = MEMORY_NEW(&child, own, "best children");
  if (status == OK) {
    status = MEMORY_NEW(&cosine, own, "best children");
  }
  if (status == OK) {
    status = read_first(tiles, child, cosine);
  }
  if (status == OK) {
    status =
        families_check_ids(tiles->pair->group, "child", child, own, tiles->pair->child->latents);
  }
  status = team_agree(tiles->run->team, status);
  if (status == OK) {
    status = tell(tiles, child, cosine, &arrived, &count);
  }
  if (status == OK) {
    choose(arrived, count, tiles->pair->parent->own, cosine, tiles->best_child);
  }
  MEMORY_FREE(child);
  MEMORY_FREE(cosine);
  MEMORY_FREE(arrived);
  return status;
}

static Status take(FamiliesTiles *tiles) {
  TRY(MEMORY_NEW(&tiles->best_child, shard_count(tiles->pair->parent->own), "best children"));
  return MEMORY_NEW(&tiles->parent_fired, tiles->pair->parent->latents, "firings of parents");
}

static void divide(FamiliesTiles *tiles) {
  int64_t most = shard_count(tiles->pair->child->own);
  exchange_max_integer(tiles->run->team, &most, 1);
  const int64_t fit = TILE_BYTES / ((tiles->stored + tiles->suggested) * CANDIDATE_BYTES);
  tiles->room = most < fit ? (most > 0 ? most : 1) : fit;
  tiles->count = (most + tiles->room - 1) / tiles->room;
}

Status families_tiles_open(FamiliesTiles *tiles, FamiliesRun *run, FamiliesPair *pair) {
  *tiles = (FamiliesTiles){
      .run = run, .pair = pair, .suggested = run->stage->settings.families.suggested};
  TRY(check_columns(tiles));
  divide(tiles);
  TRY_ALL(run->team, take(tiles));
  TRY(families_gather_fired(run, pair->parent, tiles->parent_fired));
  TRY(find_best_children(tiles));
  return families_codes_open(&tiles->codes, run, pair->parent);
}

void families_tiles_close(FamiliesTiles *tiles) {
  families_codes_close(&tiles->codes);
  MEMORY_FREE(tiles->best_child);
  MEMORY_FREE(tiles->parent_fired);
}
