/* The step that is simulated at 256 ranks against the real one: as many bytes and agreements. */
#include "batches.h"
#include "check.h"
#include "exchange.h"
#include "memory.h"
#include "step.h"
#include "train.h"

static Team g_team;

enum { WIDTH = 24, BATCH = 36, ROWS = 512, LATENTS = 96, TOP = 3 };

static Status read_rows(void *context, int64_t first, int64_t count, void *out) {
  float *rows = out;
  (void)context;
  for (int64_t i = 0; i < count * WIDTH; i++) {
    rows[i] = (float)((first * WIDTH + i) * 2654435761 % 1000) / 500.0F - 1.0F;
  }
  return OK;
}

static void ahead(void *context, int64_t first, int64_t count) {
  (void)context;
  (void)first;
  (void)count;
}

typedef struct Counted {
  int64_t bytes, agreements; /* bytes of all ranks */
} Counted;

static Counted counted(void) {
  Counted now = {exchange_bytes(), team_agreements()};
  int64_t bytes = now.bytes;
  exchange_sum(&g_team, &bytes, 1);
  now.bytes = bytes;
  return now;
}

/* The sum above is an exchange itself. */
static int64_t of_counting(void) {
  const int64_t before = exchange_bytes();
  int64_t one = 0;
  exchange_sum(&g_team, &one, 1);
  return (exchange_bytes() - before) * g_team.size;
}

static Counted difference(Counted before, Counted after) {
  return (Counted){after.bytes - before.bytes - of_counting(),
                   after.agreements - before.agreements};
}

/* A step in which a window was entered agrees once more: here all rows are one window. */
static Counted of_real(double aux_weight, int64_t steps, int64_t *dead) {
  const BatchesSpec spec = {.rows = ROWS,
                            .width = WIDTH,
                            .batch = BATCH,
                            .window = ROWS,
                            .scale = 1.0,
                            .seed = 1,
                            .name = "",
                            .read = read_rows,
                            .ahead = ahead};
  const TrainSpec wanted = {.name = "step",
                            .architecture = &ARCHITECTURE_TOPK,
                            .latents = LATENTS,
                            .width = WIDTH,
                            .k = TOP,
                            .batch = BATCH,
                            .steps = 100,
                            .seed = 2,
                            .rate = 1e-3,
                            .clip = 1.0,
                            .aux_weight = aux_weight,
                            .dead_rows = 2 * BATCH};
  const float mean[WIDTH] = {0};
  float rows[BATCH * WIDTH];
  Mesh mesh;
  Batches *batches = NULL;
  Train *train = NULL;
  TrainReport report;
  Counted before = {0};
  mesh_open(&mesh, &g_team, 1);
  CU_ASSERT_EQUAL(batches_create(&batches, &g_team, &spec), OK);
  CU_ASSERT_EQUAL(train_create(&train, &mesh, &wanted), OK);
  train_start(train, mean);
  for (int64_t step = 0; step <= steps; step++) {
    before = step == steps ? counted() : before;
    CU_ASSERT_EQUAL(batches_take(batches, &g_team, step, rows), OK);
    CU_ASSERT_EQUAL(train_step(train, rows, 0, &report), OK);
  }
  const Counted one = difference(before, counted());
  *dead = report.dead;
  train_destroy(&train);
  batches_destroy(&batches);
  mesh_close(&mesh);
  return one;
}

static Counted of_skeleton(int64_t aux_k) {
  const StepShape shape = {.latents = LATENTS,
                           .width = WIDTH,
                           .batch = BATCH,
                           .k = TOP,
                           .row_bytes = 4 * WIDTH,
                           .aux_k = aux_k};
  char *room = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&room, step_room(&g_team, &shape), "room"), OK);
  const Counted before = counted();
  step_run(&g_team, &shape, NULL, room);
  const Counted one = difference(before, counted());
  MEMORY_FREE(room);
  return one;
}

static void test_without_dead(void) {
  int64_t dead = 0;
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  const Counted real = of_real(0.0, 2, &dead), skeleton = of_skeleton(0);
  CU_ASSERT_EQUAL(real.bytes, skeleton.bytes);
  CU_ASSERT_EQUAL(real.agreements, skeleton.agreements);
  team_close(&g_team);
}

static void test_with_dead(void) {
  int64_t dead = 0;
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  const Counted real = of_real(1.0 / 32.0, 5, &dead), skeleton = of_skeleton(WIDTH / 2);
  CU_ASSERT_TRUE(dead > 0);
  CU_ASSERT_EQUAL(real.bytes, skeleton.bytes);
  CU_ASSERT_EQUAL(real.agreements, skeleton.agreements);
  team_close(&g_team);
}

static const CheckFact FACTS[] = {
    {"as many bytes and agreements as a real step", test_without_dead},
    {"and as one with AuxK at work", test_with_dead},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "step", FACTS);
}
