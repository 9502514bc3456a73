#include <math.h>
#include <string.h>

#include "distribution.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "neighbours.h"
#include "null.h"
#include "random.h"
#include "span.h"
#include "threads.h"

enum {
  ROWS = 32,             /* of a draw */
  PANEL_BYTES = 1 << 27, /* of a rank's rows of a panel of draws */
  BATCH_BYTES = 1 << 22, /* of the sums that go through all ranks at once */
  DRAWS_OF_UNIT = 2
};

typedef struct Null {
  const NullJob *job;
  uint64_t key;
  int64_t alive, before; /* alive children of all ranks, and of the ranks before */
  int64_t mine;
  int64_t *row_of; /* [mine] own rows that are alive */
  int64_t *sums;   /* [batch, width] fixed point */
  int64_t batch;   /* draws */
  Shard here;      /* draws that are summed now */
  /* of own draws that found a parent */
  float *best, *r2;
  int64_t count, room;
} Null;

/* One draw: which alive children, in the order of their ids whoever owns them, and with which
   signs. */
typedef struct Draw {
  int64_t pick[ROWS];
  int sign[ROWS];
  int signs; /* their sum */
} Draw;

static Draw draw_of(const Null *null, int64_t index) {
  const uint64_t key = random_subkey(null->key, (uint64_t)index);
  const uint64_t bits = random_bits(key, ROWS);
  Draw draw = {.signs = 0};
  for (int j = 0; j < ROWS; ++j) {
    draw.pick[j] = random_below(key, (uint64_t)j, null->alive);
    draw.sign[j] = (bits >> j & 1) != 0 ? 1 : -1;
    draw.signs += draw.sign[j];
  }
  return draw;
}

/* Coordinates of unit rows are at most 1 (and a rounding). */
static double scale_of_sums(void) {
  return fixed_scale(2.0 * ROWS);
}

/* This rank's rows of some draws. */
static Status sum_unit(int64_t unit, int thread, void *context) {
  const Null *null = context;
  const Directions *child = null->job->child;
  const int64_t first = null->here.first + unit * DRAWS_OF_UNIT, past = first + DRAWS_OF_UNIT;
  (void)thread;
  for (int64_t i = first; i < past && i < null->here.past; ++i) {
    const Draw draw = draw_of(null, i);
    FixedRows rows = {.sums = null->sums + (i - null->here.first) * child->width,
                      .width = child->width,
                      .scale = scale_of_sums()};
    memset(rows.sums, 0, (size_t)child->width * sizeof *rows.sums);
    for (int j = 0; j < ROWS; ++j) {
      const int64_t own = draw.pick[j] - null->before;
      if (own >= 0 && own < null->mine) {
        fixed_push(&rows, child->rows + null->row_of[own] * child->width, (float)draw.sign[j]);
      }
    }
    fixed_flush(&rows);
  }
  return OK;
}

/* mean + (sum of signed rows - sum of signs x mean) / sqrt(32), made unit later. */
static void take_draws(const Null *null, Directions *panel) {
  const int64_t width = panel->width;
  const float *mean = null->job->child_mean;
  const double scale = scale_of_sums();
  for (int64_t i = null->here.first; i < null->here.past; ++i) {
    if (i < panel->own.first || i >= panel->own.past) {
      continue;
    }
    const double signs = draw_of(null, i).signs;
    const int64_t *sums = null->sums + (i - null->here.first) * width;
    float *row = panel->rows + (i - panel->own.first) * width;
    for (int64_t j = 0; j < width; ++j) {
      const double centred = fixed_to(sums[j], scale) - signs * (double)mean[j];
      row[j] = (float)((double)mean[j] + centred / sqrt((double)ROWS));
    }
  }
}

static Status fill_panel(Team *team, Null *null, Directions *panel) {
  for (int64_t first = panel->part.first; first < panel->part.past; first += null->batch) {
    const int64_t left = panel->part.past - first;
    const int64_t count = left < null->batch ? left : null->batch;
    null->here = (Shard){first, first + count};
    TRY_ALL(team, threads_run((count + DRAWS_OF_UNIT - 1) / DRAWS_OF_UNIT, sum_unit, null));
    exchange_sum(team, null->sums, count * panel->width);
    take_draws(null, panel);
  }
  TRY_ALL(team, directions_unit(panel, "null children"));
  return OK;
}

/* The draws of a panel meet the parents. */
typedef struct Meeting {
  Directions panel;
  Neighbours up;
  SpanFit *fits;
} Meeting;

static Status take_meeting(Meeting *meeting, Null *null) {
  const int64_t own = shard_count(meeting->panel.own);
  TRY(neighbours_open(&meeting->up, own, null->job->most));
  TRY(MEMORY_NEW(&meeting->fits, own, "span fits of null children"));
  if (null->count + own > null->room) {
    TRY(MEMORY_RESIZE(&null->best, null->count + own, "cosines of null children"));
    TRY(MEMORY_RESIZE(&null->r2, null->count + own, "span fits of null children"));
    null->room = null->count + own;
  }
  return OK;
}

static void keep_results(const Meeting *meeting, Null *null) {
  const Neighbours *up = &meeting->up;
  for (int64_t i = 0; i < up->count; ++i) {
    if (up->counts[i] > 0) {
      null->best[null->count] = fminf(select_score(up->keys[i * up->most]), 1.0F);
      null->r2[null->count++] = meeting->fits[i].r2;
    }
  }
}

static Status meet(Team *team, Null *null, Meeting *meeting) {
  const NullJob *job = null->job;
  TRY(fill_panel(team, null, &meeting->panel));
  TRY_ALL(team, take_meeting(meeting, null));
  TRY(neighbours_find(team, &meeting->panel, job->parent, &meeting->up, NULL, NULL));
  TRY(span_fit(team, &meeting->panel, job->parent, &meeting->up, job->span, meeting->fits));
  keep_results(meeting, null);
  return OK;
}

