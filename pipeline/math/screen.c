#include <math.h>
#include <string.h>

#include "dense.h"
#include "lanes.h"
#include "memory.h"
#include "screen_parts.h"
#include "threads.h"

/* A unit of work is a tile of queries, which meets all base rows, a tile at a time:
 *
 *   1. the BLAS forms score[QUERIES, BASES]; |score - exact| <= bound, the same for a query and a
 *      whole base tile
 *   2. what reaches the query's bar (a lower bound of its k-th best score) becomes a candidate; the
 *      k-th best lower bound of the candidates raises the bar
 *   3. after the last base tile the candidates that still reach the bar are scored exactly and
 *      offered to the heap
 *
 * A score below the bar cannot be among the k best, whatever the tiles were: so the result depends
 * on none of them. The base rows' own heaps (back) are served from the same tiles; there a column's
 * candidates are settled at once, since lists for all base rows would be too large. */
enum { LIST_LEAST = 256 };

typedef struct Screening {
  const ScreenJob *job;
  double error;      /* per unit of |x||w| */
  double *tile_norm; /* [base tiles] largest norm */
  double *tile_bias; /* [base tiles] largest |bias| */
  int64_t base_tiles;
  int64_t queries; /* in a unit, <= QUERIES */
  int64_t list;    /* capacity of a query's candidates */
  bool is_partial; /* some pairs take no part */
  ScreenRoom *room;
} Screening;

static float larger(float a, float b) {
  return a > b ? a : b;
}

static double bound_of(const Screening *screening, double query_norm, double base_norm,
                       double bias) {
  return screen_bound(screening->error, screening->job->width, query_norm * base_norm, bias);
}

static void raise_bar(Pool *pool, SelectKey key) {
  pool->bar = key == 0 ? pool->bar : larger(pool->bar, select_score(key));
}

/* Score a query's candidates that reach the bar, and forget the list. */
static void settle_query(const Screening *screening, ScreenScratch *s, int64_t q, int64_t tile_q) {
  const ScreenJob *job = screening->job;
  const Candidate *list = s->lists + tile_q * screening->list;
  Pool *pool = &s->pools[tile_q];
  SelectKey *keys = job->keys + q * job->k;
  int64_t count = 0;
  for (int64_t i = 0; i < pool->count; i++) {
    if (list[i].upper >= pool->bar) {
      s->picks[count++] = list[i].index;
    }
  }
  screen_exact(job->query.rows + q * job->width, job->base.rows, job->width, s->picks, count,
               s->exact);
  for (int64_t i = 0; i < count; i++) {
    const float bias = job->base.bias == NULL ? 0.0F : job->base.bias[s->picks[i]];
    const float score = s->exact[i] + bias;
    if (score > job->floor) {
      select_offer(keys, &job->counts[q], job->k,
                   select_key(score, job->base.first_id + s->picks[i]));
    }
  }
  pool->count = 0;
  pool->recent = 0;
  raise_bar(pool, select_worst(keys, job->counts[q], job->k));
}

/* Raise the bar and drop what is below. A list that stays long (ties, ascending scores) is settled:
 * the next tile may bring BASES candidates more. */
static void tidy_query(const Screening *screening, ScreenScratch *s, int64_t q, int64_t tile_q) {
  Pool *pool = &s->pools[tile_q];
  Candidate *list = s->lists + tile_q * screening->list;
  for (int64_t i = 0; i < pool->count; i++) {
    s->keys[i] = select_key(list[i].low, i);
  }
  raise_bar(pool, select_nth(s->keys, pool->count, screening->job->k));
  int64_t kept = 0;
  for (int64_t i = 0; i < pool->count; i++) {
    list[kept] = list[i];
    kept += list[i].upper >= pool->bar;
  }
  pool->count = kept;
  pool->recent = 0;
  if (kept > screening->list - BASES) {
    settle_query(screening, s, q, tile_q);
  }
}

