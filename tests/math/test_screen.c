#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lanes.h"
#include "memory.h"
#include "random.h"
#include "rotate.h"
#include "screen.h"
#include "threads.h"

/* screen_run and screen_above against naive loops over dense_dot, on rows that make it hard, screened
 * in float32, in 8 bits, and in 8 bits of rotated and of shifted rows. */

typedef enum Kind {
  GAUSS,
  GRID,
  BYTES,
  ONE_HOT,
  EQUAL,
  ASCENDING,
  LOPSIDED,
  CLOSE,
  HEAVY,
  POWER,
  TWINS
} Kind;

typedef enum Mode { FLOATS, IN_BYTES, ROTATED, SHIFTED, MODES } Mode;

typedef struct Case {
  Kind kind;
  int64_t queries, bases, width, k;
  bool has_bias, has_back, skips_equal, leaves_out, has_gaps;
  float floor;
} Case;

typedef struct Rows {
  float *rows, *bias;
  double *norm;
  uint8_t *is_left_out;
  uint32_t *ids;     /* ascending, with gaps */
  Lowp lowp;         /* empty if they are screened in float32 */
  double *lowp_norm; /* of queries, shifted */
  float *lowp_bias;  /* of base rows */
} Rows;

static float element(Kind kind, int64_t row, int64_t column, uint64_t key, int64_t width) {
  const uint64_t at = (uint64_t)(row * width + column);
  const double normal = random_normal(key, at);
  switch (kind) {
    case GRID: /* multiples of 1/8: many exact ties */
      return (float)(nearbyint(normal) / 8.0);
    case BYTES: /* nothing is lost in 8 bits. Every other row whole numbers: ties; scores of the rest
                   are rounded, and nothing but roundings is between them and the screened ones */
      return (row % 2 == 0 ? 1.0F : 1.0F + 0x1p-12F) *
             (float)(column == row % width ? 127 : random_below(key, at, 255) - 127);
    case ONE_HOT:
      return column == row % width ? 1.0F : 0.0F;
    case EQUAL: /* every seventh row is zero, the others are one of three */
      return row % 7 == 0 ? 0.0F : (float)random_normal(key, (uint64_t)(row % 3 * width + column));
    case ASCENDING:
      return (float)(1.0 + 1e-4 * (double)row);
    case LOPSIDED: /* norms over eight powers of ten */
      return (float)(normal * pow(10.0, (double)(row % 9) - 4.0));
    case CLOSE: /* scores that differ by roundings alone */
      return (float)(random_normal(key, (uint64_t)column) + 1e-7 * normal);
    case HEAVY: /* few coordinates rule */
      return (float)(column % 37 == 5 ? 40.0 * normal : normal);
    case POWER: /* a spectrum that falls as a power */
      return (float)(normal * pow((double)(column + 1), -0.7));
    case TWINS: /* every fifth row is nearly the one before it */
      return (float)(row % 5 == 1 ? random_normal(key, at - (uint64_t)width) + 1e-3 * normal
                                  : normal);
    default:
      return (float)normal;
  }
}

static float shift_of(int64_t column) {
  return (float)random_normal(88, (uint64_t)column);
}

/* Queries in 8 bits less a shift, whose scores are in a bias of the base rows. */
static void shift_rows(Rows *r, const Case *c, int64_t count, float *rows, bool is_left) {
  CU_ASSERT_EQUAL(MEMORY_NEW(&r->lowp_norm, count, "norms"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&r->lowp_bias, count, "biases"), OK);
  for (int64_t i = 0; i < count; i++) {
    double score = c->has_bias ? (double)r->bias[i] : 0.0;
    for (int64_t j = 0; j < c->width; j++) {
      score += (double)shift_of(j) * (double)r->rows[i * c->width + j];
      rows[i * c->width + j] -= is_left ? shift_of(j) : 0.0F;
    }
    r->lowp_bias[i] = (float)score;
  }
  screen_norms(rows, count, c->width, r->lowp_norm);
}

/* The rows as a screen in 8 bits wants them. */
static void make_lowp(Rows *r, const Case *c, int64_t count, Mode mode, bool is_left) {
  const int64_t width = c->width;
  float *rows = NULL;
  Rotate rotate = {0};
  CU_ASSERT_EQUAL(MEMORY_NEW(&rows, count * width, "rows"), OK);
  memcpy(rows, r->rows, (size_t)(count * width) * sizeof(*rows));
  if (mode == ROTATED) {
    CU_ASSERT_EQUAL(rotate_create(&rotate, width, 5), OK);
    rotate_rows(&rotate, r->rows, count, rows);
    rotate_clear(&rotate);
  }
  if (mode == SHIFTED) {
    shift_rows(r, c, count, rows, is_left);
  }
  CU_ASSERT_EQUAL(lowp_create(&r->lowp, rows, count, width, is_left), OK);
  if (!is_left) {
    CU_ASSERT_EQUAL(lowp_pack(&r->lowp), OK);
  }
  MEMORY_FREE(rows);
}

