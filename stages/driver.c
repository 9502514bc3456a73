/* cleave: the driver. A plain process that runs the stage programs in order under mpirun; what is
 * up to date says so itself, so a run that was interrupted goes on where it stopped. */

#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "config.h"
#include "memory.h"
#include "text.h"

enum { YAML_LIMIT = 16 << 20 };

static const char HELP[] =
    "cleave: what becomes of each feature when a sparse autoencoder's dictionary grows?\n"
    "\n"
    "usage:\n"
    "  cleave run [flags] run.yaml [key.path=value ...]     all stages that are not up to date\n"
    "  cleave status [flags] run.yaml [key.path=value ...]  what is there, what is missing or "
    "stale\n"
    "  cleave plan [flags] run.yaml [key.path=value ...]    memory, disk, operations and time of "
    "each stage\n"
    "  cleave submit [flags] run.yaml [key.path=value ...] [-- options of sbatch ...]\n"
    "                                                       a Slurm job for each stage, one after "
    "the other\n"
    "\n"
    "flags:\n"
    "  -n RANKS       ranks to run with (default: the cores of this machine; submit: Slurm's)\n"
    "  --threads N    threads a rank (default: cores / ranks; submit: Slurm's)\n"
    "  --nodes N      submit: nodes of each job (default: Slurm's); plan: so many (default: 1)\n"
    "  --measure      plan: first measure this machine, a minute; kept for later plans and submit\n"
    "  --rows N, --width N, --memory GB\n"
    "                 plan: of activations that nobody has made yet; memory of a node (submit: "
    "the\n"
    "                 first two)\n"
    "  --launcher L   submit: mpirun (default) or srun, which needs Slurm with PMIx\n"
    "  --dry-run      submit: only write the scripts, FOLDER/jobs/submit.sh and stage.sbatch\n"
    "  --from STAGE   begin with this stage\n"
    "  --to STAGE     end with this stage\n"
    "  --force        replace outputs that were made with other settings\n"
    "  --help         this text\n"
    "\n"
    "stages: harvest, import, train, encode, evaluate, compare, families, report; each is a\n"
    "  program of its own (mpirun -n RANKS cleave-harvest run.yaml) and says more with --help;\n"
    "  those that have nothing to do in a run say so.\n";

static const char *const COMMAND_NAMES[COMMANDS] = {"run", "status", "plan", "submit"};

static Status stage_argument(const char *flag, const char *value, int *out) {
  *out = value == NULL ? -1 : jobs_find(value);
  if (*out < 0) {
    return RAISE(ERR_USAGE, "%s %s: no such stage; see cleave --help", flag,
                 value == NULL ? "" : value);
  }
  return OK;
}

static Status number_argument(const char *flag, const char *value, int *out) {
  char *end = NULL;
  const long number = value == NULL ? 0 : strtol(value, &end, 10);
  if (number < 1 || number > 1000000 || *end != '\0') {
    return RAISE(ERR_USAGE, "%s %s: expected a number from 1 to 1000000", flag,
                 value == NULL ? "" : value);
  }
  *out = (int)number;
  return OK;
}

static Status launcher_argument(const char *value, const char **out) {
  if (value == NULL || (strcmp(value, "mpirun") != 0 && strcmp(value, "srun") != 0)) {
    return RAISE(ERR_USAGE, "--launcher %s: expected mpirun or srun", value == NULL ? "" : value);
  }
  *out = value;
  return OK;
}

/* A flag of ours that has a value; false: it is none. */
static bool take_flag(Call *call, const char *name, const char *value, Status *status) {
  *status = strcmp(name, "-n") == 0           ? number_argument(name, value, &call->ranks)
            : strcmp(name, "--nodes") == 0    ? number_argument(name, value, &call->nodes)
            : strcmp(name, "--threads") == 0  ? number_argument(name, value, &call->threads)
            : strcmp(name, "--launcher") == 0 ? launcher_argument(value, &call->launcher)
            : strcmp(name, "--from") == 0     ? stage_argument(name, value, &call->from)
            : strcmp(name, "--to") == 0       ? stage_argument(name, value, &call->to)
                                              : ERR_MISSING;
  return *status != ERR_MISSING;
}

