#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>

#include "status.h"

/** What one feature's firings come to: statistics and examples. Everything is formed on one rank in
 *  row order, of +, -, *, / alone. ranks: all local. */

/** The firings of one feature, in ascending order of rows. */
typedef struct TallyList {
  int64_t count;
  const uint32_t *row; /* [count] */
  const float *value;  /* [count] activations, > 0 */
} TallyList;

typedef struct TallySums {
  double sum, sum_square; /* of the activations */
  float maximum;          /* 0 for none */
  float log10_density;    /* of firings / rows, -inf for none */
} TallySums;

TallySums tally_sums(const TallyList *list, int64_t rows);

/** Decimal logarithm of a positive finite number; within 1e-14, the same bits on every CPU (libm's
 *  differ). */
double tally_log10(double value);

/** Chooses examples; holds scratch memory. */
typedef struct Tally Tally;

/** examples     in  strongest activations kept
 *  intervals    in  equal intervals of (0, maximum]
 *  per_interval in  examples drawn from each
 *  fails   ERR_MEMORY */
Status tally_create(Tally **out, int64_t examples, int64_t intervals,
                    int64_t per_interval) MUST_USE;
void tally_destroy(Tally **tally);

/** The rows of the largest activations, largest first, ties to the lower row.
 *  rows    out     [examples] filled up with -1 */
void tally_top(Tally *tally, const TallyList *list, int64_t *rows);
/** Rows from each interval, the highest interval first, inside it in the order of random numbers
 *  keyed by (key, row): a sample that does not depend on how the rows were dealt out.
 *  key     in      of this feature
 *  rows    out     [intervals, per_interval] filled up with -1 */
void tally_intervals(Tally *tally, const TallyList *list, uint64_t key, int64_t *rows);

#endif
