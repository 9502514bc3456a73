/* cleave: the driver. A plain process that runs the stage programs in order under mpirun; what is
 * up to date says so itself, so a run that was interrupted goes on where it stopped. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "memory.h"
#include "text.h"

static const char HELP[] =
    "cleave: what becomes of each feature when a sparse autoencoder's dictionary grows?\n"
    "\n"
    "usage:\n"
    "  cleave run [flags] run.yaml [key.path=value ...]     all stages that are not up to date\n"
    "  cleave status [flags] run.yaml [key.path=value ...]  what is there, what is missing or "
    "stale\n"
    "  cleave plan [flags] run.yaml [key.path=value ...]    memory, disk and operations of "
    "training\n"
    "\n"
    "flags:\n"
    "  -n RANKS       ranks to run with (default: the cores of this machine)\n"
    "  --from STAGE   begin with this stage\n"
    "  --to STAGE     end with this stage\n"
    "  --force        replace outputs that were made with other settings\n"
    "  --help         this text\n"
    "\n"
    "stages: harvest, import, train, encode, evaluate, compare, families, report; each is a\n"
    "  program of its own (mpirun -n RANKS cleave-harvest run.yaml) and says more with --help;\n"
    "  those that have nothing to do in a run say so.\n";

typedef struct Call {
  bool is_status, is_plan, is_help;
  int ranks;
  int from, to;
  char **arguments; /* passed on to the stages */
  int count;
} Call;

static Status stage_argument(const char *flag, const char *value, int *out) {
  *out = value == NULL ? -1 : jobs_find(value);
  if (*out < 0) {
    return RAISE(ERR_USAGE, "%s %s: no such stage; see cleave --help", flag,
                 value == NULL ? "" : value);
  }
  return OK;
}

static Status ranks_argument(const char *value, int *out) {
  char *end = NULL;
  const long ranks = value == NULL ? 0 : strtol(value, &end, 10);
  if (ranks < 1 || ranks > 1000000 || *end != '\0') {
    return RAISE(ERR_USAGE, "-n %s: expected a number of ranks", value == NULL ? "" : value);
  }
  *out = (int)ranks;
  return OK;
}

/* One of the driver's own flags, or something for the stages. */
static Status take_argument(Call *call, char **argv, int *at) {
  const char *name = argv[*at];
  if (strcmp(name, "-n") == 0) {
    return ranks_argument(argv[++*at], &call->ranks);
  }
  if (strcmp(name, "--from") == 0) {
    return stage_argument(name, argv[++*at], &call->from);
  }
  if (strcmp(name, "--to") == 0) {
    return stage_argument(name, argv[++*at], &call->to);
  }
  if (name[0] == '-' && strcmp(name, "--force") != 0) {
    return RAISE(ERR_USAGE, "%s: no such flag; see cleave --help", name);
  }
  call->arguments[call->count++] = argv[*at];
  return OK;
}

static Status parse(int argc, char **argv, Call *call) {
  *call = (Call){.ranks = jobs_cores(), .from = 0, .to = JOBS_STAGES - 1};
  call->is_help = argc < 2;
  for (int i = 1; i < argc; ++i) {
    call->is_help = call->is_help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
  }
  if (call->is_help) {
    return OK;
  }
  call->is_status = strcmp(argv[1], "status") == 0;
  call->is_plan = strcmp(argv[1], "plan") == 0;
  if (!call->is_status && !call->is_plan && strcmp(argv[1], "run") != 0) {
    return RAISE(ERR_USAGE, "%s: expected run, status or plan; see cleave --help", argv[1]);
  }
  TRY(MEMORY_NEW(&call->arguments, argc + 1, "the arguments"));
  for (int at = 2; at < argc; ++at) {
    TRY(take_argument(call, argv, &at));
  }
  if (call->count == 0) {
    return RAISE(ERR_USAGE, "no run.yaml given: cleave %s run.yaml", argv[1]);
  }
  return OK;
}

static void print_times(const Call *call, const double *seconds, int past) {
  char took[32];
  double total = 0;
  printf("\n%-10s %-16s %s\n", "stage", "writes", "took");
  for (int s = call->from; s < past; ++s) {
    printf("%-10s %-16s %s\n", jobs_stages()[s].name, jobs_stages()[s].writes,
           text_of_seconds(seconds[s], took));
    total += seconds[s];
  }
  printf("%-10s %-16s %s\n", "total", "", text_of_seconds(total, took));
}

/* All stages in order; stops at the first that fails and hands on its exit code. */
static Status run_stages(const Call *call, int *code) {
  double seconds[JOBS_STAGES] = {0};
  for (int s = call->from; s <= call->to; ++s) {
    const JobsCall job = {jobs_stages()[s].name, call->ranks, call->arguments, call->count};
    fflush(stdout);
    TRY(jobs_run(&job, code, &seconds[s]));
    if (*code != 0) {
      fprintf(stderr, "cleave: stage %s ended with code %d; cleave run goes on from there\n",
              job.stage, *code);
      return OK;
    }
  }
  print_times(call, seconds, call->to + 1);
  return OK;
}

/* The flags of ours, then what is passed on. */
static Status put_before(const Call *call, char *const *flags, int count, char ***arguments) {
  TRY(MEMORY_NEW(arguments, call->count + count, "the arguments"));
  memcpy(*arguments, flags, (size_t)count * sizeof(**arguments));
  for (int i = 0; i < call->count; ++i) {
    (*arguments)[count + i] = call->arguments[i];
  }
  return OK;
}

/* Each stage says of its own outputs what their state is (--check writes nothing). */
static Status show_states(const Call *call, int *code) {
  char **arguments = NULL;
  Status status = put_before(call, (char *[]){"--check"}, 1, &arguments);
  if (status == OK) {
    printf("%-10s %-44s %s\n", "stage", "output", "state");
  }
  for (int s = call->from; status == OK && s <= call->to; ++s) {
    double seconds = 0;
    const JobsCall job = {jobs_stages()[s].name, 1, arguments, call->count + 1};
    if (*code != 0) {
      printf("%-10s %-44s %s\n", job.stage, jobs_stages()[s].writes, "follows the above");
      continue;
    }
    fflush(stdout);
    status = jobs_run(&job, code, &seconds);
  }
  MEMORY_FREE(arguments);
  return status;
}

/* One process is enough to say what many would take. */
static Status show_plan(const Call *call, int *code) {
  char ranks[16];
  char **arguments = NULL;
  double seconds = 0;
  snprintf(ranks, sizeof(ranks), "%d", call->ranks);
  TRY(put_before(call, (char *[]){"--plan", ranks}, 2, &arguments));
  const JobsCall job = {"train", 1, arguments, call->count + 2};
  const Status status = jobs_run(&job, code, &seconds);
  MEMORY_FREE(arguments);
  return status;
}

static Status carry_out(const Call *call, int *code) {
  if (call->is_plan) {
    return show_plan(call, code);
  }
  return call->is_status ? show_states(call, code) : run_stages(call, code);
}

int main(int argc, char **argv) {
  Call call;
  int code = 0;
  Status status = parse(argc, argv, &call);
  if (status == OK && call.is_help) {
    fputs(HELP, stdout);
  } else if (status == OK) {
    status = carry_out(&call, &code);
  }
  if (status != OK) {
    fprintf(stderr, "cleave: %s: %s\n", status_sentence(status), status_why());
  }
  MEMORY_FREE(call.arguments);
  return status != OK ? (int)status : code;
}
