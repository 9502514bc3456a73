#include <math.h>
#include <stdio.h>
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

static int64_t index_of(const FamiliesRun *run, const FamiliesDictionary *one) {
  return one - run->dictionaries;
}

/* Links past the next smaller level, which has no qualifying parent. */
static void flag_skips(FamiliesRun *run, FamiliesDictionary *child) {
  if (child->below < 0) {
    return;
  }
  FamiliesPair *next = families_pair(run, index_of(run, child), child->below);
  for (int64_t l = run->dictionaries[child->below].level - 1; l >= 0; --l) {
    FamiliesPair *past = families_pair(run, index_of(run, child), run->of_level[l]);
    for (int64_t i = 0; i < past->table.count; ++i) {
      const bool is_skip = has_edge(past, i) && !has_edge(next, i);
      set_flag(&past->table.flags[i], FLAG_SKIP, is_skip);
      set_flag(&next->table.flags[i], FLAG_SKIP, is_skip);
    }
  }
}

/* The first FOREST_CHAIN parents of the own children, as compare stored them. */
static Status read_chain(FamiliesRun *run, const FamiliesPair *pair, int64_t *width,
                         uint32_t **chain) {
  char name[FAMILIES_NAME + 32];
  const Shard own = pair->child->own;
  int64_t shape[2];
  uint32_t *all = NULL;
  snprintf(name, sizeof name, "%s/parent_id", pair->group);
  TRY(archive_shape(run->neighbours, name, ARCHIVE_U32, 2, shape));
  *width = shape[1] < FOREST_CHAIN ? shape[1] : FOREST_CHAIN;
  Status status = MEMORY_NEW(chain, shard_count(own) * *width, "chains of parents");
  if (status == OK) {
    status = MEMORY_NEW(&all, shard_count(own) * shape[1], "candidate parents");
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = archive_read(run->neighbours, name, own.first, shard_count(own), all);
  }
  ASSERT(status != OK || all != NULL);
  for (int64_t i = 0; status == OK && i < shard_count(own); ++i) {
    memcpy(*chain + i * *width, all + i * shape[1], (size_t)*width * sizeof **chain);
  }
  MEMORY_FREE(all);
  return status;
}

static void judge_chain(FamiliesRun *run, FamiliesPair *next, const uint8_t *agrees) {
  int64_t sums[3] = {0}; /* chains, agreeing at once, agreeing */
  for (int64_t i = 0; i < next->table.count; ++i) {
    sums[0] += agrees[i] != FOREST_NO_CHAIN;
    sums[1] += agrees[i] == 3;
    sums[2] += agrees[i] == 3 || agrees[i] == 1;
    set_flag(&next->table.flags[i], FLAG_LOW_TC, agrees[i] == 0);
  }
  exchange_sum(run->team, sums, 3);
  next->has_chain = true;
  next->tc_1 = sums[0] > 0 ? (double)sums[1] / (double)sums[0] : NAN;
  next->tc_5 = sums[0] > 0 ? (double)sums[2] / (double)sums[0] : NAN;
}

/* Is the best parent's best parent the direct one? For dictionaries with two smaller levels. */
static Status flag_inconsistent(FamiliesRun *run, FamiliesDictionary *child) {
  const int64_t middle = child->below;
  const int64_t small = middle < 0 ? -1 : run->dictionaries[middle].below;
  uint32_t *chain = NULL;
  uint8_t *agrees = NULL;
  int64_t width = 0;
  if (small < 0) {
    return OK;
  }
  FamiliesPair *next = families_pair(run, index_of(run, child), middle);
  const FamiliesPair *above = families_pair(run, middle, small);
  const FamiliesPair *direct = families_pair(run, index_of(run, child), small);
  Status status = team_agree(run->team, MEMORY_NEW(&agrees, next->table.count, "agreements"));
  if (status == OK) {
    status = read_chain(run, next, &width, &chain);
  }
  if (status == OK) {
    status = forest_consistency(run->team, next->parent->latents, chain, width,
                                above->table.first_parent, direct->table.first_parent,
                                next->table.count, agrees);
  }
  if (status == OK) {
    judge_chain(run, next, agrees);
  }
  MEMORY_FREE(chain);
  MEMORY_FREE(agrees);
  return status;
}

