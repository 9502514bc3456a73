#ifndef TRAIN_TIMES_H
#define TRAIN_TIMES_H

#include "status.h"
#include "team.h"
#include "train.h"

/** Where the time went, of the steps that this run of the program made: said in the log, and as numbers
 *  in training/times/NAME.csv (part, seconds, share). Rank 0's own; the candidates are those of all
 *  ranks.
 *  exchanged in    exchange_seconds() before the first step
 *  steps     in    that were made
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE */
Status train_times_tell(const Train *train, Team *team, const char *path, double exchanged,
                        int64_t steps) MUST_USE;

#endif
