/* Codes of several batches against naive loops; statistics and examples. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "encode.h"
#include "exchange.h"
#include "memory.h"
#include "random.h"
#include "select.h"
#include "tally.h"

enum { LATENTS = 90, WIDTH = 24, BATCH = 40, ROWS = 81, K = 3, WIDE = 6, TOKENS = 7 };

static Team team;
static float x[ROWS * WIDTH], mean[WIDTH], w_enc[LATENTS * WIDTH], w_dec[LATENTS * WIDTH];
static float b_enc[LATENTS], b_dec[WIDTH];
static uint32_t token[ROWS];
static uint8_t is_held_out[ROWS];
static SelectKey best[ROWS * WIDE]; /* by naive loops */
static int64_t best_count[ROWS];

static void fill(float *out, int64_t count, const char *name, double scale) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = (float)(scale * random_normal(random_key(1, "test encode", name), (uint64_t)i));
  }
}

static void make_unit_rows(float *rows, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const double norm = sqrt(dense_square(rows + i * WIDTH, WIDTH));
    for (int64_t j = 0; j < WIDTH; j++) {
      rows[i * WIDTH + j] = (float)((double)rows[i * WIDTH + j] / norm);
    }
  }
}

static void select_naively(void) {
  for (int64_t r = 0; r < ROWS; r++) {
    float centred[WIDTH];
    for (int64_t j = 0; j < WIDTH; j++) {
      centred[j] = x[r * WIDTH + j] - b_dec[j];
    }
    best_count[r] = 0;
    for (int64_t i = 0; i < LATENTS; i++) {
      const float score = dense_dot(centred, w_enc + i * WIDTH, WIDTH) + b_enc[i];
      if (score > 0) {
        select_offer(best + r * WIDE, &best_count[r], WIDE, select_key(score, i));
      }
    }
    select_sort(best + r * WIDE, best_count[r]);
  }
}

/* Row 5 has no positive score but few; latents 8 and 9 are the same. */
static void make_data(void) {
  fill(x, ROWS * WIDTH, "x", 1);
  fill(mean, WIDTH, "mean", 0.1);
  fill(w_enc, LATENTS * WIDTH, "w_enc", 1);
  fill(w_dec, LATENTS * WIDTH, "w_dec", 1);
  fill(b_enc, LATENTS, "b_enc", 0.1);
  fill(b_dec, WIDTH, "b_dec", 0.1);
  memcpy(w_enc + 9 * WIDTH, w_enc + 8 * WIDTH, WIDTH * sizeof(float));
  b_enc[9] = b_enc[8];
  memcpy(x + 5 * WIDTH, b_dec, WIDTH * sizeof(float));
  make_unit_rows(w_enc, LATENTS);
  make_unit_rows(w_dec, LATENTS);
  for (int64_t r = 0; r < ROWS; r++) {
    token[r] = (uint32_t)(r % TOKENS);
    is_held_out[r] = r >= 10 && r < 47;
  }
  memset(best, 0, sizeof(best));
  select_naively();
}

static Sae *make_sae(const Team *ranks) {
  Sae *sae = NULL;
  CU_ASSERT_EQUAL(sae_create(&sae, ranks, LATENTS, WIDTH), OK);
  const int64_t own = shard_count(sae->own);
  memcpy(sae->w_enc, w_enc + sae->own.first * WIDTH, (size_t)(own * WIDTH) * sizeof(float));
  memcpy(sae->w_dec, w_dec + sae->own.first * WIDTH, (size_t)(own * WIDTH) * sizeof(float));
  memcpy(sae->b_enc, b_enc + sae->own.first, (size_t)own * sizeof(float));
  memcpy(sae->b_dec, b_dec, sizeof(b_dec));
  sae_measure(sae);
  return sae;
}

static Encode *encode_all(Team *ranks, const Sae *sae) {
  const EncodeSetup setup = {
      .sae = sae, .mean = mean, .batch = BATCH, .k = K, .wide = WIDE, .folder = check_folder()};
  Encode *encode = NULL;
  CU_ASSERT_EQUAL(encode_create(&encode, ranks, &setup), OK);
  for (int64_t first = 0; first < ROWS; first += BATCH) {
    const EncodeBatch batch = {.first = first,
                               .rows = ROWS - first < BATCH ? ROWS - first : BATCH,
                               .x = x + first * WIDTH,
                               .token = token + first,
                               .is_held_out = is_held_out + first};
    CU_ASSERT_EQUAL(encode_batch(encode, &batch), OK);
  }
  return encode;
}

static void begin(Sae **sae, Encode **encode) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  make_data();
  *sae = make_sae(&team);
  *encode = encode_all(&team, *sae);
}

static void end(Sae **sae, Encode **encode) {
  encode_destroy(encode);
  sae_destroy(sae);
  team_close(&team);
}

