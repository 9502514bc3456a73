#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "memory.h"
#include "plan.h"
#include "text.h"

static double *of(PlanRates *rates, int index) {
  double *const all[] = {&rates->dense,   &rates->screened, &rates->streamed, &rates->worked,
                         &rates->written, &rates->read,     &rates->received};
  return all[index];
}
enum { RATES = 7 };
static const char *const NAMES[RATES] = {"dense",   "screened", "streamed", "worked",
                                         "written", "read",     "received"};
static const char *const UNITS[RATES] = {
    "operations/s a core", "operations/s a core", "bytes/s a core", "steps/s a core",
    "bytes/s a node",      "bytes/s a node",      "bytes/s a rank"};

/* Of the slowest rank, but for the disk, which rank 0 measured. */
static void join_rates(Team *team, PlanRates *rates) {
  for (int i = 0; i < RATES; ++i) {
    double slowest = *of(rates, i) > 0 ? 1.0 / *of(rates, i) : 0.0;
    exchange_max(team, &slowest, 1);
    *of(rates, i) = slowest > 0 ? 1.0 / slowest : 0.0;
  }
}

static Status write_rates(Stage *stage, PlanRates *rates) {
  Text text = {0};
  char *path = NULL;
  Status status = text_printf(&text, "rate,value,unit\n");
  for (int i = 0; status == OK && i < RATES; ++i) {
    status = text_printf(&text, "%s,%.4g,%s\n", NAMES[i], *of(rates, i), UNITS[i]);
  }
  status = status == OK ? stage_path(stage, &path, "rates.csv") : status;
  status = status == OK ? text_write_file(&text, path) : status;
  text_clear(&text);
  MEMORY_FREE(path);
  return status;
}

Status plan_rates_measure(Stage *stage, PlanRates *rates) {
  PlanRates before;
  if (plan_rates_read(stage, &before) != OK) { /* damaged: they are measured anew */
    before = (PlanRates){0};
  }
  *rates = (PlanRates){.received = stage->team.size == 1 ? before.received : 0.0};
  TRY(plan_measure(stage, rates));
  join_rates(&stage->team, rates);
  return team_agree(&stage->team, stage->team.rank == 0 ? write_rates(stage, rates) : OK);
}

static Status parse_line(const char *line, const char *path, PlanRates *rates) {
  char name[16];
  double value = 0;
  if (sscanf(line, "%15[^,],%lf,", name, &value) == 2) {
    for (int i = 0; i < RATES; ++i) {
      if (strcmp(name, NAMES[i]) == 0 && value >= 0) {
        *of(rates, i) = value;
        return OK;
      }
    }
  }
  return RAISE(ERR_FORMAT, "%s: '%.40s' is no rate: measure again with cleave plan --measure", path,
               line);
}

static Status parse_rates(char *text, const char *path, PlanRates *rates) {
  char *rest = NULL;
  int number = 0;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    TRY(number++ == 0 ? OK : parse_line(line, path, rates));
  }
  return OK;
}

Status plan_rates_read(const Stage *stage, PlanRates *rates) {
  Text text = {0};
  char *path = NULL;
  *rates = (PlanRates){0};
  TRY(stage_path(stage, &path, "rates.csv"));
  Status status = OK;
  if (access(path, F_OK) == 0) {
    status = text_read_file(&text, path, 4096);
    status = status == OK && text.length > 0 ? parse_rates(text.bytes, path, rates) : status;
  }
  if (rates->worked <= 0) { /* not measured, or by a version that did not know all rates */
    *rates = (PlanRates){0};
  }
  text_clear(&text);
  MEMORY_FREE(path);
  return status;
}
