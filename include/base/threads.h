#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>

#include "status.h"

enum { THREADS_MOST = 1024 };

/** Set how many threads this rank computes with (1 .. THREADS_MOST; the default is 1); not from a
 *  unit. BLAS stays single-threaded: threads take whole units of work, so no result depends on
 *  their number.
 *  ranks   local */
void threads_set(int count);
int threads_count(void);
/** Start the threads now, so that no later run of this many can fail for want of them.
 *  ranks   local; from the main thread
 *  fails   ERR_MEMORY */
Status threads_start(void) MUST_USE;
/** Cores that this process may use: mpirun and Slurm bind ranks to a part of the machine's.
 *  ranks   local; from the main thread */
int threads_cores(void);

/** One unit of work. `thread` is in [0, threads_count()), for scratch memory of its own. */
typedef Status (*ThreadsUnit)(int64_t unit, int thread, void *context);

/** Run units 0 .. units-1, each once, in any order; returns when all are done. A failing unit
 *  stops the handing out of further units; its status is returned (that of the lowest failing unit
 *  seen) and its reason adopted by the caller's thread. Units must write to places of their own. A
 *  unit that calls threads_run itself runs those units one after the other, under its own thread
 *  number, unless it is the only one: then they run as if it had not been there.
 *  ranks   local; from the main thread or from a unit
 *  fails   ERR_MEMORY when threads cannot be started, else as the units */
Status threads_run(int64_t units, ThreadsUnit run, void *context) MUST_USE;

#endif
