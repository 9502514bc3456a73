#include "train_times.h"

#include "exchange.h"
#include "log.h"
#include "text.h"
#include "threads.h"
#include "train_sparse.h"

/* The selection's parts: threads count their own seconds, so each is that share of its wall time. */
enum { PART_PRODUCTS = PHASES, PART_BOUNDS, PART_EXACT, PARTS };

typedef struct Parts {
  double seconds[PARTS];
  double all, exchanges;
  double candidates; /* a row */
} Parts;

static const char *name_of(int part) {
  static const char *const NAMES[] = {"products", "bounds", "exact scores"};
  return part < PHASES ? phases_name((Phase)part) : NAMES[part - PHASES];
}

static void split_selection(Parts *parts, const ScreenCost *cost) {
  const double threads = (double)threads_count();
  parts->seconds[PART_PRODUCTS] = cost->multiply / threads;
  parts->seconds[PART_BOUNDS] = cost->scan / threads;
  parts->seconds[PART_EXACT] = cost->score / threads;
  for (int p = PHASES; p < PARTS; p++) {
    parts->seconds[PHASE_SELECT] -= parts->seconds[p];
  }
}

static Parts parts_of(const Train *train, Team *team, double exchanged, int64_t steps) {
  Parts parts = {.exchanges = exchange_seconds() - exchanged};
  const ScreenCost *cost = train_sparse_cost(train);
  int64_t scored = cost == NULL ? 0 : cost->scored;
  exchange_sum(team, &scored, 1);
  for (int p = 0; p < PHASES; p++) {
    parts.seconds[p] = train->times.seconds[p];
    parts.all += parts.seconds[p];
  }
  if (cost != NULL) {
    split_selection(&parts, cost);
  }
  parts.candidates = (double)scored / (double)(steps * train->spec.batch);
  return parts;
}

static Status add_parts(const Parts *parts, Text *line, Text *table) {
  for (int p = 0; p < PARTS; p++) {
    const double share = parts->seconds[p] / parts->all;
    if (parts->seconds[p] != 0.0) {
      TRY(text_printf(table, "%s,%.6g,%.4f\n", name_of(p), parts->seconds[p], share));
    }
    if (share >= 0.005) {
      TRY(text_printf(line, "%s%s %.0f %%", line->length == 0 ? "" : ", ", name_of(p),
                      100.0 * share));
    }
  }
  return text_printf(table, "exchanges within these,%.6g,%.4f\n", parts->exchanges,
                     parts->exchanges / parts->all);
}

static Status tell(const Train *train, const Parts *parts, const char *path) {
  Text line = {0}, table = {0};
  char took[32];
  Status status = text_printf(&table, "part,seconds,share\n");
  status = status == OK ? add_parts(parts, &line, &table) : status;
  if (status == OK) {
    log_info("%s: %s: %s; %.0f %% of it in exchanges", train->spec.name,
             text_of_seconds(parts->all, took), text_chars(&line),
             100.0 * parts->exchanges / parts->all);
    if (parts->candidates > 0.0) {
      log_info("%s: scored exactly %.0f of %lld latents a row (%.2f %%)", train->spec.name,
               parts->candidates, (long long)train->spec.latents,
               100.0 * parts->candidates / (double)train->spec.latents);
    }
    status = text_make_parent(path);
  }
  if (status == OK) {
    status = text_write_file(&table, path);
  }
  text_clear(&line);
  text_clear(&table);
  return status;
}

Status train_times_tell(const Train *train, Team *team, const char *path, double exchanged,
                        int64_t steps) {
  const Parts parts = parts_of(train, team, exchanged, steps);
  return team_agree(team, team->rank == 0 && parts.all > 0.0 ? tell(train, &parts, path) : OK);
}
