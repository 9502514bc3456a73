#include <math.h>
#include <stdio.h>

#include "exchange.h"
#include "families_run.h"
#include "memory.h"

/* nan where a child does not count for a mean. */
static void pick(const FamiliesPair *pair, const float *column, bool linked_only, float *out) {
  for (int64_t i = 0; i < pair->table.count; ++i) {
    const bool is_linked = (double)pair->table.best[i] >= pair->link;
    out[i] = pair->child->counts[i] && (is_linked || !linked_only) ? column[i] : NAN;
  }
}

static double mean_of(FamiliesRun *run, const FamiliesPair *pair, const float *column,
                      float *values) {
  int64_t counted;
  pick(pair, column, true, values);
  return metrics_mean(run->team, values, pair->table.count, &counted);
}

static void mean_matched(FamiliesRun *run, FamiliesPair *pair, float *values) {
  int64_t firsts = 0, ranked;
  pair->mean_matched_p = mean_of(run, pair, pair->matched_p, values);
  for (int64_t i = 0; i < pair->table.count; ++i) {
    const bool is_ranked = pair->child->counts[i] && pair->matched_rank[i] > 0;
    values[i] = is_ranked ? pair->table.p[i] : NAN;
    firsts += is_ranked && pair->matched_rank[i] == 1;
  }
  pair->mean_matched_own = metrics_mean(run->team, values, pair->table.count, &ranked);
  exchange_sum(run->team, &firsts, 1);
  pair->first_of_matched = ranked > 0 ? (double)firsts / (double)ranked : NAN;
}

static Status take_means(FamiliesRun *run, FamiliesPair *pair) {
  const VerdictTable *table = &pair->table;
  float *values = NULL;
  int64_t counted;
  TRY_NEW(run->team, &values, table->count, "values of a mean");
  pick(pair, table->p, true, values);
  pair->mean_p = metrics_mean(run->team, values, table->count, &pair->enough);
  pick(pair, table->p, false, values);
  pair->mean_p_all = metrics_mean(run->team, values, table->count, &counted);
  pair->mean_lift = mean_of(run, pair, table->lift, values);
  pair->mean_p_child = mean_of(run, pair, table->p_child, values);
  pair->mean_jaccard = mean_of(run, pair, table->jaccard, values);
  pair->mean_masked = mean_of(run, pair, table->masked_cosine, values);
  mean_matched(run, pair, values);
  MEMORY_FREE(values);
  return OK;
}

static int octave_of(int64_t firings) {
  int octave = 0;
  while (firings > 1 && octave + 1 < FAMILIES_OCTAVES) {
    firings /= 2;
    ++octave;
  }
  return octave;
}

static void count_pair(FamiliesRun *run, FamiliesPair *pair) {
  const VerdictTable *table = &pair->table;
  int64_t sums[2] = {0};
  for (int64_t i = 0; i < table->count; ++i) {
    if (!pair->child->counts[i]) {
      continue;
    }
    const int octave = octave_of(pair->child->fired[i].narrow);
    sums[0] += (table->flags[i] & verdict_bit(FLAG_SKIP)) != 0;
    sums[1] += verdict_in_forest((ChildStatus)table->status[i]);
    pair->octave[0][octave] += pair->child->state[i] == DIRECTION_ALIVE;
    pair->octave[1][octave] += table->status[i] == CHILD_NOVEL;
    pair->octave[2][octave] += (table->flags[i] & verdict_bit(FLAG_UNREPLICATED)) != 0;
  }
  for (int bin = 0; bin < VERDICT_BINS; ++bin) {
    pair->margin[bin] = table->margin[bin];
  }
  exchange_sum(run->team, sums, 2);
  exchange_sum(run->team, &pair->octave[0][0], (int64_t)3 * FAMILIES_OCTAVES);
  exchange_sum(run->team, pair->margin, VERDICT_BINS);
  pair->skipped = sums[0];
  pair->forest_edges = sums[1];
  (void)exchange_offset(run->team, table->edges, &pair->edges);
}

static void expect_null(FamiliesPair *pair) {
  const SweepChildren *sweep = pair->sweep;
  for (int step = 0; step < VERDICT_STEPS; ++step) {
    const double share = sweep_null_share(pair->null.histogram, step);
    pair->null_hits[step] = share * (double)sweep->children;
    pair->false_share[step] = sweep_false_share(share, sweep->children, sweep->linked[step]);
  }
}

