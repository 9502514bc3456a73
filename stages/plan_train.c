#include "lowp.h"
#include "memory.h"
#include "plan.h"
#include "threads.h"
#include "train_group.h"
#include "train_sparse.h"

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
static double later_bytes(const Plan *plan, const Train *t) {
  const TrainSpec *spec = &t->spec;
  const int64_t own = shard_count(t->sae->own), rows = shard_count(mesh_rows(t->mesh, spec->batch));
  const int64_t stride = (spec->width + 63) / 64 * 64, threads = threads_count();
  const double tiles = plan_screen(plan, (double)rows, (double)spec->k);
  const int64_t hit = 40;
  if (t->sparse == NULL) {
    return 0;
  }
  const int64_t scratch = 3 * threads * 64 * spec->width * (int64_t)sizeof(float);
  const int64_t bytes = lowp_is_open() ? own * (stride + 20) + rows * (stride + 16) + scratch : 0;
  return (double)(bytes + rows * spec->k * hit) + tiles;
}

/* Walks over the weights: Adam's over three arrays and back, with gradients, and the encoder's into 8 bits. */
static const double WEIGHTS = 8;
/* Walks over a row's sums: they are formed, sent, added, read. */
static const double SUMS = 40;

static double part_bytes(const TrainPart *part, const TrainSpec *spec) {
  return (double)(part->is_whole ? 1 : spec->latents) * (double)train_part_row(part, spec);
}

static double checkpoint_bytes(Train *t) {
  TrainPart parts[TRAIN_PARTS];
  const int count = train_parts(t, parts);
  double bytes = 0;
  for (int p = 0; p < count; p++) {
    bytes += part_bytes(&parts[p], &t->spec);
  }
  return bytes;
}

/* AuxK, which depends on who is dead, is left out. Of a selecting engine: the encoder's scores in 8 bits; for each of
 * k hits and about 8 times as many candidates a row of the dictionary; what every rank of a group does with sums in
 * 64 bits over the width, of each nested part; and all weights with their moments, once in every group of ranks. */
static void work_of(const Train *t, PlanCost *cost) {
  const TrainSpec *spec = &t->spec;
  const double rows = (double)spec->batch * (double)spec->steps, row = 4.0 * (double)spec->width;
  const double weights = 2.0 * (double)spec->latents * row * (double)spec->steps;
  const double scores = 2.0 * rows * (double)spec->latents * (double)spec->width;
  const double group = t->mesh->group.size > 1 ? (double)t->mesh->group.size : 0.0;
  cost->streamed = WEIGHTS * weights * (double)t->mesh->replicas;
  if (t->sparse == NULL) {
    cost->dense = 6.0 * scores;
    return;
  }
  cost->screened = scores;
  cost->streamed +=
      rows * row * (double)spec->k * plan_cached(2.5, 16.5, 2.0 * (double)spec->latents * row) +
      rows * row * SUMS * group * (double)t->sparse->parts;
}

/* The share of steps with dead latents, for AuxK: of the quickstart's dictionaries those of 32 k latents have none, and
 * that of 256 k has some as soon as a latent can count as dead. */
static double share_with_dead(const TrainSpec *spec) {
  const double rows = (double)spec->batch * (double)spec->steps;
  const bool has_dead = spec->aux_weight > 0 && spec->latents > 64 * spec->k;
  return has_dead && rows > (double)spec->dead_rows ? 1.0 - (double)spec->dead_rows / rows : 0.0;
}

/* Of a row that a group of ranks selects for: the best keys of every rank, where it was cut, and sums over the width in
 * 64 bits, one for each nested part. AuxK has keys and a sum of its own. */
static double selected_bytes(const Train *t) {
  const TrainSpec *spec = &t->spec;
  const double width = (double)spec->width, most = 512, half = width / 2.0;
  const double cut = 8.0 * (double)spec->k + 24.0, sums = 16.0 * width * (double)t->sparse->parts;
  const double aux = 8.0 * (half < most ? half : most) + 40.0 + 16.0 * width;
  return cut + sums + share_with_dead(spec) * aux;
}

/* A step: the batch's rows as stored, from all ranks; what a group selects in its rows; the groups hand each other
 * reconstructions and hits. Dense engines: sums alone. */
static void traffic_of(const Train *t, const BatchesSpec *batches, int64_t ranks, PlanCost *cost) {
  const TrainSpec *spec = &t->spec;
  const double batch = (double)spec->batch, width = (double)spec->width;
  const double groups = (double)t->mesh->replicas, group = (double)t->mesh->group.size;
  const double stored = (batches->is_bf16 ? 2.0 : 4.0) * width;
  double step = batch * stored * (double)(ranks - 1) / (double)ranks;
  if (t->sparse == NULL) {
    step += batch * 16.0 * width * (group - 1.0) / group;
  } else {
    const double handed = 4.0 * width * (double)t->sparse->parts + 16.0 * (double)spec->k;
    step += batch / groups * selected_bytes(t) * (group - 1.0) / group +
            batch * handed * (groups - 1.0) / groups;
  }
  cost->received = (double)spec->steps * step;
}

static Status measure(const Plan *plan, Training *training, Mesh *mesh, const TrainGroup *group,
                      int64_t *steps, PlanCost *cost) {
  const int64_t before = memory_bytes();
  Batches *batches = NULL;
  Train *train = NULL;
  const BatchesSpec spec = train_group_spec(group);
  TRY(batches_create(&batches, mesh->all, &spec));
  *steps = batches_steps(batches, training_passes(training));
  const TrainSpec wanted = training_spec(training, *steps);
  const Status status = train_create(&train, mesh, &wanted);
  if (status == OK) {
    const double rows = (double)(spec.batch * spec.width) * (double)sizeof(float);
    const double latents = (double)wanted.latents, width = (double)wanted.width;
    cost->memory = (double)(memory_bytes() - before) + later_bytes(plan, train) + rows;
    cost->scratch = 3.0 * checkpoint_bytes(train);
    cost->disk = 4.0 * (2.0 * latents * width + 2.0 * latents + width);
    cost->read =
        training_passes(training) * (double)(spec.rows * spec.width) * (spec.is_bf16 ? 2.0 : 4.0);
    work_of(train, cost);
    traffic_of(train, &spec, mesh->all->size, cost);
  }
  train_destroy(&train);
  batches_destroy(&batches);
  return status;
}

static Status check_rows(const Plan *plan) {
  const int64_t batch = plan->stage->settings.train.batch;
  if (plan->facts.training >= batch) {
    return OK;
  }
  return RAISE(ERR_DATA, "train.batch = %lld, but there are %lld training rows (%s)",
               (long long)batch, (long long)plan->facts.training, plan->facts.where);
}

Status plan_train(const Plan *plan, int64_t index, int64_t *steps, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  *cost = (PlanCost){0};
  *steps = 0;
  if (!settings_is_trained(settings, index)) {
    return OK;
  }
  TRY(check_rows(plan));
  Team all;
  Mesh mesh = imagined(&all, plan->ranks, settings->train.replicas);
  TrainRows rows = {.rows = plan->facts.training,
                    .width = plan->facts.width,
                    .is_bf16 = plan->facts.row_bytes == 2 * plan->facts.width};
  Training training = training_of(plan->stage, &rows, index);
  const TrainGroup group = {.stage = plan->stage, .members = &training, .count = 1};
  memory_plan(true);
  const Status status = measure(plan, &training, &mesh, &group, steps, cost);
  memory_plan(false);
  return status;
}
