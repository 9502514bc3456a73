#include <string.h>

#include "exchange.h"
#include "fire.h"
#include "fixed.h"
#include "threads.h"

enum { ROWS_A_UNIT = 16 };

typedef struct Rebuilding {
  const Sae *sae;
  const Fire *fire;
  const int64_t *which;
  int64_t count;
  const double *scales;
  int64_t *sums;
} Rebuilding;

static void add_row(const Rebuilding *r, int64_t at, int64_t *sums) {
  const Fire *fire = r->fire;
  const int64_t width = r->sae->width, row = r->which[at];
  FixedRows rows = {.sums = sums, .width = width, .scale = r->scales[at]};
  for (int64_t i = fire->start[row]; i < fire->start[row + 1]; i++) {
    if (fire_is_active(fire, row, i)) {
      const int64_t latent = select_id(fire->keys[i]) - r->sae->own.first;
      fixed_push(&rows, r->sae->w_dec + latent * width, fire->values[i]);
    }
  }
  fixed_flush(&rows);
}

static Status add_unit(int64_t unit, int thread, void *context) {
  const Rebuilding *r = context;
  const int64_t width = r->sae->width;
  (void)thread;
  for (int64_t i = unit * ROWS_A_UNIT; i < (unit + 1) * ROWS_A_UNIT && i < r->count; i++) {
    int64_t *sums = r->sums + i * width;
    memset(sums, 0, (size_t)width * sizeof(*sums));
    add_row(r, i, sums);
  }
  return OK;
}

Status fire_rebuild(Team *team, const Sae *sae, const Fire *fire, const int64_t *which,
                    int64_t count, const double *scales, int64_t *sums) {
  Rebuilding rebuilding = {sae, fire, which, count, scales, sums};
  const int64_t units = (count + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  TRY_ALL(team, threads_run(units, add_unit, &rebuilding));
  exchange_sum(team, sums, count * sae->width);
  return OK;
}