static Status count_children(FamiliesRun *run, FamiliesPair *pair) {
  TRY_NEW(run->team, &pair->sweep, 1, "counts at thresholds");
  sweep_children(run->team, &pair->table, pair->child->state, pair->sweep);
  expect_null(pair);
  count_pair(run, pair);
  return take_means(run, pair);
}

/* A level as parents of the next larger one. */
static Status sweep_level(FamiliesRun *run, FamiliesDictionary *level, const SweepForest *forest) {
  const int64_t own = shard_count(level->own);
  uint8_t *is_linked = NULL, *counts = NULL;
  Status status = MEMORY_NEW(&is_linked, own, "parents with links");
  if (status == OK) {
    status = MEMORY_NEW(&counts, own, "parents that count");
  }
  if (status == OK) {
    status = MEMORY_NEW(&level->sweep, 1, "counts at thresholds");
  }
  status = team_agree(run->team, status);
  ASSERT(status != OK || (is_linked != NULL && counts != NULL && level->sweep != NULL));
  for (int64_t i = 0; status == OK && i < own; ++i) {
    counts[i] = (int64_t)level->representative[i] == level->own.first + i; /* dead ones too */
    is_linked[i] = level->parent_status[i] != PARENT_LOST;
  }
  if (status == OK) {
    sweep_parents(run->team, forest, level->state, counts, level->best_link, is_linked,
                  level->sweep);
    status = metrics_children(run->team, level->forest_children, own, &level->spread);
  }
  MEMORY_FREE(is_linked);
  MEMORY_FREE(counts);
  return status;
}

static int64_t count_alive(FamiliesRun *run, const FamiliesDictionary *one) {
  int64_t alive = 0;
  for (int64_t i = 0; i < shard_count(one->own); ++i) {
    alive += one->counts[i] && one->state[i] == DIRECTION_ALIVE;
  }
  exchange_sum(run->team, &alive, 1);
  return alive;
}

/* How many children a parent would have if all had one parent each. */
static void expect_children(FamiliesRun *run, FamiliesDictionary *level) {
  const int64_t parents = count_alive(run, level);
  const int64_t children = count_alive(run, families_level(run, level->level + 1));
  level->children_expected = parents > 0 ? (double)children / (double)parents : NAN;
}

static Status sweep_levels(FamiliesRun *run) {
  for (int64_t l = 0; l + 1 < run->levels; ++l) {
    FamiliesDictionary *level = families_level(run, l);
    SweepForest forest = {0};
    const FamiliesPair *pair = families_pair(run, run->of_level[l + 1], run->of_level[l]);
    Status status = sweep_forest(run->team, level->latents, &pair->table, &forest);
    if (status == OK) {
      status = sweep_level(run, level, &forest);
    }
    sweep_forest_clear(&forest);
    TRY(status);
    expect_children(run, level);
  }
  return OK;
}

/* Trees rooted in features of a level that no smaller one has, with more than one feature. */
static void count_groups(FamiliesRun *run, FamiliesDictionary *level) {
  const FamiliesPair *pair =
      level->below >= 0 ? families_pair(run, families_index(run, level), level->below) : NULL;
  for (int64_t i = 0; pair != NULL && i < pair->table.count; ++i) {
    const bool is_new =
        pair->table.status[i] == CHILD_NOVEL || pair->table.status[i] == CHILD_UNMATCHED;
    level->novel_groups += level->counts[i] && is_new && level->forest_children[i] > 0;
  }
  exchange_sum(run->team, &level->novel_groups, 1);
}

/* What a comparison of a level with its twin needs of the own parents. */
typedef struct Replica {
  FamiliesReplication *out;
  SweepForest level, twin;
  uint8_t *bin;                      /* of the firing rate */
  int64_t *firings, *first, *second; /* [own parents] */
} Replica;

static void replica_close(Replica *replica) {
  sweep_forest_clear(&replica->level);
  sweep_forest_clear(&replica->twin);
  MEMORY_FREE(replica->bin);
  MEMORY_FREE(replica->firings);
  MEMORY_FREE(replica->first);
  MEMORY_FREE(replica->second);
}

