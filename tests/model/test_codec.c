#include <math.h>
#include <string.h>

#include "check.h"
#include "codec.h"
#include "dense.h"
#include "memory.h"
#include "random.h"

enum { LATENTS = 70, WIDTH = 20, ROWS = 15, K = 4 };

static const double SCALE = 0.25;
static float g_w[LATENTS * WIDTH], g_bias[LATENTS], g_b_dec[WIDTH], g_rows[ROWS * WIDTH];
static float g_threshold[LATENTS];

static void draw(void) {
  for (int64_t i = 0; i < LATENTS; ++i) {
    float *row = g_w + i * WIDTH;
    for (int64_t j = 0; j < WIDTH; ++j) {
      row[j] = (float)random_normal(1, (uint64_t)(i * WIDTH + j));
    }
    const double norm = sqrt(dense_square(row, WIDTH));
    for (int64_t j = 0; j < WIDTH; ++j) {
      row[j] = (float)(row[j] / norm);
    }
    g_bias[i] = (float)(0.1 * random_normal(2, (uint64_t)i));
    g_threshold[i] = (float)(0.2 + random_uniform(3, (uint64_t)i));
  }
  for (int64_t j = 0; j < WIDTH; ++j) {
    g_b_dec[j] = (float)(0.2 * random_normal(4, (uint64_t)j));
  }
  for (int64_t i = 0; i < ROWS * WIDTH; ++i) { /* row 7 says nothing */
    g_rows[i] = i / WIDTH == 7 ? (float)(g_b_dec[i % WIDTH] / SCALE)
                               : (float)(4 * random_normal(5, (uint64_t)i));
  }
  memset(g_bias, 0, sizeof(float));
}

static Sae *make(const Team *team, bool has_threshold) {
  Sae *sae = NULL;
  CU_ASSERT_FATAL(sae_create(&sae, team, LATENTS, WIDTH) == OK);
  const int64_t own = shard_count(sae->own);
  if (has_threshold) {
    CU_ASSERT(sae_take_threshold(sae) == OK);
    memcpy(sae->threshold, g_threshold + sae->own.first, (size_t)own * sizeof(float));
  }
  memcpy(sae->w_enc, g_w + sae->own.first * WIDTH, (size_t)(own * WIDTH) * sizeof(float));
  memcpy(sae->w_dec, g_w + sae->own.first * WIDTH, (size_t)(own * WIDTH) * sizeof(float));
  memcpy(sae->b_enc, g_bias + sae->own.first, (size_t)own * sizeof(float));
  memcpy(sae->b_dec, g_b_dec, sizeof(g_b_dec));
  sae_measure(sae);
  return sae;
}

static void rebuild_naively(const float *raw, bool has_threshold, double *out) {
  double score[LATENTS];
  for (int64_t i = 0; i < LATENTS; ++i) {
    score[i] = (double)g_bias[i];
    for (int64_t j = 0; j < WIDTH; ++j) {
      score[i] += ((double)raw[j] * SCALE - (double)g_b_dec[j]) * (double)g_w[i * WIDTH + j];
    }
  }
  for (int64_t j = 0; j < WIDTH; ++j) {
    out[j] = (double)g_b_dec[j] / SCALE;
  }
  for (int64_t i = 0; i < LATENTS; ++i) {
    int64_t better = 0;
    for (int64_t other = 0; other < LATENTS; ++other) {
      better += score[other] > score[i];
    }
    const bool fires =
        has_threshold ? score[i] > (double)g_threshold[i] : score[i] > 0 && better < K;
    for (int64_t j = 0; fires && j < WIDTH; ++j) {
      out[j] += score[i] * (double)g_w[i * WIDTH + j] / SCALE;
    }
  }
}

/* Also in two parts, and on one rank alone: the same bits. */
static void check_rows(bool has_threshold) {
  Team team, self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  float out[ROWS * WIDTH], alone[ROWS * WIDTH];
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  draw();
  Team *const teams[2] = {&team, &self};
  float *const outs[2] = {out, alone};
  for (int t = 0; t < 2; ++t) {
    Codec *codec = NULL;
    Sae *sae = make(teams[t], has_threshold);
    CU_ASSERT_EQUAL(codec_create(&codec, teams[t], sae, SCALE, K, ROWS), OK);
    const int64_t parts[3] = {0, t == 0 ? ROWS : 6, ROWS};
    for (int p = 0; p < 2; ++p) {
      const int64_t count = parts[p + 1] - parts[p], at = parts[p] * WIDTH;
      CU_ASSERT_EQUAL(codec_encode(codec, g_rows + at, count), OK);
      CU_ASSERT_EQUAL(codec_decode(codec, outs[t] + at), OK);
    }
    codec_destroy(&codec);
    sae_destroy(&sae);
  }
  CU_ASSERT(memcmp(out, alone, sizeof(out)) == 0);
  double worst = 0, wanted[WIDTH];
  for (int64_t r = 0; r < ROWS; ++r) {
    rebuild_naively(g_rows + r * WIDTH, has_threshold, wanted);
    for (int64_t j = 0; j < WIDTH; ++j) {
      worst = fmax(worst, fabs(wanted[j] - (double)out[r * WIDTH + j]));
    }
  }
  CU_ASSERT(worst < 1e-4);
  team_close(&team);
}

static void test_topk(void) {
  check_rows(false);
}

static void test_thresholds(void) {
  check_rows(true);
}

static const CheckFact FACTS[] = {
    {"topk: rows are rebuilt as by naive loops, at any number of ranks", test_topk},
    {"thresholds: the same", test_thresholds},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "codec", FACTS);
}