/* cleave-plan reads them, and says what is wrong with them. */
static bool is_of_plan(Command command, const char *name) {
  static const char *const NAMES[] = {"--rows", "--width", "--memory", "--measure"};
  const int count = command == COMMAND_PLAN ? 4 : command == COMMAND_SUBMIT ? 2 : 0;
  bool is_one = false;
  for (int i = 0; i < count; ++i) {
    is_one = is_one || strcmp(name, NAMES[i]) == 0;
  }
  return is_one;
}

/* One of the driver's own flags, or something for the stages. */
static Status take_argument(Call *call, char **argv, int *at) {
  const char *name = argv[*at];
  Status status = OK;
  if (take_flag(call, name, argv[*at + 1], &status)) {
    ++*at;
    return status;
  }
  if (strcmp(name, "--dry-run") == 0) {
    call->is_dry = true;
    return OK;
  }
  if (is_of_plan(call->command, name)) {
    const bool is_measure = strcmp(name, "--measure") == 0;
    call->is_measuring = call->is_measuring || is_measure;
    call->planning[call->planning_count++] = argv[*at];
    if (!is_measure && argv[*at + 1] != NULL) {
      call->planning[call->planning_count++] = argv[++*at];
    }
    return OK;
  }
  if (name[0] == '-' && strcmp(name, "--force") != 0) {
    return RAISE(ERR_USAGE, "%s: no such flag; see cleave --help", name);
  }
  if (name[0] != '-' && call->yaml == NULL) {
    call->yaml = name;
  }
  call->arguments[call->count++] = argv[*at];
  return OK;
}

static Status parse_command(const char *name, Command *command) {
  for (int i = 0; i < COMMANDS; ++i) {
    if (strcmp(name, COMMAND_NAMES[i]) == 0) {
      *command = (Command)i;
      return OK;
    }
  }
  return RAISE(ERR_USAGE, "%s: expected run, status, plan or submit; see cleave --help", name);
}

/* Some belong to one command. */
static Status check_call(const Call *call) {
  const char *name = COMMAND_NAMES[call->command];
  if (call->yaml == NULL) {
    return RAISE(ERR_USAGE, "no run.yaml given: cleave %s run.yaml", name);
  }
  if (call->command != COMMAND_SUBMIT &&
      (call->is_dry || call->launcher != NULL || call->option_count > 0)) {
    return RAISE(ERR_USAGE, "--launcher, --dry-run and options of sbatch belong to cleave submit");
  }
  if (call->nodes > 0 && call->command != COMMAND_SUBMIT && call->command != COMMAND_PLAN) {
    return RAISE(ERR_USAGE, "--nodes belongs to cleave submit and cleave plan");
  }
  return OK;
}

static bool asks_for_help(int argc, char **argv) {
  bool is_help = argc < 2;
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; ++i) {
    is_help = is_help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
  }
  return is_help;
}

static Status parse(int argc, char **argv, Call *call) {
  *call = (Call){.from = 0, .to = JOBS_STAGES - 1, .is_help = asks_for_help(argc, argv)};
  if (call->is_help) {
    return OK;
  }
  TRY(parse_command(argv[1], &call->command));
  TRY(MEMORY_NEW(&call->arguments, argc + 1, "the arguments"));
  TRY(MEMORY_NEW(&call->planning, argc + 1, "flags of the plan"));
  for (int at = 2; at < argc; ++at) {
    if (strcmp(argv[at], "--") == 0) {
      call->options = argv + at + 1;
      call->option_count = argc - at - 1;
      break;
    }
    TRY(take_argument(call, argv, &at));
  }
  return check_call(call);
}

/* run.yaml with the overrides. */
static Status configure(const Call *call, Settings *settings) {
  Text yaml = {0};
  Config *config = NULL;
  Status status = text_read_file(&yaml, call->yaml, YAML_LIMIT);
  status =
      status == OK ? config_parse(&config, call->yaml, text_chars(&yaml), yaml.length) : status;
  for (int i = 0, position = 0; status == OK && i < call->count; ++i) {
    const char *one = call->arguments[i];
    if (one[0] != '-' && one != call->yaml) {
      status = config_override(config, one, ++position);
    }
  }
  status = status == OK ? settings_fill(settings, config) : status;
  config_destroy(&config);
  text_clear(&yaml);
  return status;
}

