#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lanes.h"
#include "random.h"

/* Every set of kernels against the plain one, bit for bit, at widths with and without a rest. */

enum { MOST = 700 };
static const char *const NAMES[] = {"avx2", "avx512"};
static const int64_t WIDTHS[] = {0, 1, 3, 16, 63, 64, 65, 127, 128, 200, 576, 640, 699};

typedef struct Data {
  float a[MOST], b[MOST], c[MOST], d[MOST], e[MOST];
  int64_t sums[MOST];
  uint16_t bits[MOST];
  int32_t whole[MOST], shift[MOST];
  float scale[MOST], size[MOST]; /* nan in places */
} Data;

static float sample(uint64_t key, int64_t i) {
  const double scale = random_uniform(key, (uint64_t)i + 1000) < 0.02 ? 1e-20 : 1.0;
  return (float)(random_normal(key, (uint64_t)i) * scale);
}

static void fill(Data *data) {
  for (int64_t i = 0; i < MOST; i++) {
    data->a[i] = sample(1, i);
    data->b[i] = sample(2, i);
    data->c[i] = sample(3, i);
    data->d[i] = fabsf(sample(4, i));
    data->e[i] = sample(5, i);
    data->sums[i] = (int64_t)random_bits(6, (uint64_t)i) >> 12;
    data->bits[i] = (uint16_t)random_bits(7, (uint64_t)i);
    data->whole[i] = (int32_t)random_below(8, (uint64_t)i, 20001) - 10000;
    data->shift[i] = (int32_t)random_below(9, (uint64_t)i, 401) - 200;
    data->scale[i] = i % 13 == 5 ? NAN : 1e-2F * data->d[i];
    data->size[i] = i % 13 == 5 ? NAN : data->d[i];
  }
}

/* All results of one set on `width` elements. */
typedef struct Outcome {
  float dot, four[4], added[MOST], wide[MOST], weight[MOST], first[MOST], second[MOST];
  float best[2][64];
  double square, moment_sums[MOST], moment_squares[MOST];
  int64_t sums[MOST], found[8];
  int32_t hits[8][MOST];
  float largest, largest_pair, sums_of_halves[MOST], tops[2][MOST];
  uint8_t bytes[3][MOST];
  LanesBytes sizes[3];
  uint16_t half[MOST];
} Outcome;

/* Tiles of both kinds of scores, with and without bias and limits of columns. */
static void compute_scans(const Data *data, int64_t width, Outcome *out) {
  const Lanes *set = lanes();
  const LanesRow whole = {.scale = 1e-2F, .size = 0.3F, .error = 0.2F, .least = 1.1F};
  const LanesRow real = {.scale = 1.0F, .size = 0.3F, .least = 0.7F};
  const LanesColumns bytes = {
      .scale = data->scale, .shift = data->shift, .size = data->size, .error = data->d};
  const LanesColumns floats = {.size = data->size};
  const LanesColumns flat = {.scale = data->scale, .shift = data->shift};
  const LanesColumns bare = {.scale = data->scale, .size = data->size, .error = data->d};
  LanesColumns columns[8] = {bytes, bytes, floats, floats, flat, flat, flat, bare};
  columns[0].bias = columns[2].bias = columns[4].bias = data->c;
  columns[1].back = columns[3].back = columns[5].back = data->e;
  for (int i = 0; i < 8; i++) {
    const bool is_whole = columns[i].scale != NULL;
    const void *scores = is_whole ? (const void *)data->whole : (const void *)data->a;
    out->found[i] = set->scan(scores, &columns[i], is_whole ? &whole : &real, width, out->hits[i]);
  }
  for (int l = 0; l < 64; l++) {
    out->best[0][l] = out->best[1][l] = l % 9 == 0 ? 1.0F : -INFINITY;
  }
  set->maxima(data->whole, &columns[0], &whole, width, out->best[0]);
  set->maxima(data->a, &columns[3], &real, width, out->best[1]);
  for (int64_t n = 0; n < width; n++) {
    out->tops[0][n] = out->tops[1][n] = n % 7 == 0 ? 1.0F : -INFINITY;
  }
  set->keep_larger(data->whole, &columns[1], &whole, width, out->tops[0]);
  set->keep_larger(data->a, &columns[3], &real, width, out->tops[1]);
}

