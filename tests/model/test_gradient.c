/* One training step of the architectures that select against a naive one in double: loss, AuxK and all
 * gradients by finite differences, with the active set, the picks of AuxK and its target held fixed. The step's
 * gradient is read off Adam's first moments: after one update they are 0.1 times the gradient. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "random.h"
#include "select.h"
#include "train.h"

enum { LATENTS = 40, WIDTH = 12, K = 4, BATCH = 9, AUX = WIDTH / 2 };
#define AUX_WEIGHT 0.7

static Team g_team;
static Mesh g_mesh;
static const Architecture *g_architecture;

enum { PARTS = 3 };

/* Latents of the nested part `part`. */
static int past_of(int part) {
  return LATENTS >> (PARTS - 1 - part);
}

/* The whole model in double. */
typedef struct Model {
  double w_enc[LATENTS][WIDTH], w_dec[LATENTS][WIDTH], b_enc[LATENTS], b_dec[WIDTH];
} Model;

/* What is held fixed. */
typedef struct Fixed {
  double rows[BATCH][WIDTH];
  bool is_active[BATCH][LATENTS], is_pick[BATCH][LATENTS];
  double target[BATCH][WIDTH]; /* e, detached */
  double rest[BATCH][LATENTS]; /* what the activations of picks count from */
  double ratio, share;         /* variance of x / variance of e */
} Fixed;

static int g_drawn; /* picks that do not fire, but are drawn up */

static double score_of(const Model *m, const Fixed *f, int row, int latent) {
  double score = m->b_enc[latent];
  for (int j = 0; j < WIDTH; j++) {
    score += (f->rows[row][j] - m->b_dec[j]) * m->w_enc[latent][j];
  }
  return score;
}

/* out = sum of the chosen activations' decoder rows, of the latents below `past`; `rest`: what
 * activations count from. */
static void decode(const Model *m, const Fixed *f, int row, const bool chosen[LATENTS],
                   const double rest[LATENTS], int past, double out[WIDTH]) {
  memset(out, 0, WIDTH * sizeof(*out));
  for (int i = 0; i < past; i++) {
    const double value = score_of(m, f, row, i) - (rest == NULL ? 0.0 : rest[i]);
    for (int j = 0; j < WIDTH && chosen[i]; j++) {
      out[j] += value * m->w_dec[i][j];
    }
  }
}

static double part_loss(const Model *m, const Fixed *f, int past) {
  double loss = 0.0;
  double out[WIDTH];
  for (int row = 0; row < BATCH; row++) {
    decode(m, f, row, f->is_active[row], NULL, past, out);
    for (int j = 0; j < WIDTH; j++) {
      const double gap = f->rows[row][j] - out[j] - m->b_dec[j];
      loss += gap * gap / BATCH;
    }
  }
  return loss;
}

static double main_loss(const Model *m, const Fixed *f) {
  return part_loss(m, f, LATENTS);
}

/* What nested parts add: their mean stands for the main loss. */
static double penalty(const Model *m, const Fixed *f) {
  double sum = 0.0;
  for (int part = 0; part < PARTS; part++) {
    sum += part_loss(m, f, past_of(part)) / PARTS;
  }
  return g_architecture->has_prefixes ? sum - main_loss(m, f) : 0.0;
}

static double aux_loss(const Model *m, const Fixed *f) {
  double loss = 0.0;
  double out[WIDTH];
  for (int row = 0; row < BATCH; row++) {
    decode(m, f, row, f->is_pick[row], f->rest[row], LATENTS, out);
    for (int j = 0; j < WIDTH; j++) {
      const double gap = f->target[row][j] - out[j];
      loss += AUX_WEIGHT * f->share * gap * gap * f->ratio / BATCH;
    }
  }
  return loss;
}

static double all_loss(const Model *m, const Fixed *f) {
  return main_loss(m, f) + penalty(m, f) + aux_loss(m, f);
}

static bool is_dead(int latent) {
  return latent % 3 == 1;
}

/* Integers of at most 63, and the step. */
static double put_on_grid(const double *row, int out[WIDTH]) {
  double most = 0.0;
  for (int j = 0; j < WIDTH; j++) {
    most = fmax(most, fabs(row[j]));
  }
  for (int j = 0; j < WIDTH; j++) {
    out[j] = (int)nearbyint(row[j] * 63.0 / most);
  }
  return most / 63.0;
}

