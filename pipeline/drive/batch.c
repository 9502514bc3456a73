#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jobs.h"
#include "memory.h"
#include "text.h"

enum { PATH_SIZE = 4096, LINE_SIZE = 512 };

/* jobs/stage.sbatch, packed at build time. */
extern const char BATCH_STAGE_SCRIPT[];

static Status path_in_jobs(const char *folder, const char *name, char **path) {
  char *jobs = NULL;
  TRY(text_join_path(&jobs, folder, "jobs"));
  const Status status = text_join_path(path, jobs, name);
  MEMORY_FREE(jobs);
  return status;
}

/* As one word of a shell. */
static Status quote(Text *out, const char *word) {
  TRY(text_append(out, "'", 1));
  for (const char *c = word; *c != '\0'; c++) {
    TRY(*c == '\'' ? text_append(out, "'\\''", 4) : text_append(out, c, 1));
  }
  return text_append(out, "'", 1);
}

static Status quote_all(Text *out, const char *name, char *const *words, int64_t count) {
  TRY(text_printf(out, "%s=(", name));
  for (int64_t i = 0; i < count; i++) {
    TRY(i == 0 ? OK : text_append(out, " ", 1));
    TRY(quote(out, words[i]));
  }
  return text_append(out, ")\n", 2);
}

static Status put_head(const BatchRun *run, Text *out) {
  char here[PATH_SIZE], programs[JOBS_PATH];
  TRY(jobs_folder(programs));
  if (getcwd(here, sizeof(here)) == NULL) {
    return RAISE(ERR_FILE, "cannot find this folder: %s", strerror(errno));
  }
  TRY(text_printf(
      out,
      "#!/usr/bin/env bash\n"
      "# The jobs of a run, each after the one before it; written by `cleave submit`. Edit it and "
      "run "
      "it to submit again:\n"
      "# what is up to date says so and ends at once. `cleave status` shows how they stand.\n"
      "set -euo pipefail\ncd "));
  TRY(quote(out, here));
  TRY(text_printf(out, "\nexport CLEAVE_BIN="));
  TRY(quote(out, programs));
  TRY(text_printf(out, " CLEAVE_LAUNCHER=%s\nfolder=", run->launcher));
  TRY(quote(out, run->folder));
  TRY(text_append(out, "\n", 1));
  TRY(quote_all(out, "arguments", run->arguments, run->argument_count));
  TRY(quote_all(out, "options", run->options, run->option_count)); /* of sbatch, for all jobs */
  return text_printf(
      out,
      "previous=\nmkdir -p \"$folder/logs\"\n: >\"$folder/jobs/submitted\"\n\n"
      "job() { # STAGE OPTIONS-OF-SBATCH...\n"
      "  local stage=$1\n"
      "  shift\n"
      "  previous=$(sbatch --parsable ${previous:+--dependency=afterok:$previous "
      "--kill-on-invalid-dep=yes} \\\n"
      "    --job-name=\"cleave-$stage\" --output=\"$folder/logs/slurm-$stage.log\" \"$@\" "
      "${options[@]+\"${options[@]}\"} \\\n"
      "    \"$folder/jobs/stage.sbatch\" \"$stage\" \"${arguments[@]}\")\n"
      "  previous=${previous%%%%;*} # of several clusters\n"
      "  echo \"$stage $previous\" | tee -a \"$folder/jobs/submitted\"\n"
      "}\n");
}

static Status put_number(Text *out, const char *option, int64_t value, const char *unit) {
  return value > 0 ? text_printf(out, " --%s=%lld%s", option, (long long)value, unit) : OK;
}

/* Slurm counts limits in minutes. */
static Status put_job(const BatchRun *run, const BatchStage *stage, Text *out) {
  TRY(text_printf(out, "job %s", stage->name));
  TRY(put_number(out, "nodes", run->nodes, ""));
  TRY(put_number(out, "ntasks", run->ranks, ""));
  TRY(put_number(out, "cpus-per-task", run->threads, ""));
  TRY(put_number(out, "mem", stage->megabytes, "M"));
  TRY(put_number(out, "time", (stage->seconds + 59) / 60, ""));
  TRY(stage->lead > 0 ? text_printf(out, " --signal=B:USR1@%lld", (long long)stage->lead) : OK);
  return text_append(out, "\n", 1);
}

