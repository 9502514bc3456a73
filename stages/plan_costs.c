#include <math.h>

#include "memory.h"
#include "plan.h"
#include "shard.h"

void plan_then(PlanCost *sum, const PlanCost *next) {
  sum->memory = fmax(sum->memory, next->memory);
  sum->scratch = fmax(sum->scratch, next->scratch);
  sum->disk += next->disk;
  sum->dense += next->dense;
  sum->screened += next->screened;
  sum->streamed += next->streamed;
  sum->work += next->work;
  sum->read += next->read;
  sum->received += next->received;
}

bool plan_has_text(const Plan *plan) {
  return plan->facts.vocabulary > 0;
}

int64_t plan_share(const Plan *plan, int64_t latents) {
  return shard_count(shard_of(latents, shard_latent_block(latents), 0, (int)plan->ranks));
}

/* screen.h: tiles of scores and the candidates of a unit of queries, of each thread. */
double plan_screen(const Plan *plan, double queries, double k) {
  const double threads = (double)plan->threads;
  const double unit = fmin(fmax(ceil(queries / threads), 32.0), 2048.0);
  const double block = fmin(unit, 256.0);
  return threads * (8.0 * block * 512.0 * 4.0 + unit * (8.0 * (256.0 + 4.0 * k) + 80.0) + 5e5);
}

/* Steps of looking through a score of products in 8 bits. */
static const double SCAN_WORK = 0.05;

double plan_cached(double least, double most, double dictionary_bytes) {
  return least + (most - least) * fmin(dictionary_bytes / 1.5e8, 1.0);
}

static double part(double amount, double rate) {
  return rate > 0 ? amount / rate : 0.0;
}

double plan_seconds(const Plan *plan, const PlanCost *cost) {
  const PlanRates *rates = &plan->rates;
  const double cores = (double)(plan->ranks * plan->threads), nodes = (double)plan->nodes;
  const double scanned = part(cost->screened, 2.0 * (double)plan->facts.width);
  if (rates->dense <= 0) {
    return 0;
  }
  return (part(cost->dense, rates->dense) + part(cost->screened, rates->screened) +
          part(cost->streamed, rates->streamed) +
          part(cost->work + SCAN_WORK * scanned, rates->worked)) /
             cores +
         (part(cost->disk, rates->written) + part(cost->read, rates->read)) / nodes +
         part(cost->received, rates->received);
}

const char *const PLAN_NAMES[PLAN_STAGES] = {"harvest",  "import",  "train",    "encode",
                                             "evaluate", "compare", "families", "report"};

void plan_costs_clear(PlanCosts *costs) {
  MEMORY_FREE(costs->train);
  MEMORY_FREE(costs->encode);
  MEMORY_FREE(costs->steps);
}

Status plan_costs_take(PlanCosts *costs, int64_t count) {
  *costs = (PlanCosts){.train = NULL};
  TRY(MEMORY_NEW(&costs->train, count, "costs of dictionaries"));
  TRY(MEMORY_NEW(&costs->encode, count, "costs of dictionaries"));
  return MEMORY_NEW(&costs->steps, count, "steps of dictionaries");
}

/* Trained together, the dictionaries of a seed are in memory at once, with checkpoints of all, and read the rows once.
 */
static void join_groups(const Plan *plan, PlanCosts *costs) {
  const Settings *settings = &plan->stage->settings;
  PlanCost all = {0};
  for (int64_t i = 0; i < settings->count; ++i) {
    PlanCost group = costs->train[i];
    bool is_first = true;
    for (int64_t j = 0; j < settings->count; ++j) {
      if (j != i && settings_seed(settings, j) == settings_seed(settings, i) &&
          costs->steps[j] > 0) {
        is_first = is_first && j > i;
        group.memory += costs->train[j].memory;
        group.scratch += costs->train[j].scratch;
      }
    }
    group.read = is_first ? group.read : 0.0;
    plan_then(&all, &group);
  }
  costs->stage[PLAN_TRAIN] = all;
}

Status plan_costs_fill(const Plan *plan, PlanCosts *costs) {
  const Settings *settings = &plan->stage->settings;
  PlanCost *stage = costs->stage;
  stage[PLAN_TRAIN] = stage[PLAN_ENCODE] = (PlanCost){0};
  stage[PLAN_HARVEST] = plan_harvest(plan);
  stage[PLAN_IMPORT] = plan_import(plan);
  for (int64_t i = 0; i < settings->count; ++i) {
    TRY(plan_train(plan, i, &costs->steps[i], &costs->train[i]));
    costs->encode[i] = plan_encode(plan, i);
    plan_then(&stage[PLAN_TRAIN], &costs->train[i]);
    plan_then(&stage[PLAN_ENCODE], &costs->encode[i]);
  }
  if (settings->train.together) {
    join_groups(plan, costs);
  }
  stage[PLAN_EVALUATE] = plan_evaluate(plan);
  stage[PLAN_COMPARE] = plan_compare(plan);
  stage[PLAN_FAMILIES] = plan_families(plan);
  stage[PLAN_REPORT] = plan_report(plan);
  return OK;
}

/* Of a model that is not there nothing but its rows is known. */
bool plan_is_unknown(const Plan *plan, int stage) {
  return stage == PLAN_HARVEST && plan->facts.context == 0;
}

bool plan_is_nothing(const PlanCost *cost) {
  return cost->memory == 0 && cost->disk == 0;
}

double plan_on_node(const Plan *plan, const PlanCost *cost) {
  return ceil((double)plan->ranks / (double)plan->nodes) * (cost->memory + PLAN_PROGRAM);
}