enum { QUERY_KEY = 11, BASE_KEY = 21, OTHER_KEY = 31 };

static Rows make_rows(const Case *c, int64_t count, uint64_t key, Mode mode) {
  Rows r = {0};
  CU_ASSERT_EQUAL(MEMORY_NEW(&r.rows, count * c->width, "rows"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&r.bias, count, "bias"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&r.norm, count, "norms"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&r.is_left_out, count, "marks"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&r.ids, count, "ids"), OK);
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < c->width; j++) {
      r.rows[i * c->width + j] = element(c->kind, i, j, key, c->width);
    }
    r.bias[i] = (float)(c->kind == GAUSS ? random_normal(key + 1, (uint64_t)i) : (double)(i % 3));
    r.is_left_out[i] = random_uniform(key + 2, (uint64_t)i) < 0.3;
    r.ids[i] = (uint32_t)(2 * i + (key == QUERY_KEY ? 0 : (int64_t)(i % 3 == 0)));
  }
  screen_norms(r.rows, count, c->width, r.norm);
  if (mode != FLOATS) {
    make_lowp(&r, c, count, mode, key == QUERY_KEY);
  }
  return r;
}

static void free_rows(Rows *r) {
  MEMORY_FREE(r->rows);
  MEMORY_FREE(r->bias);
  MEMORY_FREE(r->norm);
  MEMORY_FREE(r->is_left_out);
  MEMORY_FREE(r->ids);
  MEMORY_FREE(r->lowp_norm);
  MEMORY_FREE(r->lowp_bias);
  lowp_clear(&r->lowp);
}

static ScreenSide side_of(const Case *c, const Rows *r, int64_t count, int64_t first_id,
                          bool is_base) {
  return (ScreenSide){.rows = r->rows,
                      .bias = is_base && c->has_bias ? r->bias : NULL,
                      .norm = r->norm,
                      .count = count,
                      .first_id = first_id,
                      .ids = c->has_gaps ? r->ids : NULL,
                      .is_left_out = c->leaves_out ? r->is_left_out : NULL,
                      .lowp = r->lowp.rows == NULL ? NULL : &r->lowp,
                      .lowp_norm = r->lowp_norm,
                      .lowp_bias = is_base ? r->lowp_bias : NULL};
}

static int64_t id_of(const ScreenSide *side, int64_t row) {
  return side->ids == NULL ? side->first_id + row : (int64_t)side->ids[row];
}

static void naive(const ScreenJob *job) {
  for (int64_t q = 0; q < job->query.count; q++) {
    for (int64_t n = 0; n < job->base.count; n++) {
      const bool skips = (job->query.is_left_out && job->query.is_left_out[q]) ||
                         (job->base.is_left_out && job->base.is_left_out[n]) ||
                         (job->skip_equal_ids && id_of(&job->query, q) == id_of(&job->base, n));
      const float dot =
          dense_dot(job->query.rows + q * job->width, job->base.rows + n * job->width, job->width);
      const float score = dot + (job->base.bias == NULL ? 0.0F : job->base.bias[n]);
      if (skips || !(score > job->floor)) {
        continue;
      }
      select_offer(job->keys + q * job->k, &job->counts[q], job->k,
                   select_key(score, id_of(&job->base, n)));
      if (job->back_keys != NULL) {
        select_offer(job->back_keys + n * job->k, &job->back_counts[n], job->k,
                     select_key(score, id_of(&job->query, q)));
      }
    }
  }
}

typedef struct Heaps {
  SelectKey *keys, *back_keys;
  int64_t *counts, *back_counts;
} Heaps;

static Heaps make_heaps(const Case *c) {
  Heaps h = {0};
  CU_ASSERT_EQUAL(MEMORY_NEW(&h.keys, c->queries * c->k, "keys"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&h.counts, c->queries, "counts"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&h.back_keys, 2 * c->bases * c->k, "keys"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&h.back_counts, 2 * c->bases, "counts"), OK);
  return h;
}

