/* Training as a whole: the same bits at any number of ranks and threads, resumed anywhere, and a
 * planted dictionary that is found again. Every rank can also train alone (MPI_COMM_SELF), which is
 * the reference. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "planted.h"
#include "threads.h"
#include "train.h"

static Team g_team;
static int g_replicas = 1;
static bool g_half_moments;
static const Architecture *g_architecture = &ARCHITECTURE_TOPK;

static Team alone(void) {
  return (Team){.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
}

/* A small run: dead latents come and AuxK goes to work within a few steps. */
enum { WIDTH = 24, BATCH = 32, STEPS = 40 };

static TrainSpec small_spec(int64_t latents) {
  return (TrainSpec){.name = "small",
                     .architecture = g_architecture,
                     .latents = latents,
                     .width = WIDTH,
                     .k = 3,
                     .prefixes = 3,
                     .sparsity = 0.1,
                     .sparsity_warmup = 0.5,
                     .bandwidth = 0.5,
                     .has_half_moments = g_half_moments,
                     .batch = BATCH,
                     .steps = STEPS,
                     .seed = 5,
                     .rate = 3e-3,
                     .warmup = 0.1,
                     .decay = 0.2,
                     .clip = 1.0,
                     .aux_weight = 1.0 / 32.0,
                     .dead_rows = 6 * BATCH};
}

/* Steps [from, past) of the small run; the last report is handed back. */
static TrainReport run_steps(Train *train, int64_t past) {
  Planted planted;
  float rows[BATCH * WIDTH];
  TrainReport report = {0};
  planted_open(&planted, 40, WIDTH, 3, 77);
  while (train->step < past) {
    planted_fill(&planted, train->step * BATCH, BATCH, rows);
    CU_ASSERT_EQUAL(train_step(train, rows, 0, &report), OK);
  }
  planted_close(&planted);
  return report;
}

/* Meshes live as long as their trainings. */
static Mesh *open_mesh(Team *team, int replicas) {
  Mesh *mesh = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&mesh, 1, "test"), OK);
  mesh_open(mesh, team, replicas);
  return mesh;
}

static void destroy(Train **train) {
  Mesh *mesh = (*train)->mesh;
  train_destroy(train);
  mesh_close(mesh);
  MEMORY_FREE(mesh);
}

static Train *start_small(Team *team, int64_t latents) {
  const float mean[WIDTH] = {0.1F, -0.2F};
  const TrainSpec spec = small_spec(latents);
  Train *train = NULL;
  CU_ASSERT_EQUAL(train_create(&train, open_mesh(team, team->size > 1 ? g_replicas : 1), &spec),
                  OK);
  train_start(train, mean);
  return train;
}

/* Do this rank's latents, and what all ranks hold, have the bits of the run alone? */
static bool is_same_state(Train *train, Train *whole) {
  TrainPart mine[TRAIN_PARTS], all[TRAIN_PARTS];
  bool same =
      train->step == whole->step && train->dead == whole->dead && train->cutoff == whole->cutoff;
  const int parts = train_parts(train, mine);
  train_parts(whole, all);
  for (int p = 0; p < parts; p++) {
    const int64_t row = train_part_row(&mine[p], &train->spec);
    const int64_t rows = mine[p].is_whole ? 1 : shard_count(train->sae->own);
    const int64_t first = mine[p].is_whole ? 0 : train->sae->own.first;
    same = same &&
           memcmp(mine[p].data, (const char *)all[p].data + first * row, (size_t)(rows * row)) == 0;
  }
  return same;
}

static void check_invariance(int64_t latents, int threads) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  Team self = alone();
  Train *whole = start_small(&self, latents);
  const TrainReport want = run_steps(whole, STEPS);
  threads_set(threads);
  Train *train = start_small(&g_team, latents);
  const TrainReport got = run_steps(train, STEPS);
  CU_ASSERT(is_same_state(train, whole));
  CU_ASSERT_EQUAL(memcmp(&got, &want, sizeof(got)), 0);
  CU_ASSERT(latents < 100 || !g_architecture->has_k || (want.dead > 0 && want.aux_loss > 0.0));
  CU_ASSERT(!g_architecture->has_sparsity || want.penalty > 0.0);
  destroy(&train);
  destroy(&whole);
  threads_set(1);
  team_close(&g_team);
}