/* Differences of one row's codes from the naive ones. */
static int64_t wrong_codes(const CodesPart *part, int64_t r) {
  const int64_t row = part->first_row + r;
  const int64_t first = part->row_start[r] - part->first_entry;
  const int64_t past =
      r + 1 < part->rows ? part->row_start[r + 1] - part->first_entry : part->entries;
  int64_t wrong = past - first != best_count[row];
  for (int64_t i = first; i < past && wrong == 0; i++) {
    const SelectKey key = best[row * WIDE + i - first];
    wrong += part->id[i] != select_id(key) || part->value[i] != select_score(key);
    wrong += part->active[i] != (i - first < K);
  }
  return wrong;
}

static void test_codes_by_row_equal_naive_loops(void) {
  Sae *sae;
  Encode *encode;
  begin(&sae, &encode);
  int64_t totals[2] = {0, 0}; /* rows, wrong */
  CU_ASSERT_EQUAL(codes_parts(encode_codes(encode)), 3);
  for (int64_t b = 0; b < codes_parts(encode_codes(encode)); b++) {
    CodesPart part;
    CU_ASSERT_EQUAL(codes_part(encode_codes(encode), b, &part), OK);
    totals[0] += part.rows;
    for (int64_t r = 0; r < part.rows; r++) {
      totals[1] += wrong_codes(&part, r);
    }
  }
  exchange_sum(&team, totals, 2);
  CU_ASSERT_EQUAL(totals[0], ROWS);
  CU_ASSERT_EQUAL(totals[1], 0);
  end(&sae, &encode);
}

static void test_entries_of_all_ranks_lie_behind_each_other(void) {
  Sae *sae;
  Encode *encode;
  begin(&sae, &encode);
  int64_t starts[ROWS] = {0};
  for (int64_t b = 0; b < codes_parts(encode_codes(encode)); b++) {
    CodesPart part;
    CU_ASSERT_EQUAL(codes_part(encode_codes(encode), b, &part), OK);
    for (int64_t r = 0; r < part.rows; r++) {
      starts[part.first_row + r] = part.row_start[r];
    }
  }
  exchange_sum(&team, starts, ROWS);
  int64_t place = 0;
  for (int64_t r = 0; r < ROWS; r++) {
    CU_ASSERT_EQUAL(starts[r], place);
    place += best_count[r];
  }
  CU_ASSERT_EQUAL(codes_entries(encode_codes(encode)), place);
  end(&sae, &encode);
}

/* Firings of a latent by loops over the naive codes. */
static int64_t naive_firings(int64_t latent, uint32_t *rows, float *values) {
  int64_t count = 0;
  for (int64_t r = 0; r < ROWS; r++) {
    for (int64_t i = 0; i < best_count[r] && i < K; i++) {
      if (select_id(best[r * WIDE + i]) == latent) {
        rows[count] = (uint32_t)r;
        values[count++] = select_score(best[r * WIDE + i]);
      }
    }
  }
  return count;
}

static void test_firings_by_feature_equal_naive_loops(void) {
  Sae *sae;
  Encode *encode;
  begin(&sae, &encode);
  CodesFirings firings;
  CU_ASSERT_EQUAL(codes_firings(encode_codes(encode), &firings), OK);
  for (int64_t i = 0; i < shard_count(sae->own); i++) {
    uint32_t rows[ROWS];
    float values[ROWS];
    const int64_t count = naive_firings(sae->own.first + i, rows, values);
    const int64_t start = firings.start[i];
    int64_t held_out = 0;
    CU_ASSERT_EQUAL(firings.start[i + 1] - start, count);
    CU_ASSERT_EQUAL(memcmp(firings.row + start, rows, (size_t)count * sizeof(*rows)), 0);
    CU_ASSERT_EQUAL(memcmp(firings.value + start, values, (size_t)count * sizeof(*values)), 0);
    for (int64_t f = 0; f < count; f++) {
      held_out += is_held_out[rows[f]];
      CU_ASSERT_EQUAL(firings.token[start + f], token[rows[f]]);
    }
    CU_ASSERT_EQUAL(firings.held_out[i], held_out);
  }
  int64_t total = 0;
  CU_ASSERT_EQUAL(exchange_offset(&team, firings.count, &total), firings.before);
  CU_ASSERT_EQUAL(total, firings.total);
  end(&sae, &encode);
}

static double naive_variance(void) {
  double error = 0, variance = 0;
  for (int64_t r = 0; r < ROWS; r++) {
    for (int64_t j = 0; j < WIDTH && is_held_out[r]; j++) {
      const double value = (double)x[r * WIDTH + j];
      double guess = (double)b_dec[j];
      for (int64_t i = 0; i < best_count[r] && i < K; i++) {
        const SelectKey key = best[r * WIDE + i];
        guess += (double)select_score(key) * (double)w_dec[select_id(key) * WIDTH + j];
      }
      error += (value - guess) * (value - guess);
      variance += (value - (double)mean[j]) * (value - (double)mean[j]);
    }
  }
  return 1 - error / variance;
}

static void test_explained_variance_equals_loops_and_does_not_depend_on_ranks(void) {
  Sae *sae;
  Encode *encode;
  begin(&sae, &encode);
  Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  Sae *whole = make_sae(&self);
  Encode *alone = encode_all(&self, whole);
  const double variance = encode_explained_variance(encode);
  CU_ASSERT_EQUAL(variance, encode_explained_variance(alone));
  CU_ASSERT_DOUBLE_EQUAL(variance, naive_variance(), 1e-5);
  encode_destroy(&alone);
  sae_destroy(&whole);
  end(&sae, &encode);
}

