/* The kernels, written once; included by lanes_plain.c, lanes_avx2.c and lanes_avx512.c, which
 * define Vector (LANE_COUNT floats), Wide (WIDE_COUNT doubles) and their operations. What fixes the
 * bits: 64 lanes, element i goes to lane i % 64 by fma in ascending order, lanes l and l + half are
 * added for half = 32 .. 1. Element-wise loops are left to the vectoriser. */

enum { LANES = 64, PARTS = LANES / LANE_COUNT, WIDES = LANES / WIDE_COUNT };

/* Sum the lanes after adding elements [from, width), the rest that does not fill 64 lanes. */
static inline float finish(const Vector *sums, const float *a, const float *b, int64_t from,
                           int64_t width) {
  Vector parts[PARTS];
  memcpy(parts, sums, sizeof(parts));
  if (from < width) {
    float lane[LANES];
    for (int p = 0; p < PARTS; p++) {
      vector_store(lane + p * LANE_COUNT, parts[p]);
    }
    for (int64_t i = from; i < width; i++) {
      lane[i - from] = fmaf(a[i], b[i], lane[i - from]);
    }
    for (int p = 0; p < PARTS; p++) {
      parts[p] = vector_load(lane + p * LANE_COUNT);
    }
  }
  for (int half = PARTS / 2; half > 0; half /= 2) {
    for (int p = 0; p < half; p++) {
      parts[p] = vector_add(parts[p], parts[p + half]);
    }
  }
  return vector_sum(parts[0]);
}

static float dot(const float *a, const float *b, int64_t width) {
  Vector sums[PARTS];
  for (int p = 0; p < PARTS; p++) {
    sums[p] = vector_zero();
  }
  const int64_t whole = width - width % LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
#pragma GCC unroll 8
    for (int p = 0; p < PARTS; p++) {
      const int64_t at = i + p * LANE_COUNT;
      sums[p] = vector_fma(vector_load(a + at), vector_load(b + at), sums[p]);
    }
  }
  return finish(sums, a, b, whole, width);
}

/* What the first pass leaves to the others of 64 lanes, a cache line at a time. */
static inline void fetch_rest(const float *const rows[4], int64_t at) {
  for (int lane = GROUP * LANE_COUNT; lane < LANES; lane += 16) {
    for (int r = 0; r < 4; r++) {
      __builtin_prefetch(rows[r] + at + lane);
    }
  }
}

/* GROUP vectors of four rows stay in registers for a pass over the whole 64-lane chunks. */
static inline void dot4_group(const float *a, const float *const rows[4], int64_t whole, int first,
                              Vector sums[4][PARTS]) {
  Vector sum[4][GROUP];
  for (int r = 0; r < 4; r++) {
    for (int g = 0; g < GROUP; g++) {
      sum[r][g] = vector_zero();
    }
  }
  for (int64_t i = first * LANE_COUNT; i < whole; i += LANES) {
    if (first == 0) {
      fetch_rest(rows, i);
    }
#pragma GCC unroll 8
    for (int g = 0; g < GROUP; g++) {
      const int64_t at = i + g * LANE_COUNT;
      const Vector x = vector_load(a + at);
      sum[0][g] = vector_fma(x, vector_load(rows[0] + at), sum[0][g]);
      sum[1][g] = vector_fma(x, vector_load(rows[1] + at), sum[1][g]);
      sum[2][g] = vector_fma(x, vector_load(rows[2] + at), sum[2][g]);
      sum[3][g] = vector_fma(x, vector_load(rows[3] + at), sum[3][g]);
    }
  }
  for (int r = 0; r < 4; r++) {
    for (int g = 0; g < GROUP; g++) {
      sums[r][first + g] = sum[r][g];
    }
  }
}

