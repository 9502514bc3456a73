#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>

#include "status.h"

/** Set how many threads this rank computes with (>= 1; the default is 1). BLAS stays single-threaded:
 *  threads take whole units of work, so no result depends on their number.
 *  ranks   local */
void threads_set(int count);
int threads_count(void);

/** One unit of work. `thread` is in [0, threads_count()), for scratch memory of its own. */
typedef Status (*ThreadsUnit)(int64_t unit, int thread, void *context);

/** Run units 0 .. units-1, each once, in any order; returns when all are done. A failing unit stops the
 *  handing out of further units; its status is returned (that of the lowest failing unit seen) and its
 *  reason adopted by the caller's thread. Units must write to places of their own.
 *  ranks   local */
Status threads_run(int64_t units, ThreadsUnit run, void *context) MUST_USE;

#endif
