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

static float largest(const float *a, int64_t width) {
  float lane[LANES] = {0};
  const int64_t whole = width - width % LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
    for (int64_t l = 0; l < LANES; l++) {
      const float size = fabsf(a[i + l]);
      lane[l] = size > lane[l] ? size : lane[l];
    }
  }
  float most = 0.0F;
  for (int64_t i = whole; i < width; i++) {
    most = fabsf(a[i]) > most ? fabsf(a[i]) : most;
  }
  for (int64_t l = 0; l < LANES; l++) {
    most = lane[l] > most ? lane[l] : most;
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
  const int32_t integer = (int32_t)q;
  out[lane] = (uint8_t)(integer + offset);
  sums->lost[lane] += lost * lost;
  sums->squares[lane] += integer * integer;
  sums->sum[lane] += integer;
}

static void to_bytes(const float *restrict row, int64_t width, float scale, float inverse,
                     int offset, uint8_t *restrict out, LanesBytes *sizes) {
  ByteSums sums = {0};
  const int64_t whole = width - width % BYTE_LANES;
  for (int64_t i = 0; i < whole; i += BYTE_LANES) {
    for (int64_t l = 0; l < BYTE_LANES; l++) {
      to_byte(row + i, scale, inverse, offset, out + i, &sums, l);
    }
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

static void maxima(const float *score, const float *bias, int64_t count, float *best) {
  for (int64_t l = 0; l < LANES; l++) {
    best[l] = bias == NULL ? score[l] : score[l] + bias[l];
  }
  for (int64_t n = LANES; n + LANES <= count; n += LANES) {
    for (int64_t l = 0; l < LANES; l++) {
      const float value = bias == NULL ? score[n + l] : score[n + l] + bias[n + l];
      best[l] = value > best[l] ? value : best[l];
    }
  }
}

#if defined(__AVX512F__)
static int64_t scan(const float *score, const float *bias, const float *back, int64_t count,
                    float least, int32_t *hits) {
  const __m512 bar = _mm512_set1_ps(least);
  int64_t found = 0;
  for (int64_t n = 0; n < count; n += 16) {
    const int64_t left = count - n;
    const __mmask16 there = (__mmask16)(left >= 16 ? 0xffffU : (1U << left) - 1U);
    const __m512 s = _mm512_maskz_loadu_ps(there, score + n);
    const __m512 t = bias == NULL ? s : _mm512_add_ps(s, _mm512_maskz_loadu_ps(there, bias + n));
    unsigned mask = _mm512_mask_cmp_ps_mask(there, t, bar, _CMP_GE_OQ);
    if (back != NULL) {
      mask |= _mm512_mask_cmp_ps_mask(there, s, _mm512_maskz_loadu_ps(there, back + n), _CMP_GE_OQ);
    }
    for (; mask != 0; mask &= mask - 1) {
      hits[found++] = (int32_t)n + __builtin_ctz(mask);
    }
  }
  return found;
}
#else
static int64_t scan(const float *score, const float *bias, const float *back, int64_t count,
                    float least, int32_t *hits) {
  enum { STRIDE = 32 };
  int64_t found = 0;
  for (int64_t n = 0; n < count; n += STRIDE) {
    const int64_t past = n + STRIDE < count ? n + STRIDE : count;
    int any = 0;
    for (int64_t i = n; i < past; i++) {
      const float t = bias == NULL ? score[i] : score[i] + bias[i];
      any |= (t >= least) | (back != NULL && score[i] >= back[i]);
    }
    for (int64_t i = n; any && i < past; i++) {
      const float t = bias == NULL ? score[i] : score[i] + bias[i];
      if (t >= least || (back != NULL && score[i] >= back[i])) {
        hits[found++] = (int32_t)i;
      }
    }
  }
  return found;
}
#endif

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
                         .adam = adam,
                         .largest = largest,
                         .to_bytes = to_bytes,
                         .butterfly = butterfly,
                         .maxima = maxima,
                         .scan = scan};
