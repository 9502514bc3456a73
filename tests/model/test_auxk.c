/* The picks of AuxK against integer loops, on rows wider than one exact GEMM can be. */
#include <math.h>
#include <string.h>

#include "auxk.h"
#include "check.h"
#include "dense.h"
#include "lowp.h"
#include "memory.h"
#include "random.h"

enum { WIDTH = 4200, LATENTS = 1000, ROWS = 4, PICKS = 512, BIAS = -30 };

static Team g_team;

static float value_of(uint64_t key, int64_t index) {
  return (float)random_normal(key, (uint64_t)index);
}

static bool is_dead(int64_t latent) {
  return latent % 20 != 7;
}

/* Integers of at most 63; returns the step. */
static float put_on_grid(uint64_t key, int64_t row, int32_t *out) {
  float most = 0.0F;
  for (int64_t j = 0; j < WIDTH; j++) {
    most = fmaxf(most, fabsf(value_of(key, row * WIDTH + j)));
  }
  const float inverse = 63.0F / most;
  for (int64_t j = 0; j < WIDTH; j++) {
    out[j] = (int32_t)nearbyintf(value_of(key, row * WIDTH + j) * inverse);
  }
  return most / 63.0F;
}

/* The picks of one row by integer sums over all latents. */
static void pick(int64_t row, bool picked[LATENTS]) {
  static int32_t x[WIDTH], w[WIDTH];
  SelectKey keys[PICKS];
  int64_t count = 0;
  const float row_step = put_on_grid(1, row, x);
  memset(picked, 0, LATENTS * sizeof(*picked));
  for (int64_t i = 0; i < LATENTS; i++) {
    const float step = put_on_grid(2, i, w);
    int64_t dot = 0;
    for (int64_t j = 0; j < WIDTH; j++) {
      dot += (int64_t)x[j] * w[j];
    }
    const float score = (float)((double)dot * ((double)row_step * (double)step) + BIAS);
    if (is_dead(i)) {
      select_offer(keys, &count, PICKS, select_key(score, i));
    }
  }
  for (int64_t i = 0; i < count; i++) {
    picked[select_id(keys[i])] = true;
  }
}

typedef struct Setting {
  Sae *sae;
  Auxk auxk;
  float *centred, *residual;
  uint8_t *is_dead;
} Setting;

static void open_setting(Setting *s) {
  *s = (Setting){0};
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  CU_ASSERT_EQUAL(sae_create(&s->sae, &g_team, LATENTS, WIDTH), OK);
  CU_ASSERT_EQUAL(auxk_create(&s->auxk, s->sae, &g_team, ROWS), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&s->centred, ROWS * WIDTH, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&s->residual, ROWS * WIDTH, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&s->is_dead, shard_count(s->sae->own), "test"), OK);
  for (int64_t i = 0; i < shard_count(s->sae->own) * WIDTH; i++) {
    s->sae->w_enc[i] = value_of(2, s->sae->own.first * WIDTH + i);
    s->sae->w_dec[i] = s->sae->w_enc[i] / 70.0F;
  }
  for (int64_t i = 0; i < shard_count(s->sae->own); i++) {
    s->sae->b_enc[i] = BIAS; /* about 300 of 950 scores are positive: others are picked too */
    s->is_dead[i] = is_dead(s->sae->own.first + i);
  }
  for (int64_t i = 0; i < ROWS * WIDTH; i++) {
    s->centred[i] = value_of(1, i);
    s->residual[i] = value_of(3, i);
  }
}

static void run(Setting *s) {
  int64_t dead = 0;
  for (int64_t i = 0; i < LATENTS; i++) {
    dead += is_dead(i);
  }
  const AuxkBatch batch = {.centred = s->centred,
                           .residual = s->residual,
                           .is_dead = s->is_dead,
                           .rows = {0, ROWS},
                           .dead = dead,
                           .weight = 1.0,
                           .spread = 1.0};
  CU_ASSERT_EQUAL(auxk_pick(&s->auxk, &g_team, s->sae, &batch), OK);
  auxk_settle(&s->auxk, &batch, shard_count(batch.rows));
}

static void close_setting(Setting *s) {
  auxk_clear(&s->auxk);
  sae_destroy(&s->sae);
  MEMORY_FREE(s->centred);
  MEMORY_FREE(s->residual);
  MEMORY_FREE(s->is_dead);
  team_close(&g_team);
}

/* The own latents among a row's picks, with their real scores. */
static bool is_right_row(const Setting *s, int64_t row) {
  const Hits *hits = &s->auxk.hits;
  bool picked[LATENTS];
  bool right = true;
  pick(row, picked);
  int64_t h = hits->row_start[row];
  int64_t wanted = 0;
  for (int64_t i = 0; i < shard_count(s->sae->own); i++) {
    wanted += picked[s->sae->own.first + i];
  }
  right = wanted == hits->row_start[row + 1] - h;
  for (; h < hits->row_start[row + 1]; h++) {
    const SaeHit *hit = &hits->by_row[h];
    const float score =
        dense_dot(s->centred + row * WIDTH, s->sae->w_enc + hit->latent * WIDTH, WIDTH) +
        s->sae->b_enc[hit->latent];
    right = right && picked[s->sae->own.first + hit->latent] && hit->value == fmaxf(score, 0.0F);
  }
  return right;
}

static void check_picks(void) {
  Setting s;
  open_setting(&s);
  run(&s);
  int64_t negative = 0;
  for (int64_t row = 0; row < ROWS; row++) {
    CU_ASSERT(is_right_row(&s, row));
  }
  for (int64_t h = 0; h < s.auxk.hits.row_start[ROWS]; h++) {
    negative += s.auxk.hits.by_row[h].value == 0.0F;
  }
  CU_ASSERT(negative > 0); /* on every rank */
  CU_ASSERT(s.auxk.loss > 0.0 && s.auxk.factor > 0.0F);
  close_setting(&s);
}

static void test_picks_are_by_integers(void) {
  CU_ASSERT(!lowp_is_open()); /* nobody has called lowp_open() yet */
  check_picks();
}

static void test_picks_are_the_same_in_8_bits(void) {
  const char *why;
  if (lowp_open(&why)) {
    check_picks();
  }
}

static void test_no_residual_no_loss(void) {
  Setting s;
  open_setting(&s);
  memset(s.residual, 0, ROWS * WIDTH * sizeof(*s.residual));
  run(&s);
  CU_ASSERT_EQUAL(s.auxk.loss, 0.0);
  CU_ASSERT_EQUAL(s.auxk.factor, 0.0F);
  close_setting(&s);
}

static const CheckFact FACTS[] = {
    {"picks are the best by integers on a grid, ties to low ids", test_picks_are_by_integers},
    {"the same where products are formed in 8 bits", test_picks_are_the_same_in_8_bits},
    {"no residual, no loss", test_no_residual_no_loss},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "auxk", FACTS);
}
