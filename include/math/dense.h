#ifndef DENSE_H
#define DENSE_H

#include <stdint.h>

/** Dense kernels on row-major float32. ranks: all local. The fixed-order ones give the same bits on
 * every CPU (64 lanes of explicit fma, lanes summed by halves); dense_gemm and its kin do
 * not. */

/** Dot product in the fixed order. */
float dense_dot(const float *a, const float *b, int64_t width);
/** Four dot products of one row with four rows, each bit-equal to dense_dot. */
void dense_dot4(const float *a, const float *const rows[4], int64_t width, float out[4]);
/** Sum of squares in double, fixed order. */
double dense_square(const float *a, int64_t width);
/** y += factor * x by fma, element-wise. */
void dense_add(float *y, const float *x, int64_t width, float factor);
/** The same four times, rows in order. */
void dense_add4(float *y, const float *const rows[4], int64_t width, const float factors[4]);

/** By the BLAS, single-threaded, rows without gaps; the bits depend on the BLAS core and on the
 *  shape, on nothing else.
 *    dense_gemm         out[m, n] = a[m, width] b[n, width]^T
 *    dense_gemm_plain   out[m, n] = a[m, width] b[width, n]
 *    dense_gemm_turned  out[m, n] = a[width, m]^T b[width, n] */
void dense_gemm(const float *a, int64_t m, const float *b, int64_t n, int64_t width, float *out);
void dense_gemm_plain(const float *a, int64_t m, const float *b, int64_t n, int64_t width,
                      float *out);
void dense_gemm_turned(const float *a, int64_t m, const float *b, int64_t n, int64_t width,
                       float *out);
/** Rigorous bound of |dense_gemm's entry - dense_dot| per unit of |a||b|, any order of summation:
 * (2 width + 8) 2^-24 would be enough for both; see dense.c. */
double dense_gemm_error(int64_t width);

/** float32 <-> bfloat16 bits, round to nearest even; nan stays nan. */
void dense_to_bf16(const float *values, int64_t count, uint16_t *out);
void dense_from_bf16(const uint16_t *bits, int64_t count, float *out);

/** The name of the BLAS core in use ("SkylakeX"), and set the BLAS to one thread (call once at
 * start). */
const char *dense_core(void);
void dense_open(void);

/** What to set OPENBLAS_CORETYPE to where OpenBLAS chose `core`; NULL: nothing. It does not know CPUs that came after
 *  it, and computes for the oldest there, several times slower than this one can. */
const char *dense_core_instead(const char *core);
/** Begin the program again with that, unless OPENBLAS_CORETYPE is set: OpenBLAS reads it while it is loaded. Call
 *  before MPI is opened; returns where there is nothing to do.
 *  ranks   local */
void dense_renew(char **argv);

#endif
