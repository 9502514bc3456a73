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

#define LANES_SET LANES_AVX2
#define LANES_NAME "avx2"
#include "lanes_body.h"