static double grid_score(const Model *m, const Fixed *f, int row, int latent) {
  double centred[WIDTH];
  int a[WIDTH], b[WIDTH];
  double dot = 0.0;
  for (int j = 0; j < WIDTH; j++) {
    centred[j] = f->rows[row][j] - m->b_dec[j];
  }
  const double step = put_on_grid(centred, a) * put_on_grid(m->w_enc[latent], b);
  for (int j = 0; j < WIDTH; j++) {
    dot += a[j] * b[j];
  }
  return dot * step + m->b_enc[latent];
}

static void choose(const Model *m, const Fixed *f, int row, int64_t k, bool for_aux,
                   bool chosen[LATENTS]) {
  SelectKey keys[LATENTS];
  int64_t count = 0;
  for (int i = 0; i < LATENTS; i++) {
    const double score = for_aux ? grid_score(m, f, row, i) : score_of(m, f, row, i);
    chosen[i] = false;
    if (for_aux ? is_dead(i) : score > 0.0) {
      select_offer(keys, &count, k, select_key((float)score, i));
    }
  }
  for (int64_t i = 0; i < count; i++) {
    chosen[select_id(keys[i])] = true;
  }
}

/* The BATCH x K best of the batch. */
static void choose_batchwise(const Model *m, Fixed *f) {
  SelectKey keys[BATCH * K];
  int64_t count = 0;
  memset(f->is_active, 0, sizeof(f->is_active));
  for (int i = 0; i < BATCH * LATENTS; i++) {
    const double score = score_of(m, f, i / LATENTS, i % LATENTS);
    if (score > 0.0) {
      select_offer(keys, &count, BATCH * K, select_key((float)score, i));
    }
  }
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = select_id(keys[i]);
    f->is_active[at / LATENTS][at % LATENTS] = true;
  }
}

static double variance_of(double rows[BATCH][WIDTH]) {
  double mean[WIDTH] = {0};
  double variance = 0.0;
  for (int i = 0; i < BATCH * WIDTH; i++) {
    mean[i % WIDTH] += rows[i / WIDTH][i % WIDTH] / BATCH;
  }
  for (int i = 0; i < BATCH * WIDTH; i++) {
    variance += pow(rows[i / WIDTH][i % WIDTH] - mean[i % WIDTH], 2.0) / BATCH;
  }
  return variance;
}

/* A pick whose score is not positive adds nothing, but its score is drawn up where that lowers the loss: as if it
 * counted from what it is. Where it would be drawn down it takes no part. */
static void fix_negative_picks(const Model *m, Fixed *f, int row) {
  bool is_positive[LATENTS];
  double out[WIDTH];
  for (int i = 0; i < LATENTS; i++) {
    const double score = score_of(m, f, row, i);
    is_positive[i] = f->is_pick[row][i] && score > 0.0;
    f->rest[row][i] = is_positive[i] ? 0.0 : score;
  }
  decode(m, f, row, is_positive, NULL, LATENTS, out);
  for (int i = 0; i < LATENTS; i++) {
    double slope = 0.0;
    for (int j = 0; j < WIDTH; j++) {
      slope += (out[j] - f->target[row][j]) * m->w_dec[i][j];
    }
    const bool is_drawn = f->is_pick[row][i] && slope < 0.0;
    g_drawn += is_drawn && !is_positive[i];
    f->is_pick[row][i] = is_positive[i] || is_drawn;
  }
}

static void fix(const Model *m, Fixed *f) {
  double out[WIDTH];
  int dead = 0;
  choose_batchwise(m, f);
  for (int row = 0; row < BATCH; row++) {
    if (g_architecture == &ARCHITECTURE_TOPK) {
      choose(m, f, row, K, false, f->is_active[row]);
    }
    choose(m, f, row, AUX, true, f->is_pick[row]);
    decode(m, f, row, f->is_active[row], NULL, LATENTS, out);
    for (int j = 0; j < WIDTH; j++) {
      f->target[row][j] = f->rows[row][j] - out[j] - m->b_dec[j];
    }
    fix_negative_picks(m, f, row);
  }
  f->ratio = variance_of(f->rows) / variance_of(f->target);
  for (int i = 0; i < LATENTS; i++) {
    dead += is_dead(i);
  }
  f->share = fmin((double)dead / AUX, 1.0);
}

