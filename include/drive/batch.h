#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** The stages of a run as Slurm jobs, one a stage, each after the one before it. A plain process: sbatch and squeue do
 *  the talking. In the run's folder:
 *    jobs/stage.sbatch   what each job does (jobs/stage.sbatch of the source, which this program carries)
 *    jobs/submit.sh      which jobs, of what size: may be edited and run again
 *    jobs/submitted      a line `STAGE ID` for each job of the last submission */

typedef struct BatchStage {
  const char *name;  /* "harvest" */
  int64_t megabytes; /* memory a node, 0: Slurm's default */
  int64_t seconds;   /* time limit, 0: Slurm's default */
  int64_t lead;      /* seconds from the warning to the limit, 0: that of stage.sbatch */
} BatchStage;

typedef struct BatchRun {
  const char *folder;            /* of the run */
  const char *launcher;          /* "mpirun" or "srun" */
  int64_t nodes, ranks, threads; /* 0: Slurm's default */
  const BatchStage *stages;      /* [stage_count], in order */
  int64_t stage_count;
  char *const *arguments; /* [argument_count] run.yaml and overrides */
  int64_t argument_count;
  char *const *options; /* [option_count] of sbatch, of every job */
  int64_t option_count;
} BatchRun;

/** Write stage.sbatch (one that is there, and may have been edited, stays) and submit.sh.
 *  ranks   local, as all here
 *  fails   ERR_FILE, ERR_SPACE, ERR_MEMORY */
Status batch_write(const BatchRun *run) MUST_USE;
/** Run FOLDER/jobs/submit.sh.
 *  fails   ERR_MISSING (no sbatch here), ERR_FILE (sbatch refused; it has said why) */
Status batch_submit(const char *folder) MUST_USE;

/** What Slurm says of a stage's last job, for people: "job 1234: RUNNING 2:10 of 1:00:00 node[1-2]"; "" where none was
 *  submitted or nobody can be asked.
 *  out     out     [BATCH_STATE] */
enum { BATCH_STATE = 160 };
void batch_state(const char *folder, const char *stage, char *out);

#endif