static void dot4(const float *a, const float *const rows[4], int64_t width, float out[4]) {
  Vector sums[4][PARTS];
  const int64_t whole = width - width % LANES;
  for (int first = 0; first < PARTS; first += GROUP) {
    dot4_group(a, rows, whole, first, sums);
  }
  for (int r = 0; r < 4; r++) {
    out[r] = finish(sums[r], a, rows[r], whole, width);
  }
}

static double square(const float *a, int64_t width) {
  Wide sums[WIDES];
  double lane[LANES];
  for (int p = 0; p < WIDES; p++) {
    sums[p] = wide_zero();
  }
  const int64_t whole = width - width % LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
#pragma GCC unroll 16
    for (int p = 0; p < WIDES; p++) {
      sums[p] = wide_square(wide_load(a + i + p * WIDE_COUNT), sums[p]);
    }
  }
  for (int p = 0; p < WIDES; p++) {
    wide_store(lane + p * WIDE_COUNT, sums[p]);
  }
  for (int64_t i = whole; i < width; i++) {
    lane[i - whole] = fma((double)a[i], (double)a[i], lane[i - whole]);
  }
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; l++) {
      lane[l] += lane[l + half];
    }
  }
  return lane[0];
}

static void add(float *restrict y, const float *restrict x, int64_t width, float factor) {
  for (int64_t i = 0; i < width; i++) {
    y[i] = fmaf(factor, x[i], y[i]);
  }
}

static void add4(float *restrict y, const float *const rows[4], int64_t width,
                 const float factors[4]) {
  const float *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2],
                        *restrict d = rows[3];
  const float fa = factors[0], fb = factors[1], fc = factors[2], fd = factors[3];
  for (int64_t i = 0; i < width; i++) {
    y[i] = fmaf(fd, d[i], fmaf(fc, c[i], fmaf(fb, b[i], fmaf(fa, a[i], y[i]))));
  }
}

/* Adding 1.5 * 2^52 rounds to an integer (ties to even) and leaves it in the low bits of the
 * double. */
static inline int64_t rounded(double value) {
  union {
    double value;
    int64_t bits;
  } sum = {.value = value + 6755399441055744.0};
  return sum.bits - 0x4338000000000000;
}

static void fixed_add(int64_t *restrict sums, const float *restrict row, int64_t width,
                      double factor) {
  for (int64_t i = 0; i < width; i++) {
    sums[i] += rounded(factor * (double)row[i]);
  }
}

static void fixed_add4(int64_t *restrict sums, const float *const rows[4], int64_t width,
                       const double factors[4]) {
  const float *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2],
                        *restrict d = rows[3];
  const double fa = factors[0], fb = factors[1], fc = factors[2], fd = factors[3];
  for (int64_t i = 0; i < width; i++) {
    sums[i] += rounded(fa * (double)a[i]) + rounded(fb * (double)b[i]) +
               rounded(fc * (double)c[i]) + rounded(fd * (double)d[i]);
  }
}

static void moments(double *restrict sums, double *restrict squares, const float *restrict row,
                    int64_t width) {
  for (int64_t i = 0; i < width; i++) {
    sums[i] += (double)row[i];
    squares[i] += (double)row[i] * (double)row[i];
  }
}

/* Of finite values well below the largest. The mixing is that of MurmurHash3's end. */
static void to_bf16_at_random(const float *restrict values, int64_t count, uint32_t key,
                              uint16_t *restrict out) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t chance = (uint32_t)i * 0x9e3779b9U ^ key;
    chance = (chance ^ (chance >> 16)) * 0x85ebca6bU;
    chance = (chance ^ (chance >> 13)) * 0xc2b2ae35U;
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof(bits));
    out[i] = (uint16_t)((bits + (chance >> 16)) >> 16);
  }
}

static void from_bf16(const uint16_t *restrict bits, int64_t count, float *restrict out) {
  for (int64_t i = 0; i < count; i++) {
    union {
      uint32_t bits;
      float value;
    } wide = {.bits = (uint32_t)bits[i] << 16};
    out[i] = wide.value;
  }
}