static void fill_model(Model *m, Fixed *f) {
  for (int i = 0; i < LATENTS; i++) {
    double square = 0.0;
    for (int j = 0; j < WIDTH; j++) {
      const uint64_t at = (uint64_t)(i * WIDTH + j);
      m->w_enc[i][j] = (double)(float)random_normal(1, at);
      m->w_dec[i][j] = random_normal(2, at);
      square += m->w_dec[i][j] * m->w_dec[i][j];
    }
    for (int j = 0; j < WIDTH; j++) {
      m->w_dec[i][j] = (double)(float)(m->w_dec[i][j] / sqrt(square));
    }
    m->b_enc[i] = (double)(float)(0.1 * random_normal(3, (uint64_t)i));
  }
  for (int j = 0; j < WIDTH; j++) {
    m->b_dec[j] = (double)(float)(0.3 * random_normal(4, (uint64_t)j));
  }
  for (int i = 0; i < BATCH * WIDTH; i++) {
    f->rows[i / WIDTH][i % WIDTH] = (double)(float)random_normal(5, (uint64_t)i);
  }
}

static Train *make_train(const Model *m) {
  Train *train = NULL;
  const TrainSpec spec = {.name = "t",
                          .architecture = g_architecture,
                          .latents = LATENTS,
                          .width = WIDTH,
                          .k = K,
                          .prefixes = PARTS,
                          .batch = BATCH,
                          .steps = 10,
                          .rate = 1e-3,
                          .aux_weight = AUX_WEIGHT,
                          .dead_rows = 100};
  CU_ASSERT_EQUAL(train_create(&train, &g_mesh, &spec), OK);
  for (int64_t i = train->sae->own.first; i < train->sae->own.past; i++) {
    const int64_t own = i - train->sae->own.first;
    for (int j = 0; j < WIDTH; j++) {
      train->sae->w_enc[own * WIDTH + j] = (float)m->w_enc[i][j];
      train->sae->w_dec[own * WIDTH + j] = (float)m->w_dec[i][j];
    }
    train->sae->b_enc[own] = (float)m->b_enc[i];
    train->quiet[own] = is_dead((int)i) ? 100 : 0;
  }
  for (int j = 0; j < WIDTH; j++) {
    train->sae->b_dec[j] = (float)m->b_dec[j];
  }
  train_resume(train, 0);
  return train;
}

/* The derivative of the loss by one number of the model. */
static double slope_of(Model *m, const Fixed *f, double *parameter) {
  const double at = *parameter;
  const double h = 1e-6;
  *parameter = at + h;
  const double above = all_loss(m, f);
  *parameter = at - h;
  const double below = all_loss(m, f);
  *parameter = at;
  return (above - below) / (2.0 * h);
}

static bool is_close(double got, double want) {
  return fabs(got - want) <= 2e-5 * (fabs(want) + 1.0);
}

static double moment(const float *first, int64_t at) {
  return (double)first[at] / (double)0.1F;
}

static void check_latent(const Train *train, Model *m, const Fixed *f, int64_t latent) {
  const int64_t own = latent - train->sae->own.first;
  double dec[WIDTH];
  double along = 0.0;
  bool right = is_close(moment(train->b_enc.first, own), slope_of(m, f, &m->b_enc[latent]));
  for (int j = 0; j < WIDTH; j++) {
    right = right && is_close(moment(train->enc.first, own * WIDTH + j),
                              slope_of(m, f, &m->w_enc[latent][j]));
    dec[j] = slope_of(m, f, &m->w_dec[latent][j]);
    along += dec[j] * m->w_dec[latent][j];
  }
  for (int j = 0; j < WIDTH; j++) {
    const double want = dec[j] - along * m->w_dec[latent][j];
    right = right && is_close(moment(train->dec.first, own * WIDTH + j), want);
  }
  CU_ASSERT(right);
}

static Model g_model;
static Fixed g_fixed;

