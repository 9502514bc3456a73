#include <math.h>
#include <string.h>

#include "dense.h"
#include "lanes.h"
#include "memory.h"
#include "screen_parts.h"
#include "threads.h"

/* All pairs above a threshold. A unit of work is a tile of queries, which meets the base rows a
 * tile at a time; what can exceed a base row's threshold is scored exactly at once. A unit's finds
 * come in the order of tiles, then of queries: a counting sort by query ends it. */

typedef struct Find {
  int32_t query; /* in the unit */
  uint32_t index;
  float score;
} Find;

typedef struct Finds {
  Find *items;
  int64_t count, room;
} Finds;

typedef struct Above {
  const ScreenJob *job;
  const float *threshold;
  ScreenRoom *room;
  int64_t queries; /* a unit */
  float *limits;   /* [threads, BASES] what a screened score must reach */
  Finds *finds;    /* [threads] of the present unit */
  Finds *done;     /* [units] sorted */
  int64_t units;
  int64_t *counts; /* [queries] finds of each */
} Above;

/* A pair's exact score exceeds the threshold only if its screened one reaches the limit. */
static void set_limits(const Above *above, int64_t base, int64_t count, double query_norm,
                       float *limits) {
  const ScreenSide *side = &above->job->base;
  const double error = dense_gemm_error(above->job->width);
  for (int64_t n = 0; n < count; n++) {
    const double bias = side->bias == NULL ? 0.0 : (double)side->bias[base + n];
    const double bound = screen_bound(error, above->job->width, query_norm * side->norm[base + n],
                                      fabs(bias) + fabs((double)above->threshold[base + n]));
    const bool is_out = (side->is_left_out != NULL && side->is_left_out[base + n]) ||
                        !(above->threshold[base + n] < INFINITY);
    limits[n] =
        is_out ? INFINITY : screen_round_down((double)above->threshold[base + n] - bias - bound);
  }
}

static Status make_place(Finds *finds, int64_t more) {
  if (finds->count + more <= finds->room) {
    return OK;
  }
  const int64_t room = 2 * finds->room + more;
  TRY(MEMORY_RESIZE(&finds->items, room, "finds of a tile"));
  finds->room = room;
  return OK;
}

/* Score what query `q` may have found in base rows [base, base + found) and keep what it has. */
static Status settle_row(const Above *above, int thread, int64_t q, int64_t base, int64_t found) {
  const ScreenJob *job = above->job;
  const ScreenScratch *s = &above->room->scratch[thread];
  Finds *finds = &above->finds[thread];
  for (int64_t i = 0; i < found; i++) {
    s->picks[i] = base + s->hits[i];
  }
  screen_exact(job->query.rows + q * job->width, job->base.rows, job->width, s->picks, found,
               s->exact);
  TRY(make_place(finds, found));
  for (int64_t i = 0; i < found; i++) {
    const int64_t index = s->picks[i];
    const float score = job->base.bias == NULL ? s->exact[i] : s->exact[i] + job->base.bias[index];
    if (score > above->threshold[index]) {
      finds->items[finds->count++] = (Find){(int32_t)(q % above->queries), (uint32_t)index, score};
      above->counts[q]++;
    }
  }
  return OK;
}

static Status meet_tile(const Above *above, int thread, int64_t first, int64_t past, int64_t base) {
  const ScreenJob *job = above->job;
  const ScreenScratch *s = &above->room->scratch[thread];
  const int64_t count = job->base.count - base < BASES ? job->base.count - base : BASES;
  float *limits = above->limits + (int64_t)thread * BASES;
  double query_norm = 0.0;
  for (int64_t q = first; q < past; q++) {
    query_norm = fmax(query_norm, job->query.norm[q]);
  }
  dense_gemm(job->query.rows + first * job->width, past - first, job->base.rows + base * job->width,
             count, job->width, s->score);
  set_limits(above, base, count, query_norm, limits);
  for (int64_t q = first; q < past; q++) {
    if (job->query.is_left_out == NULL || !job->query.is_left_out[q]) {
      const int64_t found =
          lanes()->scan(s->score + (q - first) * count, NULL, limits, count, INFINITY, s->hits);
      TRY(settle_row(above, thread, q, base, found));
    }
  }
  return OK;
}