static void free_heaps(Heaps *h) {
  MEMORY_FREE(h->keys);
  MEMORY_FREE(h->counts);
  MEMORY_FREE(h->back_keys);
  MEMORY_FREE(h->back_counts);
}

/* Shared by all cases: sizes and thread counts change on the way. */
static ScreenRoom g_room;

/* Two bases in turn, as in the ring: the second meets heaps that are full. */
static void run_case(const Case *c, const Rows *query, const Rows bases[2], Heaps *heaps,
                     bool is_naive) {
  for (int64_t b = 0; b < 2; b++) {
    ScreenJob job = {.query = side_of(c, query, c->queries, 10, false),
                     .base = side_of(c, &bases[b], c->bases, b * c->bases, true),
                     .width = c->width,
                     .k = c->k,
                     .floor = c->floor,
                     .keys = heaps->keys,
                     .counts = heaps->counts,
                     .skip_equal_ids = c->skips_equal,
                     .room = c->width % 2 == 0 ? &g_room : NULL};
    if (c->has_back) {
      job.back_keys = heaps->back_keys + b * c->bases * c->k;
      job.back_counts = heaps->back_counts + b * c->bases;
    }
    if (is_naive) {
      naive(&job);
    } else {
      CU_ASSERT_EQUAL(screen_run(&job), OK);
    }
  }
}

static bool are_equal(SelectKey *a, SelectKey *b, const int64_t *counts, const int64_t *wanted,
                      int64_t rows, int64_t k) {
  bool same = true;
  for (int64_t i = 0; i < rows; i++) {
    same = same && counts[i] == wanted[i];
    select_sort(a + i * k, counts[i]);
    select_sort(b + i * k, wanted[i]);
    same = same && memcmp(a + i * k, b + i * k, (size_t)counts[i] * sizeof(*a)) == 0;
  }
  return same;
}

static void check_mode(const Case *c, Mode mode) {
  Rows query = make_rows(c, c->queries, QUERY_KEY, mode);
  Rows bases[2] = {make_rows(c, c->bases, BASE_KEY, mode), make_rows(c, c->bases, OTHER_KEY, mode)};
  for (int threads = 1; threads <= 2; threads++) {
    Heaps got = make_heaps(c);
    Heaps want = make_heaps(c);
    threads_set(threads);
    run_case(c, &query, bases, &got, false);
    run_case(c, &query, bases, &want, true);
    CU_ASSERT(are_equal(got.keys, want.keys, got.counts, want.counts, c->queries, c->k));
    CU_ASSERT(are_equal(got.back_keys, want.back_keys, got.back_counts, want.back_counts,
                        2 * c->bases, c->k));
    free_heaps(&got);
    free_heaps(&want);
  }
  threads_set(1);
  free_rows(&query);
  free_rows(&bases[0]);
  free_rows(&bases[1]);
}

static void check_case(const Case *c) {
  for (Mode mode = FLOATS; mode < (lowp_is_open() ? MODES : IN_BYTES); mode++) {
    if (!(mode == SHIFTED && c->has_back)) {
      check_mode(c, mode);
    }
  }
}

static void test_plain_scores(void) {
  check_case(&(Case){GAUSS, 70, 1500, 48, 8, .floor = 0.0F});
  check_case(&(Case){GAUSS, 3, 900, 70, 32, .has_bias = true, .floor = 0.0F});
  check_case(&(Case){GAUSS, 600, 300, 33, 5, .has_bias = true, .floor = -INFINITY});
  check_case(&(Case){GAUSS, 20, 40, 16, 64, .floor = -INFINITY});
}

static void test_more_than_the_first_tiles(void) {
  check_case(&(Case){GAUSS, 300, 6000, 20, 8, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){GAUSS, 40, 5000, 70, 70, .has_bias = true, .floor = 0.0F});
  check_case(&(Case){GAUSS, 2100, 130, 9, 3, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){EQUAL, 300, 4700, 24, 20, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){LOPSIDED, 10, 4700, 24, 16, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){GRID, 700, 4700, 8, 8, .has_back = true, .skips_equal = true,
                     .leaves_out = true, .floor = -3.0F});
}

/* What 8 bits do badly, or so well that only roundings are between them and the scores. */
static void test_rows_for_bytes(void) {
  check_case(&(Case){BYTES, 300, 700, 16, 8, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){BYTES, 30, 4500, 64, 16, .has_bias = true, .floor = 0.0F});
  check_case(&(Case){HEAVY, 60, 900, 128, 10, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){POWER, 60, 900, 200, 10, .has_back = true, .floor = -INFINITY});
  check_case(
      &(Case){TWINS, 200, 900, 64, 6, .has_back = true, .skips_equal = true, .floor = -INFINITY});
}