/* Moments below 1e-30 become 0: a row that is never active again would else end in subnormal
 * numbers. */
static void adam(const LanesAdam *step, float *restrict weight, float *restrict first,
                 float *restrict second, const float *restrict gradient, int64_t count) {
  const LanesAdam s = *step;
  const float tiny = 1e-30F;
  for (int64_t i = 0; i < count; i++) {
    const float g = gradient == NULL ? 0.0F : gradient[i] * s.clip;
    float m = fmaf(s.keep_first, first[i], s.take_first * g);
    float v = fmaf(s.keep_second, second[i], s.take_second * g * g);
    m = fabsf(m) < tiny ? 0.0F : m;
    v = v < tiny ? 0.0F : v;
    first[i] = m;
    second[i] = v;
    weight[i] -= s.rate * m / fmaf(sqrtf(v), s.root, s.epsilon);
  }
}

static inline float larger_size(float a, float most) {
  const float size = fabsf(a);
  return size > most ? size : most; /* most, of a NaN */
}

static float largest(const float *a, int64_t width) {
  float lane[LANES] = {0};
  const int64_t whole = width - width % LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
    for (int64_t l = 0; l < LANES; l++) {
      lane[l] = larger_size(a[i + l], lane[l]);
    }
  }
  float most = 0.0F;
  for (int64_t i = whole; i < width; i++) {
    most = larger_size(a[i], most);
  }
  for (int64_t l = 0; l < LANES; l++) {
    most = larger_size(lane[l], most);
  }
  return most;
}

static float largest_pair(const float *a, int64_t width) {
  float lane[LANES / 2] = {0};
  const int64_t whole = width - width % LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
    for (int64_t l = 0; l < LANES / 2; l++) {
      const float x = a[i + 2 * l], y = a[i + 2 * l + 1];
      lane[l] = larger_size(x, larger_size(y, larger_size(x + y, lane[l])));
    }
  }
  float most = 0.0F;
  for (int64_t i = whole; i < width; i++) {
    most = larger_size(a[i] + (i % 2 == 0 && i + 1 < width ? a[i + 1] : 0.0F),
                       larger_size(a[i], most));
  }
  for (int64_t l = 0; l < LANES / 2; l++) {
    most = larger_size(lane[l], most);
  }
  return most;
}

/* Adding 1.5 * 2^23 rounds to an integer, ties to even. */
static inline float whole_number(float value) {
  return (value + 12582912.0F) - 12582912.0F;
}

enum { BYTE_LANES = 16 };

typedef struct ByteSums {
  double lost[BYTE_LANES];
  int32_t squares[BYTE_LANES], sum[BYTE_LANES];
} ByteSums;

static inline void to_byte(const float *restrict row, float scale, float inverse, int offset,
                           uint8_t *restrict out, ByteSums *restrict sums, int64_t lane) {
  const float q = whole_number(row[lane] * inverse);
  const double lost = (double)row[lane] - (double)scale * (double)q;
  const int32_t integer = isnan(q) ? 0 : (int32_t)q; /* the loss keeps the NaN */
  out[lane] = (uint8_t)(integer + offset);
  sums->lost[lane] += lost * lost;
  sums->squares[lane] += integer * integer;
  sums->sum[lane] += integer;
}

/* BYTE_LANES of them; sets that have faster instructions for it bring their own. */
#ifndef LANES_HAS_BYTES
static inline void vector_bytes(const float *row, float scale, float inverse, int offset,
                                uint8_t *out, double *lost, int32_t *squares, int32_t *sum) {
  ByteSums sums = {0};
  for (int64_t l = 0; l < BYTE_LANES; l++) {
    to_byte(row, scale, inverse, offset, out, &sums, l);
    lost[l] += sums.lost[l];
    squares[l] += sums.squares[l];
    sum[l] += sums.sum[l];
  }
}
#endif

