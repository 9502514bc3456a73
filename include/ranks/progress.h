#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "team.h"

/** Progress of a long loop, shown by rank 0: a bar when stderr is a terminal, else a line at the
 *  first step and then every 30 s: done/total, rate, time left. Sends no messages: the caller
 *  counts in lock step. */
typedef struct Progress {
  const Team *team;
  const char *what; /* "harvest" */
  const char *unit; /* "tokens" */
  int64_t total;
  int64_t first;         /* units that were done before: set it after progress_open */
  double started, shown; /* clock_seconds() */
  char note[64];         /* shown behind, e.g. "loss 83.1" */
  bool is_terminal;
} Progress;

/** ranks local; what and unit are borrowed until progress_close(). */
void progress_open(Progress *progress, const Team *team, const char *what, const char *unit,
                   int64_t total);
/** `done` units are done in all. Cheap: may be called every step. */
void progress_step(Progress *progress, int64_t done);
void progress_note(Progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** End the bar, and log "WHAT: done UNIT in TIME (RATE)". */
void progress_close(Progress *progress, int64_t done);

#endif