/* Rows in bytes: with and without an offset. */
static void compute_bytes(const Data *data, int64_t width, Outcome *out) {
  const Lanes *set = lanes();
  out->largest = set->largest(data->a, width);
  out->largest_pair = set->largest_pair(data->a, width);
  const float scale = out->largest > 0.0F ? out->largest / 127.0F : 0.0F;
  const float inverse = out->largest > 0.0F ? 127.0F / out->largest : 0.0F;
  set->to_bytes(data->a, width, scale, inverse, 128, out->bytes[0], &out->sizes[0]);
  set->to_bytes(data->b, width, scale, 0.5F * inverse, 0, out->bytes[1], &out->sizes[1]);
  set->to_bytes(data->size, width, scale, inverse, 7, out->bytes[2], &out->sizes[2]); /* nan */
  memcpy(out->sums_of_halves, data->a, (size_t)width * sizeof(float));
  set->butterfly(out->sums_of_halves, out->sums_of_halves + width / 2, width / 2);
}

static void compute(const Data *data, int64_t width, Outcome *out) {
  memset(out, 0, sizeof(*out));
  const Lanes *set = lanes();
  const float *const rows[4] = {data->b, data->c, data->d, data->e};
  const size_t bytes = (size_t)width * sizeof(float);
  out->dot = set->dot(data->a, data->b, width);
  set->dot4(data->a, rows, width, out->four);
  out->square = set->square(data->a, width);
  memcpy(out->added, data->a, bytes);
  set->add(out->added, data->b, width, 0.3F);
  memcpy(out->sums, data->sums, (size_t)width * sizeof(int64_t));
  set->fixed_add(out->sums, data->b, width, 0x1p40 / 3.0);
  const float weights[4] = {0.25F, -1.5F, 3e-7F, 0.7F};
  const double factors[4] = {0x1p41 / 3.0, -0x1p35, 0x1p42 / 7.0, 12345.6};
  set->add4(out->added, rows, width, weights);
  set->fixed_add4(out->sums, rows, width, factors);
  set->moments(out->moment_sums, out->moment_squares, data->b, width);
  set->moments(out->moment_sums, out->moment_squares, data->e, width);
  set->from_bf16(data->bits, width, out->wide);
  set->to_bf16_at_random(data->a, width, 12345U, out->half);
  memcpy(out->weight, data->a, bytes);
  memcpy(out->first, data->c, bytes);
  memcpy(out->second, data->d, bytes);
  const LanesAdam step = {0.9F, 0.1F, 0.999F, 0.001F, 1e-3F, 1.7F, 6.25e-10F, 0.5F};
  set->adam(&step, out->weight, out->first, out->second, data->e, width);
  compute_scans(data, width, out);
  compute_bytes(data, width, out);
}

static void test_sets_agree(void) {
  static Data data;
  static Outcome plain, other;
  fill(&data);
  for (size_t n = 0; n < sizeof(NAMES) / sizeof(NAMES[0]); n++) {
    for (size_t w = 0; w < sizeof(WIDTHS) / sizeof(WIDTHS[0]); w++) {
      CU_ASSERT(lanes_use("plain"));
      compute(&data, WIDTHS[w], &plain);
      if (lanes_use(NAMES[n])) {
        compute(&data, WIDTHS[w], &other);
        CU_ASSERT_EQUAL(memcmp(&plain, &other, sizeof(plain)), 0);
      }
    }
  }
}

