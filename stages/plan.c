/* cleave-plan: what every stage of a run takes, before anything is made. */
#include "plan.h"

#include <unistd.h>

#include "lowp.h"
#include "memory.h"
#include "threads.h"
#include "training.h"

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
  PlanCosts costs;
  Text text = {0};
  const int threads = threads_count();
  threads_set((int)plan->threads);
  Status status = plan_costs_take(&costs, stage->settings.count);
  status = status == OK ? plan_costs_fill(plan, &costs) : status;
  if (status == OK) {
    status = stage_flag(stage, "--lines") != NULL ? plan_print_lines(plan, &costs, &text)
                                                  : plan_print_table(plan, &costs, memory, &text);
  }
  threads_set(threads);
  plan_costs_clear(&costs);
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
  Status status = plan_sources_read(&plan);
  status = status == OK ? plan_find(&plan) : status;
  status = status == OK ? print(stage, &plan, memory) : status;
  MEMORY_FREE(plan.sources);
  MEMORY_FREE(plan.found);
  MEMORY_FREE(plan.pairs);
  return status;
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
      .reads =
          "run.yaml; the model, the text and imported dictionaries; activations.h5, codes and "
          "neighbours.h5, where they are there",
      .writes = "rates.csv (with --measure)",
      .next = "",
      .sections = SECTIONS,
      .flags = FLAGS,
      .only_answers = true,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