static void for_each_architecture(void (*check)(void)) {
  for (const Architecture *const *a = ARCHITECTURES; *a != NULL; a++) {
    g_architecture = *a;
    check();
  }
  g_architecture = &ARCHITECTURE_TOPK;
}

static void check_one_thread(void) {
  check_invariance(160, 1);
}

static void test_same_bits_at_any_rank_count(void) {
  for_each_architecture(check_one_thread);
}

static void check_two_threads(void) {
  check_invariance(160, 2);
}

static void test_same_bits_at_two_threads(void) {
  for_each_architecture(check_two_threads);
}

/* Every grid of groups that the ranks can form. */
static void check_grids(void) {
  int ranks;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  for (g_replicas = 2; g_replicas <= ranks && g_architecture->has_replicas; g_replicas++) {
    if (ranks % g_replicas == 0) {
      check_invariance(160, 1);
      check_invariance(4, 2);
    }
  }
  g_replicas = 1;
}

static void test_same_bits_on_any_grid(void) {
  for_each_architecture(check_grids);
}

static void test_fewer_blocks_than_ranks(void) {
  check_invariance(4, 1);
}

/* This rank's part of a state -> the whole state, on all ranks. */
static void gather_state(Train *train, Team *team, Train *whole) {
  TrainPart mine[TRAIN_PARTS], all[TRAIN_PARTS];
  int64_t counts[8];
  const int parts = train_parts(train, mine);
  train_parts(whole, all);
  whole->cutoff = train->cutoff;
  for (int r = 0; r < team->size; r++) {
    counts[r] = shard_count(
        shard_of(train->spec.latents, shard_latent_block(train->spec.latents), r, team->size));
  }
  for (int p = 0; p < parts; p++) {
    const int64_t row = train_part_row(&mine[p], &train->spec);
    if (mine[p].is_whole) {
      memcpy(all[p].data, mine[p].data, (size_t)row);
    } else {
      exchange_gather(team, mine[p].data, counts, (size_t)row, all[p].data);
    }
  }
}

/* The other way: a whole state -> this rank's part. */
static void spread_state(Train *whole, Train *train) {
  TrainPart mine[TRAIN_PARTS], all[TRAIN_PARTS];
  const int parts = train_parts(train, mine);
  train_parts(whole, all);
  train->cutoff = whole->cutoff;
  for (int p = 0; p < parts; p++) {
    const int64_t row = train_part_row(&mine[p], &train->spec);
    const int64_t rows = mine[p].is_whole ? 1 : shard_count(train->sae->own);
    const int64_t first = mine[p].is_whole ? 0 : train->sae->own.first;
    memcpy(mine[p].data, (const char *)all[p].data + first * row, (size_t)(rows * row));
  }
}

/* All ranks but the last: 4 -> 3. A rank alone goes on alone. */
static void open_smaller(Team *smaller) {
  const bool stays = g_team.size == 1 || g_team.rank < g_team.size - 1;
  *smaller = (Team){.comm = MPI_COMM_NULL, .node_size = 1};
  MPI_Comm_split(g_team.comm, stays ? 0 : MPI_UNDEFINED, 0, &smaller->comm);
  if (stays) {
    MPI_Comm_rank(smaller->comm, &smaller->rank);
    MPI_Comm_size(smaller->comm, &smaller->size);
  }
}

static void resume_smaller(Train *saved, Train *whole) {
  Team smaller;
  open_smaller(&smaller);
  if (smaller.comm != MPI_COMM_NULL) {
    Train *train = NULL;
    CU_ASSERT_EQUAL(train_create(&train, open_mesh(&smaller, 1), &saved->spec), OK);
    spread_state(saved, train);
    train_resume(train, STEPS / 2);
    run_steps(train, STEPS);
    CU_ASSERT(is_same_state(train, whole));
    destroy(&train);
    MPI_Comm_free(&smaller.comm);
  }
}

static void check_resumed(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  Team self = alone();
  Train *whole = start_small(&self, 160);
  Train *saved = start_small(&self, 160);
  Train *train = start_small(&g_team, 160);
  run_steps(train, STEPS / 2);
  gather_state(train, &g_team, saved);
  run_steps(whole, STEPS);
  resume_smaller(saved, whole);
  destroy(&train);
  destroy(&saved);
  destroy(&whole);
  team_close(&g_team);
}

