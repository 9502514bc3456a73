/* One step of the dense architectures against a naive one in double: losses by plain sums, gradients by
 * finite differences with the active set held fixed, thresholds by the smoothed loss integrated
 * numerically. The step's gradient is read off Adam's first moments: after one update they are 0.1
 * times the gradient. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "random.h"
#include "train.h"

enum { LATENTS = 34, WIDTH = 10, BATCH = 11 };
#define SPARSITY 0.3
#define BANDWIDTH 0.8
#define REVIVAL 0.2

static Team g_team;
static Mesh g_mesh;

typedef struct Model {
  double w_enc[LATENTS][WIDTH], w_dec[LATENTS][WIDTH], b_enc[LATENTS], b_dec[WIDTH];
  double log_threshold[LATENTS];
} Model;

/* What a case is, and what is held fixed. */
typedef struct Case {
  const Architecture *architecture;
  bool counts_active;
  double rows[BATCH][WIDTH];
  bool is_active[BATCH][LATENTS];
} Case;

static Model g_model;
static Case g_case;

static bool is_dead(int latent) {
  return latent % 3 == 1;
}

static double threshold_of(const Model *m, const Case *c, int latent) {
  return c->architecture->threshold > 0.0F ? exp(m->log_threshold[latent]) : 0.0;
}

static double score_of(const Model *m, const Case *c, int row, int latent) {
  double score = m->b_enc[latent];
  for (int j = 0; j < WIDTH; j++) {
    score += c->rows[row][j] * m->w_enc[latent][j];
  }
  return score;
}

static double norm_of(const Model *m, int latent) {
  double square = 0.0;
  for (int j = 0; j < WIDTH; j++) {
    square += m->w_dec[latent][j] * m->w_dec[latent][j];
  }
  return sqrt(square);
}

static void residual_of(const Model *m, const Case *c, int row, double out[WIDTH]) {
  for (int j = 0; j < WIDTH; j++) {
    out[j] = c->rows[row][j] - m->b_dec[j];
  }
  for (int i = 0; i < LATENTS; i++) {
    const double active = c->is_active[row][i] ? score_of(m, c, row, i) : 0.0;
    for (int j = 0; j < WIDTH; j++) {
      out[j] -= active * m->w_dec[i][j];
    }
  }
}

static double main_loss(const Model *m, const Case *c) {
  double loss = 0.0, out[WIDTH];
  for (int row = 0; row < BATCH; row++) {
    residual_of(m, c, row, out);
    for (int j = 0; j < WIDTH; j++) {
      loss += out[j] * out[j] / BATCH;
    }
  }
  return loss;
}

static double penalty_of(const Model *m, const Case *c, int row, int latent) {
  const double score = score_of(m, c, row, latent), norm = norm_of(m, latent);
  const double active = c->is_active[row][latent] ? score : 0.0;
  if (c->architecture == &ARCHITECTURE_RELU) {
    return SPARSITY * active * norm;
  }
  const double gap = threshold_of(m, c, latent) - score;
  const double revival = is_dead(latent) && gap > 0.0 ? REVIVAL * gap * norm : 0.0;
  if (c->counts_active) {
    return (c->is_active[row][latent] ? SPARSITY : 0.0) + revival;
  }
  return SPARSITY * tanh(4.0 * active * norm) + revival;
}

static double penalties(const Model *m, const Case *c) {
  double sum = 0.0;
  for (int i = 0; i < LATENTS * BATCH; i++) {
    sum += penalty_of(m, c, i / LATENTS, i % LATENTS) / BATCH;
  }
  return sum;
}

static double all_loss(const Model *m, const Case *c) {
  return main_loss(m, c) + penalties(m, c);
}

static void fill_model(Model *m, Case *c) {
  for (int i = 0; i < LATENTS; i++) {
    for (int j = 0; j < WIDTH; j++) {
      const uint64_t at = (uint64_t)(i * WIDTH + j);
      m->w_enc[i][j] = (double)(float)(0.4 * random_normal(1, at));
      m->w_dec[i][j] = (double)(float)(0.3 * random_normal(2, at));
    }
    m->b_enc[i] = (double)(float)(0.1 * random_normal(3, (uint64_t)i));
    m->log_threshold[i] = (double)(float)(-1.0 + 0.3 * random_normal(6, (uint64_t)i));
  }
  for (int j = 0; j < WIDTH; j++) {
    m->b_dec[j] = (double)(float)(0.3 * random_normal(4, (uint64_t)j));
  }
  for (int i = 0; i < BATCH * WIDTH; i++) {
    c->rows[i / WIDTH][i % WIDTH] = (double)(float)random_normal(5, (uint64_t)i);
  }
  for (int i = 0; i < BATCH * LATENTS; i++) {
    const int row = i / LATENTS, latent = i % LATENTS;
    c->is_active[row][latent] = score_of(m, c, row, latent) > threshold_of(m, c, latent);
  }
}

