#include <math.h>
#include <stdio.h>

#include "duplicates.h"
#include "exchange.h"
#include "families_run.h"
#include "log.h"
#include "memory.h"

enum { SHARE = 4 }; /* best parents that may propose duplicates */

/* The nearest features of the same dictionary as compare stored them. */
static Status read_stored(FamiliesRun *run, const FamiliesDictionary *one, DuplicatesNear *near) {
  char name[FAMILIES_NAME + 32];
  const int64_t own = shard_count(one->own);
  int64_t shape[2];
  uint32_t *id = NULL;
  float *cosine = NULL;
  snprintf(name, sizeof name, "/self/%.200s/id", one->settings->name);
  TRY(archive_shape(run->neighbours, name, ARCHIVE_U32, 2, shape));
  snprintf(name, sizeof name, "/self/%.200s/cosine", one->settings->name);
  TRY(archive_expect(run->neighbours, name, ARCHIVE_F32, 2, shape));
  Status status = MEMORY_NEW(&id, own * shape[1], "nearest features");
  if (status == OK) {
    status = MEMORY_NEW(&cosine, own * shape[1], "nearest features");
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    snprintf(name, sizeof name, "/self/%.200s/id", one->settings->name);
    status = archive_read(run->neighbours, name, one->own.first, own, id);
  }
  if (status == OK) {
    snprintf(name, sizeof name, "/self/%.200s/cosine", one->settings->name);
    status = archive_read(run->neighbours, name, one->own.first, own, cosine);
  }
  if (status == OK) {
    const double cut = run->stage->settings.families.duplicate;
    status = team_agree(run->team, duplicates_stored(near, one->own, id, cosine, shape[1], cut));
  }
  MEMORY_FREE(id);
  MEMORY_FREE(cosine);
  return status;
}

/* The best parents of the own features, near duplicates among them as one. */
typedef struct Best {
  uint32_t *id, *stands; /* [own, most]; what each stands for */
  float *cosine;         /* [own, most] */
  uint32_t *best;        /* [own, SHARE] */
  float *best_cosine;
  int64_t *kept; /* [most] */
  int64_t most;
} Best;

static void best_close(Best *best) {
  MEMORY_FREE(best->id);
  MEMORY_FREE(best->stands);
  MEMORY_FREE(best->cosine);
  MEMORY_FREE(best->best);
  MEMORY_FREE(best->best_cosine);
  MEMORY_FREE(best->kept);
}

static Status best_take(Best *best, int64_t own) {
  TRY(MEMORY_NEW(&best->id, own * best->most, "best parents"));
  TRY(MEMORY_NEW(&best->stands, own * best->most, "best parents"));
  TRY(MEMORY_NEW(&best->cosine, own * best->most, "best parents"));
  TRY(MEMORY_NEW(&best->best, own * SHARE, "best parents"));
  TRY(MEMORY_NEW(&best->best_cosine, own * SHARE, "best parents"));
  return MEMORY_NEW(&best->kept, best->most, "best parents");
}

static void choose_best(const Best *best, int64_t own) {
  for (int64_t i = 0; i < own; ++i) {
    const int64_t at = i * best->most;
    const int64_t count = duplicates_keep(best->stands + at, best->most, best->kept);
    for (int64_t j = 0; j < SHARE; ++j) {
      const bool is_there = j < count;
      best->best[i * SHARE + j] = is_there ? best->stands[at + best->kept[j]] : LOOKUP_NONE;
      best->best_cosine[i * SHARE + j] = is_there ? best->cosine[at + best->kept[j]] : 0;
    }
  }
}

static Status read_best(FamiliesRun *run, const FamiliesPair *pair, Best *best) {
  char name[FAMILIES_NAME + 32];
  const Shard own = pair->child->own;
  const int64_t cells = shard_count(own) * best->most;
  TRY(archive_read(run->neighbours, families_dataset(pair, "parent_id", name), own.first,
                   shard_count(own), best->id));
  TRY(archive_read(run->neighbours, families_dataset(pair, "cosine", name), own.first,
                   shard_count(own), best->cosine));
  TRY_ALL(run->team,
          families_check_ids(pair->group, "parent", best->id, cells, pair->parent->latents));
  for (int64_t i = 0; i < cells; ++i) {
    best->stands[i] = LOOKUP_NONE;
  }
  TRY(lookup_items(run->team, pair->parent->latents, pair->parent->representative, sizeof(uint32_t),
                   best->id, cells, best->stands));
  choose_best(best, shard_count(own));
  return OK;
}