static bool is_pair(const ScreenJob *job, int64_t q, int64_t index) {
  return !(job->skip_equal_ids && job->query.first_id + q == job->base.first_id + index) &&
         (job->base.is_left_out == NULL || !job->base.is_left_out[index]);
}

/* A first bar from the row's own scores: the k-th best of the maxima of groups is a score that k
 * columns reach (one more if one of them may be the row itself). */
static void first_bar(const Screening *screening, ScreenScratch *s, Pool *pool, const float *score,
                      const float *bias, int64_t count, double bound) {
  enum { GROUPS = 64 };
  float best[GROUPS];
  const int64_t k = screening->job->k + screening->job->skip_equal_ids;
  if (2 * k > GROUPS || count < 4 * GROUPS || screening->job->base.is_left_out != NULL) {
    return;
  }
  lanes()->maxima(score, bias, count, best);
  for (int64_t g = 0; g < GROUPS; g++) {
    s->keys[g] = select_key(best[g], g);
  }
  const float kth = select_score(select_nth(s->keys, GROUPS, k));
  pool->bar = larger(pool->bar, screen_round_down((double)kth - bound));
}

/* One row of the score tile: base rows [base, base + count). */
static void scan_row(const Screening *screening, ScreenScratch *s, int64_t q, int64_t tile_q,
                     int64_t tile, int64_t count) {
  const ScreenJob *job = screening->job;
  const int64_t base = tile * BASES;
  const float *score = s->score + tile_q * count;
  const float *bias = job->base.bias == NULL ? NULL : job->base.bias + base;
  const float *back = job->back_keys == NULL ? NULL : s->back_limits;
  const double bound = bound_of(screening, job->query.norm[q], screening->tile_norm[tile],
                                screening->tile_bias[tile]);
  Pool *pool = &s->pools[tile_q];
  if (tile == 0) {
    first_bar(screening, s, pool, score, bias, count, bound);
  }
  Candidate *list = s->lists + tile_q * screening->list + pool->count;
  const float limit = screen_round_down((double)pool->bar - bound);
  const float margin = (float)(bound * (1.0 + 0x1p-20));
  const int64_t found = lanes()->scan(score, bias, back, count, limit, s->hits);
  int64_t added = 0;
  for (int64_t i = 0; i < found; i++) {
    const int64_t n = s->hits[i];
    if (screening->is_partial && !is_pair(job, q, base + n)) {
      continue;
    }
    const float value = bias == NULL ? score[n] : score[n] + bias[n];
    if (value >= limit) {
      list[added++] = (Candidate){value - margin, value + margin, (int32_t)(base + n)};
    }
    if (back != NULL && score[n] >= back[n]) {
      s->columns[n * QUERIES + s->column_counts[n]++] = select_key(score[n], tile_q);
    }
  }
  pool->count += added;
  pool->recent += added;
  if (2 * pool->recent > job->k || pool->count > screening->list - BASES) {
    tidy_query(screening, s, q, tile_q);
  }
}

/* What a base row's newcomer must reach, by the job's heaps and by this thread's. */
static float back_bar(const ScreenJob *job, const ScreenScratch *s, int64_t index) {
  const int64_t k = job->k;
  const SelectKey all = select_worst(job->back_keys + index * k, job->back_counts[index], k);
  const SelectKey own = select_worst(s->back_keys + index * k, s->back_counts[index], k);
  const float bar = all == 0 ? job->floor : larger(job->floor, select_score(all));
  return own == 0 ? bar : larger(bar, select_score(own));
}

static void open_columns(const Screening *screening, ScreenScratch *s, int64_t base, int64_t count,
                         double query_norm) {
  const ScreenJob *job = screening->job;
  for (int64_t n = 0; n < count; n++) {
    s->column_counts[n] = 0;
    s->back_bounds[n] = bound_of(screening, query_norm, job->base.norm[base + n], 0.0);
    s->back_limits[n] = screen_round_down((double)back_bar(job, s, base + n) - s->back_bounds[n]);
  }
}

