#include <math.h>

#include "memory.h"
#include "plan.h"

/* compare. */

static const double LOOKUP_SLICE = 1 << 26; /* span.c: bytes of rows looked up at once, twice */
static const double NULL_PANEL = 1 << 27, NULL_SUMS = 1 << 25; /* null_simulate.c: bytes */
static const double LATENTS_A_PANEL = 1024;                    /* blocks are about so large */

static double larger(double a, double b) {
  return a > b ? a : b;
}

static double smaller(double a, double b) {
  return a < b ? a : b;
}

/* Some rows meet all parents: lists, span fits with the rows of the parents that joined, products of candidates. */
static double meeting_bytes(const Plan *plan, double own, bool is_kept) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, most = (double)settings->neighbours;
  const double span = (double)settings->span, fits = own * (8.0 + 76.0 + 12.0 * span);
  const double search = own * (width + 24.0 + 8.0 * most), lists = own * (8.0 * most + 8.0);
  const double fitting = own * (4.0 * width + (span - 1.0) * 4.0 * (is_kept ? most : span * 2.0)) +
                         2.0 * smaller(LOOKUP_SLICE, own * 4.0 * width);
  return own * 4.0 * width + lists + fits + larger(search, fitting) +
         (is_kept ? own * most * 8.0 : 0.0);
}

/* Two blocks of parents under way, with the heaps of their children. */
static double ring_bytes(const Plan *plan, double own_parents) {
  const double width = (double)plan->facts.width;
  const double rows = smaller((double)(1 << 26) / (4.0 * width), own_parents);
  const double lists = 8.0 * (double)plan->stage->settings.compare.neighbours + 8.0;
  return plan->ranks == 1 ? 0 : 2.0 * rows * (4.0 * width + lists) + rows * (width + 40.0);
}

/* The parents stay, decoder and encoder; children pass in panels; then all children at once are what null children
 * are made of. */
static double memory_of(const Plan *plan, int64_t children, int64_t parents) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, ranks = (double)plan->ranks;
  const double own = (double)plan_share(plan, parents), share = (double)plan_share(plan, children);
  const double panel = smaller(larger((double)settings->panel, LATENTS_A_PANEL), share);
  const double draws = smaller(NULL_PANEL / (4.0 * width), ceil((double)settings->draws / ranks));
  const double lists = own * (8.0 * (double)settings->neighbours + 16.0);
  const double screens =
      plan_screen(plan, 2048.0 * (double)plan->threads, (double)settings->neighbours);
  const double null = share * (4.0 * width + 10.0) + NULL_SUMS + meeting_bytes(plan, draws, false);
  return own * 8.0 * width + lists + ring_bytes(plan, own) + screens +
         larger(meeting_bytes(plan, panel, true), null);
}

/* The parents go round once for each panel of children, with their heaps, and again for their encoder rows and each
 * parent of a span fit but one; for each panel of null children the same without encoders. A rank fetches the parents
 * of its fits. The sums that null children are go through all ranks in 64 bits. */
static double traffic_of(const Plan *plan, double children, double parents) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, row = 4.0 * width, ranks = (double)plan->ranks;
  const double draws = (double)settings->draws, span = (double)settings->span;
  const double panels = ceil(children / ((double)settings->panel * ranks));
  const double null_panels = ceil(draws * row / (NULL_PANEL * ranks));
  const double most = (double)settings->neighbours;
  return (ranks - 1.0) / ranks *
         (parents * row * (panels * (span + 1.0) + null_panels * span) +
          panels * parents * 8.0 * most + (children + draws) / ranks * (span - 1.0) * row +
          children / ranks * most * 12.0 + draws * 16.0 * width);
}

/* Both directions come from one product. Exact: k candidates a child for its span, encoder and mean; null children and
 * the sum of 32 rows that each is. */
static void add_pair(const Plan *plan, int64_t child, int64_t parent, PlanCost *cost) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, draws = (double)settings->draws;
  const double children = (double)child, parents = (double)parent,
               most = (double)settings->neighbours;
  const double span = (double)settings->span, row = 4.0 * width;
  const PlanCost one = {
      .memory = memory_of(plan, child, parent),
      .disk = children * (16.0 * most + 8.0 * span + 8.0) + parents * 8.0 * most,
      .scratch = children * (16.0 * most + 8.0 * span + 12.0) + parents * 12.0 * most,
      .screened = 2.0 * width * (children + draws) * parents,
      .streamed = children * row * most * (span + 2.0) +
                  draws * row * (64.0 + span * (1.0 + span)) + parents * row * 3.0 * most,
      .read = row * (3.0 * children + 2.0 * parents),
      .received = traffic_of(plan, children, parents)};
  plan_then(cost, &one);
}

static void add_self(const Plan *plan, int64_t latents, PlanCost *cost) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, all = (double)latents, row = 4.0 * width;
  const double most = (double)settings->neighbours, own = (double)plan_share(plan, latents);
  const PlanCost one = {.memory = own * (row + width + 16.0 * most) +
                                  plan_screen(plan, 2048.0 * (double)plan->threads, most),
                        .disk = all * 8.0 * most,
                        .scratch = all * 8.0 * most,
                        .screened = width * all * all,
                        .streamed = all * row * 2.0 * most,
                        .read = row * all};
  plan_then(cost, &one);
}

/* States, mean and covariance of every dictionary; of the covariance whole matrices are held. */
static void describe(const Plan *plan, int64_t latents, PlanCost *cost) {
  const double width = (double)plan->facts.width, all = (double)latents;
  const double panel =
      smaller((double)plan->stage->settings.compare.panel, (double)plan_share(plan, latents));
  const PlanCost one = {.memory = panel * 4.0 * width + 40.0 * width * width,
                        .disk = all,
                        .dense = all * width * width,
                        .streamed = all * 4.0 * width * 4.0,
                        .read = 2.0 * all * 4.0 * width};
  plan_then(cost, &one);
}

static int64_t largest_level(const Settings *settings) {
  int64_t most = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t latents = settings->dictionaries[i].latents;
    most = latents > most ? latents : most;
  }
  return most;
}

Status plan_compare(const Plan *plan, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const int64_t largest = largest_level(settings);
  SettingsPair *pairs = NULL;
  *cost = (PlanCost){0};
  TRY(MEMORY_NEW(&pairs, settings_pairs(settings, NULL), "pairs"));
  const int64_t count = settings_pairs(settings, pairs);
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t latents = settings->dictionaries[i].latents;
    describe(plan, latents, cost);
    if (settings->compare.self_largest || latents < largest) {
      add_self(plan, latents, cost);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    add_pair(plan, settings->dictionaries[pairs[i].child].latents,
             settings->dictionaries[pairs[i].parent].latents, cost);
  }
  cost->scratch = 0;
  for (int64_t i = 0; i < count; ++i) { /* all work files stay until the end */
    const double children = (double)settings->dictionaries[pairs[i].child].latents;
    cost->scratch += children * (16.0 * (double)settings->compare.neighbours + 44.0);
  }
  MEMORY_FREE(pairs);
  return OK;
}
