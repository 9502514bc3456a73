#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** The order of the stages, and running one of them under mpirun. A plain process: no MPI inside.
 */

enum { JOBS_STAGES = 8 };

typedef struct JobsStage {
  const char *name;   /* "harvest": the program is cleave-harvest */
  const char *writes; /* "activations.h5", for people */
} JobsStage;

/** The stages of `cleave run`, in order; those with nothing to do say so. [JOBS_STAGES] */
const JobsStage *jobs_stages(void);
/** Index of a stage by name, -1 for none. */
int jobs_find(const char *name);

/** One run of a stage program, which stands in the same folder as the running program. */
typedef struct JobsCall {
  const char *stage;
  int ranks;
  char *const *arguments; /* [count] flags, run.yaml, overrides; borrowed */
  int count;
  bool is_quiet; /* without mpirun's own words on exit codes */
} JobsCall;

/** Start `mpirun -n ranks cleave-STAGE arguments...` and wait; SIGTERM and SIGUSR1 are passed on to
 * it. ranks    local (call it from one plain process) code     out     the exit code; 128 + signal
 * when mpirun itself was killed seconds  out     how long it took fails    ERR_MISSING (program or
 * mpirun not found), ERR_FILE */
Status jobs_run(const JobsCall *call, int *code, double *seconds) MUST_USE;

/** The folder of the running program, where the stages' programs stand too.
 *  out     out     [JOBS_PATH]
 *  fails   ERR_FILE */
enum { JOBS_PATH = 4032 };
Status jobs_folder(char *out) MUST_USE;

/** Cores of this machine: the default number of ranks. */
int jobs_cores(void);

#endif
