#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>

#include "jobs.h"
#include "settings.h"

/** The driver's command line, and what its files share. A plain process: no MPI inside. */

typedef enum Command {
  COMMAND_RUN,
  COMMAND_STATUS,
  COMMAND_PLAN,
  COMMAND_SUBMIT,
  COMMANDS
} Command;

typedef struct Call {
  Command command;
  bool is_help, is_dry, is_measuring;
  int ranks, nodes, threads; /* 0: not given */
  const char *launcher;
  int from, to;
  const char *yaml;
  char **arguments; /* passed on to the stages: run.yaml, overrides, --force */
  int count;
  char **planning; /* flags of cleave-plan, with their values */
  int planning_count;
  char **options; /* behind --: of sbatch */
  int option_count;
} Call;

/** Run cleave-plan on the ranks, nodes and threads of the call, with its flags.
 *  out     in      NULL, or the file of sizes for Slurm that it writes (--lines)
 *  code    out     its exit code */
Status driver_plan(const Call *call, const char *out, int *code) MUST_USE;

/** cleave submit: write the scripts, sized by the plan, and submit them unless the call is dry. */
Status driver_submit(const Call *call, const Settings *settings) MUST_USE;

#endif
