/* What fires, of every architecture, and how it reaches the rows' owners, against naive loops over
 * the whole dictionary. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "deal.h"
#include "dense.h"
#include "exchange.h"
#include "fire.h"
#include "fixed.h"
#include "memory.h"
#include "random.h"

enum { LATENTS = 150, WIDTH = 40, ROWS = 70, K = 4, WIDE = 8 };

typedef struct Case {
  const char *name;
  bool has_threshold, has_gain, on_grid; /* on_grid: scores that equal thresholds, and ties */
} Case;

/* The screens: in float32, in 8 bits, in 8 bits of shifted rows. */
enum { SCREENS = 3 };

static const Case CASES[] = {
    {"topk", false, false, false},         {"topk, ties", false, false, true},
    {"topk, gain", false, true, false},    {"jumprelu", true, false, false},
    {"jumprelu, ties", true, false, true}, {"gated", true, true, false},
    {"gated, ties", true, true, true}};
enum { CASE_COUNT = sizeof(CASES) / sizeof(CASES[0]) };

/* One entry of a row, by loops. */
typedef struct Naive {
  SelectKey key;
  float value;
  bool active;
} Naive;

static Team team;
static float x[ROWS * WIDTH], w_enc[LATENTS * WIDTH], w_dec[LATENTS * WIDTH], b_enc[LATENTS];
static float threshold[LATENTS], gain[LATENTS], offset[LATENTS], shift[WIDTH];
static Naive naive[ROWS][LATENTS];
static int64_t naive_count[ROWS];

static void fill(const Case *c, float *out, int64_t count, const char *name, double scale) {
  for (int64_t i = 0; i < count; i++) {
    const double normal = random_normal(random_key(3, "test fire", name), (uint64_t)i);
    out[i] = (float)(c->on_grid ? nearbyint(2 * scale * normal) / 2 : scale * normal);
  }
}

static int by_key(const void *left, const void *right) {
  const Naive *a = left, *b = right;
  return a->key > b->key ? -1 : (a->key < b->key ? 1 : 0);
}

static float activation(const Case *c, int64_t i, float score) {
  const float shifted = score + offset[i];
  const float product = gain[i] * shifted;
  return c->has_gain ? product : score;
}

static void loop_row(const Case *c, int64_t r) {
  Naive row[LATENTS];
  int64_t count = 0;
  for (int64_t i = 0; i < LATENTS; i++) {
    const float score = dense_dot(x + r * WIDTH, w_enc + i * WIDTH, WIDTH) + b_enc[i];
    const float value = activation(c, i, score);
    if (c->has_threshold ? score > threshold[i] && value > 0 : score > 0) {
      row[count++] = (Naive){select_key(c->has_threshold ? value : score, i), value, true};
    }
  }
  qsort(row, (size_t)count, sizeof(*row), by_key);
  naive_count[r] = 0;
  for (int64_t i = 0; i < count && (c->has_threshold || i < WIDE); i++) {
    row[i].active = c->has_threshold || i < K;
    if (row[i].value > 0) {
      naive[r][naive_count[r]++] = row[i];
    }
  }
}

/* Row 5 is zero; latents 8 and 9 are the same, latent 11 never fires; some gains are negative, some
 * thresholds too. */
