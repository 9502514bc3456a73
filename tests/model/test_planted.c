/* A planted dictionary is found again: 512 directions in 128 dimensions, 6 active a row. */
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "planted.h"
#include "train.h"

enum { DIRECTIONS = 512, WIDTH = 128, ACTIVE = 6, BATCH = 512, POOL = 400000 };

typedef struct Recipe {
  int64_t latents, steps;
  double rate;
} Recipe;

/* Directions with a decoder row at a cosine of at least 0.9, over all ranks. */
static int64_t count_found(Team *team, const Planted *planted, const Train *train) {
  double best[DIRECTIONS] = {0};
  int64_t found = 0;
  for (int64_t i = 0; i < DIRECTIONS; i++) {
    for (int64_t n = 0; n < shard_count(train->sae->own); n++) {
      const float cosine =
          dense_dot(planted->rows + i * WIDTH, train->sae->w_dec + n * WIDTH, WIDTH);
      best[i] = fmax(best[i], (double)cosine);
    }
  }
  exchange_max(team, best, DIRECTIONS);
  for (int64_t i = 0; i < DIRECTIONS; i++) {
    found += best[i] >= 0.9;
  }
  return found;
}

static int64_t found_by(Team *team, const Recipe *recipe, TrainReport *report) {
  const float mean[WIDTH] = {0};
  const TrainSpec spec = {.name = "planted",
                          .architecture = &ARCHITECTURE_TOPK,
                          .latents = recipe->latents,
                          .width = WIDTH,
                          .k = ACTIVE,
                          .batch = BATCH,
                          .steps = recipe->steps,
                          .seed = 1,
                          .rate = recipe->rate,
                          .warmup = 0.02,
                          .decay = 0.2,
                          .clip = 1.0,
                          .aux_weight = 1.0 / 32.0,
                          .dead_rows = 100 * BATCH};
  Planted planted;
  Train *train = NULL;
  float *rows = NULL;
  Mesh mesh;
  mesh_open(&mesh, team, 1);
  planted_open(&planted, DIRECTIONS, WIDTH, ACTIVE, 99);
  CU_ASSERT_EQUAL(MEMORY_NEW(&rows, BATCH * WIDTH, "rows"), OK);
  CU_ASSERT_EQUAL(train_create(&train, &mesh, &spec), OK);
  train_start(train, mean);
  for (int64_t step = 0; step < recipe->steps; step++) {
    planted_fill(&planted, step * BATCH % (POOL - BATCH), BATCH, rows);
    CU_ASSERT_EQUAL(train_step(train, rows, 0, report), OK);
  }
  const int64_t found = count_found(team, &planted, train);
  MEMORY_FREE(rows);
  train_destroy(&train);
  mesh_close(&mesh);
  planted_close(&planted);
  return found;
}

static void check_recipe(const Recipe *recipe) {
  Team team;
  TrainReport report;
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  const int64_t found = found_by(&team, recipe, &report);
  if (team.rank == 0) {
    printf("%lld of %d found, explained variance %.4f, %lld dead ", (long long)found, DIRECTIONS,
           report.explained, (long long)report.dead);
  }
  CU_ASSERT(found >= DIRECTIONS * 95 / 100);
  team_close(&team);
}

/* Twice the latents: half of them end dead, as they should. */
static void test_found_with_room(void) {
  check_recipe(&(Recipe){.latents = 1024, .steps = 1500, .rate = 1e-3});
}

/* One latent a direction: those that start in the wrong place must be revived by AuxK. */
static void test_found_without_room(void) {
  check_recipe(&(Recipe){.latents = 512, .steps = 2500, .rate = 2e-3});
}

static const CheckFact FACTS[] = {
    {"1,024 latents find 95 % of 512 planted directions", test_found_with_room},
    {"512 latents find 95 % of 512 planted directions", test_found_without_room},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "planted", FACTS);
}