static void test_both_ways(void) {
  check_case(&(Case){GAUSS, 700, 600, 40, 4, .has_back = true, .floor = -2.0F});
  check_case(&(Case){GRID, 530, 520, 12, 16, .has_back = true, .floor = -2.0F});
}

static void test_ties_go_to_low_ids(void) {
  check_case(&(Case){GRID, 40, 1300, 8, 10, .floor = -INFINITY});
  check_case(&(Case){ONE_HOT, 100, 700, 30, 12, .has_back = true, .floor = -1.0F});
  check_case(&(Case){EQUAL, 64, 1700, 24, 20, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){EQUAL, 64, 1700, 24, 20, .has_bias = true, .floor = 0.0F});
}

static void test_lists_that_overflow(void) {
  check_case(&(Case){ASCENDING, 5, 5000, 16, 3, .floor = 0.0F});
  check_case(&(Case){EQUAL, 5, 5000, 16, 100, .floor = -INFINITY});
}

static void test_norms_of_all_sizes(void) {
  check_case(&(Case){LOPSIDED, 90, 1100, 65, 7, .has_back = true, .floor = -INFINITY});
}

static void test_scores_apart_by_roundings(void) {
  check_case(&(Case){CLOSE, 20, 1500, 64, 10, .has_back = true, .floor = -INFINITY});
  check_case(&(Case){CLOSE, 20, 1500, 70, 10, .has_bias = true, .floor = -INFINITY});
  check_case(&(Case){CLOSE, 600, 30, 576, 10, .has_back = true, .floor = -INFINITY});
}

static void test_left_out_and_equal_ids(void) {
  check_case(&(Case){GAUSS, 200, 600, 20, 32, .skips_equal = true, .floor = -INFINITY});
  check_case(&(Case){GRID, 200, 300, 20, 6, .has_back = true, .skips_equal = true,
                     .leaves_out = true, .floor = -3.0F});
}

static void test_ids_with_gaps(void) {
  check_case(&(Case){EQUAL, 200, 700, 20, 6, .has_back = true, .skips_equal = true,
                     .has_gaps = true, .floor = -INFINITY});
}

static void test_nothing_to_do(void) {
  check_case(&(Case){GAUSS, 0, 10, 8, 3, .floor = 0.0F});
  check_case(&(Case){GAUSS, 10, 0, 8, 3, .has_back = true, .floor = 0.0F});
}

static void test_all_kernel_sets(void) {
  const char *const names[] = {"plain", "avx2", "avx512"};
  for (int i = 0; i < 3; i++) {
    if (lanes_use(names[i])) {
      check_case(&(Case){GRID, 40, 800, 70, 10, .has_back = true, .floor = -INFINITY});
      check_case(&(Case){GAUSS, 40, 800, 70, 10, .has_bias = true, .floor = 0.0F});
    }
  }
}

/* Thresholds that few, some, all and no scores exceed; some equal a score, which is not above, and
 * some are the next number below one, which is. */
static float *make_thresholds(const Case *c, const Rows *query, const Rows *base) {
  float *threshold = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&threshold, c->bases, "thresholds"), OK);
  for (int64_t n = 0; n < c->bases; n++) {
    const int64_t q = (n * 7) % (c->queries == 0 ? 1 : c->queries);
    const float dot = c->queries == 0 ? 0.0F
                                      : dense_dot(query->rows + q * c->width,
                                                  base->rows + n * c->width, c->width);
    const float score = dot + (c->has_bias ? base->bias[n] : 0.0F);
    threshold[n] = n % 3 == 0 ? nextafterf(score, -INFINITY) : fabsf(score);
    threshold[n] = n % 11 == 0 ? INFINITY : (n % 13 == 0 ? -INFINITY : threshold[n]);
  }
  return threshold;
}

/* Whether `hits` are what a plain loop finds, in its order. */
static bool are_all_above(const ScreenJob *job, const float *threshold, const ScreenHits *hits) {
  int64_t at = 0;
  bool same = hits->start[0] == 0;
  for (int64_t q = 0; q < job->query.count; q++) {
    for (int64_t n = 0; n < job->base.count; n++) {
      const float dot =
          dense_dot(job->query.rows + q * job->width, job->base.rows + n * job->width, job->width);
      const float score = dot + (job->base.bias == NULL ? 0.0F : job->base.bias[n]);
      if ((job->query.is_left_out && job->query.is_left_out[q]) ||
          (job->base.is_left_out && job->base.is_left_out[n]) || !(score > threshold[n])) {
        continue;
      }
      same = same && at < hits->start[job->query.count] && hits->index[at] == (uint32_t)n &&
             hits->score[at] == score;
      at++;
    }
    same = same && hits->start[q + 1] == at;
  }
  return same;
}