static void to_bytes(const float *restrict row, int64_t width, float scale, float inverse,
                     int offset, uint8_t *restrict out, LanesBytes *sizes) {
  ByteSums sums = {0};
  const int64_t whole = width - width % BYTE_LANES;
  for (int64_t i = 0; i < whole; i += BYTE_LANES) {
    vector_bytes(row + i, scale, inverse, offset, out + i, sums.lost, sums.squares, sums.sum);
  }
  for (int64_t l = 0; l < width - whole; l++) {
    to_byte(row + whole, scale, inverse, offset, out + whole, &sums, l);
  }
  *sizes = (LanesBytes){0};
  for (int64_t l = 0; l < BYTE_LANES; l++) {
    sizes->lost += sums.lost[l];
    sizes->squares += sums.squares[l];
    sizes->sum += sums.sum[l];
  }
}

static void butterfly(float *restrict a, float *restrict b, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const float sum = a[i] + b[i];
    b[i] = a[i] - b[i];
    a[i] = sum;
  }
}

static inline Vector wholes_of(const void *score, const LanesColumns *c, int64_t n) {
  const int32_t *wholes = (const int32_t *)score + n;
  return c->shift == NULL ? vector_from_ints(wholes) : vector_from_sums(wholes, c->shift + n);
}

static inline float whole_of_one(const void *score, const LanesColumns *c, int64_t n) {
  const int32_t whole = ((const int32_t *)score)[n];
  return (float)(c->shift == NULL ? whole : whole + c->shift[n]);
}

/* mid of the LANE_COUNT columns from n on. */
static inline Vector mid_of(const void *score, const LanesColumns *c, const LanesRow *row,
                            int64_t n) {
  Vector mid;
  if (c->scale == NULL) {
    /* size * 0 is 0 or, where a column takes no part, nan */
    mid =
        vector_fma(vector_load(c->size + n), vector_zero(), vector_load((const float *)score + n));
  } else {
    const Vector whole = wholes_of(score, c, n);
    mid = vector_mul(vector_set(row->scale), vector_mul(whole, vector_load(c->scale + n)));
  }
  return c->bias == NULL ? mid : vector_add(mid, vector_load(c->bias + n));
}

static inline float mid_of_one(const void *score, const LanesColumns *c, const LanesRow *row,
                               int64_t n) {
  const float mid = c->scale == NULL ? fmaf(c->size[n], 0.0F, ((const float *)score)[n])
                                     : row->scale * (whole_of_one(score, c, n) * c->scale[n]);
  return c->bias == NULL ? mid : mid + c->bias[n];
}

static void maxima(const void *score, const LanesColumns *columns, const LanesRow *row,
                   int64_t count, float *best) {
  const LanesColumns c = *columns;
  const LanesRow r = *row;
  Vector most[PARTS];
  for (int p = 0; p < PARTS; p++) {
    most[p] = vector_load(best + p * LANE_COUNT);
  }
  for (int64_t n = 0; n + LANES <= count; n += LANES) {
    for (int p = 0; p < PARTS; p++) {
      most[p] = vector_max(mid_of(score, &c, &r, n + p * LANE_COUNT), most[p]);
    }
  }
  for (int p = 0; p < PARTS; p++) {
    vector_store(best + p * LANE_COUNT, most[p]);
  }
}

static void keep_larger(const void *score, const LanesColumns *columns, const LanesRow *row,
                        int64_t count, float *best) {
  const LanesColumns c = *columns;
  const LanesRow r = *row;
  int64_t n = 0;
  for (; n + LANE_COUNT <= count; n += LANE_COUNT) {
    vector_store(best + n, vector_max(mid_of(score, &c, &r, n), vector_load(best + n)));
  }
  for (; n < count; n++) {
    const float mid = mid_of_one(score, &c, &r, n);
    best[n] = mid > best[n] ? mid : best[n];
  }
}

