#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "families_run.h"
#include "memory.h"

static FamiliesDictionary *level_of(const FamiliesRun *run, int64_t level) {
  return &run->dictionaries[run->of_level[level]];
}

static Status take_sums(FamiliesRun *run) {
  const int64_t own = shard_count(level_of(run, 0)->own);
  for (int kind = 0; kind < FAMILY_SUMS; ++kind) {
    TRY(MEMORY_NEW(&run->sums[kind], own * run->levels, "sizes of families"));
  }
  TRY(MEMORY_NEW(&run->leaf_firings, own, "firings of leaves"));
  TRY(MEMORY_NEW(&run->leaf_commonest, own, "firings of leaves"));
  return MEMORY_NEW(&run->replicated, own, "replication of families");
}

static bool counts_as(ChildStatus status, int kind) {
  switch (kind) {
    case FAMILY_KEPT:
      return verdict_is_kept(status);
    case FAMILY_SPLIT:
      return verdict_is_split(status);
    case FAMILY_OPEN:
      return verdict_is_open(status);
    default:
      return true;
  }
}

/* The root of an own feature if it stands in the smallest level. */
static uint32_t family_of(const FamiliesDictionary *level, int64_t i) {
  return level->roots[i].level == 0 ? level->roots[i].id : LOOKUP_NONE;
}

static Status sum_level(FamiliesRun *run, int64_t l, uint32_t *to) {
  FamiliesDictionary *level = level_of(run, l);
  const FamiliesDictionary *smallest = level_of(run, 0);
  const int64_t own = shard_count(level->own);
  const VerdictTable *table =
      l > 0 ? &families_pair(run, run->of_level[l], run->of_level[l - 1])->table : NULL;
  for (int kind = 0; kind < (l > 0 ? FAMILY_SUMS : 1); ++kind) {
    for (int64_t i = 0; i < own; ++i) {
      const ChildStatus status = table != NULL ? (ChildStatus)table->status[i] : CHILD_NONE;
      to[i] = counts_as(status, kind) ? family_of(level, i) : LOOKUP_NONE;
    }
    TRY(lookup_add(run->team, smallest->latents, to, NULL, own,
                   run->sums[kind] + l * shard_count(smallest->own)));
  }
  return OK;
}

static Status sum_leaves(FamiliesRun *run, int64_t l, uint32_t *to) {
  FamiliesDictionary *level = level_of(run, l);
  const FamiliesDictionary *smallest = level_of(run, 0);
  const int64_t own = shard_count(level->own);
  for (int64_t i = 0; i < own; ++i) {
    to[i] = level->forest_children[i] == 0 ? family_of(level, i) : LOOKUP_NONE;
  }
  TRY(lookup_add(run->team, smallest->latents, to, level->firings, own, run->leaf_firings));
  return lookup_add(run->team, smallest->latents, to, level->commonest, own, run->leaf_commonest);
}

double families_purity(const FamiliesRun *run, int64_t own) {
  return run->leaf_firings[own] > 0
             ? (double)run->leaf_commonest[own] / (double)run->leaf_firings[own]
             : NAN;
}

/* Forest children of each own parent by the direct verdicts of a pair. */
static Status count_children(FamiliesRun *run, const FamiliesPair *pair, int64_t *counts) {
  const VerdictTable *table = &pair->table;
  uint32_t *to = NULL;
  TRY_NEW(run->team, &to, table->count, "parents in the forest");
  for (int64_t i = 0; i < table->count; ++i) {
    to[i] = verdict_in_forest((ChildStatus)table->status[i]) ? table->parent[i] : LOOKUP_NONE;
  }
  const Status status =
      lookup_add(run->team, pair->parent->latents, to, NULL, table->count, counts);
  MEMORY_FREE(to);
  return status;
}

/* A family replicates when one of its features, a parent of the twinned level, splits in both. */
static Status mark_families(FamiliesRun *run, const FamiliesDictionary *parent,
                            const int64_t *level, const int64_t *twin) {
  const FamiliesDictionary *smallest = level_of(run, 0);
  const int64_t own = shard_count(parent->own), families = shard_count(smallest->own);
  uint32_t *to = NULL;
  int64_t *marks = NULL;
  Status status = MEMORY_NEW(&to, own, "families that replicate");
  if (status == OK) {
    status = MEMORY_NEW(&marks, families, "families that replicate");
  }
  status = team_agree(run->team, status);
  ASSERT(status != OK || (to != NULL && marks != NULL));
  for (int64_t i = 0; status == OK && i < own; ++i) {
    to[i] = level[i] >= 2 && twin[i] >= 2 ? family_of(parent, i) : LOOKUP_NONE;
  }
  if (status == OK) {
    status = lookup_add(run->team, smallest->latents, to, NULL, own, marks);
  }
  for (int64_t i = 0; status == OK && i < families; ++i) {
    const bool is_marked = marks[i] > 0 || run->replicated[i] == 1;
    run->replicated[i] = is_marked ? 1 : 0;
  }
  MEMORY_FREE(to);
  MEMORY_FREE(marks);
  return status;
}

