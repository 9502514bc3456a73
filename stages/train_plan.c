#include "train_plan.h"

#include <stdio.h>
#include <unistd.h>

#include "lowp.h"
#include "memory.h"
#include "text.h"
#include "threads.h"
#include "train_group.h"
#include "train_sparse.h"

typedef struct Plan {
  int64_t steps;
  int64_t memory;                 /* of the rank that has most, without the program itself */
  int64_t checkpoint, dictionary; /* bytes */
  double flop;
} Plan;

/* A rank that is not there: local functions alone may use it. */
static Mesh imagined(Team *all, int64_t ranks, int64_t replicas) {
  *all = (Team){.comm = MPI_COMM_NULL, .size = (int)ranks, .node_size = 1};
  Mesh mesh = {.all = all, .group = *all, .lane = *all, .replicas = (int)replicas};
  mesh.group.size = (int)(ranks / replicas);
  mesh.lane.size = (int)replicas;
  return mesh;
}

/* What a selecting engine takes with its first step: the encoder and the rows in 8 bits, tiles of scores,
 * hits. */
static int64_t later_bytes(const Train *t) {
  const TrainSpec *spec = &t->spec;
  const int64_t own = shard_count(t->sae->own), rows = shard_count(mesh_rows(t->mesh, spec->batch));
  const int64_t stride = (spec->width + 63) / 64 * 64, threads = threads_count();
  const int64_t tiles = threads * ((int64_t)16 << 20), hit = 40;
  if (t->sparse == NULL) {
    return 0;
  }
  const int64_t scratch = 3 * threads * 64 * spec->width * (int64_t)sizeof(float);
  const int64_t bytes = lowp_grid() > 0 ? own * (stride + 20) + rows * (stride + 16) + scratch : 0;
  return bytes + tiles + rows * spec->k * hit;
}

static int64_t part_bytes(const TrainPart *part, const TrainSpec *spec) {
  return (part->is_whole ? 1 : spec->latents) * train_part_row(part, spec);
}

static int64_t checkpoint_bytes(Train *t) {
  TrainPart parts[TRAIN_PARTS];
  const int count = train_parts(t, parts);
  int64_t bytes = 0;
  for (int p = 0; p < count; p++) {
    bytes += part_bytes(&parts[p], &t->spec);
  }
  return bytes;
}

/* Products and updates; AuxK, which depends on who is dead, is left out. */
static double flop_of(const Train *t) {
  const TrainSpec *spec = &t->spec;
  const double rows = (double)spec->batch, width = (double)spec->width;
  const double scores = 2.0 * rows * (double)spec->latents * width;
  const double update = 2.0 * 12.0 * (double)spec->latents * width;
  const double hits =
      rows * (double)spec->k * width * 2.0 * 10.0; /* decode, slopes, gradients twice */
  return (double)spec->steps * (t->sparse != NULL ? scores + hits + update : 6.0 * scores + update);
}

static Status measure(Training *training, Mesh *mesh, const TrainGroup *group, Plan *plan) {
  const int64_t before = memory_bytes();
  Batches *batches = NULL;
  Train *train = NULL;
  const BatchesSpec spec = train_group_spec(group);
  TRY(train_group_check(group));
  TRY(batches_create(&batches, mesh->all, &spec));
  plan->steps = batches_steps(batches, training_passes(training));
  const TrainSpec wanted = training_spec(training, plan->steps);
  const Status status = train_create(&train, mesh, &wanted);
  if (status == OK) {
    const int64_t rows = spec.batch * spec.width * (int64_t)sizeof(float);
    plan->memory = memory_bytes() - before + later_bytes(train) + rows;
    plan->checkpoint = checkpoint_bytes(train);
    plan->dictionary = 4 * (2 * wanted.latents * wanted.width + 2 * wanted.latents + wanted.width);
    plan->flop = flop_of(train);
  }
  train_destroy(&train);
  batches_destroy(&batches);
  return status;
}

static Status plan_one(Stage *stage, TrainRows *rows, int64_t index, int64_t ranks, Plan *plan) {
  Team all;
  Mesh mesh = imagined(&all, ranks, stage->settings.train.replicas);
  Training training = training_of(stage, rows, index);
  const TrainGroup group = {.stage = stage, .members = &training, .count = 1};
  memory_plan(true);
  const Status status = measure(&training, &mesh, &group, plan);
  memory_plan(false);
  return status;
}

/* Resident bytes of this process: what the libraries and MPI take. */
static int64_t program_bytes(void) {
  long long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file != NULL) {
    if (fscanf(file, "%lld %lld", &pages, &resident) != 2) {
      resident = 0;
    }
    fclose(file);
  }
  return (int64_t)resident * (int64_t)sysconf(_SC_PAGESIZE);
}

static void print_plan(const char *name, const Plan *plan, int64_t program) {
  char memory[32], checkpoints[32], dictionary[32], steps[32];
  printf("%-16s %10s %14s %16s %12s %10.2e\n", name, text_of_count(plan->steps, steps),
         text_of_bytes((double)(plan->memory + program), memory),
         text_of_bytes(3.0 * (double)plan->checkpoint, checkpoints),
         text_of_bytes((double)plan->dictionary, dictionary), plan->flop);
}

/* As many as each rank would take if all were on this machine. */
static int threads_of(const Settings *settings, int64_t ranks) {
  const int64_t cores = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
  const int64_t share = ranks < cores ? cores / ranks : 1;
  return (int)(settings->run.threads > 0 ? settings->run.threads : share);
}

static Status print_each(Stage *stage, TrainRows *rows, int64_t ranks, int64_t program) {
  const Settings *settings = &stage->settings;
  for (int64_t i = 0; i < settings->count; i++) {
    Plan plan = {0};
    if (settings_is_trained(settings, i) && stage_is_wanted(stage, i)) {
      TRY_ALL(&stage->team, plan_one(stage, rows, i, ranks, &plan));
      if (stage->team.rank == 0) {
        print_plan(settings->dictionaries[i].name, &plan, program);
      }
    }
  }
  return OK;
}

Status train_plan_print(Stage *stage, TrainRows *rows, int64_t ranks) {
  const Settings *settings = &stage->settings;
  const int threads = threads_count();
  const int64_t program = program_bytes();
  threads_set(threads_of(settings, ranks));
  if (stage->team.rank == 0) {
    printf("train on %lld ranks of %d threads\n", (long long)ranks, threads_count());
    printf("%-16s %10s %14s %16s %12s %10s\n", "dictionary", "steps", "memory a rank",
           "checkpoints", "dictionary", "FLOP");
  }
  const Status status = print_each(stage, rows, ranks, program);
  threads_set(threads);
  TRY(status);
  if (stage->team.rank == 0) {
    printf(
        "checkpoints: two are kept while a third is written; they go with the end of training\n");
    fflush(stdout);
  }
  return OK;
}
