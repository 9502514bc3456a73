#include <math.h>

#include "memory.h"
#include "plan.h"

/* families and report. */

static const double TILE_BYTES = 1 << 30, CHUNK_ENTRIES = 1 << 26, CHUNK_LEAST = 1 << 22,
                    CHUNK_ROWS = 1 << 20; /* families_codes.c */
static const double CELL = 105; /* bytes of a child's candidate parent in a tile, counts and all */
static const double FEATURE = 135; /* bytes of a feature, of families_read.c and families_write.c */
static const double CHILD = 170;   /* bytes of a child of a pair: a verdict with 42 statuses */
static const double EDGE = 48;     /* bytes of an edge, in memory and on disk */
static const double EDGES = 1.0;   /* of a child: what linked pairs of real dictionaries have */
/* Text files: bytes of a feature's line in features.csv, of a root's in families.csv and families.jsonl. */
static const double FEATURE_LINE = 130, ROOT_LINES = 330;
/* A report: pages of a feature, and what it holds at a time. */
static const double FEATURE_PAGE = 5500, REPORT_MEMORY = 45e6;
/* Writing it, in bytes that could be walked through meanwhile. */
static const double FEATURE_WORK = 1.5e6;

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
  const double counters = parents * (8.0 * (double)plan->threads + 4.0); /* evidence_suggest.c */
  return room * cells * CELL + chunk * 9.0 + fmin(rows, CHUNK_ROWS) * 12.0 + firings * 8.0 +
         counters + rows / 8.0;
}

/* Every rank walks all codes of the parents for its own children. */
static void add_pair(const Plan *plan, const SettingsPair *pair, double *kept, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const double children = (double)settings->dictionaries[pair->child].latents;
  const double rows = (double)plan->facts.rows, ranks = (double)plan->ranks;
  const double read =
      rows * (9.0 * plan_entries(plan, pair->parent) * ranks + 8.0 * plan_l0(plan, pair->child)) +
      children * 24.0 * (double)settings->compare.neighbours;
  const PlanCost one = {
      .memory = tile_bytes(plan, pair),
      .disk = children * (97.0 + EDGES * EDGE),
      .streamed =
          rows * plan_l0(plan, pair->child) * plan_entries(plan, pair->parent) * 8.0 + 2.0 * read,
      .read = read,
      .received = (ranks - 1.0) / ranks * children / ranks * 16.0 *
                  (double)(settings->compare.neighbours + settings->families.suggested)};
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
  cost->disk += features_of(settings) * (91.0 + FEATURE_LINE) + smallest_of(settings) * ROOT_LINES;
  MEMORY_FREE(pairs);
  return OK;
}

Status plan_report(const Plan *plan, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const double features = features_of(settings);
  *cost = (PlanCost){0};
  if (settings->count == 0) {
    return OK;
  }
  *cost = (PlanCost){.memory = REPORT_MEMORY + features * 60.0,
                     .disk = features * FEATURE_PAGE,
                     .read = features * FEATURE_PAGE,
                     .streamed = features * FEATURE_WORK};
  return OK;
}
