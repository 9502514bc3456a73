#ifndef TRAIN_ROWS_H
#define TRAIN_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "status.h"
#include "team.h"

/** The training rows of activations.h5: those of documents that are not held out, in order. */
typedef struct TrainRows {
  Archive *file;
  int64_t rows, width;
  bool is_bf16;
  double scale; /* raw -> scaled */
  float *mean;  /* [width] of the training rows, scaled */
  int64_t layer;
  char *model_hash;
  int64_t runs;      /* of consecutive training rows in the file */
  int64_t *run_row;  /* [runs] first row in the file */
  int64_t *run_past; /* [runs] training rows up to the end of the run */
} TrainRows;

/** Open the file and its attributes, not yet the runs.
 *  ranks   collective
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_MEMORY; clear what was opened by train_rows_close() */
Status train_rows_open(TrainRows *rows, Team *team, const char *path) MUST_USE;
/** Find the training rows.
 *  ranks   collective
 *  fails   ERR_FORMAT, ERR_FILE, ERR_MEMORY, ERR_DATA (there are none) */
Status train_rows_find(TrainRows *rows, Team *team) MUST_USE;
/** ranks   collective; what was never opened is fine */
void train_rows_close(TrainRows *rows);

/** A BatchesAhead, and a BatchesRead: training rows [first, first + count) as stored.
 *  ranks   local
 *  context in      TrainRows */
void train_rows_ahead(void *context, int64_t first, int64_t count);
Status train_rows_read(void *context, int64_t first, int64_t count, void *out) MUST_USE;

#endif
