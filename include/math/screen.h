#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "lowp.h"
#include "select.h"
#include "status.h"

/** Exact top-k of many rows against many candidates: a fast GEMM screens tile by tile, a rigorous
 * error bound decides which scores are formed by the fixed-order dot product, and only those count.
 * Results depend neither on the BLAS nor on tiles, threads or ranks. (A later int8 screen replaces
 * the GEMM behind the same calls.) */

typedef struct ScreenSide {
  const float *rows;  /* [count, width] */
  const float *bias;  /* [count] added to the score, or NULL */
  const double *norm; /* [count] Euclidean norms, rounded up */
  int64_t count;
  int64_t first_id;           /* global id of row 0 */
  const uint8_t *is_left_out; /* [count] rows that take no part, or NULL */
  const Lowp *lowp; /* the same rows in 8 bits (lowp.h), on both sides or on neither; NULL:
                                 the screen multiplies in float32 */
} ScreenSide;

/** Scratch memory that calls may share: `ScreenRoom room = {0};`, grown as needed. */
typedef struct ScreenRoom {
  struct ScreenScratch *scratch; /* [threads] */
  int threads;
  int64_t queries, list; /* of a tile; candidates of a query */
} ScreenRoom;
/** ranks   local */
void screen_room_clear(ScreenRoom *room);

/** For each query row the k best of `base` by dot(query, row) + bias, merged into heaps that may
 * already hold keys of other bases (the ring). Scores <= floor are not kept. Threads take tiles of
 * queries. ranks   local keys    in/out  [query count, k] heaps of select_offer; counts [query
 * count] back_keys       [base count, k], back_counts: the same for base rows over the queries,
 * from the same tiles; NULL for none (then bias must be NULL on both sides) skip_equal_ids  pairs
 * with equal global ids are left out (a dictionary with itself) fails   ERR_MEMORY */
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
} ScreenJob;
Status screen_run(const ScreenJob *job) MUST_USE;

/** What a query found above the thresholds of base rows. */
typedef struct ScreenHits {
  int64_t *start;  /* [queries + 1] first hit of each query */
  uint32_t *index; /* [start[queries]] base rows (local, not global ids), ascending in each query */
  float *score;    /* exact */
  int64_t room; /* hits that index and score have place for: grown by screen_above, never shrunk */
} ScreenHits;

/** All pairs whose exact score exceeds the base row's threshold: dot(query, row) + bias > threshold.
 *  Screening decides which scores are formed; memory is that of one tile and of the hits.
 *  ranks   local
 *  job     in      query, base, width, room (NULL: taken and given back) alone are used
 *  threshold in    [base count]
 *  hits    in/out  zeroed, or from an earlier call; screen_hits_clear() gives it back
 *  fails   ERR_MEMORY */
Status screen_above(const ScreenJob *job, const float *threshold, ScreenHits *hits) MUST_USE;
void screen_hits_clear(ScreenHits *hits);

/** Norms rounded up, as ScreenSide wants them. out [count]. */
void screen_norms(const float *rows, int64_t count, int64_t width, double *out);

#endif