/* The columns from n on whose upper reaches a limit, a bit each. */
static inline unsigned reaching(const void *score, const LanesColumns *c, const LanesRow *row,
                                int64_t n) {
  Vector upper = vector_set(row->size);
  if (c->size != NULL) {
    upper = vector_mul(upper, vector_load(c->size + n));
  }
  if (c->error != NULL) {
    upper = vector_fma(vector_set(row->error), vector_load(c->error + n), upper);
  }
  if (c->scale == NULL) {
    upper = vector_add(upper, vector_load((const float *)score + n));
  } else {
    const Vector whole = wholes_of(score, c, n);
    upper = vector_fma(vector_set(row->scale), vector_mul(whole, vector_load(c->scale + n)), upper);
  }
  if (c->bias != NULL) {
    upper = vector_add(upper, vector_load(c->bias + n));
  }
  const Vector least = vector_set(row->least);
  return vector_reaches(upper,
                        c->back == NULL ? least : vector_min(vector_load(c->back + n), least));
}

static inline bool is_reaching(const void *score, const LanesColumns *c, const LanesRow *row,
                               int64_t n) {
  float upper = c->size == NULL ? row->size : row->size * c->size[n];
  upper = c->error == NULL ? upper : fmaf(row->error, c->error[n], upper);
  if (c->scale == NULL) {
    upper += ((const float *)score)[n];
  } else {
    upper = fmaf(row->scale, whole_of_one(score, c, n) * c->scale[n], upper);
  }
  upper += c->bias == NULL ? 0.0F : c->bias[n];
  return upper >= row->least || (c->back != NULL && upper >= c->back[n]);
}

/* 64 columns at a time, so that there is one branch for all of them. */
static inline int64_t scan_as(const void *score, const LanesColumns *c, const LanesRow *row,
                              int64_t count, int32_t *hits) {
  int64_t found = 0;
  int64_t n = 0;
  for (; n + LANES <= count; n += LANES) {
    uint64_t mask = 0;
#pragma GCC unroll 8
    for (int p = 0; p < PARTS; p++) {
      mask |= (uint64_t)reaching(score, c, row, n + p * LANE_COUNT) << (p * LANE_COUNT);
    }
    for (; mask != 0; mask &= mask - 1) {
      hits[found++] = (int32_t)n + __builtin_ctzll(mask);
    }
  }
  for (; n < count; n++) {
    if (is_reaching(score, c, row, n)) {
      hits[found++] = (int32_t)n;
    }
  }
  return found;
}

/* The kinds of tiles that are met most, each compiled for itself. */
static int64_t scan(const void *score, const LanesColumns *columns, const LanesRow *row,
                    int64_t count, int32_t *hits) {
  LanesColumns c = *columns;
  const LanesRow r = *row;
  if (c.scale == NULL || c.shift == NULL || c.size != NULL) {
    return scan_as(score, &c, &r, count, hits);
  }
  c.size = c.error = NULL;
  if (c.bias == NULL && c.back == NULL) {
    c.bias = c.back = NULL;
    return scan_as(score, &c, &r, count, hits);
  }
  if (c.bias == NULL) {
    c.bias = NULL;
    return scan_as(score, &c, &r, count, hits);
  }
  c.back = NULL;
  return scan_as(score, &c, &r, count, hits);
}

const Lanes LANES_SET = {.name = LANES_NAME,
                         .dot = dot,
                         .dot4 = dot4,
                         .square = square,
                         .add = add,
                         .add4 = add4,
                         .fixed_add = fixed_add,
                         .fixed_add4 = fixed_add4,
                         .moments = moments,
                         .from_bf16 = from_bf16,
                         .to_bf16_at_random = to_bf16_at_random,
                         .adam = adam,
                         .largest = largest,
                         .largest_pair = largest_pair,
                         .to_bytes = to_bytes,
                         .butterfly = butterfly,
                         .maxima = maxima,
                         .keep_larger = keep_larger,
                         .scan = scan};
