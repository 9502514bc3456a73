#include <math.h>

#include "memory.h"
#include "plan.h"

/* families. */

static const double TILE_BYTES = 1 << 30, CHUNK_ENTRIES = 1 << 26, CHUNK_LEAST = 1 << 22,
                    CHUNK_ROWS = 1 << 20; /* families_codes.c */
static const double CELL = 105; /* bytes of a child's candidate parent in a tile, counts and all */
static const double FEATURE = 135; /* bytes of a feature, of families_read.c and families_write.c */
static const double CHILD = 170;   /* bytes of a child of a pair: a verdict with 42 statuses */
static const double EDGE = 48;     /* bytes of an edge, in memory and on disk */
static const double EDGES = 0.35;  /* of a child: what linked pairs of real dictionaries have */
/* Bytes of families.h5: of a child of a pair, of a feature of a dictionary; of features.csv a line without a parent
 * and one with; of families.csv and families.jsonl a root's. */
static const double CHILD_COLUMNS = 88, FEATURE_COLUMNS = 76, SMALLEST_LINE = 48, CHILD_LINE = 112,
                    ROOT_LINES = 600;
/* Comparing a firing with one code of the parents, in bytes that could be walked through meanwhile. */
static const double FIRING_WORK = 100;
/* evidence_suggest.c: lists of the parents that children fire with. */
static const double SUGGEST_LISTS = 1 << 28;

static double features_of(const Settings *settings) {
  double features = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    features += (double)settings->dictionaries[i].latents;
  }
  return features;
}

static double smallest_of(const Settings *settings) {
  double least = (double)settings->dictionaries[0].latents;
  for (int64_t i = 1; i < settings->count; ++i) {
    least = fmin(least, (double)settings->dictionaries[i].latents);
  }
  return least;
}

/* features.csv has levels alone. */
static double lines_of(const Settings *settings) {
  double bytes = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    const double latents = (double)settings->dictionaries[i].latents;
    const double line = latents > smallest_of(settings) ? CHILD_LINE : SMALLEST_LINE;
    bytes += settings_is_level(settings, i) ? latents * line : 0;
  }
  return bytes;
}

/* Children meet their candidates in the parent's codes, chunk by chunk. */
static double tile_bytes(const Plan *plan, const SettingsPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double rows = (double)plan->facts.rows, on_node = (double)plan->ranks / (double)plan->nodes;
  const double own = (double)plan_share(plan, settings->dictionaries[pair->child].latents);
  const double cells = (double)(settings->compare.neighbours + settings->families.suggested);
  const double room = fmin(own, TILE_BYTES / (cells * 160.0));
  const double chunk =
      fmin(rows * plan_entries(plan, pair->parent), fmax(CHUNK_ENTRIES / on_node, CHUNK_LEAST));
  const double firings =
      rows * plan_l0(plan, pair->child) / (double)plan->ranks * room / (own + 1.0);
  const double parents = (double)settings->dictionaries[pair->parent].latents;
  const double each = rows * plan_l0(plan, pair->child) * plan_entries(plan, pair->parent) /
                      (double)settings->dictionaries[pair->child].latents;
  const double lists = 2.0 * fmin(SUGGEST_LISTS, 8.0 * room * fmin(parents, 0.01 * each));
  const double counters = parents * (8.0 * (double)plan->threads + 4.0); /* evidence_suggest.c */
  return room * cells * CELL + chunk * 9.0 + fmin(rows, CHUNK_ROWS) * 12.0 + firings * 8.0 +
         counters + lists + rows / 8.0;
}

/* Of a child: what its candidates stand for, which of them fired, the best one's links; what every parent fired; and
 * where the child has two smaller dictionaries, the way from the middle one to the smallest. An id that is looked up
 * goes there and its answer comes back. */
static double looked_up(const Plan *plan, const SettingsPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double ranks = (double)plan->ranks, suggested = (double)settings->families.suggested;
  const double children = (double)settings->dictionaries[pair->child].latents;
  const double parents = (double)settings->dictionaries[pair->parent].latents;
  const double stored = fmin((double)settings->compare.neighbours, parents);
  const double span = fmin((double)settings->compare.span, parents);
  const double chain =
      settings_is_next(settings, pair) && parents > smallest_of(settings) ? 8.0 * stored + 76.0 : 0;
  return (ranks - 1.0) / ranks *
         (children / ranks * (28.0 * stored + 8.0 * span + 8.0 + 20.0 * suggested + chain) +
          parents * (4.0 + 8.0 / ranks));
}

/* Children of a dictionary that is not compared with itself meet their siblings: rows of those that share one of a few
 * best parents. */
enum { SHARED = 4 };
static double siblings(const Plan *plan, const SettingsPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double ranks = (double)plan->ranks, row = 4.0 * (double)plan->facts.width;
  const double children = (double)settings->dictionaries[pair->child].latents;
  if (settings_has_self(settings, settings->dictionaries[pair->child].latents) ||
      !settings_is_next(settings, pair)) {
    return 0;
  }
  return (ranks - 1.0) / ranks * children / ranks *
         (8.0 * (double)settings->compare.neighbours + 64.0 + SHARED * (row + 4.0));
}

/* Every rank walks all codes of the parents for its own children. */
static void add_pair(const Plan *plan, const SettingsPair *pair, double *kept, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const double children = (double)settings->dictionaries[pair->child].latents;
  const double rows = (double)plan->facts.rows, ranks = (double)plan->ranks;
  const double read =
      rows * (9.0 * plan_entries(plan, pair->parent) * ranks + 8.0 * plan_l0(plan, pair->child)) +
      children * 24.0 * (double)settings->compare.neighbours;
  const PlanCost one = {.memory = tile_bytes(plan, pair),
                        .disk = children * (CHILD_COLUMNS + EDGES * EDGE),
                        .streamed = rows * plan_l0(plan, pair->child) *
                                        plan_entries(plan, pair->parent) * FIRING_WORK +
                                    2.0 * read,
                        .read = read,
                        .received = looked_up(plan, pair) + siblings(plan, pair)};
  *kept += (double)plan_share(plan, settings->dictionaries[pair->child].latents) *
           (CHILD + EDGES * EDGE);
  plan_then(cost, &one);
}

Status plan_families(const Plan *plan, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  SettingsPair *pairs = NULL;
  double kept = 0;
  *cost = (PlanCost){0};
  if (settings->count == 0) {
    return OK;
  }
  TRY(MEMORY_NEW(&pairs, settings_pairs(settings, NULL), "pairs"));
  const int64_t count = settings_pairs(settings, pairs);
  for (int64_t i = 0; i < settings->count; ++i) {
    kept += (double)plan_share(plan, settings->dictionaries[i].latents) * FEATURE;
  }
  for (int64_t i = 0; i < count; ++i) {
    add_pair(plan, &pairs[i], &kept, cost);
  }
  cost->memory += kept;
  cost->disk += features_of(settings) * FEATURE_COLUMNS + lines_of(settings) +
                smallest_of(settings) * ROOT_LINES;
  MEMORY_FREE(pairs);
  return OK;
}