static Train *make_train(const Model *m, const Case *c) {
  Train *train = NULL;
  const TrainSpec spec = {.name = "t",
                          .architecture = c->architecture,
                          .latents = LATENTS,
                          .width = WIDTH,
                          .batch = BATCH,
                          .steps = 10,
                          .rate = 1e-3,
                          .dead_rows = 100,
                          .sparsity = SPARSITY,
                          .counts_active = c->counts_active,
                          .bandwidth = BANDWIDTH,
                          .revival = REVIVAL};
  CU_ASSERT_EQUAL(train_create(&train, &g_mesh, &spec), OK);
  for (int64_t i = train->sae->own.first; i < train->sae->own.past; i++) {
    const int64_t own = i - train->sae->own.first;
    for (int j = 0; j < WIDTH; j++) {
      train->sae->w_enc[own * WIDTH + j] = (float)m->w_enc[i][j];
      train->sae->w_dec[own * WIDTH + j] = (float)m->w_dec[i][j];
    }
    train->sae->b_enc[own] = (float)m->b_enc[i];
    train->quiet[own] = is_dead((int)i) ? 100 : 0;
    if (train->log_threshold != NULL) {
      train->log_threshold[own] = (float)m->log_threshold[i];
    }
  }
  for (int j = 0; j < WIDTH; j++) {
    train->sae->b_dec[j] = (float)m->b_dec[j];
  }
  train_resume(train, 0);
  return train;
}

static Train *step_once(TrainReport *report) {
  float rows[BATCH * WIDTH];
  for (int i = 0; i < BATCH * WIDTH; i++) {
    rows[i] = (float)g_case.rows[i / WIDTH][i % WIDTH];
  }
  Train *train = make_train(&g_model, &g_case);
  CU_ASSERT_EQUAL(train_step(train, rows, 0, report), OK);
  return train;
}

/* Each check for each case. */
static void for_each_case(void (*check)(const Train *train, const TrainReport *report)) {
  const Case cases[] = {{.architecture = &ARCHITECTURE_RELU},
                        {.architecture = &ARCHITECTURE_JUMPRELU},
                        {.architecture = &ARCHITECTURE_JUMPRELU, .counts_active = true}};
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  mesh_open(&g_mesh, &g_team, 1);
  for (int i = 0; i < 3; i++) {
    TrainReport report;
    g_case = cases[i];
    fill_model(&g_model, &g_case);
    Train *train = step_once(&report);
    check(train, &report);
    train_destroy(&train);
  }
  mesh_close(&g_mesh);
  team_close(&g_team);
}

static bool is_close(double got, double want) {
  return fabs(got - want) <= 3e-5 * (fabs(want) + 1.0);
}

static double moment(const float *first, int64_t at) {
  return (double)first[at] / (double)0.1F;
}

static double slope_of(double *parameter) {
  const double at = *parameter, h = 1e-6;
  *parameter = at + h;
  const double above = all_loss(&g_model, &g_case);
  *parameter = at - h;
  const double below = all_loss(&g_model, &g_case);
  *parameter = at;
  return (above - below) / (2.0 * h);
}

static void check_losses(const Train *train, const TrainReport *report) {
  (void)train;
  CU_ASSERT(is_close(report->loss, main_loss(&g_model, &g_case)));
  CU_ASSERT(is_close(report->penalty, penalties(&g_model, &g_case)));
  CU_ASSERT(report->penalty > 0.1);
}

static void check_latents(const Train *train, const TrainReport *report) {
  bool right = true;
  (void)report;
  for (int64_t i = train->sae->own.first; i < train->sae->own.past; i++) {
    const int64_t own = i - train->sae->own.first;
    right = right && is_close(moment(train->b_enc.first, own), slope_of(&g_model.b_enc[i]));
    for (int j = 0; j < WIDTH; j++) {
      right = right &&
              is_close(moment(train->enc.first, own * WIDTH + j), slope_of(&g_model.w_enc[i][j])) &&
              is_close(moment(train->dec.first, own * WIDTH + j), slope_of(&g_model.w_dec[i][j]));
    }
  }
  CU_ASSERT(right);
}