/* The same hits are filled again and again: fewer and more than before. */
static void check_above_in(const Case *c, Mode mode, ScreenHits *hits) {
  Rows query = make_rows(c, c->queries, QUERY_KEY, mode);
  Rows base = make_rows(c, c->bases, BASE_KEY, mode);
  float *threshold = make_thresholds(c, &query, &base);
  for (int threads = 1; threads <= 2; threads++) {
    threads_set(threads);
    const ScreenJob job = {.query = side_of(c, &query, c->queries, 0, false),
                           .base = side_of(c, &base, c->bases, 0, true),
                           .width = c->width,
                           .room = c->width % 2 == 0 ? &g_room : NULL};
    CU_ASSERT_EQUAL(screen_above(&job, threshold, hits), OK);
    CU_ASSERT(are_all_above(&job, threshold, hits));
  }
  threads_set(1);
  MEMORY_FREE(threshold);
  free_rows(&query);
  free_rows(&base);
}

static void check_above(const Case *c, ScreenHits *hits) {
  for (Mode mode = FLOATS; mode < (lowp_is_open() ? MODES : IN_BYTES); mode++) {
    check_above_in(c, mode, hits);
  }
}

static void test_above_thresholds(void) {
  ScreenHits hits = {0};
  check_above(&(Case){GAUSS, 70, 1500, 48, .k = 1}, &hits);
  check_above(&(Case){GAUSS, 1100, 300, 33, .k = 1, .has_bias = true, .leaves_out = true}, &hits);
  check_above(&(Case){GRID, 40, 1300, 8, .k = 1, .has_bias = true}, &hits);
  check_above(&(Case){ONE_HOT, 100, 700, 30, .k = 1}, &hits);
  check_above(&(Case){EQUAL, 64, 700, 24, .k = 1, .has_bias = true}, &hits);
  check_above(&(Case){LOPSIDED, 90, 1100, 65, .k = 1, .has_bias = true}, &hits);
  check_above(&(Case){BYTES, 90, 700, 64, .k = 1, .has_bias = true}, &hits);
  check_above(&(Case){BYTES, 90, 700, 700, .k = 1}, &hits);
  check_above(&(Case){HEAVY, 90, 700, 130, .k = 1}, &hits);
  check_above(&(Case){CLOSE, 20, 1500, 64, .k = 1}, &hits);
  check_above(&(Case){GAUSS, 0, 10, 8, .k = 1}, &hits);
  check_above(&(Case){GAUSS, 10, 0, 8, .k = 1}, &hits);
  screen_hits_clear(&hits);
  CU_ASSERT_PTR_NULL(hits.index);
}

static void test_room_is_given_back(void) {
  screen_room_clear(&g_room);
  CU_ASSERT_PTR_NULL(g_room.scratch);
}

static const CheckFact FACTS[] = {
    {"scores are those of naive loops, with and without bias", test_plain_scores},
    {"the same beyond the tiles that are met first", test_more_than_the_first_tiles},
    {"rows on the 8-bit grid, heavy tails, falling spectra, near duplicates", test_rows_for_bytes},
    {"base rows find their own best among the queries", test_both_ways},
    {"identical and grid rows come out lowest id first", test_ties_go_to_low_ids},
    {"candidate lists that overflow lose nothing", test_lists_that_overflow},
    {"norms over eight powers of ten", test_norms_of_all_sizes},
    {"scores that differ by roundings alone", test_scores_apart_by_roundings},
    {"rows left out and a row with itself take no part", test_left_out_and_equal_ids},
    {"ids with gaps", test_ids_with_gaps},
    {"no queries or no base rows", test_nothing_to_do},
    {"the same with every kernel set", test_all_kernel_sets},
    {"all pairs above their thresholds, and no others", test_above_thresholds},
    {"shared scratch memory is given back", test_room_is_given_back},
};

int main(int argc, char **argv) {
  const char *why = NULL;
  dense_open();
  lowp_open(&why);
  return CHECK_MAIN(argc, argv, "screen", FACTS);
}
