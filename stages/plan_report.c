#include <math.h>

#include "plan.h"

/* report. */

/* shelf.c: bytes of a dataset's blocks that stay in memory, once they were looked at. */
static const double SHELF = 64.0 * 65536.0;
/* Making a feature's pages, with text and without, by one thread of a rank; ranks wait for the last of them, and a core
 * that computes alone is faster. */
static const double FEATURE_WORK = 5.1e4, WORDLESS_WORK = 2.7e4, IN_COMPANY = 1.35;

static double shelf(double rows, double bytes) {
  return fmin(SHELF, rows * bytes);
}

/* Datasets of atlas.c. Of relatives any block may be looked at, else those of own features. */
static double dictionary_bytes(const Plan *plan, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  const int64_t latents = settings->dictionaries[index].latents;
  const double all = (double)latents, own = (double)plan_share(plan, latents);
  const double codes = (double)plan->facts.rows * plan_l0(plan, index);
  const double drawn = (double)(settings->encode.intervals * settings->encode.per_interval);
  const double neighbours = (double)settings->compare.neighbours;
  double bytes = 4.0 * shelf(all, 8) + 2.0 * shelf(all, 4) + shelf(all, 20) + shelf(all, 1) +
                 shelf(all, 8.0 * (double)settings->encode.examples) + 2.0 * shelf(codes, 4) +
                 shelf(own, 8.0 * drawn);
  bytes += settings_has_self(settings, latents) ? 2.0 * shelf(own, 4.0 * neighbours) : 0;
  bytes += settings_evaluates(settings)
               ? 4.0 * shelf(own, 4.0 * (double)settings->evaluate.promoted)
               : 0;
  bytes += settings_is_level(settings, index)
               ? 4.0 * shelf(all, 1) + shelf(all, 4) + 3.0 * shelf(all, 8) + 12.0 * all
               : 0; /* and the forest's links */
  return bytes;
}

static double pair_bytes(const Plan *plan, const PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const int64_t children = settings->dictionaries[pair->of.child].latents;
  const double own = (double)plan_share(plan, children);
  const double parents = (double)plan_share(plan, settings->dictionaries[pair->of.parent].latents);
  const double looked_at = settings_is_next(settings, &pair->of) ? (double)children : own;
  const double list = 4.0 * (double)settings->compare.neighbours;
  return 2.0 * shelf(own, list) + 2.0 * shelf(parents, list) + 3.0 * shelf(looked_at, 1) +
         10.0 * shelf(looked_at, 4) + 2.0 * shelf(looked_at, 8);
}

static double text_bytes(const PlanFacts *facts) {
  const double vocabulary = (double)facts->vocabulary;
  return 2.0 * shelf((double)facts->rows, 4) + shelf((double)facts->tokens, 4) +
         shelf((double)facts->documents, 8) + shelf(vocabulary, 8) + shelf(vocabulary, 7);
}

PlanCost plan_report(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  PlanCost cost = {0};
  if (settings->count == 0) {
    return cost;
  }
  cost.memory = plan_has_text(plan) ? text_bytes(&plan->facts) : 0;
  cost.disk = cost.read = plan_pages(plan);
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    cost.memory += pair_bytes(plan, &plan->pairs[i]);
  }
  for (int64_t i = 0; i < settings->count; ++i) {
    cost.memory += dictionary_bytes(plan, i);
    cost.work += (double)settings->dictionaries[i].latents *
                 (plan_has_text(plan) ? FEATURE_WORK : WORDLESS_WORK) *
                 (plan->ranks > 1 ? IN_COMPANY : 1.0) * (double)plan->threads;
  }
  return cost;
}
