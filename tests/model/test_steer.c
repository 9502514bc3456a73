#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "memory.h"
#include "random.h"
#include "steer.h"

enum { LATENTS = 60, WIDTH = 16, ROWS = 23, K = 4, MOST = 10, DICTIONARIES = 2, LEFT_OUT = 5 };

/* Two dictionaries of one model, with scales of their own. */
static float g_w[DICTIONARIES][LATENTS * WIDTH], g_rows[ROWS * WIDTH];
static const double SCALES[DICTIONARIES] = {0.5, 2.0};

static void draw(void) {
  for (int d = 0; d < DICTIONARIES; ++d) {
    for (int64_t i = 0; i < LATENTS; ++i) {
      float *row = g_w[d] + i * WIDTH;
      for (int64_t j = 0; j < WIDTH; ++j) {
        row[j] = (float)random_normal((uint64_t)(d + 1), (uint64_t)(i * WIDTH + j));
      }
      const double norm = sqrt(dense_square(row, WIDTH));
      for (int64_t j = 0; j < WIDTH; ++j) {
        row[j] = (float)(row[j] / norm);
      }
    }
  }
  for (int64_t i = 0; i < ROWS * WIDTH; ++i) {
    g_rows[i] = (float)(3 * random_normal(9, (uint64_t)i));
  }
}

static Sae *make(const Team *team, int d) {
  Sae *sae = NULL;
  CU_ASSERT_FATAL(sae_create(&sae, team, LATENTS, WIDTH) == OK);
  const size_t bytes = (size_t)(shard_count(sae->own) * WIDTH) * sizeof(float);
  memcpy(sae->w_enc, g_w[d] + sae->own.first * WIDTH, bytes);
  memcpy(sae->w_dec, g_w[d] + sae->own.first * WIDTH, bytes);
  sae_measure(sae);
  return sae;
}

/* Activation by naive loops: the score if it is positive and among the k best, else 0. */
static double activation_of(int d, const float *row, int64_t latent) {
  double score[LATENTS];
  int64_t better = 0;
  for (int64_t i = 0; i < LATENTS; ++i) {
    score[i] = 0;
    for (int64_t j = 0; j < WIDTH; ++j) {
      score[i] += (double)row[j] * SCALES[d] * (double)g_w[d][i * WIDTH + j];
    }
  }
  for (int64_t i = 0; i < LATENTS; ++i) {
    better += score[i] > score[latent];
  }
  return score[latent] > 0 && better < K ? score[latent] : 0;
}

static bool leaves_out(void *context, int64_t position, const float *row) {
  (void)context;
  (void)row;
  return position == LEFT_OUT;
}

typedef struct Scene {
  Team team;
  Sae *sae[DICTIONARIES];
  Codec *codec[DICTIONARIES];
  SteerClamp clamps[4];
  Steer steer;
  float rows[ROWS * WIDTH];
} Scene;

static void open_scene(Scene *scene) {
  draw();
  memset(scene, 0, sizeof(*scene));
  CU_ASSERT_FATAL(team_open(&scene->team, NULL, NULL) == OK);
  for (int d = 0; d < DICTIONARIES; ++d) {
    scene->sae[d] = make(&scene->team, d);
    CU_ASSERT_FATAL(
        codec_create(&scene->codec[d], &scene->team, scene->sae[d], SCALES[d], K, MOST) == OK);
  }
  scene->steer = (Steer){.team = &scene->team, .layer = 1, .width = WIDTH, .clamps = scene->clamps};
  memcpy(scene->rows, g_rows, sizeof(g_rows));
}

static void close_scene(Scene *scene) {
  steer_close(&scene->steer);
  for (int d = 0; d < DICTIONARIES; ++d) {
    codec_destroy(&scene->codec[d]);
    sae_destroy(&scene->sae[d]);
  }
  team_close(&scene->team);
}

static void clamp(Scene *scene, int d, int64_t latent, double value) {
  scene->clamps[scene->steer.count++] = (SteerClamp){.codec = scene->codec[d],
                                                     .latent = latent,
                                                     .value = value,
                                                     .direction = g_w[d] + latent * WIDTH};
}

static void test_rows_move_as_the_formula_says(void) {
  static Scene scene;
  const struct {
    int d;
    int64_t latent;
    double value;
  } wanted[] = {{0, 7, 3}, {0, 59, 0}, {1, 20, -2}};
  double worst = 0;
  open_scene(&scene);
  for (int c = 0; c < 3; ++c) {
    clamp(&scene, wanted[c].d, wanted[c].latent, wanted[c].value);
  }
  scene.steer.first = 3;
  scene.steer.is_left_out = leaves_out;
  CU_ASSERT_EQUAL(steer_rows(&scene.steer, scene.rows, ROWS), OK); /* in pieces of MOST */
  CU_ASSERT_EQUAL(scene.steer.position, ROWS);
  for (int64_t r = 0; r < ROWS; ++r) {
    const float *before = g_rows + r * WIDTH;
    for (int64_t j = 0; j < WIDTH; ++j) {
      double x = (double)before[j];
      for (int c = 0; c < 3 && r >= 3 && r != LEFT_OUT; ++c) {
        const int d = wanted[c].d;
        x += (wanted[c].value - activation_of(d, before, wanted[c].latent)) / SCALES[d] *
             (double)g_w[d][wanted[c].latent * WIDTH + j];
      }
      worst = fmax(worst, fabs(x - (double)scene.rows[r * WIDTH + j]));
    }
  }
  CU_ASSERT(worst < 1e-5);
  close_scene(&scene);
}

static void test_as_it_is_changes_no_bit(void) {
  static Scene scene;
  open_scene(&scene);
  for (int64_t i = 0; i < 4; ++i) {
    clamp(&scene, 0, 13 * i, NAN);
  }
  CU_ASSERT_EQUAL(steer_rows(&scene.steer, scene.rows, ROWS), OK);
  CU_ASSERT(memcmp(scene.rows, g_rows, sizeof(g_rows)) == 0);
  scene.steer.count = 0;
  CU_ASSERT_EQUAL(steer_rows(&scene.steer, scene.rows, ROWS), OK);
  CU_ASSERT(memcmp(scene.rows, g_rows, sizeof(g_rows)) == 0);
  close_scene(&scene);
}

/* The hook looks at its own layer alone. */
static void test_the_hook_waits_for_its_layer(void) {
  static Scene scene;
  open_scene(&scene);
  clamp(&scene, 1, 3, 9);
  const TransformerHook hook = steer_hook(&scene.steer);
  CU_ASSERT_EQUAL(hook.call(hook.context, 0, scene.rows, 4), OK);
  CU_ASSERT_EQUAL(hook.call(hook.context, 2, scene.rows, 4), OK);
  CU_ASSERT(memcmp(scene.rows, g_rows, sizeof(g_rows)) == 0);
  CU_ASSERT_EQUAL(hook.call(hook.context, 1, scene.rows, 4), OK);
  CU_ASSERT(memcmp(scene.rows, g_rows, 4 * WIDTH * sizeof(float)) != 0);
  CU_ASSERT_EQUAL(scene.steer.position, 4);
  close_scene(&scene);
}

static const CheckFact FACTS[] = {
    {"rows move as the formula says", test_rows_move_as_the_formula_says},
    {"held as it is, no bit changes", test_as_it_is_changes_no_bit},
    {"the hook waits for its layer", test_the_hook_waits_for_its_layer},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "steer", FACTS);
}
