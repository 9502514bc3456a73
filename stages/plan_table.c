#include <math.h>
#include <stdio.h>

#include "plan.h"
#include "text.h"

/* A started stage: mpirun, libraries, opening of files: seconds. */
static const double START = 1.0;

static Status add_line(const Plan *plan, const char *name, const PlanCost *cost, double memory,
                       Text *out) {
  char used[32], disk[32], scratch[32], received[32], time[32] = "-";
  const double operations = cost->dense + cost->screened;
  if (plan->rates.dense > 0) {
    text_of_seconds(START + plan_seconds(plan, cost), time);
  }
  return text_printf(out, "%-20s %10s%s %10s %10s %10.2e %10s %15s\n", name,
                     text_of_bytes(cost->memory, used),
                     plan_on_node(plan, cost) > memory ? "!" : " ", text_of_bytes(cost->disk, disk),
                     text_of_bytes(cost->scratch, scratch), operations,
                     text_of_bytes(cost->received, received), time);
}

static Status add_each(const Plan *plan, const PlanCost *costs, const int64_t *steps, double memory,
                       Text *out) {
  const Settings *settings = &plan->stage->settings;
  char name[64], count[32];
  for (int64_t i = 0; i < settings->count; ++i) {
    if (plan_is_nothing(&costs[i])) {
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

static Status add_stages(const Plan *plan, const PlanCosts *costs, double memory, Text *out) {
  PlanCost all = {0};
  TRY(text_printf(out, "%-20s %10s  %10s %10s %10s %10s %15s\n", "stage", "memory", "disk",
                  "temporary", "operations", "exchanged", "time"));
  for (int s = 0; s < PLAN_STAGES; ++s) {
    const PlanCost *cost = &costs->stage[s];
    if (plan_is_nothing(cost)) {
      continue;
    }
    if (plan_is_unknown(plan, s)) {
      char disk[32];
      TRY(text_printf(out, "%-20s %10s  %10s %10s\n", "harvest (no model)", "-",
                      text_of_bytes(cost->disk, disk), "-"));
      all.disk += cost->disk;
      continue;
    }
    TRY(add_line(plan, PLAN_NAMES[s], cost, memory, out));
    TRY(s == PLAN_TRAIN ? add_each(plan, costs->train, costs->steps, memory, out) : OK);
    TRY(s == PLAN_ENCODE ? add_each(plan, costs->encode, NULL, memory, out) : OK);
    plan_then(&all, cost);
  }
  return add_line(plan, "in all", &all, memory, out);
}

/* Features fire unequally: the mean feature fires so many times as often as the median one. Seen at 1,024, 4,096 and
 * 32,768 latents on 5.1 million rows: 1.3, 1.9, 6.1. */
static double unevenness(double latents) {
  return fmax(1.3, sqrt(latents / 1000.0));
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
    const double latents = (double)one->latents;
    const double rows = unevenness(latents) * 30.0 * latents / plan_l0(plan, i);
    TRY(text_printf(out, "%s %s %s", i == 0 ? "" : ",", one->name,
                    text_of_count((int64_t)rows, count)));
  }
  return text_printf(out, "\n");
}

/* What is not guessed any more. */
static Status add_found(const Plan *plan, Text *out) {
  const Settings *settings = &plan->stage->settings;
  int64_t codes = 0, links = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    codes += plan->found[i].l0 > 0;
  }
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    links += plan->pairs[i].is_known;
  }
  return codes == 0 && links == 0
             ? OK
             : text_printf(out,
                           "known from the run's folder: codes of %lld of %lld dictionaries, "
                           "links of %lld of %lld pairs\n",
                           (long long)codes, (long long)settings->count, (long long)links,
                           (long long)plan->pair_count);
}

static Status add_head(const Plan *plan, double memory, Text *out) {
  char rows[32], bytes[32];
  return text_printf(
      out, "%lld ranks of %lld threads on %lld node%s of %s; %s rows of width %lld (from %s)\n",
      (long long)plan->ranks, (long long)plan->threads, (long long)plan->nodes,
      plan->nodes == 1 ? "" : "s", text_of_bytes(memory, bytes),
      text_of_count(plan->facts.rows, rows), (long long)plan->facts.width, plan->facts.where);
}

static Status add_fit(const Plan *plan, const PlanCosts *costs, double memory, Text *out) {
  int64_t nodes = 0, a_node = 0;
  if (plan_does_fit(plan, costs, memory)) {
    return OK;
  }
  TRY(plan_find_nodes(plan, memory, &a_node, &nodes));
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
                  PLAN_PROGRAM * 1e-6));
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

Status plan_print_table(const Plan *plan, const PlanCosts *costs, double memory, Text *out) {
  TRY(add_head(plan, memory, out));
  TRY(add_found(plan, out));
  TRY(text_printf(out, "\n"));
  TRY(add_stages(plan, costs, memory, out));
  TRY(add_fit(plan, costs, memory, out));
  return add_notes(plan, out);
}

/* For cleave submit. */

/* Until a warned stage has saved what it has: the step under way, and a checkpoint. 0: nobody measured the disk, so
 * that of stage.sbatch stays. */
static double lead_of(const Plan *plan, int stage, const PlanCosts *costs) {
  const double saved = stage == PLAN_TRAIN ? costs->stage[stage].scratch / 3.0 : 0.0;
  return plan->rates.written > 0 ? 120.0 + 2.0 * saved / plan->rates.written / (double)plan->nodes
                                 : 0.0;
}

/* stage,megabytes a node,seconds,lead: half as much time again, and more memory, since Slurm kills what takes more; of
 * time and lead 0: unknown. */
Status plan_print_lines(const Plan *plan, const PlanCosts *costs, Text *out) {
  TRY(text_printf(out, "stage,megabytes,seconds,lead\n"));
  for (int s = 0; s < PLAN_STAGES; ++s) {
    const PlanCost *cost = &costs->stage[s];
    const double seconds = plan->rates.dense > 0 ? 600.0 + 1.5 * plan_seconds(plan, cost) : 0.0;
    if (!plan_is_nothing(cost) && !plan_is_unknown(plan, s)) {
      TRY(text_printf(out, "%s,%.0f,%.0f,%.0f\n", PLAN_NAMES[s],
                      ceil(512.0 + 1.2 * plan_on_node(plan, cost) * 1e-6), ceil(seconds),
                      ceil(lead_of(plan, s, costs))));
    }
  }
  return OK;
}
