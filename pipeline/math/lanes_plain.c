#include <math.h>
#include <string.h>

#include "lanes_sets.h"

/* One lane a vector. fmaf is an instruction where the CPU has it, else exact software: slow, and
 * right. */
typedef float Vector;
typedef double Wide;
enum { LANE_COUNT = 1, WIDE_COUNT = 1, GROUP = 8 };

static inline Vector vector_zero(void) {
  return 0.0F;
}
static inline Vector vector_load(const float *p) {
  return *p;
}
static inline void vector_store(float *p, Vector a) {
  *p = a;
}
static inline Vector vector_add(Vector a, Vector b) {
  return a + b;
}
static inline Vector vector_fma(Vector a, Vector b, Vector c) {
  return fmaf(a, b, c);
}
static inline Vector vector_set(float a) {
  return a;
}
static inline Vector vector_mul(Vector a, Vector b) {
  return a * b;
}
static inline Vector vector_min(Vector a, Vector b) {
  return a < b ? a : b;
}
/* b where a is nan, as the other sets' instructions have it. */
static inline Vector vector_max(Vector a, Vector b) {
  return a > b ? a : b;
}
static inline Vector vector_from_ints(const int32_t *p) {
  return (float)*p;
}
static inline Vector vector_from_sums(const int32_t *p, const int32_t *q) {
  return (float)(*p + *q);
}
static inline unsigned vector_reaches(Vector a, Vector least) {
  return a >= least;
}
static inline float vector_sum(Vector a) {
  return a;
}
static inline Wide wide_zero(void) {
  return 0.0;
}
static inline Wide wide_load(const float *p) {
  return (double)*p;
}
static inline void wide_store(double *p, Wide a) {
  *p = a;
}
static inline Wide wide_square(Wide a, Wide sum) {
  return fma(a, a, sum);
}

#define LANES_SET LANES_PLAIN
#define LANES_NAME "plain"
#include "lanes_body.h"