/* Keep of a column what can be among its own k best, score that exactly and offer it. */
static void settle_column(const Screening *screening, ScreenScratch *s, int64_t base, int64_t n,
                          int64_t first_query) {
  const ScreenJob *job = screening->job;
  SelectKey *column = s->columns + n * QUERIES;
  int64_t count = 0;
  const SelectKey kth = select_nth(column, s->column_counts[n], job->k);
  const float limit =
      kth == 0 ? -INFINITY : screen_round_down((double)select_score(kth) - 2.0 * s->back_bounds[n]);
  for (int64_t i = 0; i < s->column_counts[n]; i++) {
    if (select_score(column[i]) >= limit) {
      s->picks[count++] = first_query + select_id(column[i]);
    }
  }
  const int64_t index = base + n;
  screen_exact(job->base.rows + index * job->width, job->query.rows, job->width, s->picks, count,
               s->exact);
  for (int64_t i = 0; i < count; i++) {
    if (s->exact[i] > job->floor) {
      select_offer(s->back_keys + index * job->k, &s->back_counts[index], job->k,
                   select_key(s->exact[i], job->query.first_id + s->picks[i]));
    }
  }
}

static void open_query(const Screening *screening, ScreenScratch *s, int64_t q, int64_t tile_q) {
  const ScreenJob *job = screening->job;
  s->pools[tile_q] = (Pool){.bar = job->floor};
  raise_bar(&s->pools[tile_q], select_worst(job->keys + q * job->k, job->counts[q], job->k));
}

static bool takes_part(const ScreenJob *job, int64_t q) {
  return job->query.is_left_out == NULL || !job->query.is_left_out[q];
}

static void screen_tile(const Screening *screening, ScreenScratch *s, int64_t first, int64_t past,
                        int64_t tile) {
  const ScreenJob *job = screening->job;
  const int64_t base = tile * BASES;
  const int64_t count = job->base.count - base < BASES ? job->base.count - base : BASES;
  double query_norm = 0.0;
  for (int64_t q = first; q < past; q++) {
    query_norm = fmax(query_norm, job->query.norm[q]);
  }
  dense_gemm(job->query.rows + first * job->width, past - first, job->base.rows + base * job->width,
             count, job->width, s->score);
  if (job->back_keys != NULL) {
    open_columns(screening, s, base, count, query_norm);
  }
  for (int64_t q = first; q < past; q++) {
    if (takes_part(job, q)) {
      scan_row(screening, s, q, q - first, tile, count);
    }
  }
  for (int64_t n = 0; job->back_keys != NULL && n < count; n++) {
    settle_column(screening, s, base, n, first);
  }
}

static Status screen_unit(int64_t unit, int thread, void *context) {
  const Screening *screening = context;
  const ScreenJob *job = screening->job;
  ScreenScratch *s = &screening->room->scratch[thread];
  const int64_t first = unit * screening->queries;
  const int64_t past =
      first + screening->queries < job->query.count ? first + screening->queries : job->query.count;
  for (int64_t q = first; q < past; q++) {
    open_query(screening, s, q, q - first);
  }
  for (int64_t tile = 0; tile < screening->base_tiles; tile++) {
    screen_tile(screening, s, first, past, tile);
  }
  for (int64_t q = first; q < past; q++) {
    settle_query(screening, s, q, q - first);
  }
  return OK;
}

static Status measure_tiles(Screening *screening) {
  const ScreenSide *base = &screening->job->base;
  screening->base_tiles = (base->count + BASES - 1) / BASES;
  TRY(MEMORY_NEW(&screening->tile_norm, screening->base_tiles, "norms of tiles"));
  TRY(MEMORY_NEW(&screening->tile_bias, screening->base_tiles, "biases of tiles"));
  for (int64_t i = 0; i < base->count; i++) {
    const int64_t tile = i / BASES;
    screening->tile_norm[tile] = fmax(screening->tile_norm[tile], base->norm[i]);
    if (base->bias != NULL) {
      screening->tile_bias[tile] = fmax(screening->tile_bias[tile], fabs((double)base->bias[i]));
    }
  }
  return OK;
}