static Status replica_take(Replica *replica) {
  const FamiliesDictionary *parent = replica->out->parent;
  const int64_t own = shard_count(parent->own);
  TRY(MEMORY_NEW(&replica->out->children, 2 * own, "children in level and twin"));
  TRY(MEMORY_NEW(&replica->bin, own, "bins of parents"));
  TRY(MEMORY_NEW(&replica->firings, own, "firings of parents"));
  TRY(MEMORY_NEW(&replica->first, own, "children in the level"));
  TRY(MEMORY_NEW(&replica->second, own, "children in the twin"));
  for (int64_t i = 0; i < own; ++i) {
    replica->firings[i] = parent->fired[i].narrow;
  }
  return OK;
}

/* The correlation at every threshold; the threshold in force comes last and leaves its counts. */
static void correlate(FamiliesRun *run, Replica *replica) {
  FamiliesReplication *out = replica->out;
  const int64_t own = shard_count(out->parent->own);
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    for (int64_t i = 0; i < own; ++i) {
      replica->first[i] = sweep_forest_children(&replica->level, i, cut);
      replica->second[i] = sweep_forest_children(&replica->twin, i, cut);
    }
    metrics_replication(run->team, replica->first, replica->second, out->parent->counts,
                        replica->bin, own, &out->found[cut]);
    if (cut < VERDICT_STEPS) {
      const MetricsReplication *found = &out->found[cut];
      out->steps[cut][0] = found->correlation;
      out->steps[cut][1] = found->within;
      out->steps[cut][2] = found->split_again;
      out->steps[cut][3] = found->split_any;
    }
  }
  for (int64_t i = 0; i < own; ++i) {
    out->children[2 * i] = replica->first[i];
    out->children[2 * i + 1] = replica->second[i];
  }
}

/* A family replicates when one of its features, a parent of the twinned level, splits in both. */
static Status mark_families(FamiliesRun *run, const Replica *replica) {
  const FamiliesDictionary *parent = replica->out->parent, *smallest = families_level(run, 0);
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
    const bool splits = replica->first[i] >= 2 && replica->second[i] >= 2;
    to[i] = splits && parent->roots[i].level == 0 ? parent->roots[i].id : LOOKUP_NONE;
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

static double rate_of(const FamiliesPair *pair) {
  const SweepChildren *sweep = pair->sweep;
  return sweep->children > 0 ? (double)sweep->linked[VERDICT_MAIN] / (double)sweep->children : NAN;
}

static Status replicate(FamiliesRun *run, Replica *replica) {
  FamiliesReplication *out = replica->out;
  const int64_t parent = families_index(run, out->parent), latents = out->parent->latents;
  const FamiliesPair *level = families_pair(run, families_index(run, out->level), parent);
  const FamiliesPair *twin = families_pair(run, families_index(run, out->twin), parent);
  TRY_ALL(run->team, replica_take(replica));
  TRY(sweep_forest(run->team, latents, &level->table, &replica->level));
  TRY(sweep_forest(run->team, latents, &twin->table, &replica->twin));
  TRY(metrics_rate_bins(run->team, out->parent->own.first, replica->firings, out->parent->counts,
                        shard_count(out->parent->own), replica->bin));
  correlate(run, replica);
  out->level_rate = rate_of(level);
  out->twin_rate = rate_of(twin);
  return out->level->below == parent ? mark_families(run, replica) : OK;
}

/* Every twin with every level below the one that it is a twin of. */
static Status replicate_all(FamiliesRun *run) {
  TRY_ALL(run->team,
          MEMORY_NEW(&run->replications, run->count * run->levels, "comparisons with twins"));
  for (int64_t t = 0; t < run->count; ++t) {
    const FamiliesDictionary *twin = &run->dictionaries[t];
    for (int64_t l = twin->twin < 0 ? -1 : run->dictionaries[twin->twin].level - 1; l >= 0; --l) {
      FamiliesReplication *out = &run->replications[run->replication_count++];
      out->twin = twin;
      out->level = &run->dictionaries[twin->twin];
      out->parent = families_level(run, l);
      snprintf(out->name, sizeof out->name, "/replication/%.80s/%.80s", twin->settings->name,
               out->parent->settings->name);
      Replica replica = {.out = out};
      const Status status = replicate(run, &replica);
      replica_close(&replica);
      TRY(status);
    }
  }
  return OK;
}

Status families_count_all(FamiliesRun *run) {
  for (int64_t p = 0; p < run->pair_count; ++p) {
    TRY(count_children(run, &run->pairs[p]));
  }
  TRY(sweep_levels(run));
  for (int64_t l = 0; l < run->levels; ++l) {
    count_groups(run, families_level(run, l));
  }
  return replicate_all(run);
}