static void make_data(const Case *c) {
  fill(c, x, (int64_t)ROWS * WIDTH, "x", 1);
  fill(c, w_enc, (int64_t)LATENTS * WIDTH, "w_enc", 0.5);
  fill(c, w_dec, (int64_t)LATENTS * WIDTH, "w_dec", 1);
  fill(c, b_enc, LATENTS, "b_enc", 0.5);
  fill(c, threshold, LATENTS, "threshold", 2);
  fill(c, gain, LATENTS, "gain", 1);
  fill(c, offset, LATENTS, "offset", 1);
  fill(c, shift, WIDTH, "shift", 3);
  for (int64_t i = 0; i < (int64_t)ROWS * WIDTH; i++) {
    x[i] += shift[i % WIDTH];
  }
  memset(x + (ptrdiff_t)5 * WIDTH, 0, WIDTH * sizeof(float));
  memcpy(w_enc + (ptrdiff_t)9 * WIDTH, w_enc + (ptrdiff_t)8 * WIDTH, WIDTH * sizeof(float));
  b_enc[9] = b_enc[8];
  threshold[9] = threshold[8];
  threshold[11] = INFINITY;
  for (int64_t i = 0; i < LATENTS; i++) {
    const double norm = sqrt(dense_square(w_dec + i * WIDTH, WIDTH)) + 1e-30;
    for (int64_t j = 0; j < WIDTH; j++) {
      w_dec[i * WIDTH + j] = (float)((double)w_dec[i * WIDTH + j] / norm);
    }
  }
  for (int64_t r = 0; r < ROWS; r++) {
    loop_row(c, r);
  }
}

static Sae *make_sae(const Case *c, int screen) {
  Sae *sae = NULL;
  CU_ASSERT_EQUAL(sae_create(&sae, &team, LATENTS, WIDTH), OK);
  const int64_t first = sae->own.first, own = shard_count(sae->own);
  const size_t values = (size_t)own * sizeof(float);
  memcpy(sae->w_enc, w_enc + first * WIDTH, (size_t)WIDTH * values);
  memcpy(sae->w_dec, w_dec + first * WIDTH, (size_t)WIDTH * values);
  memcpy(sae->b_enc, b_enc + first, values);
  if (c->has_threshold) {
    CU_ASSERT_EQUAL(sae_take_threshold(sae), OK);
    memcpy(sae->threshold, threshold + first, values);
  }
  if (c->has_gain) {
    CU_ASSERT_EQUAL(sae_take_gain(sae), OK);
    memcpy(sae->gain, gain + first, values);
    memcpy(sae->offset, offset + first, values);
  }
  sae_measure(sae);
  CU_ASSERT_EQUAL(screen > 0 ? sae_quantise(sae, screen == 1 ? NULL : shift) : OK, OK);
  return sae;
}

static void begin(int number, Sae **sae, Fire **fire) {
  const Case *c = &CASES[number / SCREENS];
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  make_data(c);
  *sae = make_sae(c, number % SCREENS);
  CU_ASSERT_EQUAL(fire_create(fire, *sae, &team, ROWS + 2, K, WIDE), OK);
  CU_ASSERT_EQUAL(fire_select(&team, *sae, x, ROWS, *fire), OK);
}

static void end(Sae **sae, Fire **fire) {
  fire_destroy(fire);
  sae_destroy(sae);
  team_close(&team);
}

/* Hits of this rank that the loops do not have, or have otherwise. */
static int64_t wrong_hits(const Fire *fire, int64_t r) {
  int64_t wrong = 0;
  for (int64_t i = fire->start[r]; i < fire->start[r + 1]; i++) {
    int64_t n = 0;
    while (n < naive_count[r] && naive[r][n].key != fire->keys[i]) {
      n++;
    }
    wrong += n == naive_count[r] || naive[r][n].value != fire->values[i] ||
             naive[r][n].active != fire_is_active(fire, r, i);
  }
  return wrong;
}

static void test_hits_of_all_ranks_are_those_of_loops(void) {
  for (int c = 0; c < SCREENS * CASE_COUNT; c++) {
    Sae *sae;
    Fire *fire;
    int64_t sums[2] = {0, 0}, wanted = 0; /* hits, wrong ones */
    begin(c, &sae, &fire);
    for (int64_t r = 0; r < ROWS; r++) {
      sums[0] += fire->start[r + 1] - fire->start[r];
      sums[1] += wrong_hits(fire, r);
      wanted += naive_count[r];
    }
    exchange_sum(&team, sums, 2);
    CU_ASSERT(wanted > 3 * ROWS / 2 && wanted < ROWS * LATENTS / 2);
    CU_ASSERT_EQUAL(sums[0], wanted);
    CU_ASSERT_EQUAL(sums[1], 0);
    end(&sae, &fire);
  }
}

