#include <math.h>
#include <string.h>

#include "exchange.h"
#include "families_run.h"
#include "memory.h"

static bool has_edge(const FamiliesPair *pair, int64_t child) {
  return pair->table.edge_start[child + 1] > pair->table.edge_start[child];
}

static void set_flag(uint8_t *flags, VerdictFlag flag, bool is_set) {
  if (is_set) {
    *flags |= verdict_bit(flag);
  }
}

/* Links past the next smaller level, which has no qualifying parent. */
static void flag_skips(FamiliesRun *run, FamiliesDictionary *child) {
  if (child->below < 0) {
    return;
  }
  FamiliesPair *next = families_pair(run, families_index(run, child), child->below);
  for (int64_t l = run->dictionaries[child->below].level - 1; l >= 0; --l) {
    FamiliesPair *past = families_pair(run, families_index(run, child), run->of_level[l]);
    for (int64_t i = 0; i < past->table.count; ++i) {
      const bool is_skip = has_edge(past, i) && !has_edge(next, i);
      set_flag(&past->table.flags[i], FLAG_SKIP, is_skip);
      set_flag(&next->table.flags[i], FLAG_SKIP, is_skip);
    }
  }
}

/* Who stands for each own feature; LOOKUP_NONE: itself. */
static Status list_duplicates(const FamiliesDictionary *one, uint32_t **wanted) {
  TRY(MEMORY_NEW(wanted, shard_count(one->own), "representatives"));
  for (int64_t i = 0; i < shard_count(one->own); ++i) {
    const bool is_own = (int64_t)one->representative[i] == one->own.first + i;
    (*wanted)[i] = is_own ? LOOKUP_NONE : one->representative[i];
  }
  return OK;
}

static Status take_rows(const VerdictTable *table, VerdictRow **own, VerdictRow **row) {
  TRY(MEMORY_NEW(own, table->count, "rows of representatives"));
  TRY(MEMORY_NEW(row, table->count, "rows of representatives"));
  for (int64_t i = 0; i < table->count; ++i) {
    (*own)[i] = verdict_row(table, i);
  }
  return OK;
}

/* Near duplicates get the row of what stands for them. */
static Status join_pair(FamiliesRun *run, FamiliesPair *pair) {
  uint32_t *wanted = NULL;
  VerdictRow *own = NULL, *row = NULL;
  if (pair->child->duplicates == 0) {
    return OK;
  }
  Status status = list_duplicates(pair->child, &wanted);
  if (status == OK) {
    status = take_rows(&pair->table, &own, &row);
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = lookup_items(run->team, pair->child->latents, own, sizeof *own, wanted,
                          pair->table.count, row);
  }
  for (int64_t i = 0; status == OK && i < pair->table.count; ++i) {
    if (wanted[i] != LOOKUP_NONE) {
      verdict_set_duplicate(&pair->table, i, &row[i]);
    }
  }
  MEMORY_FREE(wanted);
  MEMORY_FREE(own);
  MEMORY_FREE(row);
  return status;
}

static Status grow_roots(FamiliesRun *run) {
  for (int64_t l = 0; l < run->levels; ++l) {
    FamiliesDictionary *level = families_level(run, l);
    forest_plant(level->own, level->state, (uint32_t)l, level->roots);
    if (l > 0) {
      FamiliesDictionary *below = &run->dictionaries[level->below];
      const FamiliesPair *pair = families_pair(run, families_index(run, level), level->below);
      TRY(forest_grow(run->team, below->latents, below->roots, &pair->table, level->roots));
      TRY(forest_children(run->team, level->latents, below->latents, &pair->table,
                          &below->children));
    }
    TRY(forest_join(run->team, level->latents, level->representative, level->roots));
  }
  return OK;
}

/* Edges of the DAG that end at each own feature of a level, from all larger levels. */
static Status count_edges(FamiliesRun *run, FamiliesDictionary *level, int64_t *edges) {
  for (int64_t l = level->level + 1; l < run->levels; ++l) {
    const VerdictTable *table =
        &families_pair(run, run->of_level[l], families_index(run, level))->table;
    TRY(lookup_add(run->team, level->latents, table->edge_parent, NULL, table->edges, edges));
    if (l == level->level + 1) {
      memcpy(level->in_degree, edges, (size_t)shard_count(level->own) * sizeof *edges);
    }
  }
  return OK;
}

static void judge_parents(FamiliesDictionary *level, const int64_t *edges) {
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    const ForestCounts counts = forest_counts(&level->children, i);
    level->forest_children[i] = counts.all;
    level->parent_status[i] = (uint8_t)verdict_parent((DirectionState)level->state[i], counts.kept,
                                                      counts.split, edges[i] > 0);
    set_flag(&level->flags[i], FLAG_HOLES, counts.absorbed > 0);
  }
}