static Status write_script(const char *folder, const char *name, const Text *text, bool is_kept) {
  char *path = NULL;
  TRY(path_in_jobs(folder, name, &path));
  Status status = OK;
  if (!is_kept || access(path, F_OK) != 0) {
    status = text_write_file(text, path);
    if (status == OK && chmod(path, 0755) != 0) {
      status = RAISE(ERR_FILE, "cannot make %s a program: %s", path, strerror(errno));
    }
  }
  MEMORY_FREE(path);
  return status;
}

static Status put_jobs(const BatchRun *run, Text *out) {
  TRY(put_head(run, out));
  for (int64_t i = 0; i < run->stage_count; i++) {
    TRY(put_job(run, &run->stages[i], out));
  }
  return OK;
}

Status batch_write(const BatchRun *run) {
  char *jobs = NULL;
  Text script = {0}, body = {0};
  TRY(text_join_path(&jobs, run->folder, "jobs"));
  Status status = text_make_folder(jobs);
  status = status == OK ? text_printf(&body, "%s", BATCH_STAGE_SCRIPT) : status;
  status = status == OK ? write_script(run->folder, "stage.sbatch", &body, true) : status;
  status = status == OK ? put_jobs(run, &script) : status;
  status = status == OK ? write_script(run->folder, "submit.sh", &script, false) : status;
  text_clear(&script);
  text_clear(&body);
  MEMORY_FREE(jobs);
  return status;
}

/* Run a program and wait; its exit code, or 127. */
static int run_program(char *const *argv) {
  int state = 0;
  const pid_t pid = fork();
  if (pid == 0) {
    execvp(argv[0], argv);
    _exit(127);
  }
  while (pid > 0 && waitpid(pid, &state, 0) < 0 && errno == EINTR) {
  }
  return pid > 0 && WIFEXITED(state) ? WEXITSTATUS(state) : 127;
}

Status batch_submit(const char *folder) {
  char *path = NULL;
  if (run_program((char *[]){"sh", "-c", "command -v sbatch >/dev/null", NULL}) != 0) {
    return RAISE(
        ERR_MISSING,
        "there is no sbatch here: submit from a machine of the cluster, or use `cleave run`");
  }
  TRY(path_in_jobs(folder, "submit.sh", &path));
  fflush(stdout);
  const int code = run_program((char *[]){"bash", path, NULL});
  const Status status =
      code == 0 ? OK
                : RAISE(ERR_FILE,
                        "%s ended with code %d: Slurm has said why; `scancel` what it took already",
                        path, code);
  MEMORY_FREE(path);
  return status;
}

/* The id of a stage's job, "" for none. */
static void find_id(const char *folder, const char *stage, char id[64]) {
  char *path = NULL;
  char line[LINE_SIZE], name[64], number[64];
  id[0] = '\0';
  FILE *file = path_in_jobs(folder, "submitted", &path) == OK ? fopen(path, "r") : NULL;
  while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
    if (sscanf(line, "%63s %63[0-9]", name, number) == 2 && strcmp(name, stage) == 0) {
      memcpy(id, number, sizeof(number));
    }
  }
  if (file != NULL) {
    fclose(file);
  }
  MEMORY_FREE(path);
}

/* The first line that a command prints. */
static bool first_line(const char *command, char line[LINE_SIZE]) {
  FILE *pipe = popen(command, "r");
  const bool is_read = pipe != NULL && fgets(line, LINE_SIZE, pipe) != NULL;
  if (pipe != NULL) {
    pclose(pipe);
  }
  if (is_read) {
    line[strcspn(line, "\n")] = '\0';
  }
  return is_read && line[0] != '\0';
}

void batch_state(const char *folder, const char *stage, char *out) {
  char id[64], command[LINE_SIZE], line[LINE_SIZE];
  out[0] = '\0';
  find_id(folder, stage, id);
  if (id[0] == '\0' || !first_line("command -v squeue", line)) {
    return;
  }
  snprintf(command, sizeof(command), "squeue -h -t all -j %s -o '%%T %%M of %%l %%R' 2>/dev/null",
           id);
  const bool is_known =
      first_line(command, line); /* Slurm forgets jobs some minutes after their end */
  snprintf(out, BATCH_STATE, "job %.20s: %.120s", id, is_known ? line : "no longer in the queue");
}
