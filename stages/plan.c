/* cleave-plan: what every stage of a run takes, before anything is made. */
#include "plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lowp.h"
#include "memory.h"
#include "shard.h"
#include "text.h"
#include "threads.h"
#include "training.h"

/* A process with MPI, HDF5 and the BLAS, before it does anything: bytes. */
static const double PROGRAM = 9e7;
/* A started stage: mpirun, libraries, opening of files: seconds. */
static const double START = 1.0;

void plan_then(PlanCost *sum, const PlanCost *next) {
  sum->memory = fmax(sum->memory, next->memory);
  sum->scratch = fmax(sum->scratch, next->scratch);
  sum->disk += next->disk;
  sum->dense += next->dense;
  sum->screened += next->screened;
  sum->streamed += next->streamed;
  sum->read += next->read;
  sum->received += next->received;
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

static double part(double amount, double rate) {
  return rate > 0 ? amount / rate : 0.0;
}

double plan_seconds(const Plan *plan, const PlanCost *cost) {
  const PlanRates *rates = &plan->rates;
  const double cores = (double)(plan->ranks * plan->threads), nodes = (double)plan->nodes;
  if (rates->dense <= 0) {
    return 0;
  }
  return (part(cost->dense, rates->dense) + part(cost->screened, rates->screened) +
          part(cost->streamed, rates->streamed)) /
             cores +
         (part(cost->disk, rates->written) + part(cost->read, rates->read)) / nodes +
         part(cost->received, rates->received);
}

/* The stages of a run. */

enum {
  STAGE_HARVEST,
  STAGE_IMPORT,
  STAGE_TRAIN,
  STAGE_ENCODE,
  STAGE_EVALUATE,
  STAGE_COMPARE,
  STAGE_FAMILIES,
  STAGE_REPORT,
  STAGES
};
static const char *const NAMES[STAGES] = {"harvest",  "import",  "train",    "encode",
                                          "evaluate", "compare", "families", "report"};

typedef struct Costs {
  PlanCost stage[STAGES];
  PlanCost *train, *encode; /* [dictionaries] */
  int64_t *steps;           /* [dictionaries] */
} Costs;

static void costs_clear(Costs *costs) {
  MEMORY_FREE(costs->train);
  MEMORY_FREE(costs->encode);
  MEMORY_FREE(costs->steps);
}

static Status costs_take(Costs *costs, int64_t count) {
  *costs = (Costs){.train = NULL};
  TRY(MEMORY_NEW(&costs->train, count, "costs of dictionaries"));
  TRY(MEMORY_NEW(&costs->encode, count, "costs of dictionaries"));
  return MEMORY_NEW(&costs->steps, count, "steps of dictionaries");
}

/* Trained together, the dictionaries of a seed are in memory at once, with checkpoints of all, and read the rows once.
 */
static void join_groups(const Plan *plan, Costs *costs) {
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
  costs->stage[STAGE_TRAIN] = all;
}

static Status cost_all(const Plan *plan, Costs *costs) {
  const Settings *settings = &plan->stage->settings;
  PlanCost *stage = costs->stage;
  stage[STAGE_TRAIN] = stage[STAGE_ENCODE] = (PlanCost){0};
  TRY(plan_harvest(plan, &stage[STAGE_HARVEST]));
  TRY(plan_import(plan, &stage[STAGE_IMPORT]));
  for (int64_t i = 0; i < settings->count; ++i) {
    TRY(plan_train(plan, i, &costs->steps[i], &costs->train[i]));
    TRY(plan_encode(plan, i, &costs->encode[i]));
    plan_then(&stage[STAGE_TRAIN], &costs->train[i]);
    plan_then(&stage[STAGE_ENCODE], &costs->encode[i]);
  }
  if (settings->train.together) {
    join_groups(plan, costs);
  }
  TRY(plan_evaluate(plan, &stage[STAGE_EVALUATE]));
  TRY(plan_compare(plan, &stage[STAGE_COMPARE]));
  TRY(plan_families(plan, &stage[STAGE_FAMILIES]));
  return plan_report(plan, &stage[STAGE_REPORT]);
}

/* Of a model that is not there nothing but its rows is known. */
static bool is_unknown(const Plan *plan, int stage) {
  return stage == STAGE_HARVEST && plan->facts.context == 0;
}

static bool is_nothing(const PlanCost *cost) {
  return cost->memory == 0 && cost->disk == 0;
}

static double on_node(const Plan *plan, const PlanCost *cost) {
  return ceil((double)plan->ranks / (double)plan->nodes) * (cost->memory + PROGRAM);
}

/* The table. */

static Status add_line(const Plan *plan, const char *name, const PlanCost *cost, double memory,
                       Text *out) {
  char used[32], disk[32], scratch[32], received[32], time[32] = "-";
  const double operations = cost->dense + cost->screened;
  if (plan->rates.dense > 0) {
    text_of_seconds(START + plan_seconds(plan, cost), time);
  }
  return text_printf(out, "%-20s %10s%s %10s %10s %10.2e %10s %15s\n", name,
                     text_of_bytes(cost->memory, used), on_node(plan, cost) > memory ? "!" : " ",
                     text_of_bytes(cost->disk, disk), text_of_bytes(cost->scratch, scratch),
                     operations, text_of_bytes(cost->received, received), time);
}

static Status add_each(const Plan *plan, const PlanCost *costs, const int64_t *steps, double memory,
                       Text *out) {
  const Settings *settings = &plan->stage->settings;
  char name[64], count[32];
  for (int64_t i = 0; i < settings->count; ++i) {
    if (is_nothing(&costs[i])) {
      continue;
    }
    if (steps != NULL) {
      snprintf(name, sizeof(name), "  %.20s, %s steps", settings->dictionaries[i].name,
               text_of_count(steps[i], count));
    } else {
      snprintf(name, sizeof(name), "  %.20s", settings->dictionaries[i].name);
    }
    TRY(add_line(plan, name, &costs[i], memory, out));
  }
  return OK;
}

static Status add_stages(const Plan *plan, const Costs *costs, double memory, Text *out) {
  PlanCost all = {0};
  TRY(text_printf(out, "%-20s %10s  %10s %10s %10s %10s %15s\n", "stage", "memory", "disk",
                  "temporary", "operations", "exchanged", "time"));
  for (int s = 0; s < STAGES; ++s) {
    const PlanCost *cost = &costs->stage[s];
    if (is_nothing(cost)) {
      continue;
    }
    if (is_unknown(plan, s)) {
      char disk[32];
      TRY(text_printf(out, "%-20s %10s  %10s %10s\n", "harvest (no model)", "-",
                      text_of_bytes(cost->disk, disk), "-"));
      all.disk += cost->disk;
      continue;
    }
    TRY(add_line(plan, NAMES[s], cost, memory, out));
    TRY(s == STAGE_TRAIN ? add_each(plan, costs->train, costs->steps, memory, out) : OK);
    TRY(s == STAGE_ENCODE ? add_each(plan, costs->encode, NULL, memory, out) : OK);
    plan_then(&all, cost);
  }
  return add_line(plan, "in all", &all, memory, out);
}

static Status add_firings(const Plan *plan, Text *out) {
  const Settings *settings = &plan->stage->settings;
  char count[32];
  if (settings->count == 0) {
    return OK;
  }
  TRY(text_printf(out, "rows until half of the features have fired 30 times, about:"));
  for (int64_t i = 0; i < settings->count; ++i) {
    const DictionarySettings *one = &settings->dictionaries[i];
    const double rows = PLAN_UNEVEN * 30.0 * (double)one->latents / plan_l0(plan, i);
    TRY(text_printf(out, "%s %s %s", i == 0 ? "" : ",", one->name,
                    text_of_count((int64_t)rows, count)));
  }
  return text_printf(out, "\n");
}

static Status add_head(const Plan *plan, double memory, Text *out) {
  char rows[32], bytes[32];
  return text_printf(
      out, "%lld ranks of %lld threads on %lld node%s of %s; %s rows of width %lld (from %s)\n\n",
      (long long)plan->ranks, (long long)plan->threads, (long long)plan->nodes,
      plan->nodes == 1 ? "" : "s", text_of_bytes(memory, bytes),
      text_of_count(plan->facts.rows, rows), (long long)plan->facts.width, plan->facts.where);
}

/* What does not fit. */

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

static bool does_fit(const Plan *plan, const Costs *costs, double memory) {
  bool fits = true;
  for (int s = 0; s < STAGES; ++s) {
    fits = fits && on_node(plan, &costs->stage[s]) <= memory;
  }
  return fits;
}

/* The search: so many ranks a node, in equal groups over all nodes. */
typedef struct Search {
  const Plan *plan;
  Costs costs;
  int64_t a_node, step; /* ranks of a node; nodes that make equal groups of ranks */
  double memory;
} Search;

static Status try_nodes(Search *search, int64_t steps, bool *fits) {
  Plan larger = *search->plan;
  larger.nodes = steps * search->step;
  larger.ranks = larger.nodes * search->a_node;
  TRY(cost_all(&larger, &search->costs));
  *fits = does_fit(&larger, &search->costs, search->memory);
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

static Status search_nodes(const Plan *plan, double memory, int64_t *a_node, int64_t *nodes) {
  const int64_t replicas = plan->stage->settings.train.replicas;
  Search search = {.plan = plan,
                   .a_node = (plan->ranks + plan->nodes - 1) / plan->nodes,
                   .step = 1,
                   .memory = memory};
  while (search.a_node * search.step % replicas != 0) {
    search.step++;
  }
  *a_node = search.a_node;
  Status status = costs_take(&search.costs, plan->stage->settings.count);
  status = status == OK ? find_nodes(&search, nodes) : status;
  costs_clear(&search.costs);
  return status;
}

static Status add_fit(const Plan *plan, const Costs *costs, double memory, Text *out) {
  int64_t nodes = 0, a_node = 0;
  if (does_fit(plan, costs, memory)) {
    return OK;
  }
  TRY(search_nodes(plan, memory, &a_node, &nodes));
  TRY(text_printf(out, "\n! does not fit: "));
  if (nodes < 0) {
    return text_printf(out,
                       "nor on any number of such nodes: fewer ranks a node, more threads each\n");
  }
  const long long ranks = nodes * a_node;
  return text_printf(out, "%lld nodes with %lld rank%s each would do (%lld ranks)\n",
                     (long long)nodes, (long long)a_node, a_node == 1 ? "" : "s", ranks);
}

static Status add_notes(const Plan *plan, Text *out) {
  TRY(text_printf(out,
                  "\nmemory: of the rank that has most, beside about %.0f MB of program and "
                  "libraries; disk: what stays; "
                  "temporary:\nbeside it while the stage runs (of training: three checkpoints); "
                  "exchanged: bytes that a rank "
                  "takes from others.\n",
                  PROGRAM * 1e-6));
  TRY(plan->rates.dense > 0
          ? OK
          : text_printf(out,
                        "no times: cleave plan --measure %s finds out how fast this "
                        "machine is\n",
                        plan->stage->yaml));
  const bool is_far =
      plan->rates.dense > 0 && plan->ranks > 1 && (plan->nodes > 1 || plan->rates.received <= 0);
  TRY(is_far
          ? text_printf(out,
                        "the time of exchanges between nodes is %s: measure on two nodes, or set "
                        "`received` in "
                        "rates.csv\n",
                        plan->rates.received > 0 ? "that of ranks on the machine that was measured"
                                                 : "left out")
          : OK);
  return add_firings(plan, out);
}

static Status print_table(const Plan *plan, const Costs *costs, double memory, Text *out) {
  TRY(add_head(plan, memory, out));
  TRY(add_stages(plan, costs, memory, out));
  TRY(add_fit(plan, costs, memory, out));
  return add_notes(plan, out);
}

/* For cleave submit. */

/* Until a warned stage has saved what it has: the step under way, and a checkpoint. 0: nobody measured the disk, so
 * that of stage.sbatch stays. */
static double lead_of(const Plan *plan, int stage, const Costs *costs) {
  const double saved = stage == STAGE_TRAIN ? costs->stage[stage].scratch / 3.0 : 0.0;
  return plan->rates.written > 0 ? 120.0 + 2.0 * saved / plan->rates.written / (double)plan->nodes
                                 : 0.0;
}

/* stage,megabytes a node,seconds,lead: half as much time again, and more memory, since Slurm kills what takes more; of
 * time and lead 0: unknown. */
static Status print_lines(const Plan *plan, const Costs *costs, Text *out) {
  TRY(text_printf(out, "stage,megabytes,seconds,lead\n"));
  for (int s = 0; s < STAGES; ++s) {
    const PlanCost *cost = &costs->stage[s];
    const double seconds = plan->rates.dense > 0 ? 600.0 + 1.5 * plan_seconds(plan, cost) : 0.0;
    if (!is_nothing(cost) && !is_unknown(plan, s)) {
      TRY(text_printf(out, "%s,%.0f,%.0f,%.0f\n", NAMES[s],
                      ceil(512.0 + 1.2 * on_node(plan, cost) * 1e-6), ceil(seconds),
                      ceil(lead_of(plan, s, costs))));
    }
  }
  return OK;
}

static Status read_flags(Stage *stage, Plan *plan, int64_t *rows, int64_t *width, double *memory) {
  const int64_t most = INT64_C(1000000), cores = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
  int64_t gigabytes = 0;
  plan->ranks = stage->team.size > 1 ? stage->team.size : cores;
  plan->nodes = 1;
  TRY(stage_integer(stage, "--ranks", 1, most, &plan->ranks));
  TRY(stage_integer(stage, "--nodes", 1, most, &plan->nodes));
  TRY(stage_integer(stage, "--rows", 1, INT64_C(4294967294), rows));
  TRY(stage_integer(stage, "--width", 1, INT64_C(1) << 20, width));
  TRY(stage_integer(stage, "--memory", 1, most, &gigabytes));
  if (plan->nodes > plan->ranks) {
    return RAISE(ERR_USAGE, "%lld nodes for %lld ranks: some would have none",
                 (long long)plan->nodes, (long long)plan->ranks);
  }
  TRY(training_check_keys(stage));
  TRY(training_check_ranks(stage, plan->ranks));
  const int64_t a_node = (plan->ranks + plan->nodes - 1) / plan->nodes;
  const bool is_given = stage->settings.run.threads > 0 || stage_flag(stage, "--threads") != NULL;
  plan->threads = is_given ? threads_count() : cores / a_node;
  plan->threads = plan->threads < 1 ? 1 : plan->threads;
  *memory = gigabytes > 0 ? (double)gigabytes * 1e9
                          : (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  return OK;
}

static Status print(Stage *stage, Plan *plan, double memory) {
  Costs costs;
  Text text = {0};
  const int threads = threads_count();
  threads_set((int)plan->threads);
  Status status = costs_take(&costs, stage->settings.count);
  status = status == OK ? cost_all(plan, &costs) : status;
  if (status == OK) {
    status = stage_flag(stage, "--lines") != NULL ? print_lines(plan, &costs, &text)
                                                  : print_table(plan, &costs, memory, &text);
  }
  threads_set(threads);
  costs_clear(&costs);
  status = team_agree(&stage->team, status);
  status = status == OK ? stage_answer(stage, &text) : status;
  text_clear(&text);
  return status;
}

static Status run(Stage *stage) {
  Plan plan = {.stage = stage};
  int64_t rows = 0, width = 0;
  double memory = 0;
  const char *screen = NULL; /* whether training screens in 8 bits is part of its memory */
  stage->is_answer = true;
  lowp_open(&screen);
  TRY_ALL(&stage->team, read_flags(stage, &plan, &rows, &width, &memory));
  if (stage_flag(stage, "--measure") != NULL) {
    TRY(plan_rates_measure(stage, &plan.rates));
  } else {
    TRY_ALL(&stage->team, plan_rates_read(stage, &plan.rates));
  }
  TRY(plan_facts(&plan, rows, width));
  return print(stage, &plan, memory);
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, NULL};
  static const StageFlag FLAGS[] = {
      {"--ranks", "N", "plan for so many (default: those it runs on, or this machine's cores)"},
      {"--nodes", "N", "on so many nodes (default: 1)"},
      {"--memory", "GB", "of a node (default: this one's)"},
      {"--rows", "N", "of activations.h5, where it is not there and no text can tell"},
      {"--width", "N", "of the residual stream, where neither rows nor model are there"},
      {"--measure", NULL,
       "first find out how fast this machine is: FOLDER/rates.csv, for this plan and later ones"},
      {"--lines", NULL, "stage,megabytes,seconds,lead: what cleave submit asks Slurm for"},
      {"--out", "FILE", "write there"},
      {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "plan",
      .purpose = "what every stage takes, before anything is made: memory, disk, operations, time",
      .reads = "run.yaml; activations.h5, the model and the text, where they are there",
      .writes = "rates.csv (with --measure)",
      .next = "",
      .sections = SECTIONS,
      .flags = FLAGS,
      .only_answers = true,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