static int ranks_of(const Call *call) {
  return call->ranks > 0 ? call->ranks : jobs_cores();
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
static Status run_each(const Call *call, char *const *arguments, int count, int *code) {
  double seconds[JOBS_STAGES] = {0};
  for (int s = call->from; s <= call->to; ++s) {
    const JobsCall job = {jobs_stages()[s].name, ranks_of(call), arguments, count, false};
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

static Status run_stages(const Call *call, int *code) {
  char number[16];
  char **arguments = NULL;
  const int flags = call->threads > 0 ? 2 : 0;
  snprintf(number, sizeof(number), "%d", call->threads);
  TRY(put_before(call, (char *[]){"--threads", number}, flags, &arguments));
  const Status status = run_each(call, arguments, call->count + flags, code);
  MEMORY_FREE(arguments);
  return status;
}

static void show_queue(const Settings *settings, const char *stage) {
  char state[BATCH_STATE];
  batch_state(settings->run.folder, stage, state);
  if (state[0] != '\0') {
    printf("%-10s %s\n", "", state);
  }
}

/* Each stage says of its own outputs what their state is (--check writes nothing); Slurm says it of its job. */
static Status show_each(const Call *call, const Settings *settings, int *code) {
  char **arguments = NULL;
  Status status = put_before(call, (char *[]){"--check"}, 1, &arguments);
  if (status == OK) {
    printf("%-10s %-44s %s\n", "stage", "output", "state");
  }
  for (int s = call->from; status == OK && s <= call->to; ++s) {
    double seconds = 0;
    const JobsCall job = {jobs_stages()[s].name, 1, arguments, call->count + 1, true};
    if (*code != 0) {
      printf("%-10s %-44s %s\n", job.stage, jobs_stages()[s].writes, "follows the above");
    } else {
      fflush(stdout);
      status = jobs_run(&job, code, &seconds);
    }
    show_queue(settings, job.stage);
  }
  MEMORY_FREE(arguments);
  return status;
}

static Status show_states(const Call *call, int *code) {
  Settings settings = {0};
  Status status = configure(call, &settings);
  status = status == OK ? show_each(call, &settings, code) : status;
  settings_clear(&settings);
  return status;
}

/* One process is enough to say what many would take; a machine is measured while all its cores work. */
static int planning_ranks(const Call *call) {
  const int nodes = call->nodes > 0 ? call->nodes : 1;
  const int a_node = (ranks_of(call) + nodes - 1) / nodes;
  const int fitting = jobs_cores() / (call->threads > 0 ? call->threads : 1);
  const int fewer = a_node < fitting ? a_node : fitting;
  return !call->is_measuring ? 1 : fewer > 0 ? fewer : 1;
}

static void put_flag(char **flags, int *count, const char *name, const char *value) {
  flags[(*count)++] = (char *)name;
  flags[(*count)++] = (char *)value;
}

Status driver_plan(const Call *call, const char *out, int *code) {
  char ranks[16], nodes[16], threads[16];
  char **flags = NULL, **arguments = NULL;
  double seconds = 0;
  int count = call->planning_count;
  TRY(MEMORY_NEW(&flags, count + 10, "flags of the plan"));
  memcpy(flags, call->planning, (size_t)count * sizeof(*flags));
  snprintf(ranks, sizeof(ranks), "%d", ranks_of(call));
  snprintf(nodes, sizeof(nodes), "%d", call->nodes > 0 ? call->nodes : 1);
  snprintf(threads, sizeof(threads), "%d", call->threads);
  put_flag(flags, &count, "--ranks", ranks);
  put_flag(flags, &count, "--nodes", nodes);
  if (call->threads > 0) {
    put_flag(flags, &count, "--threads", threads);
  }
  if (out != NULL) {
    put_flag(flags, &count, "--out", out);
    flags[count++] = (char *)"--lines";
  }
  Status status = put_before(call, flags, count, &arguments);
  if (status == OK) {
    const JobsCall job = {"plan", planning_ranks(call), arguments, call->count + count, true};
    status = jobs_run(&job, code, &seconds);
  }
  MEMORY_FREE(flags);
  MEMORY_FREE(arguments);
  return status;
}

static Status submit(const Call *call) {
  Settings settings = {0};
  Status status = configure(call, &settings);
  status = status == OK ? driver_submit(call, &settings) : status;
  settings_clear(&settings);
  return status;
}

static Status carry_out(const Call *call, int *code) {
  switch (call->command) {
    case COMMAND_STATUS:
      return show_states(call, code);
    case COMMAND_PLAN:
      return driver_plan(call, NULL, code);
    case COMMAND_SUBMIT:
      return submit(call);
    default:
      return run_stages(call, code);
  }
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
  MEMORY_FREE(call.planning);
  return status != OK ? (int)status : code;
}