static Status flag_hubs(FamiliesRun *run, FamiliesDictionary *level) {
  const int64_t own = shard_count(level->own);
  uint8_t *is_hub = NULL;
  int64_t *firings = NULL;
  Status status = MEMORY_NEW(&is_hub, own, "hubs");
  if (status == OK) {
    status = MEMORY_NEW(&firings, own, "firings");
  }
  status = team_agree(run->team, status);
  ASSERT(status != OK || (is_hub != NULL && firings != NULL));
  for (int64_t i = 0; status == OK && i < own; ++i) {
    firings[i] = level->fired[i].narrow;
  }
  if (status == OK) {
    metrics_hubs(run->team, level->own.first, level->in_degree, firings, level->state, own, is_hub);
  }
  for (int64_t i = 0; status == OK && i < own; ++i) {
    set_flag(&level->flags[i], FLAG_HUB, is_hub[i] != 0);
  }
  MEMORY_FREE(is_hub);
  MEMORY_FREE(firings);
  return status;
}

static Status judge_level(FamiliesRun *run, FamiliesDictionary *level) {
  int64_t *edges = NULL;
  TRY_NEW(run->team, &edges, shard_count(level->own), "edges of parents");
  Status status = count_edges(run, level, edges);
  if (status == OK) {
    judge_parents(level, edges);
    status = flag_hubs(run, level);
  }
  MEMORY_FREE(edges);
  return status;
}

/* All flags of a level's features: those as children, and dense where they are nobody's children. */
static void gather_flags(const FamiliesRun *run, FamiliesDictionary *level) {
  const FamiliesPair *pair =
      level->below >= 0 ? families_pair(run, families_index(run, level), level->below) : NULL;
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    const double limit = VERDICT_DENSE * (double)run->rows;
    set_flag(&level->flags[i], FLAG_DENSE, (double)level->fired[i].narrow > limit);
    level->flags[i] |= pair != NULL ? pair->table.flags[i] : 0;
  }
}

/* As a parent, too, a near duplicate is what stands for it. */
typedef struct AsParent {
  uint8_t status, flags;
} AsParent;

static Status take_parents(const FamiliesDictionary *level, AsParent **own, AsParent **row) {
  TRY(MEMORY_NEW(own, shard_count(level->own), "representatives"));
  TRY(MEMORY_NEW(row, shard_count(level->own), "representatives"));
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    (*own)[i] = (AsParent){level->parent_status[i], level->flags[i]};
  }
  return OK;
}

static Status join_level(FamiliesRun *run, FamiliesDictionary *level) {
  uint32_t *wanted = NULL;
  AsParent *own = NULL, *row = NULL;
  if (level->duplicates == 0) {
    return OK;
  }
  Status status = list_duplicates(level, &wanted);
  if (status == OK) {
    status = take_parents(level, &own, &row);
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = lookup_items(run->team, level->latents, own, sizeof *own, wanted,
                          shard_count(level->own), row);
  }
  for (int64_t i = 0; status == OK && i < shard_count(level->own); ++i) {
    if (wanted[i] != LOOKUP_NONE) {
      level->parent_status[i] = row[i].status;
      level->flags[i] = row[i].flags | verdict_bit(FLAG_DUPLICATE);
    }
  }
  MEMORY_FREE(wanted);
  MEMORY_FREE(own);
  MEMORY_FREE(row);
  return status;
}

/* Does the data support the dictionary? */
static void weigh(FamiliesRun *run, FamiliesDictionary *one) {
  one->is_too_little = one->share_30 < FAMILIES_SHARE_30;
  one->median_best = one->null_median = NAN;
  if (one->below >= 0) {
    const FamiliesPair *pair = families_pair(run, families_index(run, one), one->below);
    one->median_best = pair->median_best;
    one->null_median = pair->null.median;
    one->is_undertrained = one->median_best - one->null_median < FAMILIES_ABOVE_NULL;
  }
}

Status families_link_levels(FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    flag_skips(run, &run->dictionaries[i]);
    weigh(run, &run->dictionaries[i]);
  }
  for (int64_t i = 0; i < run->pair_count; ++i) {
    TRY(join_pair(run, &run->pairs[i]));
  }
  TRY(grow_roots(run));
  for (int64_t l = 0; l < run->levels; ++l) {
    FamiliesDictionary *level = families_level(run, l);
    if (l + 1 < run->levels) {
      TRY(judge_level(run, level));
    }
    gather_flags(run, level);
    TRY(join_level(run, level));
  }
  return OK;
}