static void test_nothing_held_out_gives_no_explained_variance(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  make_data();
  memset(is_held_out, 0, sizeof(is_held_out));
  Sae *sae = make_sae(&team);
  Encode *encode = encode_all(&team, sae);
  CU_ASSERT(isnan(encode_explained_variance(encode)));
  end(&sae, &encode);
}

static void test_own_logarithm_equals_libm(void) {
  CU_ASSERT_EQUAL(tally_log10(1.0), 0.0);
  for (int i = 1; i < 2000; i++) {
    const double value = i / 1999.0 * (i % 7 == 0 ? 1e-9 : (i % 5 == 0 ? 1e12 : 1));
    CU_ASSERT_DOUBLE_EQUAL(tally_log10(value), log10(value), 4e-15 * (1 + fabs(log10(value))));
  }
}

static void test_top_rows_are_by_value_and_ties_by_row(void) {
  const uint32_t rows[] = {3, 4, 8, 9, 12};
  const float values[] = {1, 5, 2, 5, 0.5F};
  const TallyList list = {.count = 5, .row = rows, .value = values};
  Tally *tally = NULL;
  int64_t top[7];
  CU_ASSERT_EQUAL(tally_create(&tally, 7, 1, 1), OK);
  tally_top(tally, &list, top);
  const int64_t expected[7] = {4, 9, 8, 3, 12, -1, -1};
  CU_ASSERT_EQUAL(memcmp(top, expected, sizeof(top)), 0);
  const TallySums sums = tally_sums(&list, 50);
  CU_ASSERT_EQUAL(sums.sum, 13.5);
  CU_ASSERT_EQUAL(sums.sum_square, 55.25);
  CU_ASSERT_EQUAL(sums.maximum, 5.0F);
  CU_ASSERT_EQUAL(sums.log10_density, -1.0F);
  tally_destroy(&tally);
}

static void test_a_feature_that_never_fires_has_no_examples(void) {
  const TallyList list = {.count = 0};
  Tally *tally = NULL;
  int64_t top[2], drawn[4];
  CU_ASSERT_EQUAL(tally_create(&tally, 2, 2, 2), OK);
  tally_top(tally, &list, top);
  tally_intervals(tally, &list, 1, drawn);
  CU_ASSERT(top[0] == -1 && top[1] == -1 && drawn[0] == -1 && drawn[3] == -1);
  CU_ASSERT(isinf(tally_sums(&list, 9).log10_density));
  tally_destroy(&tally);
}

static void test_examples_come_from_their_intervals(void) {
  enum { COUNT = 400, INTERVALS = 4, PER = 5 };
  uint32_t rows[COUNT];
  float values[COUNT];
  for (int i = 0; i < COUNT; i++) { /* values 0.01 .. 4.00: borders at 1, 2, 3 */
    rows[i] = (uint32_t)(10 * i);
    values[i] = (float)((i * 7) % COUNT + 1) / 100.0F;
  }
  const TallyList list = {.count = COUNT, .row = rows, .value = values};
  Tally *tally = NULL;
  int64_t drawn[INTERVALS * PER], again[INTERVALS * PER], other[INTERVALS * PER];
  CU_ASSERT_EQUAL(tally_create(&tally, 1, INTERVALS, PER), OK);
  tally_intervals(tally, &list, 11, drawn);
  tally_intervals(tally, &list, 11, again);
  tally_intervals(tally, &list, 12, other);
  CU_ASSERT_EQUAL(memcmp(drawn, again, sizeof(drawn)), 0);
  CU_ASSERT_NOT_EQUAL(memcmp(drawn, other, sizeof(drawn)), 0);
  for (int i = 0; i < INTERVALS * PER; i++) {
    const float value = values[drawn[i] / 10];
    const float high = (float)(INTERVALS - i / PER);
    CU_ASSERT(value <= high && value > high - 1);
    for (int j = i - i % PER; j < i; j++) {
      CU_ASSERT_NOT_EQUAL(drawn[i], drawn[j]);
    }
  }
  tally_destroy(&tally);
}

static const CheckFact FACTS[] = {
    {"codes by row equal naive loops", test_codes_by_row_equal_naive_loops},
    {"entries of all ranks lie behind each other", test_entries_of_all_ranks_lie_behind_each_other},
    {"firings by feature equal naive loops", test_firings_by_feature_equal_naive_loops},
    {"explained variance equals loops and does not depend on ranks",
     test_explained_variance_equals_loops_and_does_not_depend_on_ranks},
    {"nothing held out gives no explained variance",
     test_nothing_held_out_gives_no_explained_variance},
    {"own logarithm equals libm", test_own_logarithm_equals_libm},
    {"top rows are by value and ties by row", test_top_rows_are_by_value_and_ties_by_row},
    {"a feature that never fires has no examples", test_a_feature_that_never_fires_has_no_examples},
    {"examples come from their intervals", test_examples_come_from_their_intervals},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "encode", FACTS);
}