static int64_t wrong_row(const Deal *deal, int64_t i, int64_t r) {
  const int64_t first = deal->start[i];
  int64_t wrong = deal->start[i + 1] - first != naive_count[r];
  for (int64_t n = 0; n < naive_count[r] && wrong == 0; n++) {
    wrong += deal->id[first + n] != select_id(naive[r][n].key) ||
             deal->value[first + n] != naive[r][n].value ||
             deal->active[first + n] != naive[r][n].active;
  }
  return wrong;
}

static double naive_sum(int64_t r) {
  double sum = 0;
  for (int64_t n = 0; n < naive_count[r]; n++) {
    sum += naive[r][n].active ? (double)naive[r][n].value : 0.0;
  }
  return sum;
}

static void test_owners_get_whole_rows_in_order(void) {
  for (int c = 0; c < SCREENS * CASE_COUNT; c++) {
    Sae *sae;
    Fire *fire;
    Deal *deal;
    begin(c, &sae, &fire);
    CU_ASSERT_EQUAL(deal_create(&deal, &team, ROWS), OK);
    for (int again = 0; again < 2; again++) {
      int64_t sums[2] = {0, 0}; /* rows, wrong ones */
      CU_ASSERT_EQUAL(deal_rows(deal, &team, fire), OK);
      for (int64_t r = deal->slice.first; r < deal->slice.past; r++) {
        sums[0]++;
        sums[1] += wrong_row(deal, r - deal->slice.first, r);
      }
      for (int64_t r = 0; r < ROWS; r++) {
        CU_ASSERT_EQUAL(deal->sums[r], naive_sum(r));
      }
      exchange_sum(&team, sums, 2);
      CU_ASSERT_EQUAL(sums[0], ROWS);
      CU_ASSERT_EQUAL(sums[1], 0);
    }
    deal_destroy(&deal);
    end(&sae, &fire);
  }
}

/* Every second row; the bound is that of the loops. */
static void check_rebuilt(const Sae *sae, const Fire *fire) {
  int64_t which[ROWS], count = 0;
  double scales[ROWS];
  int64_t sums[ROWS * WIDTH];
  for (int64_t r = 1; r < ROWS; r += 2) {
    scales[count] = fixed_scale(1.001 * naive_sum(r));
    which[count++] = r;
  }
  CU_ASSERT_EQUAL(fire_rebuild(&team, sae, fire, which, count, scales, sums), OK);
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < WIDTH; j++) {
      int64_t sum = 0;
      for (int64_t n = 0; n < naive_count[which[i]]; n++) {
        const Naive *hit = &naive[which[i]][n];
        const double weight = (double)w_dec[select_id(hit->key) * WIDTH + j];
        sum += hit->active ? fixed_of((double)hit->value * weight, scales[i]) : 0;
      }
      CU_ASSERT_EQUAL(sums[i * WIDTH + j], sum);
    }
  }
}

static void test_rebuilt_rows_equal_loops(void) {
  for (int c = 0; c < SCREENS * CASE_COUNT; c++) {
    Sae *sae;
    Fire *fire;
    begin(c, &sae, &fire);
    check_rebuilt(sae, fire);
    end(&sae, &fire);
  }
}

static const CheckFact FACTS[] = {
    {"hits of all ranks are those of loops", test_hits_of_all_ranks_are_those_of_loops},
    {"owners get whole rows in order", test_owners_get_whole_rows_in_order},
    {"rebuilt rows equal loops", test_rebuilt_rows_equal_loops},
};

int main(int argc, char **argv) {
  const char *why = NULL;
  dense_open();
  lowp_open(&why);
  return CHECK_MAIN_RANKS(argc, argv, "fire", FACTS);
}
