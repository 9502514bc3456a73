#include <math.h>

#include "exponential.h"
#include "memory.h"
#include "plan.h"

/* report. */

/* shelf.c: bytes of a dataset's blocks that stay in memory, once they were looked at. */
static const double SHELF = 64.0 * 65536.0;
/* What a label takes where there is text, and characters that show a token, of which a dot stands for one unknown. */
static const double LABEL = 31, TOKEN = 7, NO_TOKEN = 5;
/* What a feature's figures take, and an example beside its tokens: with text and without. */
static const double FIGURES = 100, WORDLESS_FIGURES = 280, EXAMPLE = 76, WORDLESS_EXAMPLE = 85;
/* Bytes of the page itself; of what it says of a dictionary and of a pair, of which it lists so many features. */
static const double ASSETS = 380e3, OF_DICTIONARY = 3e3, OF_PAIR = 5e3, LISTED = 1000, LINE = 55;
/* Making a feature's pages, with text and without, by one thread of a rank, in bytes that could be walked through
 * meanwhile. */
static const double FEATURE_WORK = 3.5e6, WORDLESS_WORK = 2.7e6;
/* Most features fire less than the mean one: taken as a quarter of it. */
static const double TYPICAL = 0.25;

static double shelf(double rows, double bytes) {
  return fmin(SHELF, rows * bytes);
}

static bool has_text(const Plan *plan) {
  return plan->facts.vocabulary > 0;
}

static double label_of(const Plan *plan) {
  return has_text(plan) ? LABEL : 0;
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

static double pair_bytes(const Plan *plan, const SettingsPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const int64_t children = settings->dictionaries[pair->child].latents;
  const double own = (double)plan_share(plan, children);
  const double parents = (double)plan_share(plan, settings->dictionaries[pair->parent].latents);
  const double looked_at = settings_is_next(settings, pair) ? (double)children : own;
  const double list = 4.0 * (double)settings->compare.neighbours;
  return 2.0 * shelf(own, list) + 2.0 * shelf(parents, list) + 3.0 * shelf(looked_at, 1) +
         10.0 * shelf(looked_at, 4) + 2.0 * shelf(looked_at, 8);
}

static double text_bytes(const PlanFacts *facts) {
  const double vocabulary = (double)facts->vocabulary;
  return 2.0 * shelf((double)facts->rows, 4) + shelf((double)facts->tokens, 4) +
         shelf((double)facts->documents, 8) + shelf(vocabulary, 8) + shelf(vocabulary, 7);
}

/* Examples that a feature shows: all its firings, as far as it has as many. Firings of features are spread like an
 * exponential distribution's. */
static double examples_of(const Plan *plan, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  const double latents = (double)settings->dictionaries[index].latents;
  const double most = (double)settings->report.strips + 0.9 * (double)settings->encode.intervals;
  const double firings = TYPICAL * (double)plan->facts.rows * plan_l0(plan, index) / latents;
  return firings * (1.0 - exponential(-most / firings));
}

/* A feature's part of the shards: its figures, examples, lists of neighbours, promoted tokens, words to be found by. */
static double page_bytes(const Plan *plan, int64_t index, double parents, double lists) {
  const Settings *settings = &plan->stage->settings;
  const double label = label_of(plan), side = (double)settings->report.strip_side;
  const double tokens = 2.0 * side + 1.0;
  const double strip =
      has_text(plan) ? EXAMPLE + TOKEN * tokens : WORDLESS_EXAMPLE + NO_TOKEN * tokens;
  const double figures = has_text(plan) ? FIGURES : WORDLESS_FIGURES;
  const double listed = (double)(settings->report.neighbours < settings->compare.neighbours
                                     ? settings->report.neighbours
                                     : settings->compare.neighbours);
  return figures + 2.0 * label + parents * (135.0 + label) + examples_of(plan, index) * strip +
         lists * (15.0 + listed * (22.5 + label)) + (settings_evaluates(settings) ? 290.0 : 0) +
         (has_text(plan) ? 4.5 * (18.0 + label) : 0);
}

/* What the pages of families say of a feature beside that, as far as it is in one. */
static const double OF_FAMILY = 60;

static void add_dictionary(const Plan *plan, int64_t index, const SettingsPair *pairs,
                           int64_t count, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const double latents = (double)settings->dictionaries[index].latents;
  double parents = 0, lists = settings_has_self(settings, (int64_t)latents) ? 1 : 0;
  for (int64_t i = 0; i < count; ++i) {
    parents += pairs[i].child == index ? 1 : 0;
    lists += pairs[i].child == index || pairs[i].parent == index ? 1 : 0;
  }
  cost->memory += dictionary_bytes(plan, index);
  cost->disk += OF_DICTIONARY + latents * page_bytes(plan, index, parents, lists) +
                (settings_is_level(settings, index) ? latents * OF_FAMILY : 0);
  cost->streamed +=
      latents * (has_text(plan) ? FEATURE_WORK : WORDLESS_WORK) * (double)plan->threads;
}

Status plan_report(const Plan *plan, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  SettingsPair *pairs = NULL;
  *cost = (PlanCost){0};
  if (settings->count == 0) {
    return OK;
  }
  TRY(MEMORY_NEW(&pairs, settings_pairs(settings, NULL), "pairs"));
  const int64_t count = settings_pairs(settings, pairs);
  cost->memory = has_text(plan) ? text_bytes(&plan->facts) : 0;
  cost->disk = ASSETS;
  for (int64_t i = 0; i < count; ++i) {
    const double children = (double)settings->dictionaries[pairs[i].child].latents;
    cost->memory += pair_bytes(plan, &pairs[i]);
    cost->disk += OF_PAIR + fmin(children, LISTED) * (LINE + 2.0 * label_of(plan));
  }
  for (int64_t i = 0; i < settings->count; ++i) {
    add_dictionary(plan, i, pairs, count, cost);
  }
  cost->read = cost->disk;
  MEMORY_FREE(pairs);
  return OK;
}
