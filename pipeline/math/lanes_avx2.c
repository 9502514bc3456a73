#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "lanes_sets.h"

typedef __m256 Vector;
typedef __m256d Wide;
/* GROUP vectors of each of four rows are summed at a time: 8 of the 16 registers. */
enum { LANE_COUNT = 8, WIDE_COUNT = 4, GROUP = 2 };

static inline Vector vector_zero(void) {
  return _mm256_setzero_ps();
}
static inline Vector vector_load(const float *p) {
  return _mm256_loadu_ps(p);
}
static inline void vector_store(float *p, Vector a) {
  _mm256_storeu_ps(p, a);
}
static inline Vector vector_add(Vector a, Vector b) {
  return _mm256_add_ps(a, b);
}
static inline Vector vector_fma(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
static inline Vector vector_set(float a) {
  return _mm256_set1_ps(a);
}
static inline Vector vector_mul(Vector a, Vector b) {
  return _mm256_mul_ps(a, b);
}
static inline Vector vector_min(Vector a, Vector b) {
  return _mm256_min_ps(a, b);
}
static inline Vector vector_max(Vector a, Vector b) {
  return _mm256_max_ps(a, b);
}
static inline Vector vector_from_ints(const int32_t *p) {
  return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline Vector vector_from_sums(const int32_t *p, const int32_t *q) {
  return _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_loadu_si256((const __m256i *)p),
                                             _mm256_loadu_si256((const __m256i *)q)));
}
static inline unsigned vector_reaches(Vector a, Vector least) {
  return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, least, _CMP_GE_OQ));
}
static inline float vector_sum(Vector a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline Wide wide_zero(void) {
  return _mm256_setzero_pd();
}
static inline Wide wide_load(const float *p) {
  return _mm256_cvtps_pd(_mm_loadu_ps(p));
}
static inline void wide_store(double *p, Wide a) {
  _mm256_storeu_pd(p, a);
}
static inline Wide wide_square(Wide a, Wide sum) {
  return _mm256_fmadd_pd(a, a, sum);
}

/* lost[lane] += (x - scale q)^2 of four lanes. */
static inline void add_lost(double *lost, __m128 x, __m128 q, __m256d scale) {
  const __m256d gap = _mm256_sub_pd(_mm256_cvtps_pd(x), _mm256_mul_pd(scale, _mm256_cvtps_pd(q)));
  _mm256_storeu_pd(lost, _mm256_add_pd(_mm256_loadu_pd(lost), _mm256_mul_pd(gap, gap)));
}
static inline void add_ints(int32_t *sums, __m256i values) {
  __m256i *place = (__m256i *)(void *)sums;
  _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), values));
}
/* The low byte of each integer. */
static inline void store_low_bytes(uint8_t *out, __m256i values) {
  const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                       0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i bytes = _mm256_shuffle_epi8(values, low);
  const __m128i both =
      _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  _mm_storel_epi64((__m128i *)(void *)out, both);
}
static inline void vector_bytes(const float *row, float scale, float inverse, int offset,
                                uint8_t *out, double *lost, int32_t *squares, int32_t *sum) {
  const __m256 whole = _mm256_set1_ps(12582912.0F);
  for (int half = 0; half < 16; half += 8) {
    const __m256 x = _mm256_loadu_ps(row + half);
    const __m256 q =
        _mm256_sub_ps(_mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(inverse)), whole), whole);
    const __m256i number = _mm256_castps_si256(_mm256_cmp_ps(q, q, _CMP_ORD_Q));
    const __m256i value = _mm256_and_si256(_mm256_cvtps_epi32(q), number);
    const __m256d wide = _mm256_set1_pd((double)scale);
    add_lost(lost + half, _mm256_castps256_ps128(x), _mm256_castps256_ps128(q), wide);
    add_lost(lost + half + 4, _mm256_extractf128_ps(x, 1), _mm256_extractf128_ps(q, 1), wide);
    add_ints(squares + half, _mm256_mullo_epi32(value, value));
    add_ints(sum + half, value);
    store_low_bytes(out + half, _mm256_add_epi32(value, _mm256_set1_epi32(offset)));
  }
}

#define LANES_HAS_BYTES
#define LANES_SET LANES_AVX2
#define LANES_NAME "avx2"
#include "lanes_body.h"
