#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>

#include "settings.h"
#include "stamp.h"
#include "status.h"
#include "team.h"

/** What every stage program shares: command line, MPI, run.yaml, log file, threads, the
 *  next command at the end. A stage is
 *  `int main(int argc, char **argv) { return stage_main(argc, argv, &STAGE); }`
 *  Command line: PROGRAM [--flags] run.yaml [key.path=value ...]; --help, --threads N, --force
 * everywhere. */
typedef struct Stage Stage;

typedef struct StageFlag {
  const char *name; /* "--top" */
  const char *unit; /* "N": takes a value; NULL: takes none */
  const char *help;
} StageFlag;

typedef struct StageSpec {
  const char *name;           /* "harvest": the program is cleave-harvest */
  const char *purpose;        /* one sentence */
  const char *reads, *writes; /* "model, text" / "activations.h5" */
  const char *
      next; /* the next command's name: "train" ("" for none); import, train, encode and evaluate are
                       passed over where they have nothing to do */
  const ConfigSection *const *sections; /* shown by --help, NULL-terminated */
  const StageFlag *flags;               /* own flags, ended by a NULL name; may be NULL */
  bool only_answers; /* no log, no effective.yaml: the run's folder stays as it is */
  /** The stage itself. ranks collective. Same status on all ranks. */
  Status (*run)(Stage *stage);
} StageSpec;

struct Stage {
  const StageSpec *spec;
  Team team;
  Settings settings;
  Config *config;
  const char *yaml; /* path of run.yaml */
  bool force;
  bool is_check;     /* --check: only say what state the outputs are in */
  bool is_answer;    /* set by a stage that only printed something: there is no next command */
  Status check;      /* what --check found: OK, ERR_STALE or ERR_MISSING */
  double started;    /* when the output in work was claimed */
  int64_t exchanged; /* exchange_bytes() then */
};

/** Returns the exit code (the status) on all ranks alike. */
int stage_main(int argc, char **argv, const StageSpec *spec);

/** Value of an own flag or of --threads, NULL when it was not given ("" for a flag without value).
 *  ranks   local */
const char *stage_flag(const Stage *stage, const char *name);
/** The number that an own flag gives; without the flag `out` stays as it is.
 *  ranks   local
 *  fails   ERR_USAGE: no number, or outside [least, most] */
Status stage_integer(const Stage *stage, const char *name, int64_t least, int64_t most,
                     int64_t *out) MUST_USE;
/** What a stage answers: into the file of its flag --out, else on rank 0's standard output.
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE */
Status stage_answer(Stage *stage, const Text *answer) MUST_USE;
/** For stages that work dictionary by dictionary, with an own flag "--only NAME": does run.yaml declare
 *  that name? Is dictionary `index` among those to do?
 *  ranks   local
 *  fails   ERR_USAGE */
Status stage_check_only(const Stage *stage) MUST_USE;
bool stage_is_wanted(const Stage *stage, int64_t index);
/** A path inside the run's folder, "dictionaries/8k.h5", into a new string.
 *  ranks   local */
Status stage_path(const Stage *stage, char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4))) MUST_USE;
/** What an output took: "in 2.5 s, at most 95 MB of memory a rank, 3.1 MB from other ranks", since it was claimed.
 *  ranks   collective */
enum { STAGE_TOOK = 192 };
void stage_took(Stage *stage, char out[STAGE_TOOK]);
/** Say what was written: name, size, what it took.
 *  ranks   collective */
void stage_wrote(Stage *stage, const char *path);
/** Columns for answers: of the terminal, or COLUMNS, which some shells export; 80 where nothing is known.
 *  ranks   local */
int64_t stage_columns(void);
/** May the stage make `path`? An output with this stamp is "up to date", and go false; with another
 * stamp the stage refuses unless --force. With --check the output's state is printed, and go is
 * always false. Every stage asks this for every output before it works.
 *  ranks   collective
 *  go      out     make it
 *  fails   ERR_STALE, ERR_BUSY (as stage_lock), ERR_FILE, ERR_SPACE */
Status stage_claim(Stage *stage, const Stamp *stamp, const char *path, bool *go) MUST_USE;
/** effective.yaml: the settings that an output is made with. stage_claim() writes it, when it lets go.
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE */
Status stage_note_settings(Stage *stage) MUST_USE;
/** See that no other run makes this output as long as this process lives; stage_claim() does it.
 *  ranks   collective
 *  fails   ERR_BUSY, ERR_FILE */
Status stage_lock(Stage *stage, const char *path) MUST_USE;
/** What --check says of an output whose state the stage found by itself (a folder has no stamp that stage_claim could
 *  read).
 *  ranks   local, on all ranks */
void stage_print_state(Stage *stage, const char *path, bool is_there, bool is_current);
/** Say that an output is not for this stage to make in this run.
 *  ranks   local, on all ranks */
void stage_skip(const Stage *stage, const char *output, const char *why);
/** Set by SIGUSR1 and SIGTERM once stage_catch_signals() was called (train and compare, which can save).
 *  ranks   local: agree with team_any() */
void stage_catch_signals(void);
bool stage_is_signalled(void);

#endif