static Status grow_roots(FamiliesRun *run) {
  for (int64_t l = 0; l < run->levels; ++l) {
    FamiliesDictionary *level = &run->dictionaries[run->of_level[l]];
    forest_plant(level->own, level->state, (uint32_t)l, level->roots);
    if (l == 0) {
      continue;
    }
    FamiliesDictionary *below = &run->dictionaries[level->below];
    const FamiliesPair *pair = families_pair(run, index_of(run, level), level->below);
    TRY(forest_grow(run->team, below->latents, below->roots, &pair->table, level->roots));
    TRY(forest_children(run->team, level->latents, below->latents, &pair->table, &below->children));
  }
  return OK;
}

/* Edges of the DAG that end at each own feature of a level, from all larger levels. */
static Status count_edges(FamiliesRun *run, FamiliesDictionary *level, int64_t *edges) {
  for (int64_t l = level->level + 1; l < run->levels; ++l) {
    const VerdictTable *table = &families_pair(run, run->of_level[l], index_of(run, level))->table;
    TRY(lookup_add(run->team, level->latents, table->edge_parent, NULL, table->edges, edges));
    if (l == level->level + 1) {
      memcpy(level->in_degree, edges, (size_t)shard_count(level->own) * sizeof *edges);
    }
  }
  return OK;
}

static void judge_parents(FamiliesRun *run, FamiliesDictionary *level, const int64_t *edges) {
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    const ForestCounts counts = forest_counts(&level->children, i);
    level->forest_children[i] = counts.all;
    level->parent_status[i] = (uint8_t)verdict_parent((DirectionState)level->state[i], counts.kept,
                                                      counts.split, edges[i] > 0);
    ++level->count[level->parent_status[i]];
  }
  exchange_sum(run->team, level->count, PARENT_STATUSES);
}

static Status flag_hubs(FamiliesRun *run, FamiliesDictionary *level) {
  const int64_t own = shard_count(level->own);
  uint8_t *is_hub = NULL;
  TRY_NEW(run->team, &is_hub, own, "hubs");
  metrics_hubs(run->team, level->own.first, level->in_degree, level->firings, level->state, own,
               is_hub);
  for (int64_t i = 0; i < own; ++i) {
    set_flag(&level->flags[i], FLAG_HUB, is_hub[i] != 0);
  }
  MEMORY_FREE(is_hub);
  return OK;
}

static Status judge_level(FamiliesRun *run, FamiliesDictionary *level) {
  int64_t *edges = NULL;
  TRY_NEW(run->team, &edges, shard_count(level->own), "edges of parents");
  Status status = count_edges(run, level, edges);
  if (status == OK) {
    judge_parents(run, level, edges);
    status = flag_hubs(run, level);
  }
  MEMORY_FREE(edges);
  return status;
}

/* All flags of a level's features: those as children, hub, and dense where they are nobody's children. */
static void gather_flags(const FamiliesRun *run, FamiliesDictionary *level) {
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    const double limit = VERDICT_DENSE * (double)run->rows;
    set_flag(&level->flags[i], FLAG_DENSE, (double)level->firings[i] > limit);
    if (level->below >= 0) {
      level->flags[i] |= families_pair(run, index_of(run, level), level->below)->table.flags[i];
    }
  }
}

/* Rows and activations of features, read for coverage. */
typedef struct Firings {
  uint32_t *row;
  float *value;
  uint8_t *is_covered;
  int64_t room;
} Firings;

static void firings_close(Firings *firings) {
  MEMORY_FREE(firings->row);
  MEMORY_FREE(firings->value);
  MEMORY_FREE(firings->is_covered);
}

/* The firings of feature `id`; ranks local. */
static Status read_firings(const FamiliesDictionary *one, int64_t id, bool with_values,
                           Firings *out, int64_t *count) {
  int64_t range[2];
  TRY(archive_read_here(one->codes, "/feature_start", id, 2, range));
  *count = range[1] - range[0];
  if (*count > out->room) {
    out->room = *count;
    TRY(MEMORY_RESIZE(&out->row, out->room, "rows of a feature"));
    TRY(MEMORY_RESIZE(&out->value, out->room, "activations of a feature"));
    TRY(MEMORY_RESIZE(&out->is_covered, out->room, "covered rows"));
  }
  if (*count <= 0) {
    *count = 0;
    return OK;
  }
  TRY(archive_read_here(one->codes, "/feature_row", range[0], *count, out->row));
  return with_values ? archive_read_here(one->codes, "/feature_value", range[0], *count, out->value)
                     : OK;
}