static Status meet_panel(Team *team, Null *null, Shard part) {
  const NullJob *job = null->job;
  Meeting meeting = {.fits = NULL};
  Status status = team_agree(
      team, directions_open_part(&meeting.panel, team, job->draws, job->child->width, part));
  if (status == OK) {
    status = meet(team, null, &meeting);
  }
  directions_clear(&meeting.panel);
  neighbours_clear(&meeting.up);
  MEMORY_FREE(meeting.fits);
  return status;
}

/* As many whole blocks of draws as all ranks together hold. */
static int64_t panel_draws(const Team *team, const NullJob *job) {
  const int64_t block = shard_latent_block(job->draws);
  const int64_t row = job->child->width * (int64_t)sizeof(float);
  const int64_t blocks = PANEL_BYTES / row * team->size / block;
  return block * (blocks > 0 ? blocks : 1);
}

static Status list_alive(Null *null) {
  const Directions *child = null->job->child;
  const int64_t row = child->width * (int64_t)sizeof(int64_t);
  null->batch = BATCH_BYTES / row > 0 ? BATCH_BYTES / row : 1;
  TRY(MEMORY_NEW(&null->row_of, shard_count(child->own), "alive children"));
  TRY(MEMORY_NEW(&null->sums, null->batch * child->width, "sums of null children"));
  for (int64_t i = 0; i < shard_count(child->own); ++i) {
    if (child->state[i] == DIRECTION_ALIVE) {
      null->row_of[null->mine++] = i;
    }
  }
  return OK;
}

static Status draw_all(Team *team, Null *null) {
  const NullJob *job = null->job;
  TRY_ALL(team, list_alive(null));
  null->before = exchange_offset(team, null->mine, &null->alive);
  const int64_t step = panel_draws(team, job);
  for (int64_t first = 0; null->alive > 0 && first < job->draws; first += step) {
    const int64_t past = first + step < job->draws ? first + step : job->draws;
    TRY(meet_panel(team, null, (Shard){first, past}));
  }
  return OK;
}

/* The binomial distribution of how many draws lie below the quantile, from its mode outwards and in
   units of its value there: +, -, * and / alone. */
typedef struct Binomial {
  double draws, odds; /* p / (1 - p) */
} Binomial;

static double up_from(const Binomial *binomial, double k) {
  return (binomial->draws - k) / (k + 1) * binomial->odds;
}

static double down_from(const Binomial *binomial, double k) {
  return k / (binomial->draws - k + 1) / binomial->odds;
}

void null_bounds(int64_t draws, int64_t thousandths, int64_t *low, int64_t *high) {
  const Binomial binomial = {(double)draws, (double)thousandths / (double)(1000 - thousandths)};
  const int64_t mode = (draws + 1) * thousandths / 1000;
  const double least = 1e-20;
  double below = 0, above = 0, value = 1; /* sums up to the mode, and beyond */
  for (int64_t k = mode; k >= 0 && value > least; --k) {
    below += value;
    value *= down_from(&binomial, (double)k);
  }
  value = up_from(&binomial, (double)mode);
  for (int64_t k = mode + 1; k <= draws && value > least; ++k) {
    above += value;
    value *= up_from(&binomial, (double)k);
  }
  double sum = below; /* P(at most place - 1 draws below) */
  value = 1;
  for (*low = mode + 1; *low > 0 && sum > 0.025 * (below + above); --*low) {
    sum -= value;
    value *= down_from(&binomial, (double)(*low - 1));
  }
  sum = below;
  value = up_from(&binomial, (double)mode);
  for (*high = mode + 1; *high <= draws && sum < 0.975 * (below + above); ++*high) {
    sum += value;
    value *= up_from(&binomial, (double)*high);
  }
}

static double value_at(Team *team, const float *values, int64_t count, int64_t place) {
  return (double)distribution_value(team, values, count, place - 1);
}

static NullQuantile quantile(Team *team, const float *values, int64_t count, int64_t total,
                             int64_t thousandths) {
  NullQuantile out = {NAN, NAN, NAN};
  int64_t low, high;
  if (total == 0) {
    return out;
  }
  null_bounds(total, thousandths, &low, &high);
  out.value = value_at(team, values, count, (total * thousandths + 999) / 1000);
  out.low = low >= 1 ? value_at(team, values, count, low) : NAN;
  out.high = high <= total ? value_at(team, values, count, high) : NAN;
  return out;
}

static void summarise(Team *team, const Null *null, NullSimulated *out) {
  Distribution best;
  distribution_of(team, null->best, null->count, &best);
  out->draws = best.count;
  memcpy(out->histogram, best.histogram, sizeof out->histogram);
  out->best_median = quantile(team, null->best, null->count, best.count, 500);
  out->best_999 = quantile(team, null->best, null->count, best.count, 999);
  out->r2_median = quantile(team, null->r2, null->count, best.count, 500);
  out->r2_999 = quantile(team, null->r2, null->count, best.count, 999);
}

Status null_simulate(Team *team, const NullJob *job, NullSimulated *out) {
  const uint64_t key = random_key(job->seed, "null children", job->child_name);
  const uint64_t parent = random_key(job->seed, "their parents", job->parent_name);
  Null null = {.job = job, .key = random_subkey(key, parent)};
  const Status status = draw_all(team, &null);
  if (status == OK) {
    summarise(team, &null, out);
  }
  MEMORY_FREE(null.row_of);
  MEMORY_FREE(null.sums);
  MEMORY_FREE(null.best);
  MEMORY_FREE(null.r2);
  return status;
}