/* The unit's finds by query; within a query they are in order of base rows already. */
static Status sort_unit(const Above *above, Finds *finds, int64_t unit, int64_t first,
                        int64_t past) {
  Finds *done = &above->done[unit];
  int64_t next[QUERIES] = {0};
  TRY(MEMORY_NEW(&done->items, finds->count, "finds of a tile"));
  for (int64_t q = first; q + 1 < past; q++) {
    next[q + 1 - first] = next[q - first] + above->counts[q];
  }
  for (int64_t i = 0; i < finds->count; i++) {
    done->items[next[finds->items[i].query]++] = finds->items[i];
  }
  done->count = finds->count;
  finds->count = 0;
  return OK;
}

static Status above_unit(int64_t unit, int thread, void *context) {
  const Above *above = context;
  const int64_t first = unit * above->queries;
  const int64_t all = above->job->query.count;
  const int64_t past = first + above->queries < all ? first + above->queries : all;
  for (int64_t base = 0; base < above->job->base.count; base += BASES) {
    TRY(meet_tile(above, thread, first, past, base));
  }
  return sort_unit(above, &above->finds[thread], unit, first, past);
}

static Status make_above(Above *above) {
  const int threads = threads_count();
  TRY(screen_room_fit(above->room, above->queries, BASES));
  TRY(MEMORY_NEW(&above->limits, (int64_t)threads * BASES, "limits of a tile"));
  TRY(MEMORY_NEW(&above->finds, threads, "finds of threads"));
  TRY(MEMORY_NEW(&above->done, above->units, "finds of tiles"));
  return MEMORY_NEW(&above->counts, above->job->query.count, "counts of finds");
}

static void free_above(Above *above) {
  for (int t = 0; above->finds != NULL && t < threads_count(); t++) {
    MEMORY_FREE(above->finds[t].items);
  }
  for (int64_t u = 0; above->done != NULL && u < above->units; u++) {
    MEMORY_FREE(above->done[u].items);
  }
  MEMORY_FREE(above->limits);
  MEMORY_FREE(above->finds);
  MEMORY_FREE(above->done);
  MEMORY_FREE(above->counts);
}

static Status fit_hits(ScreenHits *hits, int64_t count) {
  if (count > hits->room) {
    TRY(MEMORY_RESIZE(&hits->index, count, "hits above thresholds"));
    TRY(MEMORY_RESIZE(&hits->score, count, "hits above thresholds"));
    hits->room = count;
  }
  return OK;
}

static Status gather(const Above *above, ScreenHits *hits) {
  const int64_t queries = above->job->query.count;
  int64_t at = 0;
  for (int64_t q = 0; q < queries; q++) {
    hits->start[q + 1] = hits->start[q] + above->counts[q];
  }
  TRY(fit_hits(hits, hits->start[queries]));
  for (int64_t u = 0; u < above->units; u++) {
    for (int64_t i = 0; i < above->done[u].count; i++, at++) {
      hits->index[at] = above->done[u].items[i].index;
      hits->score[at] = above->done[u].items[i].score;
    }
    MEMORY_FREE(above->done[u].items);
  }
  return OK;
}

static Status run_above(Above *above, ScreenHits *hits) {
  TRY(make_above(above));
  TRY(threads_run(above->units, above_unit, above));
  return gather(above, hits);
}

Status screen_above(const ScreenJob *job, const float *threshold, ScreenHits *hits) {
  ASSERT(job->query.bias == NULL && job->base.count < 2147483647);
  TRY(MEMORY_RESIZE(&hits->start, job->query.count + 1, "hits of queries"));
  memset(hits->start, 0, (size_t)(job->query.count + 1) * sizeof(*hits->start));
  if (job->query.count == 0 || job->base.count == 0) {
    return OK;
  }
  ScreenRoom own = {0};
  Above above = {.job = job,
                 .threshold = threshold,
                 .room = job->room == NULL ? &own : job->room,
                 .queries = screen_share(job->query.count)};
  above.units = (job->query.count + above.queries - 1) / above.queries;
  const Status status = run_above(&above, hits);
  free_above(&above);
  screen_room_clear(&own);
  return status;
}

void screen_hits_clear(ScreenHits *hits) {
  MEMORY_FREE(hits->start);
  MEMORY_FREE(hits->index);
  MEMORY_FREE(hits->score);
  *hits = (ScreenHits){0};
}
