#ifndef LANES_H
#define LANES_H

#include <stdbool.h>
#include <stdint.h>

/** One kernel set a kind of processor, chosen at the first call: the widest that this CPU has. All
 *  sets give the same bits; only tests and benchmarks choose one by hand, by lanes_use() or by
 *  CLEAVE_LANES=plain|avx2|avx512 in the environment (one that this CPU lacks is passed over). */

/** Steps of one Adam update; the factors hold the bias corrections (see adam.h). */
typedef struct LanesAdam {
  float keep_first, take_first;   /* beta_1, 1 - beta_1 */
  float keep_second, take_second; /* beta_2, 1 - beta_2 */
  float rate;                     /* times the inverse bias correction of the first moment */
  float root;                     /* inverse square root of the second's bias correction */
  float epsilon, clip;            /* clip: factor of the gradient */
} LanesAdam;

/** What to_bytes found out about a row. */
typedef struct LanesBytes {
  double lost;     /* sum of (row - scale q)^2 */
  int64_t squares; /* sum of q^2 */
  int32_t sum;     /* sum of q */
} LanesBytes;

/** Columns of a score tile, each array [columns] or NULL, and one of its rows. A screened score is
 *    mid = row scale * column scale * (score + shift)      (int32; float32 and no scales: score)
 *  and the exact one is at most
 *    upper = mid + (row size * column size + row error * column error),
 *  or mid + row size where columns have no size. */
typedef struct LanesColumns {
  const float *scale;   /* NULL: the scores are float32, and size is there */
  const int32_t *shift; /* NULL: 0 */
  const float *size;    /* NULL: 1 */
  const float *error;   /* NULL: 0, as where scale or size is NULL */
  const float *bias;    /* added to both, or NULL */
  const float *back;    /* what upper must reach for the column's sake; then bias must be NULL */
} LanesColumns;

typedef struct LanesRow {
  float scale, size, error;
  float least; /* what upper must reach for the row's sake */
} LanesRow;

typedef struct Lanes {
  const char *name; /* "plain", "avx2", "avx512" */
  float (*dot)(const float *a, const float *b, int64_t width);
  void (*dot4)(const float *a, const float *const rows[4], int64_t width, float out[4]);
  double (*square)(const float *a, int64_t width);
  void (*add)(float *y, const float *x, int64_t width, float factor);
  /** add four times, rows in order. */
  void (*add4)(float *y, const float *const rows[4], int64_t width, const float factors[4]);
  void (*fixed_add)(int64_t *sums, const float *row, int64_t width, double factor);
  void (*fixed_add4)(int64_t *sums, const float *const rows[4], int64_t width,
                     const double factors[4]);
  /** sums += row, squares += row * row, in double. */
  void (*moments)(double *sums, double *squares, const float *row, int64_t width);
  void (*from_bf16)(const uint16_t *bits, int64_t count, float *out);
  /** To bfloat16, up or down at random with the chances that keep the mean; random by key and place. */
  void (*to_bf16_at_random)(const float *values, int64_t count, uint32_t key, uint16_t *out);
  void (*adam)(const LanesAdam *step, float *weight, float *first, float *second,
               const float *gradient, int64_t count);
  /** Largest |a[i]|; 0 of none. */
  float (*largest)(const float *a, int64_t width);
  /** Likewise, of all |a[i]| and all |a[2 i] + a[2 i + 1]|. */
  float (*largest_pair)(const float *a, int64_t width);
  /** q = row * inverse rounded to an integer, out = q + offset as bytes; |q| < 2^15. */
  void (*to_bytes)(const float *row, int64_t width, float scale, float inverse, int offset,
                   uint8_t *out, LanesBytes *sizes);
  /** a, b = a + b, a - b. */
  void (*butterfly)(float *a, float *b, int64_t count);
  /** best[l] = the larger of best[l] and every mid of n % 64 == l, n < count - count % 64. A column
   *  whose scale, or size if there is none, is nan takes no part, here and in scan. */
  void (*maxima)(const void *score, const LanesColumns *columns, const LanesRow *row, int64_t count,
                 float best[64]);
  /** best[n] = the larger of best[n] and mid of column n. */
  void (*keep_larger)(const void *score, const LanesColumns *columns, const LanesRow *row,
                      int64_t count, float *best);
  /** Columns of [0, count) whose upper reaches row->least or back[n], ascending, into hits.
   *  Returns their number. */
  int64_t (*scan)(const void *score, const LanesColumns *columns, const LanesRow *row,
                  int64_t count, int32_t *hits);
} Lanes;

/** The set in use.
 *  ranks   local, like all here */
const Lanes *lanes(void);
/** The name of the widest set that this CPU has. */
const char *lanes_widest(void);
/** Use a set by name; false when this CPU does not have it. Not while other threads compute. */
bool lanes_use(const char *name);

#endif