/* Bins of the parents by firing rate, so that the rate is seen not to be the reason. */
static Status compare_rates(FamiliesRun *run, FamiliesReplication *out, const int64_t *level,
                            const int64_t *twin) {
  const FamiliesDictionary *parent = out->parent;
  const int64_t own = shard_count(parent->own);
  uint8_t *counts = NULL, *bin = NULL;
  Status status = MEMORY_NEW(&counts, own, "parents that count");
  if (status == OK) {
    status = MEMORY_NEW(&bin, own, "bins of parents");
  }
  status = team_agree(run->team, status);
  ASSERT(status != OK || (counts != NULL && bin != NULL));
  for (int64_t i = 0; status == OK && i < own; ++i) {
    counts[i] = parent->state[i] != DIRECTION_DEAD;
  }
  if (status == OK) {
    status = metrics_rate_bins(run->team, parent->own.first, parent->firings, counts, own, bin);
  }
  if (status == OK) {
    metrics_replication(run->team, level, twin, counts, bin, own, &out->found);
  }
  MEMORY_FREE(counts);
  MEMORY_FREE(bin);
  return status;
}

static Status compare_counts(FamiliesRun *run, FamiliesReplication *out, int64_t *level,
                             int64_t *twin) {
  const int64_t parent = out->parent - run->dictionaries;
  const int64_t own = shard_count(out->parent->own);
  TRY(count_children(run, families_pair(run, out->level - run->dictionaries, parent), level));
  TRY(count_children(run, families_pair(run, out->twin - run->dictionaries, parent), twin));
  TRY(compare_rates(run, out, level, twin));
  for (int64_t i = 0; i < own; ++i) {
    out->children[2 * i] = level[i];
    out->children[2 * i + 1] = twin[i];
  }
  const bool is_next = out->level->below == parent;
  return is_next ? mark_families(run, out->parent, level, twin) : OK;
}

static Status take_counts(FamiliesReplication *out, int64_t **level, int64_t **twin) {
  const int64_t own = shard_count(out->parent->own);
  TRY(MEMORY_NEW(&out->children, 2 * own, "children in level and twin"));
  TRY(MEMORY_NEW(level, own, "children in the level"));
  return MEMORY_NEW(twin, own, "children in the twin");
}

static Status replicate(FamiliesRun *run, FamiliesReplication *out) {
  int64_t *level = NULL, *twin = NULL;
  snprintf(out->name, sizeof out->name, "/replication/%.80s/%.80s", out->twin->settings->name,
           out->parent->settings->name);
  Status status = team_agree(run->team, take_counts(out, &level, &twin));
  ASSERT(status != OK || (level != NULL && twin != NULL));
  if (status == OK) {
    status = compare_counts(run, out, level, twin);
  }
  MEMORY_FREE(level);
  MEMORY_FREE(twin);
  return status;
}

/* Every twin with every level below the one that it is a twin of. */
static Status replicate_all(FamiliesRun *run) {
  TRY_ALL(run->team,
          MEMORY_NEW(&run->replications, run->count * run->levels, "comparisons with twins"));
  for (int64_t t = 0; t < run->count; ++t) {
    const FamiliesDictionary *twin = &run->dictionaries[t];
    for (int64_t l = twin->twin < 0 ? -1 : run->dictionaries[twin->twin].level - 1; l >= 0; --l) {
      FamiliesReplication *out = &run->replications[run->replication_count++];
      *out = (FamiliesReplication){
          .twin = twin, .level = &run->dictionaries[twin->twin], .parent = level_of(run, l)};
      TRY(replicate(run, out));
    }
  }
  return OK;
}

static void number_families(FamiliesRun *run) {
  const FamiliesDictionary *smallest = level_of(run, 0);
  int64_t mine = 0;
  for (int64_t i = 0; i < shard_count(smallest->own); ++i) {
    mine += smallest->state[i] != DIRECTION_DEAD;
  }
  run->family_offset = exchange_offset(run->team, mine, &run->families);
}

Status families_grow_trees(FamiliesRun *run) {
  TRY_ALL(run->team, take_sums(run));
  memset(run->replicated, 2, (size_t)shard_count(level_of(run, 0)->own)); /* no twin */
  number_families(run);
  for (int64_t l = 0; l < run->levels; ++l) {
    uint32_t *to = NULL;
    Status status =
        team_agree(run->team, MEMORY_NEW(&to, shard_count(level_of(run, l)->own), "families"));
    if (status == OK) {
      status = sum_level(run, l, to);
    }
    if (status == OK && run->has_tokens) {
      status = sum_leaves(run, l, to);
    }
    MEMORY_FREE(to);
    TRY(status);
  }
  return replicate_all(run);
}