static Status read_rows(FamiliesRun *run, const FamiliesDictionary *one, Directions *rows) {
  TRY_ALL(run->team, directions_open(rows, run->team, one->latents, one->width));
  TRY(archive_read(one->file, "/w_dec", rows->own.first, shard_count(rows->own), rows->rows));
  directions_adopt(rows, one->state);
  return team_agree(run->team, directions_unit(rows, archive_path(one->file)));
}

static Status compare_siblings(FamiliesRun *run, FamiliesPair *pair, const Best *best,
                               DuplicatesNear *near) {
  Directions rows = {0};
  Status status = read_rows(run, pair->child, &rows);
  if (status == OK) {
    const DuplicatesSiblings siblings = {.rows = &rows,
                                         .best = best->best,
                                         .cosine = best->best_cosine,
                                         .share = SHARE,
                                         .parents = pair->parent->latents,
                                         .cut = run->stage->settings.families.duplicate};
    status = duplicates_siblings(near, run->team, &siblings, &pair->crowded);
  }
  directions_clear(&rows);
  if (status == OK && pair->crowded > 0) {
    log_info(
        "%s: %lld parents with more than %d children among their best propose no near duplicates",
        pair->group, (long long)pair->crowded, DUPLICATES_CROWD);
  }
  return status;
}

/* Where compare stored none: among children that share one of their best parents. */
static Status find_siblings(FamiliesRun *run, const FamiliesDictionary *one, DuplicatesNear *near) {
  char name[FAMILIES_NAME + 32];
  FamiliesPair *pair = families_pair(run, families_index(run, one), one->below);
  int64_t shape[2];
  Best best = {0};
  ASSERT(pair != NULL);
  TRY(archive_shape(run->neighbours, families_dataset(pair, "parent_id", name), ARCHIVE_U32, 2,
                    shape));
  TRY(archive_expect(run->neighbours, families_dataset(pair, "cosine", name), ARCHIVE_F32, 2,
                     shape));
  best.most = shape[1];
  Status status = team_agree(run->team, best_take(&best, shard_count(one->own)));
  if (status == OK) {
    status = read_best(run, pair, &best);
  }
  if (status == OK) {
    status = compare_siblings(run, pair, &best, near);
  }
  best_close(&best);
  return status;
}

/* A dead feature stands for itself: it is in no list. */
static void count_duplicates(FamiliesRun *run, FamiliesDictionary *one) {
  for (int64_t i = 0; i < shard_count(one->own); ++i) {
    const bool is_own = (int64_t)one->representative[i] == one->own.first + i;
    one->counts[i] = one->state[i] != DIRECTION_DEAD && is_own;
    one->duplicates += !is_own;
  }
  exchange_sum(run->team, &one->duplicates, 1);
}

static Status find_one(FamiliesRun *run, FamiliesDictionary *one) {
  char name[FAMILIES_NAME + 32];
  DuplicatesNear near = {0};
  snprintf(name, sizeof name, "/self/%.200s/id", one->settings->name);
  const bool is_stored = archive_has(run->neighbours, name);
  Status status;
  if (!is_stored && one->below < 0) {
    status = RAISE(ERR_FORMAT, "%s has no %s: run cleave-compare again",
                   archive_path(run->neighbours), name);
    status = team_agree(run->team, status);
  } else {
    status = is_stored ? read_stored(run, one, &near) : find_siblings(run, one, &near);
  }
  if (status == OK) {
    status = duplicates_collapse(run->team, one->latents, &near, one->representative);
  }
  duplicates_clear(&near);
  if (status == OK) {
    count_duplicates(run, one);
  }
  return status;
}

/* Parents first: the largest dictionary may need what their near duplicates stand for. */
Status families_find_duplicates(FamiliesRun *run) {
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(find_one(run, families_level(run, l)));
  }
  for (int64_t i = 0; i < run->count; ++i) {
    if (run->dictionaries[i].level < 0) {
      TRY(find_one(run, &run->dictionaries[i]));
    }
  }
  return OK;
}
