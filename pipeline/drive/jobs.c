#include "jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"

enum { FIXED_ARGUMENTS = 10, PATH_SIZE = 4096 };

static const JobsStage STAGES[JOBS_STAGES] = {
    {"harvest", "activations.h5"}, {"import", "dictionaries/"}, {"train", "dictionaries/"},
    {"encode", "codes/"},          {"evaluate", "evaluation/"}, {"compare", "neighbours.h5"},
    {"families", "families.h5"},   {"report", "report/"},
};

const JobsStage *jobs_stages(void) {
  return STAGES;
}

int jobs_find(const char *name) {
  for (int i = 0; i < JOBS_STAGES; ++i) {
    if (strcmp(STAGES[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

int jobs_cores(void) {
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores < 1 ? 1 : (int)cores;
}

Status jobs_folder(char *out) {
  const ssize_t length = readlink("/proc/self/exe", out, JOBS_PATH - 1);
  if (length < 0) {
    return RAISE(ERR_FILE, "cannot find the folder of the running program: %s", strerror(errno));
  }
  out[length] = '\0';
  *strrchr(out, '/') = '\0';
  return OK;
}

/* cleave-STAGE beside the running program. */
static Status find_program(const char *stage, char path[PATH_SIZE]) {
  char folder[JOBS_PATH];
  TRY(jobs_folder(folder));
  snprintf(path, PATH_SIZE, "%s/cleave-%s", folder, stage);
  if (access(path, X_OK) != 0) {
    return RAISE(ERR_MISSING, "%s: no such program; build the project first", path);
  }
  return OK;
}

/* The child, for the signal handler. */
static volatile sig_atomic_t child;

static void pass_on(int number) {
  if (child > 0) {
    kill((pid_t)child, number);
  }
}

static void pass_signals(struct sigaction old[2]) {
  struct sigaction action = {0};
  action.sa_handler = pass_on;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, &old[0]);
  sigaction(SIGUSR1, &action, &old[1]);
}

static void restore_signals(const struct sigaction old[2]) {
  sigaction(SIGTERM, &old[0], NULL);
  sigaction(SIGUSR1, &old[1], NULL);
}

static Status start(char **argv) {
  const pid_t pid = fork();
  if (pid < 0) {
    return RAISE(ERR_FILE, "cannot start %s: %s", argv[0], strerror(errno));
  }
  if (pid == 0) {
    execvp(argv[0], argv);
    fprintf(stderr, "cleave: cannot run %s: %s; install openmpi-bin\n", argv[0], strerror(errno));
    _exit(127);
  }
  child = pid;
  return OK;
}

static Status wait_for_child(int *code) {
  int state = 0;
  while (waitpid((pid_t)child, &state, 0) < 0) {
    if (errno != EINTR) {
      return RAISE(ERR_FILE, "lost sight of mpirun: %s", strerror(errno));
    }
  }
  child = 0;
  *code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  if (*code == 127) {
    return RAISE(ERR_MISSING, "mpirun did not start; install openmpi-bin");
  }
  return OK;
}

Status jobs_run(const JobsCall *call, int *code, double *seconds) {
  char program[PATH_SIZE];
  char ranks[16];
  char **argv = NULL;
  struct sigaction old[2];
  const double started = clock_seconds();
  TRY(find_program(call->stage, program));
  TRY(MEMORY_NEW(&argv, call->count + FIXED_ARGUMENTS, "the arguments of mpirun"));
  snprintf(ranks, sizeof(ranks), "%d", call->ranks);
  char *fixed[] = {"mpirun", "--oversubscribe", "--bind-to", "none", "-n", ranks, "-q", program};
  const int fixed_count = (int)(sizeof(fixed) / sizeof(fixed[0]));
  const int first = call->is_quiet ? fixed_count : fixed_count - 1;
  fixed[first - 1] = program;
  memcpy(argv, fixed, (size_t)first * sizeof(fixed[0]));
  for (int i = 0; i < call->count; ++i) {
    argv[first + i] = call->arguments[i];
  }
  pass_signals(old);
  Status status = start(argv);
  if (status == OK) {
    status = wait_for_child(code);
  }
  restore_signals(old);
  MEMORY_FREE(argv);
  *seconds = clock_seconds() - started;
  return status;
}
