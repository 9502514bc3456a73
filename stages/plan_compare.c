#include <math.h>

#include "memory.h"
#include "plan.h"

/* compare. */

static const double LOOKUP_SLICE = 1 << 23; /* span.c: bytes of rows looked up at once, twice */
static const double NULL_PANEL = 1 << 27, NULL_SUMS = 1 << 22; /* null_simulate.c: bytes */
/* compare_end.c: children that null children are made of. */
static const double LATENTS_A_PANEL = 1024, NULL_ROWS = 131072;
/* Pairs of a child that are scored exactly, and of a null child, of whose best fewer are wanted. */
static const double CANDIDATES = 200, NULL_CANDIDATES = 80;
/* Steps of a pair on its way to the heap, and of a coordinate of a row that is added to a null child, which is made of
 * so many. */
static const double CANDIDATE_WORK = 14, SUMMED_WORK = 0.09, NULL_PARTS = 32;

/* Two blocks of parents under way, with the heaps of their children. */
static double ring_bytes(const Plan *plan, double own_parents) {
  const double width = (double)plan->facts.width;
  const double rows = fmin((double)(1 << 26) / (4.0 * width), own_parents);
  const double lists = 8.0 * (double)plan->stage->settings.compare.neighbours + 8.0;
  return plan->ranks == 1 ? 0 : 2.0 * rows * (4.0 * width + lists) + rows * (width + 40.0);
}

/* Some rows meet all parents: lists; the search, or then span fits with the rows of the parents that joined, products
 * of candidates, and what is looked up or goes round. */
static double meeting_bytes(const Plan *plan, double own, double ring, bool is_kept) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, most = (double)settings->neighbours;
  const double span = (double)settings->span, fits = own * (8.0 + 76.0 + 12.0 * span);
  const double lists = own * (8.0 * most + 8.0),
               looked_up = 2.0 * fmin(LOOKUP_SLICE, own * 4.0 * width);
  const double search = own * (width + 24.0 + 8.0 * most) + ring;
  const double products = (span - 1.0) * 4.0 * (is_kept ? most : span * 2.0);
  const double fitting = own * (4.0 * width + products) + fmax(looked_up, ring);
  return own * 4.0 * width + lists + fits + fmax(search, fitting) +
         (is_kept ? own * most * 8.0 : 0.0);
}

/* The parents stay, decoder and encoder; children pass in panels; at the end null children, made of a sample of the
 * children. */
static double memory_of(const Plan *plan, int64_t children, int64_t parents) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, ranks = (double)plan->ranks;
  const double own = (double)plan_share(plan, parents), share = (double)plan_share(plan, children);
  const double panel = fmin(fmax((double)settings->panel, LATENTS_A_PANEL), share);
  const double draws = fmin(NULL_PANEL / (4.0 * width), ceil((double)settings->draws / ranks));
  const double lists = own * (8.0 * (double)settings->neighbours + 16.0);
  const double screens =
      plan_screen(plan, 2048.0 * (double)plan->threads, (double)settings->neighbours);
  const double ring = ring_bytes(plan, own);
  const double sample = fmin(share, NULL_ROWS / ranks), piece = fmin(share, 8192.0) * 4.0 * width;
  const double null =
      sample * (4.0 * width + 10.0) + piece + NULL_SUMS + meeting_bytes(plan, draws, ring, false);
  return own * 8.0 * width + lists + screens + fmax(meeting_bytes(plan, panel, ring, true), null);
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

/* Work files of all steps stay until the end. */
static void add(PlanCost *cost, const PlanCost *one) {
  const double before = cost->scratch;
  plan_then(cost, one);
  cost->scratch = before + one->scratch;
}

/* Both directions come from one product. Exact: k candidates a child for its span, encoder and mean; null children and
 * the sum of 32 rows that each is. */
static void add_pair(const Plan *plan, int64_t child, int64_t parent, PlanCost *cost) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, draws = (double)settings->draws;
  const double children = (double)child, parents = (double)parent,
               most = (double)settings->neighbours;
  const double span = (double)settings->span, row = 4.0 * width;
  const double walked = plan_cached(0.5, 1.3, parents * row);
  const PlanCost one = {
      .memory = memory_of(plan, child, parent),
      .disk = children * (16.0 * most + 8.0 * span + 8.0) + parents * 8.0 * most,
      .scratch = children * (16.0 * most + 8.0 * span + 12.0) + parents * 12.0 * most,
      .screened = 2.0 * width * (children + draws) * parents,
      .streamed =
          walked *
          (children * row * fmin(CANDIDATES, parents) +
           draws * row * fmin(NULL_CANDIDATES, parents) + children * row * most * (span + 2.0) +
           draws * row * (2.0 * NULL_PARTS + span * (1.0 + span)) + parents * row * 3.0 * most),
      .work = CANDIDATE_WORK *
                  (children * fmin(CANDIDATES, parents) + draws * fmin(NULL_CANDIDATES, parents)) +
              SUMMED_WORK * NULL_PARTS * draws * width,
      .read = row * (3.0 * children + 2.0 * parents),
      .received = traffic_of(plan, children, parents)};
  add(cost, &one);
}

static void add_self(const Plan *plan, int64_t latents, PlanCost *cost) {
  const CompareSettings *settings = &plan->stage->settings.compare;
  const double width = (double)plan->facts.width, all = (double)latents, row = 4.0 * width;
  const double most = (double)settings->neighbours, own = (double)plan_share(plan, latents);
  const double ranks = (double)plan->ranks, panels = ceil(all / ((double)settings->panel * ranks));
  const double panel = fmin(fmax((double)settings->panel, LATENTS_A_PANEL), own);
  const PlanCost one = {
      .memory = own * (row + 8.0 * most + 18.0) + panel * (row + width + 24.0 * most + 40.0) +
                ring_bytes(plan, own) + plan_screen(plan, 2048.0 * (double)plan->threads, most),
      .disk = all * 8.0 * most,
      .scratch = all * 20.0 * most,
      .screened = width * all * all,
      .streamed = all * row * 2.0 * most,
      .read = row * all * 2.0,
      .received = (ranks - 1.0) / ranks * panels * all * (row + 8.0 * most + 9.0)};
  add(cost, &one);
}

/* States, mean and covariance of every dictionary; of the covariance whole matrices are held. */
static void describe(const Plan *plan, int64_t latents, PlanCost *cost) {
  const double width = (double)plan->facts.width, all = (double)latents;
  const double panel =
      fmin((double)plan->stage->settings.compare.panel, (double)plan_share(plan, latents));
  const PlanCost one = {.memory = panel * 4.0 * width + 40.0 * width * width,
                        .disk = all,
                        .dense = all * width * width,
                        .streamed = all * 4.0 * width * 4.0,
                        .read = 2.0 * all * 4.0 * width};
  add(cost, &one);
}

PlanCost plan_compare(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  PlanCost cost = {0};
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t latents = settings->dictionaries[i].latents;
    describe(plan, latents, &cost);
    if (settings_has_self(settings, latents)) {
      add_self(plan, latents, &cost);
    }
  }
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    const SettingsPair *pair = &plan->pairs[i].of;
    add_pair(plan, settings->dictionaries[pair->child].latents,
             settings->dictionaries[pair->parent].latents, &cost);
  }
  return cost;
}
