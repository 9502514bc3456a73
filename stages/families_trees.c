#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "families_run.h"
#include "memory.h"

static Status take_sums(FamiliesRun *run) {
  const int64_t own = shard_count(families_level(run, 0)->own);
  for (int kind = 0; kind < FAMILY_SUMS; ++kind) {
    TRY(MEMORY_NEW(&run->sums[kind], own * run->levels, "sizes of families"));
  }
  TRY(MEMORY_NEW(&run->leaf_firings, own, "firings of leaves"));
  TRY(MEMORY_NEW(&run->leaf_commonest, own, "firings of leaves"));
  TRY(MEMORY_NEW(&run->entropy, own, "tokens of families"));
  return MEMORY_NEW(&run->replicated, own, "replication of families");
}

static bool counts_as(ChildStatus status, int kind) {
  switch (kind) {
    case FAMILY_KEPT:
      return verdict_is_kept(status);
    case FAMILY_SPLIT:
      return verdict_is_split(status);
    case FAMILY_ABSORBED:
      return status == CHILD_ABSORBED;
    case FAMILY_OPEN:
      return verdict_is_open(status);
    default:
      return true;
  }
}

/* The root of an own feature if it is counted and stands in the smallest level. */
static uint32_t family_of(const FamiliesDictionary *level, int64_t i) {
  return level->counts[i] && level->roots[i].level == 0 ? level->roots[i].id : LOOKUP_NONE;
}

static Status sum_level(FamiliesRun *run, int64_t l, uint32_t *to) {
  FamiliesDictionary *level = families_level(run, l);
  const FamiliesDictionary *smallest = families_level(run, 0);
  const int64_t own = shard_count(level->own);
  const VerdictTable *table =
      l > 0 ? &families_pair(run, run->of_level[l], run->of_level[l - 1])->table : NULL;
  for (int kind = 0; kind < (l > 0 ? FAMILY_ATTACHED : 1); ++kind) {
    for (int64_t i = 0; i < own; ++i) {
      const ChildStatus status = table != NULL ? (ChildStatus)table->status[i] : CHILD_NONE;
      to[i] = counts_as(status, kind) ? family_of(level, i) : LOOKUP_NONE;
    }
    TRY(lookup_add(run->team, smallest->latents, to, NULL, own,
                   run->sums[kind] + l * shard_count(smallest->own)));
  }
  return OK;
}

/* Ambiguous, composed and related features are trees of their own, but a link may lead into a family. */
static bool is_attached(const FamiliesDictionary *level, const FamiliesPair *pair, int64_t i) {
  const ChildStatus status = (ChildStatus)pair->table.status[i];
  const bool is_between = status == CHILD_AMBIGUOUS || status == CHILD_COMPOSED ||
                          status == CHILD_COMPOSED_OPEN || status == CHILD_RELATED ||
                          status == CHILD_RELATED_OPEN;
  return level->counts[i] && is_between && (double)pair->table.best[i] >= pair->link;
}

static Status sum_attached(FamiliesRun *run, int64_t l, uint32_t *to) {
  const FamiliesDictionary *level = families_level(run, l), *below = families_level(run, l - 1);
  const FamiliesDictionary *smallest = families_level(run, 0);
  const FamiliesPair *pair = families_pair(run, run->of_level[l], run->of_level[l - 1]);
  const int64_t own = shard_count(level->own);
  ForestRoot *roots = NULL;
  TRY_NEW(run->team, &roots, own, "roots of parents");
  for (int64_t i = 0; i < own; ++i) {
    to[i] = is_attached(level, pair, i) ? pair->table.parent[i] : LOOKUP_NONE;
    roots[i] = (ForestRoot){LOOKUP_NONE, LOOKUP_NONE};
  }
  Status status =
      lookup_items(run->team, below->latents, below->roots, sizeof *roots, to, own, roots);
  for (int64_t i = 0; i < own; ++i) {
    to[i] = roots[i].level == 0 ? roots[i].id : LOOKUP_NONE;
  }
  MEMORY_FREE(roots);
  return status == OK ? lookup_add(run->team, smallest->latents, to, NULL, own,
                                   run->sums[FAMILY_ATTACHED] + l * shard_count(smallest->own))
                      : status;
}

static Status add_leaves(FamiliesRun *run, const FamiliesDictionary *level, const uint32_t *to,
                         int64_t *firings) {
  const int64_t own = shard_count(level->own), roots = families_level(run, 0)->latents;
  for (int64_t i = 0; i < own; ++i) {
    firings[i] = level->fired[i].narrow;
  }
  TRY(lookup_add(run->team, roots, to, firings, own, run->leaf_firings));
  return lookup_add(run->team, roots, to, level->commonest, own, run->leaf_commonest);
}

static Status sum_leaves(FamiliesRun *run, int64_t l, uint32_t *to) {
  FamiliesDictionary *level = families_level(run, l);
  int64_t *firings = NULL;
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    to[i] = level->forest_children[i] == 0 ? family_of(level, i) : LOOKUP_NONE;
  }
  TRY_NEW(run->team, &firings, shard_count(level->own), "firings of leaves");
  const Status status = add_leaves(run, level, to, firings);
  MEMORY_FREE(firings);
  return status;
}

double families_purity(const FamiliesRun *run, int64_t own) {
  return run->leaf_firings[own] > 0
             ? (double)run->leaf_commonest[own] / (double)run->leaf_firings[own]
             : NAN;
}

static void number_families(FamiliesRun *run) {
  const FamiliesDictionary *smallest = families_level(run, 0);
  int64_t mine = 0;
  for (int64_t i = 0; i < shard_count(smallest->own); ++i) {
    mine += smallest->counts[i];
  }
  run->family_offset = exchange_offset(run->team, mine, &run->families);
}

Status families_grow_trees(FamiliesRun *run) {
  TRY_ALL(run->team, take_sums(run));
  memset(run->replicated, 2, (size_t)shard_count(families_level(run, 0)->own)); /* no twin */
  number_families(run);
  for (int64_t l = 0; l < run->levels; ++l) {
    uint32_t *to = NULL;
    Status status = team_agree(
        run->team, MEMORY_NEW(&to, shard_count(families_level(run, l)->own), "families"));
    if (status == OK) {
      status = sum_level(run, l, to);
    }
    if (status == OK && l > 0) {
      status = sum_attached(run, l, to);
    }
    if (status == OK && run->has_tokens) {
      status = sum_leaves(run, l, to);
    }
    MEMORY_FREE(to);
    TRY(status);
  }
  return OK;
}
