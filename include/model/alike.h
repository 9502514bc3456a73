#ifndef ALIKE_H
#define ALIKE_H

#include <stdint.h>

#include "status.h"

/** What every rank does alike in a step, on all rows of the batch: shared by its threads, since more ranks do not make
 *  it shorter. Sums over rows run down the columns of a slice in the order of the rows, so that no bit depends on the
 *  number of threads. ranks: all local. */

/** Rows or columns [first, first + count) of a batch. */
typedef void (*AlikeSlice)(void *context, int64_t first, int64_t count);

/** All of [0, count), slice by slice.
 *  fails   ERR_MEMORY: threads cannot be started. After one success it cannot fail, until threads_set() */
Status alike_start(int64_t count, AlikeSlice run, void *context) MUST_USE;
/** The same once threads are there: a step begins with alike_start(). */
void alike_run(int64_t count, AlikeSlice run, void *context);

/** dense_square() of each row.
 *  squares out     [count] */
void alike_squares(const float *rows, int64_t count, int64_t width, double *squares);
/** Sum over all rows of the squared distance from their mean, in double.
 *  room    scratch [2 * width] */
double alike_spread(const float *rows, int64_t count, int64_t width, double *room);
/** sum[j] += factor * (row 0)[j], then row 1, ... by fma.
 *  sum     in/out  [width] */
void alike_add(float *sum, const float *rows, int64_t count, int64_t width, float factor);

#endif
