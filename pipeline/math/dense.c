#include "dense.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lanes.h"
#include "status.h"

float dense_dot(const float *a, const float *b, int64_t width) {
  return lanes()->dot(a, b, width);
}

void dense_dot4(const float *a, const float *const rows[4], int64_t width, float out[4]) {
  lanes()->dot4(a, rows, width, out);
}

double dense_square(const float *a, int64_t width) {
  return lanes()->square(a, width);
}

void dense_add(float *y, const float *x, int64_t width, float factor) {
  lanes()->add(y, x, width, factor);
}

void dense_add4(float *y, const float *const rows[4], int64_t width, const float factors[4]) {
  lanes()->add4(y, rows, width, factors);
}

static blasint blas_count(int64_t count) {
  ASSERT(count >= 0 && count < 2147483647);
  return (blasint)count;
}

static void multiply(enum CBLAS_TRANSPOSE turn_a, enum CBLAS_TRANSPOSE turn_b, const float *a,
                     int64_t m, const float *b, int64_t n, int64_t width, float *out) {
  if (m == 0 || n == 0) {
    return;
  }
  if (width == 0) {
    memset(out, 0, (size_t)(m * n) * sizeof(*out));
    return;
  }
  const blasint stride_a = blas_count(turn_a == CblasNoTrans ? width : m);
  const blasint stride_b = blas_count(turn_b == CblasNoTrans ? n : width);
  cblas_sgemm(CblasRowMajor, turn_a, turn_b, blas_count(m), blas_count(n), blas_count(width), 1.0F,
              a, stride_a, b, stride_b, 0.0F, out, blas_count(n));
}

void dense_gemm(const float *a, int64_t m, const float *b, int64_t n, int64_t width, float *out) {
  multiply(CblasNoTrans, CblasTrans, a, m, b, n, width, out);
}

void dense_gemm_plain(const float *a, int64_t m, const float *b, int64_t n, int64_t width,
                      float *out) {
  multiply(CblasNoTrans, CblasNoTrans, a, m, b, n, width, out);
}

void dense_gemm_turned(const float *a, int64_t m, const float *b, int64_t n, int64_t width,
                       float *out) {
  multiply(CblasTrans, CblasNoTrans, a, m, b, n, width, out);
}

/* A sum of `width` products in float32, in any order and with or without fma, differs from the
 * exact one by at most width u / (1 - width u) sum |a_i b_i|, u = 2^-24 (Higham, section 3.1), and
 * sum |a_i b_i| <= |a||b|. Twice, for two such sums; the 8 and the 1.01 cover the denominators and
 * the rounding of the bound's own arithmetic. */
double dense_gemm_error(int64_t width) {
  return 1.01 * (2.0 * (double)width + 8.0) * 0x1p-24;
}

void dense_to_bf16(const float *values, int64_t count, uint16_t *out) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof(bits));
    const uint32_t is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
    const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    out[i] = (uint16_t)(is_nan ? (bits >> 16) | 0x40U : rounded);
  }
}

void dense_from_bf16(const uint16_t *bits, int64_t count, float *out) {
  lanes()->from_bf16(bits, count, out);
}

const char *dense_core(void) {
  return openblas_get_corename();
}

const char *dense_core_instead(const char *core) {
  const char *widest = lanes_widest();
  if (strcmp(core, "Prescott") != 0) {
    return NULL;
  }
  return strcmp(widest, "avx512") == 0 ? "SkylakeX"
         : strcmp(widest, "avx2") == 0 ? "Haswell"
                                       : NULL;
}

void dense_renew(char **argv) {
  static const char NAME[] = "OPENBLAS_CORETYPE";
  const char *core = getenv(NAME) == NULL ? dense_core_instead(dense_core()) : NULL;
  char path[4096];
  const ssize_t length =
      readlink("/proc/self/exe", path, sizeof(path) - 1); /* its own name stays */
  if (core != NULL && length > 0 && setenv(NAME, core, 1) == 0) {
    path[length] = '\0';
    execv(path, argv); /* returns only if it fails: then slower */
  }
}

void dense_open(void) {
  openblas_set_num_threads(1);
}