/* Rounded up as often as it takes to keep the mean, and never further than to a neighbour. */
static void test_rounding_at_random_keeps_the_mean(void) {
  enum { TRIES = 20000 };
  const float values[] = {1.0F, 1.001F, -3.14159F, 1e-20F, 0.00389F};
  for (int v = 0; v < 5; v++) {
    double sum = 0.0, worst = 0.0;
    for (uint32_t key = 0; key < TRIES; key++) {
      uint16_t half;
      float wide;
      lanes()->to_bf16_at_random(&values[v], 1, key * 2654435761U, &half);
      lanes()->from_bf16(&half, 1, &wide);
      sum += (double)wide;
      worst = fmax(worst, fabs((double)wide / (double)values[v] - 1.0));
    }
    CU_ASSERT(worst < 0x1p-7);
    CU_ASSERT(fabs(sum / TRIES / (double)values[v] - 1.0) < 1e-4);
  }
}

/* The order that the header states, written out. */
static void test_dot_is_64_lanes_summed_by_halves(void) {
  static Data data;
  fill(&data);
  float lane[64] = {0};
  for (int64_t i = 0; i < MOST; i++) {
    lane[i % 64] = fmaf(data.a[i], data.b[i], lane[i % 64]);
  }
  for (int half = 32; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      lane[l] += lane[l + half];
    }
  }
  CU_ASSERT_EQUAL(dense_dot(data.a, data.b, MOST), lane[0]);
}

static void test_largest_of_rows_and_pairs(void) {
  static Data data;
  fill(&data);
  for (size_t w = 0; w < sizeof(WIDTHS) / sizeof(WIDTHS[0]); w++) {
    float most = 0.0F, pair = 0.0F;
    for (int64_t i = 0; i < WIDTHS[w]; i++) {
      most = fmaxf(most, fabsf(data.a[i]));
      pair = i % 2 == 1 ? fmaxf(pair, fabsf(data.a[i - 1] + data.a[i])) : pair;
    }
    CU_ASSERT_EQUAL(lanes()->largest(data.a, WIDTHS[w]), most);
    CU_ASSERT_EQUAL(lanes()->largest_pair(data.a, WIDTHS[w]), fmaxf(most, pair));
  }
}

static void test_unknown_set_is_refused(void) {
  CU_ASSERT_FALSE(lanes_use("avx1024"));
  CU_ASSERT_PTR_NOT_NULL(lanes());
}

static void test_adam_clears_tiny_moments(void) {
  const LanesAdam step = {0.9F, 0.1F, 0.999F, 0.001F, 1e-3F, 1.0F, 6.25e-10F, 1.0F};
  float weight[3] = {1.0F, 1.0F, 1.0F};
  float first[3] = {1e-30F, -1e-30F, 1e-3F};
  float second[3] = {1e-30F, 0.0F, 1e-30F};
  const float gradient[3] = {0.0F, 0.0F, 0.0F};
  lanes()->adam(&step, weight, first, second, gradient, 3);
  CU_ASSERT_EQUAL(first[0], 0.0F);
  CU_ASSERT_EQUAL(first[1], 0.0F);
  CU_ASSERT(first[2] > 0.0F);
  CU_ASSERT_EQUAL(second[0], 0.0F);
  CU_ASSERT_EQUAL(weight[0], 1.0F);
  CU_ASSERT(weight[2] < 1.0F);
}

static const CheckFact FACTS[] = {
    {"rounding at random keeps the mean", test_rounding_at_random_keeps_the_mean},
    {"all kernel sets give the plain set's bits", test_sets_agree},
    {"a dot product is 64 lanes summed by halves", test_dot_is_64_lanes_summed_by_halves},
    {"the largest of a row, and of its pairs", test_largest_of_rows_and_pairs},
    {"an unknown kernel set is refused", test_unknown_set_is_refused},
    {"Adam sets moments below 1e-30 to 0", test_adam_clears_tiny_moments},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "lanes", FACTS);
}