static Status cover_parent(FamiliesDictionary *level, const FamiliesDictionary *larger,
                           int64_t parent, Firings *own, Firings *other) {
  const ForestChildren *children = &level->children;
  int64_t count, child_count;
  if (children->start[parent + 1] == children->start[parent]) {
    return OK;
  }
  TRY(read_firings(level, level->own.first + parent, true, own, &count));
  memset(own->is_covered, 0, (size_t)count);
  for (int64_t e = children->start[parent]; e < children->start[parent + 1]; ++e) {
    TRY(read_firings(larger, children->child[e], false, other, &child_count));
    metrics_cover(own->row, count, other->row, child_count, own->is_covered);
  }
  level->coverage[parent] = metrics_coverage(own->value, own->is_covered, count);
  return OK;
}

/* The largest level (larger NULL) has no children. */
static Status cover_level(FamiliesDictionary *level, const FamiliesDictionary *larger) {
  Firings own = {0}, other = {0};
  Status status = OK;
  for (int64_t p = 0; status == OK && p < shard_count(level->own); ++p) {
    level->coverage[p] = NAN;
    if (larger != NULL) {
      status = cover_parent(level, larger, p, &own, &other);
    }
  }
  firings_close(&own);
  firings_close(&other);
  return status;
}

/* nan where a child does not count for a mean. */
static void pick(const FamiliesPair *pair, const float *column, bool linked_only, float *out) {
  for (int64_t i = 0; i < pair->table.count; ++i) {
    out[i] = !linked_only || has_edge(pair, i) ? column[i] : NAN;
  }
}

static void count_children(FamiliesRun *run, FamiliesPair *pair) {
  const VerdictTable *table = &pair->table;
  int64_t sums[6] = {0};
  for (int64_t i = 0; i < table->count; ++i) {
    const int64_t edges = table->edge_start[i + 1] - table->edge_start[i];
    ++pair->count[table->status[i]];
    sums[0] += pair->child->state[i] != DIRECTION_DEAD;
    sums[1] += pair->child->state[i] == DIRECTION_ALIVE;
    sums[2] += edges > 0;
    sums[3] += edges > 1;
    sums[4] += (table->flags[i] & verdict_bit(FLAG_SKIP)) != 0;
    sums[5] += verdict_in_forest(table->status[i]);
  }
  exchange_sum(run->team, sums, 6);
  exchange_sum(run->team, pair->count, CHILD_STATUSES);
  pair->children = sums[0];
  pair->alive = sums[1];
  pair->linked = sums[2];
  pair->merged = sums[3];
  pair->skipped = sums[4];
  pair->forest_edges = sums[5];
  (void)exchange_offset(run->team, table->edges, &pair->edges);
}

static Status summarise(FamiliesRun *run, FamiliesPair *pair) {
  const int64_t count = pair->table.count;
  float *values = NULL;
  int64_t counted;
  TRY_NEW(run->team, &values, count, "values of a mean");
  count_children(run, pair);
  pick(pair, pair->table.p, true, values);
  pair->mean_p = metrics_mean(run->team, values, count, &pair->enough);
  pick(pair, pair->table.lift, true, values);
  pair->mean_lift = metrics_mean(run->team, values, count, &counted);
  pick(pair, pair->table.p, false, values);
  pair->mean_p_all = metrics_mean(run->team, values, count, &counted);
  MEMORY_FREE(values);
  return OK;
}

/* Does the data support the dictionary? */
static void weigh(FamiliesRun *run, FamiliesDictionary *one) {
  one->is_too_little = one->share_30 < FAMILIES_SHARE_30;
  one->median_best = one->null_median = NAN;
  if (one->below >= 0) {
    const FamiliesPair *pair = families_pair(run, index_of(run, one), one->below);
    one->median_best = pair->median_best;
    one->null_median = pair->null_median;
    one->is_undertrained = one->median_best - one->null_median < FAMILIES_ABOVE_NULL;
  }
}

Status families_link_levels(FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    flag_skips(run, &run->dictionaries[i]);
    TRY(flag_inconsistent(run, &run->dictionaries[i]));
    weigh(run, &run->dictionaries[i]);
  }
  TRY(grow_roots(run));
  for (int64_t l = 0; l < run->levels; ++l) {
    FamiliesDictionary *level = &run->dictionaries[run->of_level[l]];
    const bool is_parent = l + 1 < run->levels;
    if (is_parent) {
      TRY(judge_level(run, level));
    }
    TRY_ALL(run->team,
            cover_level(level, is_parent ? &run->dictionaries[run->of_level[l + 1]] : NULL));
    gather_flags(run, level);
  }
  for (int64_t i = 0; i < run->pair_count; ++i) {
    TRY(summarise(run, &run->pairs[i]));
  }
  return OK;
}