static void test_resumed_on_fewer_ranks(void) {
  for_each_architecture(check_resumed);
}

static void test_moments_in_bf16(void) {
  TrainPart parts[TRAIN_PARTS];
  Team self = alone();
  g_half_moments = true;
  Train *train = start_small(&self, 160);
  train_parts(train, parts);
  CU_ASSERT(parts[4].type == TRAIN_BF16 && parts[7].type == TRAIN_BF16 && train->enc.first == NULL);
  destroy(&train);
  check_invariance(160, 2);
  check_resumed();
  g_half_moments = false;
}

static void test_names_start_differently(void) {
  Team self = alone();
  const float mean[WIDTH] = {0};
  TrainSpec spec = small_spec(160);
  Train *one = NULL, *two = NULL;
  CU_ASSERT_EQUAL(train_create(&one, open_mesh(&self, 1), &spec), OK);
  spec.name = "other";
  CU_ASSERT_EQUAL(train_create(&two, open_mesh(&self, 1), &spec), OK);
  train_start(one, mean);
  train_start(two, mean);
  double most = 0.0;
  for (int64_t i = 0; i < 160; i++) {
    const double cosine =
        (double)dense_dot(one->sae->w_dec + i * WIDTH, two->sae->w_dec + i * WIDTH, WIDTH);
    most = fmax(most, fabs(cosine));
    CU_ASSERT(fabs(dense_square(one->sae->w_dec + i * WIDTH, WIDTH) - 1.0) < 1e-6);
  }
  CU_ASSERT(most < 0.85);
  destroy(&one);
  destroy(&two);
}

static void test_requests_reach_all(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  Train *train = start_small(&g_team, 160);
  float rows[BATCH * WIDTH] = {0};
  TrainReport report;
  const int mine = g_team.rank == g_team.size - 1 ? 2 : 0;
  CU_ASSERT_EQUAL(train_step(train, rows, mine, &report), OK);
  CU_ASSERT_EQUAL(report.request, 2);
  CU_ASSERT_EQUAL(train_step(train, rows, 0, &report), OK);
  CU_ASSERT_EQUAL(report.request, 0);
  destroy(&train);
  team_close(&g_team);
}

static void test_nan_is_an_error_on_all(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  Train *train = start_small(&g_team, 160);
  float rows[BATCH * WIDTH] = {(float)NAN};
  TrainReport report;
  CU_ASSERT_EQUAL(train_step(train, rows, 0, &report), ERR_NUMERIC);
  CU_ASSERT_EQUAL(train->step, 0);
  destroy(&train);
  team_close(&g_team);
}

static void test_rate_rises_and_falls(void) {
  const TrainSpec spec = {.steps = 100, .rate = 2.0, .warmup = 0.1, .decay = 0.2};
  CU_ASSERT_DOUBLE_EQUAL(train_rate(&spec, 0), 0.2, 1e-12);
  CU_ASSERT_EQUAL(train_rate(&spec, 9), 2.0);
  CU_ASSERT_EQUAL(train_rate(&spec, 80), 2.0);
  CU_ASSERT_DOUBLE_EQUAL(train_rate(&spec, 99), 0.1, 1e-12);
  const TrainSpec flat = {.steps = 3, .rate = 1.0};
  CU_ASSERT_EQUAL(train_rate(&flat, 0), 1.0);
  CU_ASSERT_EQUAL(train_rate(&flat, 2), 1.0);
}

static const CheckFact FACTS[] = {
    {"the same bits at any rank count, AuxK active", test_same_bits_at_any_rank_count},
    {"the same bits at two threads", test_same_bits_at_two_threads},
    {"the same bits on any grid of replicas", test_same_bits_on_any_grid},
    {"fewer blocks of latents than ranks", test_fewer_blocks_than_ranks},
    {"resumed on fewer ranks it ends with the same bits", test_resumed_on_fewer_ranks},
    {"moments in bfloat16: the same bits, resumed too", test_moments_in_bf16},
    {"dictionaries of other names start elsewhere", test_names_start_differently},
    {"a request of one rank reaches all with the step", test_requests_reach_all},
    {"a number that is not finite is an error on all ranks", test_nan_is_an_error_on_all},
    {"the rate rises, stays and falls to 0", test_rate_rises_and_falls},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "train", FACTS);
}