static Status make_back(const Screening *screening, ScreenScratch *s) {
  const ScreenJob *job = screening->job;
  TRY(MEMORY_NEW(&s->columns, (int64_t)BASES * QUERIES, "columns of a tile"));
  TRY(MEMORY_NEW(&s->column_counts, BASES, "columns of a tile"));
  TRY(MEMORY_NEW(&s->back_bounds, BASES, "bounds of a tile"));
  TRY(MEMORY_NEW(&s->back_limits, BASES, "limits of a tile"));
  if (threads_count() == 1) {
    s->back_keys = job->back_keys;
    s->back_counts = job->back_counts;
    return OK;
  }
  TRY(MEMORY_NEW(&s->back_keys, job->base.count * job->k, "heaps of a thread"));
  return MEMORY_NEW(&s->back_counts, job->base.count, "heaps of a thread");
}

/* Which thread met which tile is chance, but the union of their heaps holds the k best of all. */
static void merge_back(const Screening *screening) {
  const ScreenJob *job = screening->job;
  for (int t = 0; t < threads_count(); t++) {
    const ScreenScratch *s = &screening->room->scratch[t];
    for (int64_t n = 0; n < job->base.count; n++) {
      for (int64_t i = 0; i < s->back_counts[n]; i++) {
        select_offer(job->back_keys + n * job->k, &job->back_counts[n], job->k,
                     s->back_keys[n * job->k + i]);
      }
    }
  }
}

static void free_back(const Screening *screening) {
  const ScreenRoom *room = screening->room;
  for (int t = 0; room->scratch != NULL && t < room->threads; t++) {
    ScreenScratch *s = &room->scratch[t];
    if (s->back_keys != screening->job->back_keys) {
      MEMORY_FREE(s->back_keys);
      MEMORY_FREE(s->back_counts);
    }
    MEMORY_FREE(s->columns);
    MEMORY_FREE(s->column_counts);
    MEMORY_FREE(s->back_bounds);
    MEMORY_FREE(s->back_limits);
    s->back_keys = NULL;
    s->back_counts = NULL;
  }
}

static Status run_units(Screening *screening) {
  const ScreenJob *job = screening->job;
  const int64_t units = (job->query.count + screening->queries - 1) / screening->queries;
  TRY(measure_tiles(screening));
  TRY(screen_room_fit(screening->room, screening->queries, screening->list));
  for (int t = 0; job->back_keys != NULL && t < threads_count(); t++) {
    TRY(make_back(screening, &screening->room->scratch[t]));
  }
  TRY(threads_run(units, screen_unit, screening));
  if (job->back_keys != NULL && threads_count() > 1) {
    merge_back(screening);
  }
  return OK;
}

Status screen_run(const ScreenJob *job) {
  ASSERT(job->query.bias == NULL && (job->back_keys == NULL || job->base.bias == NULL));
  ASSERT(job->base.count < 2147483647);
  ScreenRoom own = {0};
  Screening screening = {.job = job, .error = dense_gemm_error(job->width)};
  if (job->query.count == 0 || job->base.count == 0 || job->k == 0) {
    return OK;
  }
  screening.queries = screen_share(job->query.count);
  screening.list = BASES + (4 * job->k > LIST_LEAST ? 4 * job->k : LIST_LEAST);
  screening.room = job->room == NULL ? &own : job->room;
  screening.is_partial = job->skip_equal_ids || job->base.is_left_out != NULL;
  const Status status = run_units(&screening);
  free_back(&screening);
  screen_room_clear(&own);
  MEMORY_FREE(screening.tile_norm);
  MEMORY_FREE(screening.tile_bias);
  return status;
}
