#include "plan.h"
#include "shard.h"

/* Beyond, ranks have no latents: more of them make nothing smaller. */
static int64_t ranks_most(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  int64_t most = plan->ranks;
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t latents = settings->dictionaries[i].latents;
    const int64_t block = shard_latent_block(latents), blocks = (latents + block - 1) / block;
    most = blocks > most ? blocks : most;
  }
  return most;
}

bool plan_does_fit(const Plan *plan, const PlanCosts *costs, double memory) {
  bool fits = true;
  for (int s = 0; s < PLAN_STAGES; ++s) {
    fits = fits && plan_on_node(plan, &costs->stage[s]) <= memory;
  }
  return fits;
}

/* The search: so many ranks a node, in equal groups over all nodes. */
typedef struct Search {
  const Plan *plan;
  PlanCosts costs;
  int64_t a_node, step; /* ranks of a node; nodes that make equal groups of ranks */
  double memory;
} Search;

static Status try_nodes(Search *search, int64_t steps, bool *fits) {
  Plan larger = *search->plan;
  larger.nodes = steps * search->step;
  larger.ranks = larger.nodes * search->a_node;
  TRY(plan_costs_fill(&larger, &search->costs));
  *fits = plan_does_fit(&larger, &search->costs, search->memory);
  return OK;
}

/* Doubled until it fits, then halved in between; nodes -1: none. */
static Status find_nodes(Search *search, int64_t *nodes) {
  const int64_t most = ranks_most(search->plan) / (search->a_node * search->step) + 1;
  int64_t below = search->plan->nodes / search->step, above = below > 0 ? below : 1;
  bool fits = false;
  while (!fits && above < most) {
    below = above;
    above = 2 * above < most ? 2 * above : most;
    TRY(try_nodes(search, above, &fits));
  }
  *nodes = -1;
  while (fits && above - below > 1) {
    const int64_t middle = below + (above - below) / 2;
    bool is_enough = false;
    TRY(try_nodes(search, middle, &is_enough));
    *(is_enough ? &above : &below) = middle;
  }
  if (fits) {
    *nodes = above * search->step;
  }
  return OK;
}

Status plan_find_nodes(const Plan *plan, double memory, int64_t *a_node, int64_t *nodes) {
  const int64_t replicas = plan->stage->settings.train.replicas;
  Search search = {.plan = plan,
                   .a_node = (plan->ranks + plan->nodes - 1) / plan->nodes,
                   .step = 1,
                   .memory = memory};
  while (search.a_node * search.step % replicas != 0) {
    search.step++;
  }
  *a_node = search.a_node;
  Status status = plan_costs_take(&search.costs, plan->stage->settings.count);
  status = status == OK ? find_nodes(&search, nodes) : status;
  plan_costs_clear(&search.costs);
  return status;
}
