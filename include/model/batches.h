#ifndef BATCHES_H
#define BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** The order of training data: a function of (seed, name, epoch, step) alone, so the data
 *  cursor is the step. The training rows are cut into chunks of 256. In every epoch the full chunks
 *  are permuted (one that is not full stays last), `window` rows of that order (whole chunks) are
 *  shuffled together, and batches are cut from the shuffled sequence; a batch may span two windows.
 *  The rows of an epoch that do not fill a batch are dropped (others in the next epoch). */

/** Read training rows [first, first + rows) as they are stored: uint16_t bf16 bits or float32,
 *  [rows, width].
 *  ranks   local */
typedef Status (*BatchesRead)(void *context, int64_t first, int64_t rows, void *out);

/** The same rows will be read soon: may begin to fetch them.
 *  ranks   local */
typedef void (*BatchesAhead)(void *context, int64_t first, int64_t rows);

typedef struct BatchesSpec {
  int64_t rows, width; /* of the training data */
  int64_t batch;       /* rows a step, <= rows */
  int64_t window;      /* rows shuffled together; taken up to whole chunks */
  double scale;        /* float32 factor of every value */
  bool is_bf16;        /* else float32 */
  int64_t seed;
  const char *name; /* of the dictionary, or "" for an order that several share; borrowed */
  BatchesRead read;
  BatchesAhead ahead; /* NULL: none */
  void *context;
} BatchesSpec;

typedef struct Batches Batches;

/** ranks   local
 *  needs   1 <= batch <= rows
 *  fails   ERR_MEMORY */
Status batches_create(Batches **out, const Team *team, const BatchesSpec *spec) MUST_USE;
void batches_destroy(Batches **batches);

/** Steps of so many passes over the rows, rounded down, at least 1.
 *  ranks   local */
int64_t batches_steps(const Batches *batches, double passes);

/** The training row (index) that stands at place `place` of the batch of `step`.
 *  ranks   local */
int64_t batches_row(const Batches *batches, int64_t step, int64_t place);

/** The batch of a step, scaled, on all ranks. Each rank reads its part of a window, and asks for its part
 *  of the next.
 *  ranks   collective
 *  out     out     [batch, width]
 *  fails   what `read` fails with, ERR_MEMORY (threads) */
Status batches_take(Batches *batches, Team *team, int64_t step, float *out) MUST_USE;

#endif
