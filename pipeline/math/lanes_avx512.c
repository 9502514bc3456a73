#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "lanes_sets.h"

typedef __m512 Vector;
typedef __m512d Wide;
enum { LANE_COUNT = 16, WIDE_COUNT = 8, GROUP = 4 };

static inline Vector vector_zero(void) {
  return _mm512_setzero_ps();
}
static inline Vector vector_load(const float *p) {
  return _mm512_loadu_ps(p);
}
static inline void vector_store(float *p, Vector a) {
  _mm512_storeu_ps(p, a);
}
static inline Vector vector_add(Vector a, Vector b) {
  return _mm512_add_ps(a, b);
}
static inline Vector vector_fma(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
static inline Vector vector_set(float a) {
  return _mm512_set1_ps(a);
}
static inline Vector vector_mul(Vector a, Vector b) {
  return _mm512_mul_ps(a, b);
}
static inline Vector vector_min(Vector a, Vector b) {
  return _mm512_min_ps(a, b);
}
static inline Vector vector_max(Vector a, Vector b) {
  return _mm512_max_ps(a, b);
}
static inline Vector vector_from_ints(const int32_t *p) {
  return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
static inline Vector vector_from_sums(const int32_t *p, const int32_t *q) {
  return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_loadu_si512(p), _mm512_loadu_si512(q)));
}
static inline unsigned vector_reaches(Vector a, Vector least) {
  return _mm512_cmp_ps_mask(a, least, _CMP_GE_OQ);
}
static inline float vector_sum(Vector a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline Wide wide_zero(void) {
  return _mm512_setzero_pd();
}
static inline Wide wide_load(const float *p) {
  return _mm512_cvtps_pd(_mm256_loadu_ps(p));
}
static inline void wide_store(double *p, Wide a) {
  _mm512_storeu_pd(p, a);
}
static inline Wide wide_square(Wide a, Wide sum) {
  return _mm512_fmadd_pd(a, a, sum);
}

/* lost[lane] += (x - scale q)^2 of eight lanes. */
static inline void add_lost(double *lost, __m256 x, __m256 q, __m512d scale) {
  const __m512d gap = _mm512_sub_pd(_mm512_cvtps_pd(x), _mm512_mul_pd(scale, _mm512_cvtps_pd(q)));
  _mm512_storeu_pd(lost, _mm512_add_pd(_mm512_loadu_pd(lost), _mm512_mul_pd(gap, gap)));
}
static inline void add_ints(int32_t *sums, __m512i values) {
  _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_loadu_si512(sums), values));
}
static inline void vector_bytes(const float *row, float scale, float inverse, int offset,
                                uint8_t *out, double *lost, int32_t *squares, int32_t *sum) {
  const __m512 whole = _mm512_set1_ps(12582912.0F);
  const __m512 x = _mm512_loadu_ps(row);
  const __m512 q =
      _mm512_sub_ps(_mm512_add_ps(_mm512_mul_ps(x, _mm512_set1_ps(inverse)), whole), whole);
  const __m512i value = _mm512_maskz_cvtps_epi32(_mm512_cmp_ps_mask(q, q, _CMP_ORD_Q), q);
  const __m512d wide = _mm512_set1_pd((double)scale);
  add_lost(lost, _mm512_castps512_ps256(x), _mm512_castps512_ps256(q), wide);
  add_lost(lost + 8, _mm512_extractf32x8_ps(x, 1), _mm512_extractf32x8_ps(q, 1), wide);
  add_ints(squares, _mm512_mullo_epi32(value, value));
  add_ints(sum, value);
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(value, _mm512_set1_epi32(offset)));
  _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

#define LANES_HAS_BYTES
#define LANES_SET LANES_AVX512
#define LANES_NAME "avx512"
#include "lanes_body.h"
