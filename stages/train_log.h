#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H

#include <stdint.h>
#include <stdio.h>

#include "status.h"
#include "team.h"
#include "train.h"

/** training/NAME.csv: one line every TRAIN_LOG_STEPS steps and one at the end. Rank 0 writes. */
enum { TRAIN_LOG_STEPS = 50 };

typedef struct TrainLog {
  char *path;    /* set before train_log_open(); freed by train_log_close() */
  FILE *file;    /* rank 0 */
  int64_t bytes; /* written so far, known to rank 0 */
} TrainLog;

/** Begin the file, or go on after its first `bytes` bytes (a checkpoint's).
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE */
Status train_log_open(TrainLog *log, Team *team, int64_t bytes) MUST_USE;
/** A line for the step that was done last; `rows` seen so far.
 *  ranks   local
 *  fails   ERR_FILE, ERR_SPACE (rank 0) */
Status train_log_add(TrainLog *log, int64_t step, int64_t rows, const TrainReport *report) MUST_USE;
/** ranks   local */
void train_log_close(TrainLog *log);

#endif
