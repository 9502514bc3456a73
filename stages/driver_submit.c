#include <stdio.h>
#include <string.h>

#include "batch.h"
#include "driver.h"
#include "memory.h"
#include "text.h"

/* What cleave-plan --lines says: "train,5400,3600,80". */
static void read_line(const char *line, BatchRun *run, BatchStage *stages) {
  char name[32];
  long long megabytes = 0, seconds = 0, lead = 0;
  if (sscanf(line, "%31[^,],%lld,%lld,%lld", name, &megabytes, &seconds, &lead) != 4) {
    return;
  }
  for (int64_t s = 0; s < run->stage_count; ++s) {
    if (strcmp(stages[s].name, name) == 0) {
      stages[s].megabytes = megabytes;
      stages[s].seconds = seconds;
      stages[s].lead = lead;
    }
  }
}

static Status read_sizes(const char *path, BatchRun *run, BatchStage *stages) {
  Text text = {0};
  char *rest = NULL;
  TRY(text_read_file(&text, path, 65536));
  for (char *line = strtok_r(text.bytes, "\n", &rest); line != NULL;
       line = strtok_r(NULL, "\n", &rest)) {
    read_line(line, run, stages);
  }
  text_clear(&text);
  return OK;
}

/* Memory, time and lead of each job. Before anything is there to tell how many rows there will be, Slurm's defaults
 * stay; the plan has said why. */
static Status size_jobs(const Call *call, const Settings *settings, BatchRun *run,
                        BatchStage *stages) {
  char *path = NULL;
  int code = 0;
  Call planned = *call;
  planned.nodes = call->nodes > 0 ? call->nodes : 1;
  planned.ranks =
      call->ranks > 0 ? call->ranks : planned.nodes; /* Slurm's default: a task a node */
  planned.threads = call->threads > 0 ? call->threads : 1;
  TRY(text_join_path(&path, settings->run.folder, "jobs/plan.csv"));
  Status status = text_make_parent(path);
  if (status == OK && driver_plan(&planned, path, &code) == OK && code == 0) {
    status = read_sizes(path, run, stages);
  } else if (status == OK) {
    printf("no plan: the jobs take Slurm's default memory and time\n");
  }
  MEMORY_FREE(path);
  return status;
}

static Status write_jobs(const Call *call, const Settings *settings) {
  BatchStage stages[JOBS_STAGES] = {{0}};
  BatchRun run = {.folder = settings->run.folder,
                  .launcher = call->launcher != NULL ? call->launcher : "mpirun",
                  .nodes = call->nodes,
                  .ranks = call->ranks,
                  .threads = call->threads,
                  .stages = stages,
                  .arguments = call->arguments,
                  .argument_count = call->count,
                  .options = call->options,
                  .option_count = call->option_count};
  for (int s = call->from; s <= call->to; ++s) {
    if (settings_has_work(settings, jobs_stages()[s].name)) {
      stages[run.stage_count++].name = jobs_stages()[s].name;
    }
  }
  TRY(size_jobs(call, settings, &run, stages));
  return batch_write(&run);
}

Status driver_submit(const Call *call, const Settings *settings) {
  const char *folder = settings->run.folder;
  Status status = write_jobs(call, settings);
  if (status == OK && call->is_dry) {
    printf("written: %s/jobs/submit.sh and stage.sbatch; to submit: %s/jobs/submit.sh\n", folder,
           folder);
  } else if (status == OK) {
    status = batch_submit(folder);
  }
  if (status == OK && !call->is_dry) {
    printf("logs: %s/logs/slurm-STAGE.log; how they stand: cleave status %s\n", folder, call->yaml);
  }
  return status;
}
