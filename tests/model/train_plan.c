/* What another trainer needs to repeat cleave's run: the order of the training rows, and the start.
 * Prints the seconds that the BLAS alone takes for a step's scores (batch x latents) on so many
 * threads. usage: train_plan ROWS WIDTH LATENTS BATCH WINDOW STEPS SEED NAME THREADS ORDER START
 * ORDER gets int64 [steps, batch], START float32 [latents, width]: encoder and decoder rows. */
#include <stdio.h>
#include <stdlib.h>

#include "batches.h"
#include "clock.h"
#include "dense.h"
#include "memory.h"
#include "threads.h"
#include "train.h"

typedef struct Plan {
  int64_t rows, width, latents, batch, window, steps, seed;
  const char *name, *order, *start;
} Plan;

static Status write_all(const char *path, const void *bytes, int64_t count, size_t size) {
  FILE *file = fopen(path, "wb");
  const bool is_written = file != NULL && fwrite(bytes, size, (size_t)count, file) == (size_t)count;
  const bool is_closed = file != NULL && fclose(file) == 0;
  return is_written && is_closed ? OK : RAISE(ERR_FILE, "%s cannot be written", path);
}

static Status write_order(const Plan *plan, const Team *team) {
  const BatchesSpec spec = {.rows = plan->rows,
                            .width = plan->width,
                            .batch = plan->batch,
                            .window = plan->window,
                            .seed = plan->seed,
                            .name = plan->name};
  Batches *batches = NULL;
  int64_t *order = NULL;
  TRY(batches_create(&batches, team, &spec));
  TRY(MEMORY_NEW(&order, plan->steps * plan->batch, "order"));
  for (int64_t i = 0; i < plan->steps * plan->batch; i++) {
    order[i] = batches_row(batches, i / plan->batch, i % plan->batch);
  }
  const Status status = write_all(plan->order, order, plan->steps * plan->batch, sizeof(*order));
  MEMORY_FREE(order);
  batches_destroy(&batches);
  return status;
}

static Status write_start(const Plan *plan, Team *team) {
  const TrainSpec spec = {.name = plan->name,
                          .architecture = &ARCHITECTURE_TOPK,
                          .latents = plan->latents,
                          .width = plan->width,
                          .k = 1,
                          .batch = 1,
                          .steps = 1,
                          .seed = plan->seed};
  Train *train = NULL;
  float *mean = NULL;
  Mesh mesh;
  mesh_open(&mesh, team, 1);
  TRY(train_create(&train, &mesh, &spec));
  TRY(MEMORY_NEW(&mean, plan->width, "mean"));
  train_start(train, mean);
  const Status status =
      write_all(plan->start, train->sae->w_dec, plan->latents * plan->width, sizeof(float));
  MEMORY_FREE(mean);
  train_destroy(&train);
  mesh_close(&mesh);
  return status;
}

/* One thread's share of the scores of a step, as large matrices as the BLAS likes. */
typedef struct Product {
  const Plan *plan;
  float *rows, *latents, *out;
} Product;

static Status multiply(int64_t unit, int thread, void *context) {
  const Product *p = context;
  const Plan *plan = p->plan;
  const int64_t share = plan->latents / threads_count();
  (void)thread;
  dense_gemm(p->rows, plan->batch, p->latents + unit * share * plan->width, share, plan->width,
             p->out + unit * share * plan->batch);
  return OK;
}

static Status time_gemm(const Plan *plan) {
  enum { ROUNDS = 20 };
  Product product = {.plan = plan};
  TRY(MEMORY_NEW(&product.rows, plan->batch * plan->width, "rows"));
  TRY(MEMORY_NEW(&product.latents, plan->latents * plan->width, "latents"));
  TRY(MEMORY_NEW(&product.out, plan->batch * plan->latents, "scores"));
  double best = 1e30;
  for (int round = 0; round < ROUNDS; round++) {
    const double began = clock_seconds();
    TRY(threads_run(threads_count(), multiply, &product));
    const double took = clock_seconds() - began;
    best = took < best ? took : best;
  }
  printf("%.6f\n", best);
  MEMORY_FREE(product.rows);
  MEMORY_FREE(product.latents);
  MEMORY_FREE(product.out);
  return OK;
}

static Status work(const Plan *plan) {
  Team team;
  TRY(team_open(&team, NULL, NULL));
  Status status = write_order(plan, &team);
  status = status == OK ? write_start(plan, &team) : status;
  status = status == OK ? time_gemm(plan) : status;
  team_close(&team);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 12) {
    fprintf(stderr, "usage: see the head of train_plan.c\n");
    return ERR_USAGE;
  }
  const Plan plan = {.rows = atoll(argv[1]),
                     .width = atoll(argv[2]),
                     .latents = atoll(argv[3]),
                     .batch = atoll(argv[4]),
                     .window = atoll(argv[5]),
                     .steps = atoll(argv[6]),
                     .seed = atoll(argv[7]),
                     .name = argv[8],
                     .order = argv[10],
                     .start = argv[11]};
  dense_open();
  threads_set(atoi(argv[9]));
  const Status status = work(&plan);
  if (status != OK) {
    fprintf(stderr, "train_plan: %s\n", status_why());
  }
  return (int)status;
}
