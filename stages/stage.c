#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "clock.h"
#include "dense.h"
#include "exchange.h"
#include "lock.h"
#include "log.h"
#include "memory.h"
#include "text.h"
#include "threads.h"

enum { OWN_FLAGS = 16, YAML_LIMIT = 16 << 20 };

/* The command line as it was understood; shared with stage_flag(). */
static struct Arguments {
  const char *values[OWN_FLAGS]; /* of spec->flags, NULL: not given */
  const char *yaml;
  const char *threads;
  int first_override; /* index into argv */
  bool force, check, help;
} arguments;

static volatile sig_atomic_t signalled;

static void catch_signal(int number) {
  (void)number;
  signalled = 1;
}

void stage_catch_signals(void) {
  struct sigaction action = {0};
  action.sa_handler = catch_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
}

bool stage_is_signalled(void) {
  return signalled != 0;
}

static int own_flag(const StageSpec *spec, const char *name) {
  for (int i = 0; spec->flags != NULL && spec->flags[i].name != NULL; ++i) {
    ASSERT(i < OWN_FLAGS);
    if (strcmp(spec->flags[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

/* One flag at argv[*at]; moves *at to its value where it takes one. */
static Status parse_flag(const StageSpec *spec, int argc, char **argv, int *at) {
  const char *name = argv[*at];
  const int own = own_flag(spec, name);
  const bool is_threads = strcmp(name, "--threads") == 0;
  if (strcmp(name, "--force") == 0) {
    arguments.force = true;
  } else if (strcmp(name, "--check") == 0) {
    arguments.check = true;
  } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
    arguments.help = true;
  } else if (is_threads || (own >= 0 && spec->flags[own].unit != NULL)) {
    if (++*at >= argc) {
      return RAISE(ERR_USAGE, "%s needs a value; see cleave-%s --help", name, spec->name);
    }
    *(is_threads ? &arguments.threads : &arguments.values[own]) = argv[*at];
  } else if (own >= 0) {
    arguments.values[own] = "";
  } else {
    return RAISE(ERR_USAGE, "%s: no such flag; see cleave-%s --help", name, spec->name);
  }
  return OK;
}

static Status parse_arguments(const StageSpec *spec, int argc, char **argv) {
  arguments.first_override = argc;
  for (int at = 1; at < argc; ++at) {
    if (argv[at][0] == '-' && argv[at][1] != '\0') {
      TRY(parse_flag(spec, argc, argv, &at));
    } else if (arguments.yaml == NULL) {
      arguments.yaml = argv[at];
    } else if (strchr(argv[at], '=') == NULL) {
      return RAISE(ERR_USAGE, "%s: expected key.path=value after %s; see cleave-%s --help",
                   argv[at], arguments.yaml, spec->name);
    }
  }
  if (arguments.yaml == NULL && !arguments.help) {
    return RAISE(ERR_USAGE, "no run.yaml given: mpirun -n N cleave-%s run.yaml", spec->name);
  }
  return OK;
}

static Status print_help(const StageSpec *spec) {
  Text text = {0};
  TRY(text_printf(
      &text,
      "cleave-%s: %s\n\n"
      "usage:  mpirun -n RANKS cleave-%s [flags] run.yaml [key.path=value ...]\n"
      "reads:  %s\nwrites: %s\n\nFlags (they never change a result):\n"
      "  --force             replace an output that was made with other settings\n"
      "  --check             only say whether the outputs are up to date (exit code 0), "
      "stale or absent\n"
      "  --threads N         threads a rank (default: cores / ranks, of those it is bound to)\n"
      "  --help              this text\n",
      spec->name, spec->purpose, spec->name, spec->reads, spec->writes));
  for (const StageFlag *f = spec->flags; f != NULL && f->name != NULL; ++f) {
    char left[64];
    snprintf(left, sizeof(left), "%s %s", f->name, f->unit != NULL ? f->unit : "");
    TRY(text_printf(&text, "  %-19s %s\n", left, f->help));
  }
  TRY(text_printf(&text, "\nKeys of run.yaml (and of key.path=value):\n"));
  for (int s = 0; spec->sections[s] != NULL; ++s) {
    TRY(config_help(spec->sections[s], &text));
  }
  fputs(text_chars(&text), stdout);
  text_clear(&text);
  return OK;
}

const char *stage_flag(const Stage *stage, const char *name) {
  if (strcmp(name, "--threads") == 0) {
    return arguments.threads;
  }
  const int own = own_flag(stage->spec, name);
  ASSERT(own >= 0);
  return arguments.values[own];
}

Status stage_integer(const Stage *stage, const char *name, int64_t least, int64_t most,
                     int64_t *out) {
  const char *text = stage_flag(stage, name);
  char *end = NULL;
  if (text == NULL) {
    return OK;
  }
  *out = strtoll(text, &end, 10);
  return end != text && *end == '\0' && *out >= least && *out <= most
             ? OK
             : RAISE(ERR_USAGE, "%s %s: expected a number from %lld to %lld", name, text,
                     (long long)least, (long long)most);
}

static Status print_here(const Text *answer) {
  fwrite(text_chars(answer), 1, (size_t)answer->length, stdout);
  return fflush(stdout) == 0 ? OK : RAISE(ERR_FILE, "standard output cannot be written");
}

int64_t stage_columns(void) {
  enum { PLAIN = 80, LEAST = 40 };
  struct winsize size = {0};
  const char *given = getenv("COLUMNS");
  int64_t columns = given != NULL ? strtol(given, NULL, 10) : 0;
  if (columns <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    columns = size.ws_col;
  }
  columns = columns <= 0 ? PLAIN : columns;
  return columns < LEAST ? LEAST : columns;
}

Status stage_answer(Stage *stage, const Text *answer) {
  const char *path = stage_flag(stage, "--out");
  const Status status = stage->team.rank != 0 ? OK
                        : path != NULL        ? text_write_file(answer, path)
                                              : print_here(answer);
  return team_agree(&stage->team, status);
}

/* Rank 0 reads run.yaml; all parse the same bytes. */
static Status read_yaml(Stage *stage, Text *yaml) {
  Team *team = &stage->team;
  Status status = OK;
  if (team->rank == 0) {
    status = text_read_file(yaml, stage->yaml, YAML_LIMIT);
  }
  TRY_ALL(team, status);
  int64_t length = yaml->length;
  team_broadcast(team, &length, (int64_t)sizeof(length), 0);
  Text received = {0};
  char *bytes = NULL;
  status = MEMORY_NEW(&bytes, length, "run.yaml");
  if (status == OK && team->rank == 0 && length > 0) {
    memcpy(bytes, text_chars(yaml), (size_t)length);
  }
  status = team_agree(team, status);
  if (status == OK) {
    team_broadcast(team, bytes, length, 0);
    text_clear(yaml);
    status = team_agree(team, text_append(&received, bytes, length));
    *yaml = received;
  }
  MEMORY_FREE(bytes);
  return status;
}

static Status configure(Stage *stage, const Text *yaml, int argc, char **argv) {
  TRY(config_parse(&stage->config, stage->yaml, text_chars(yaml), yaml->length));
  for (int at = 1, position = 0; at < argc; ++at) {
    if (argv[at][0] == '-') { /* flags were checked by parse_arguments */
      const int own = own_flag(stage->spec, argv[at]);
      at +=
          strcmp(argv[at], "--threads") == 0 || (own >= 0 && stage->spec->flags[own].unit != NULL);
    } else if (argv[at] != arguments.yaml) {
      TRY(config_override(stage->config, argv[at], ++position));
    }
  }
  return settings_fill(&stage->settings, stage->config);
}

static Status set_threads(Stage *stage) {
  int64_t count = stage->settings.run.threads;
  if (arguments.threads != NULL) {
    char *end = NULL;
    count = strtol(arguments.threads, &end, 10);
    if (*end != '\0' || count < 0 || count > 1024) {
      return RAISE(ERR_USAGE, "--threads %s: expected a number from 0 to 1024", arguments.threads);
    }
  }
  const int64_t share = sysconf(_SC_NPROCESSORS_ONLN) / stage->team.node_size,
                cores = threads_cores();
  if (count == 0) {
    count = share < cores ? share : cores;
  }
  threads_set(count < 1 ? 1 : (int)count);
  return OK;
}

/* mpirun binds each of one or two ranks to a core: more threads would take turns there, and the other
 * cores stand idle, unless Slurm gave them to other jobs. */
static void warn_of_binding(Stage *stage) {
  const int64_t all = sysconf(_SC_NPROCESSORS_ONLN), cores = threads_cores();
  const bool is_bound = threads_count() > cores && cores < all;
  const bool is_narrow = !is_bound && arguments.threads == NULL &&
                         stage->settings.run.threads == 0 && getenv("SLURM_JOB_ID") == NULL &&
                         cores < all / stage->team.node_size;
  if (team_any(&stage->team, is_bound)) {
    log_warning(
        "%d threads a rank, but mpirun or Slurm has bound ranks to fewer cores: they take turns. "
        "mpirun --bind-to none lets them use all",
        threads_count());
  } else if (team_any(&stage->team, is_narrow)) {
    log_warning(
        "mpirun has bound ranks to %lld of %lld cores: mpirun --bind-to none lets their "
        "threads use the others",
        (long long)cores, (long long)all);
  }
}

/* The run's folder and logs/ in it. */
static Status open_folder(Stage *stage) {
  char *logs = NULL;
  TRY(stage_path(stage, &logs, "logs"));
  const Status status = text_make_folder(logs);
  MEMORY_FREE(logs);
  return status;
}

static Status open_log(Stage *stage) {
  char *path = NULL;
  if (stage->is_check || stage->spec->only_answers) { /* nothing is written */
    log_open(&stage->team, stage->spec->name, LOG_WARNING, NULL);
    return OK;
  }
  TRY_ALL(&stage->team, stage->team.rank == 0 ? open_folder(stage) : OK);
  TRY_OWN(&stage->team, &path, stage_path(stage, &path, "logs/%s.log", stage->spec->name));
  log_open(&stage->team, stage->spec->name, LOG_INFO, path);
  MEMORY_FREE(path);
  return OK;
}

static void say_next(const Stage *stage) {
  static const char *const ORDER[] = {"import", "train", "encode", "evaluate", "compare"};
  const char *next = stage->is_answer ? "" : stage->spec->next;
  for (int i = 0; i < 4; ++i) {
    if (strcmp(next, ORDER[i]) == 0 && !settings_has_work(&stage->settings, next)) {
      next = ORDER[i + 1];
    }
  }
  if (next[0] != '\0') {
    log_info("next: mpirun -n %d cleave-%s %s", stage->team.size, next, stage->yaml);
  }
}

static Status work(Stage *stage, int argc, char **argv) {
  Text yaml = {0};
  Status status = read_yaml(stage, &yaml);
  if (status == OK) {
    status = team_agree(&stage->team, configure(stage, &yaml, argc, argv));
  }
  text_clear(&yaml);
  TRY(status);
  TRY_ALL(&stage->team, set_threads(stage));
  TRY(open_log(stage));
  warn_of_binding(stage);
  TRY(stage->spec->run(stage));
  if (stage->is_check) {
    return stage->check;
  }
  say_next(stage);
  return OK;
}

/* Blocks still taken at the end are a leak of ours: say so, it is a bug. */
static void check_balance(Stage *stage) {
  int64_t blocks = memory_blocks();
  const bool leaked = team_any(&stage->team, blocks != 0);
  if (leaked) {
    log_warning("%lld blocks of memory were not given back (rank 0)", (long long)blocks);
  }
}

/* Products in float32 have other bits on another core: then a result would depend on which rank made it. */
static Status check_core(Team *team) {
  char core[64] = "";
  snprintf(core, sizeof(core), "%s", dense_core());
  team_broadcast(team, core, (int64_t)sizeof(core), 0);
  return team_agree(team, strncmp(core, dense_core(), sizeof(core) - 1) == 0
                              ? OK
                              : RAISE(ERR_UNSUPPORTED,
                                      "OpenBLAS computes for %s here and for %s on rank 0: set "
                                      "OPENBLAS_CORETYPE alike on all machines",
                                      dense_core(), core));
}

int stage_main(int argc, char **argv, const StageSpec *spec) {
  Stage stage = {.spec = spec, .started = clock_seconds()};
  dense_renew(argv);
  dense_open();
  archive_name_core(dense_core());
  if (team_open(&stage.team, &argc, &argv) != OK) {
    fprintf(stderr, "cleave: MPI did not start: %s\n", status_why());
    return ERR_USAGE;
  }
  Status status = parse_arguments(spec, argc, argv);
  stage.yaml = arguments.yaml;
  stage.force = arguments.force;
  stage.is_check = arguments.check;
  if (status != OK) {
    team_report(&stage.team, status);
  } else if (arguments.help) {
    status = stage.team.rank == 0 ? print_help(spec) : OK;
  } else {
    status = check_core(&stage.team);
    status = status == OK ? work(&stage, argc, argv) : status;
  }
  config_destroy(&stage.config);
  settings_clear(&stage.settings);
  if (status == OK) {
    check_balance(&stage);
  }
  log_close();
  team_close(&stage.team);
  return (int)status;
}

Status stage_check_only(const Stage *stage) {
  const char *only = stage_flag(stage, "--only");
  if (only != NULL && settings_find(&stage->settings, only) < 0) {
    return RAISE(ERR_USAGE, "--only %s: run.yaml declares no dictionary of that name", only);
  }
  return OK;
}

bool stage_is_wanted(const Stage *stage, int64_t index) {
  const char *only = stage_flag(stage, "--only");
  return only == NULL || strcmp(only, stage->settings.dictionaries[index].name) == 0;
}

Status stage_path(const Stage *stage, char **out, const char *format, ...) {
  char name[512];
  va_list list;
  va_start(list, format);
  const int length = vsnprintf(name, sizeof(name), format, list);
  va_end(list);
  if (length < 0 || length >= (int)sizeof(name)) {
    return RAISE(ERR_FILE, "a file name in %s is too long", stage->settings.run.folder);
  }
  return text_join_path(out, stage->settings.run.folder, name);
}

void stage_took(Stage *stage, char out[STAGE_TOOK]) {
  char took[32], peak[32], received[32], exchanged[64] = "";
  int64_t most[2] = {memory_peak(), exchange_bytes() - stage->exchanged};
  exchange_max_integer(&stage->team, most, 2);
  if (stage->team.size > 1) {
    snprintf(exchanged, sizeof(exchanged), ", %s from other ranks",
             text_of_bytes((double)most[1], received));
  }
  snprintf(out, STAGE_TOOK, "in %s, at most %s of memory a rank%s",
           text_of_seconds(clock_seconds() - stage->started, took),
           text_of_bytes((double)most[0], peak), exchanged);
}

void stage_wrote(Stage *stage, const char *path) {
  char size[32], took[STAGE_TOOK];
  struct stat file = {0};
  stage_took(stage, took);
  if (stage->team.rank == 0) {
    if (stat(path, &file) != 0) {
      file.st_size = 0;
    }
    log_info("wrote %s (%s) %s", path, text_of_bytes((double)file.st_size, size), took);
  }
}

Status stage_lock(Stage *stage, const char *path) {
  const bool is_taken = stage->team.rank == 0 && !stage->is_check;
  return team_agree(&stage->team, is_taken ? lock_take(stage->settings.run.folder, path) : OK);
}

/* Stages that run at once (a job a dictionary) each write a file of their own, and the last one stays. */
static Status write_settings(const Stage *stage, const Text *text) {
  char host[64] = "", *own = NULL, *path = NULL;
  (void)gethostname(host, sizeof(host) - 1);
  Status status = stage_path(stage, &path, "effective.yaml");
  if (status == OK) {
    status = stage_path(stage, &own, "effective.%s.%ld", host, (long)getpid());
  }
  if (status == OK) {
    status = text_write_file(text, own);
  }
  if (status == OK && rename(own, path) != 0) {
    status = RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
    unlink(own);
  }
  MEMORY_FREE(own);
  MEMORY_FREE(path);
  return status;
}

Status stage_note_settings(Stage *stage) {
  Text text = {0};
  Status status = stage->team.rank == 0 ? settings_print(&stage->settings, &text) : OK;
  if (stage->team.rank == 0 && status == OK) {
    status = write_settings(stage, &text);
  }
  text_clear(&text);
  return team_agree(&stage->team, status);
}

Status stage_claim(Stage *stage, const Stamp *stamp, const char *path, bool *go) {
  bool is_current = false;
  TRY(stage_lock(stage, path));
  bool is_there = stage->team.rank == 0 && access(path, F_OK) == 0;
  is_there = team_any(&stage->team, is_there);
  TRY(stamp_check(stamp, &stage->team, path, stage->force || stage->is_check, &is_current));
  *go = !is_current && !stage->is_check;
  stage->started = clock_seconds();
  stage->exchanged = exchange_bytes();
  if (stage->is_check) {
    stage_print_state(stage, path, is_there, is_current);
  } else if (is_current) {
    log_info("%s is up to date", path);
  }
  return *go ? stage_note_settings(stage) : OK;
}