static void check_b_dec(const Train *train, const TrainReport *report) {
  (void)report;
  for (int j = 0; j < WIDTH; j++) {
    CU_ASSERT(is_close(moment(train->b_dec.first, j), slope_of(&g_model.b_dec[j])));
  }
}

/* 1 where s > t, smoothed by a box: its mean over thresholds from t - BANDWIDTH/2 to t + BANDWIDTH/2,
 * by the midpoints of `STRIPS` strips. */
enum { STRIPS = 200000 };
static double smooth_step(double s, double t) {
  int above = 0;
  for (int n = 0; n < STRIPS; n++) {
    above += s > t + BANDWIDTH * ((n + 0.5) / STRIPS - 0.5);
  }
  return (double)above / STRIPS;
}

/* The derivative by the activation of a latent in a row, where it is `active`. */
static double activation_slope(int row, int latent, double active) {
  double out[WIDTH], pull = 0.0;
  residual_of(&g_model, &g_case, row, out);
  for (int j = 0; j < WIDTH; j++) {
    pull -= 2.0 * out[j] * g_model.w_dec[latent][j] / BATCH;
  }
  const double norm = norm_of(&g_model, latent);
  const double height = tanh(4.0 * active * norm);
  return pull +
         (g_case.counts_active ? 0.0 : SPARSITY * 4.0 * norm * (1.0 - height * height) / BATCH);
}

/* What a latent's threshold does, with the height of the jump and all other latents held fixed. */
static double smoothed_loss(int latent, double t) {
  const double jump = threshold_of(&g_model, &g_case, latent);
  double loss = 0.0;
  for (int row = 0; row < BATCH; row++) {
    const double score = score_of(&g_model, &g_case, row, latent);
    const double active = g_case.is_active[row][latent] ? score : 0.0;
    const double fires = smooth_step(score, t);
    loss += activation_slope(row, latent, active) * jump * fires;
    loss += g_case.counts_active ? SPARSITY * fires / BATCH : 0.0;
    loss += is_dead(latent) && t > score ? REVIVAL * (t - score) * norm_of(&g_model, latent) / BATCH
                                         : 0.0;
  }
  return loss;
}

static void check_thresholds(const Train *train, const TrainReport *report) {
  (void)report;
  const double h = BANDWIDTH * 100 / STRIPS;
  int moved = 0;
  for (int64_t i = train->sae->own.first; train->log_threshold != NULL && i < train->sae->own.past;
       i++) {
    const double t = threshold_of(&g_model, &g_case, (int)i);
    const double slope = (smoothed_loss((int)i, t + h) - smoothed_loss((int)i, t - h)) / (2.0 * h);
    const double got = moment(train->threshold.first, i - train->sae->own.first);
    CU_ASSERT(fabs(got - t * slope) < 0.02 * (fabs(t * slope) + 0.01));
    moved += got != 0.0;
  }
  CU_ASSERT(train->log_threshold == NULL || shard_count(train->sae->own) == 0 || moved > 0);
}

static void check_norm(const Train *train, const TrainReport *report) {
  double square = 0.0;
  for (int64_t i = 0; i < shard_count(train->sae->own); i++) {
    square += pow(moment(train->b_enc.first, i), 2.0);
    square += train->log_threshold != NULL ? pow(moment(train->threshold.first, i), 2.0) : 0.0;
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

static void test_losses(void) {
  for_each_case(check_losses);
}

static void test_latents(void) {
  for_each_case(check_latents);
}

static void test_b_dec(void) {
  for_each_case(check_b_dec);
}

static void test_thresholds(void) {
  for_each_case(check_thresholds);
}

static void test_norm(void) {
  for_each_case(check_norm);
}

static const CheckFact FACTS[] = {
    {"losses are those of a naive step", test_losses},
    {"gradients of latents are finite differences", test_latents},
    {"so is b_dec's", test_b_dec},
    {"thresholds follow the smoothed loss", test_thresholds},
    {"the norm is that of all gradients over all ranks", test_norm},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "gradient_dense", FACTS);
}
