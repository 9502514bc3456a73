#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "lowp.h"
#include "select.h"
#include "status.h"

/** Exact top-k of many rows against many candidates: a fast GEMM (8-bit integers or float32)
 *  screens tile by tile, a rigorous error bound decides which scores are formed by the fixed-order
 *  dot product, and only those count. Results depend neither on the BLAS nor on the number of bits,
 *  tiles, threads or ranks. */

typedef struct ScreenSide {
  const float *rows;  /* [count, width] what is scored exactly */
  const float *bias;  /* [count] added to the score, or NULL */
  const double *norm; /* [count] Euclidean norms, rounded up */
  int64_t count;
  int64_t first_id;           /* global id of row 0 */
  const uint32_t *ids;        /* [count] global ids, ascending, where they have gaps; else NULL */
  const uint8_t *is_left_out; /* [count] rows that take no part, or NULL */
  /* For a screen in 8 bits, on both sides or on neither (then it multiplies in float32): */
  const Lowp *lowp;        /* the rows, the query's as left and the base's as right operand (better
                              packed), as they are or both sides turned by one Rotate */
  const double *lowp_norm; /* query: [count] norms, rounded up, of what lowp was made of, where that
                              is rows less a shift common to all; NULL: norm */
  const float *lowp_bias; /* base: [count] then, bias + shift . row, the product in double or in the
                              fixed order; NULL: bias */
} ScreenSide;

/** Scratch memory that calls may share: `ScreenRoom room = {0};`, grown as needed. */
typedef struct ScreenRoom {
  struct ScreenScratch *scratch; /* [threads] */
  int threads;
  int64_t unit, block, list; /* queries of a unit and of a tile; candidates of a query */
} ScreenRoom;
/** ranks   local */
void screen_room_clear(ScreenRoom *room);

/** What a call cost, summed over threads; calls add to it. */
typedef struct ScreenCost {
  double multiply, scan, score; /* seconds: GEMM, its scores against the bounds, exact scores */
  int64_t scored;               /* pairs that were scored exactly */
} ScreenCost;

/** For each query row the k best of `base` by dot(query, row) + bias, merged into heaps that may
 *  already hold keys of other bases (the ring). Scores <= floor are not kept. Threads take tiles of
 *  queries.
 *  ranks   local
 *  keys    in/out  [query count, k] heaps of select_offer; counts [query count]
 *  back_keys       [base count, k], back_counts: the same for base rows over the queries, from the
 *                  same tiles; NULL for none (then bias must be NULL on both sides)
 *  skip_equal_ids  pairs with equal global ids are left out (a dictionary with itself)
 *  fails   ERR_MEMORY */
typedef struct ScreenJob {
  ScreenSide query, base;
  int64_t width, k;
  float floor;
  SelectKey *keys;
  int64_t *counts;
  SelectKey *back_keys;
  int64_t *back_counts;
  bool skip_equal_ids;
  ScreenRoom *room; /* NULL: taken and given back by the call */
  ScreenCost *cost; /* NULL: not measured */
} ScreenJob;
Status screen_run(const ScreenJob *job) MUST_USE;

/** What a query found above the thresholds of base rows. */
typedef struct ScreenHits {
  int64_t *start;  /* [queries + 1] first hit of each query */
  uint32_t *index; /* [start[queries]] base rows (local, not global ids), ascending in each query */
  float *score;    /* exact */
  int64_t room;    /* hits that index and score have place for: grown, never shrunk */
} ScreenHits;

/** All pairs whose exact score exceeds the base row's threshold: dot(query, row) + bias > threshold.
 *  Screening decides which scores are formed; memory is that of one tile and of the hits.
 *  ranks   local
 *  job     in      query, base, width, room and cost alone are used
 *  threshold in    [base count]; INFINITY: never
 *  hits    in/out  zeroed, or from an earlier call; screen_hits_clear() gives it back
 *  fails   ERR_MEMORY */
Status screen_above(const ScreenJob *job, const float *threshold, ScreenHits *hits) MUST_USE;
void screen_hits_clear(ScreenHits *hits);

/** Norms rounded up, as ScreenSide wants them. out [count]. */
void screen_norms(const float *rows, int64_t count, int64_t width, double *out);

#endif