static Train *step_once(TrainReport *report) {
  float rows[BATCH * WIDTH];
  fill_model(&g_model, &g_fixed);
  fix(&g_model, &g_fixed);
  for (int i = 0; i < BATCH * WIDTH; i++) {
    rows[i] = (float)g_fixed.rows[i / WIDTH][i % WIDTH];
  }
  Train *train = make_train(&g_model);
  CU_ASSERT_EQUAL(train_step(train, rows, 0, report), OK);
  return train;
}

static void for_each_architecture(void (*check)(const Train *train, const TrainReport *report)) {
  static const Architecture *const SELECTING[] = {&ARCHITECTURE_TOPK, &ARCHITECTURE_BATCHTOPK,
                                                  &ARCHITECTURE_MATRYOSHKA};
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  mesh_open(&g_mesh, &g_team, 1);
  for (int i = 0; i < 3; i++) {
    TrainReport report;
    g_architecture = SELECTING[i];
    Train *train = step_once(&report);
    check(train, &report);
    train_destroy(&train);
  }
  mesh_close(&g_mesh);
  team_close(&g_team);
}

static void check_losses(const Train *train, const TrainReport *report) {
  (void)train;
  CU_ASSERT(is_close(report->loss, main_loss(&g_model, &g_fixed)));
  CU_ASSERT(is_close(report->aux_loss, aux_loss(&g_model, &g_fixed)));
  CU_ASSERT(report->aux_loss > 0.01);
  CU_ASSERT(g_drawn > 0);
  CU_ASSERT(is_close(report->penalty, penalty(&g_model, &g_fixed)));
  CU_ASSERT(!g_architecture->has_prefixes || fabs(report->penalty) > 0.01);
}

static void test_losses(void) {
  for_each_architecture(check_losses);
}

static void check_latent_gradients(const Train *train, const TrainReport *report) {
  (void)report;
  for (int64_t i = train->sae->own.first; i < train->sae->own.past; i++) {
    check_latent(train, &g_model, &g_fixed, i);
  }
}

static void test_latent_gradients(void) {
  for_each_architecture(check_latent_gradients);
}

static void check_b_dec_gradient(const Train *train, const TrainReport *report) {
  (void)report;
  for (int j = 0; j < WIDTH; j++) {
    CU_ASSERT(
        is_close(moment(train->b_dec.first, j), slope_of(&g_model, &g_fixed, &g_model.b_dec[j])));
  }
}

static void test_b_dec_gradient(void) {
  for_each_architecture(check_b_dec_gradient);
}

static void check_norm_is_of_all_gradients(const Train *train, const TrainReport *report) {
  double square = 0.0;
  for (int64_t i = 0; i < shard_count(train->sae->own); i++) {
    square += pow(moment(train->b_enc.first, i), 2.0);
    for (int64_t j = i * WIDTH; j < (i + 1) * WIDTH; j++) {
      square += pow(moment(train->enc.first, j), 2.0) + pow(moment(train->dec.first, j), 2.0);
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, g_team.comm);
  for (int64_t j = 0; j < WIDTH; j++) {
    square += pow(moment(train->b_dec.first, j), 2.0);
  }
  CU_ASSERT(is_close(report->gradient_norm, sqrt(square)));
}

static void test_norm_is_of_all_gradients(void) {
  for_each_architecture(check_norm_is_of_all_gradients);
}

static void check_dead_latents_get_gradients(const Train *train, const TrainReport *report) {
  (void)report;
  int64_t moved = 0;
  for (int64_t i = 0; i < shard_count(train->sae->own); i++) {
    moved += is_dead((int)(train->sae->own.first + i)) && train->b_enc.first[i] != 0.0F;
  }
  MPI_Allreduce(MPI_IN_PLACE, &moved, 1, MPI_INT64_T, MPI_SUM, g_team.comm);
  CU_ASSERT(moved > 5);
}

static void test_dead_latents_get_gradients(void) {
  for_each_architecture(check_dead_latents_get_gradients);
}

static const CheckFact FACTS[] = {
    {"loss and AuxK are those of a naive step", test_losses},
    {"gradients of latents are finite differences", test_latent_gradients},
    {"b_dec's gradient has both its parts", test_b_dec_gradient},
    {"the norm is that of all gradients over all ranks", test_norm_is_of_all_gradients},
    {"AuxK's gradient reaches the encoder of dead latents", test_dead_latents_get_gradients},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "gradient", FACTS);
}
