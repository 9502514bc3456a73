#ifndef LOWP_H
#define LOWP_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Rows in 8 bits for screening: q_i = round(x_i / scale) with one scale a row, and the exact size
 *  of what was lost. With x^ = scale q, in exact arithmetic
 *    |x . w - x^ . w^| <= error_x |w| + |x^| error_w,
 *  error = |x - x^| rounded up (Cauchy-Schwarz). Nothing here is approximate: the bound is part of
 *  the result. Products are formed by oneDNN (u8 x s8 -> s32, exact integers) where it is right on
 *  this CPU; lowp_open() finds out.
 *  ranks   all local */
typedef struct Lowp {
  int64_t count, width;
  int64_t stride; /* bytes a row, >= width; the rest is 0 */
  int8_t *rows;   /* [count, stride] q in [-127, 127]; in [-63, 63] where 7 bits are used */
  float *scale;   /* [count] */
  double *error;  /* [count] |x - x^|, rounded up */
  double *norm;   /* [count] |x^|, rounded up */
  int32_t *sum;   /* [count] sum of q */
} Lowp;

/** Can this process multiply in 8 bits? Looks at the CPU and multiplies a tile of extreme values
 *  against an integer loop; call once, before threads start. CLEAVE_LOWP=off in the environment
 *  says no (for tests and benchmarks).
 *  why     out     a sentence for the log: what is used, or why float32 is */
bool lowp_open(const char **why);
/** Largest |q| of the left (unsigned) operand here: 127 with VNNI, else 63. */
int lowp_grid(void);

/** Quantise rows. `is_left`: they will be the left operand of lowp_gemm (queries): then the grid is
 *  lowp_grid(), else 127.
 *  fails   ERR_MEMORY; lowp_clear() is safe after it */
Status lowp_create(Lowp *out, const float *rows, int64_t count, int64_t width,
                   bool is_left) MUST_USE;
/** Quantise again into the same memory: other rows of the same count and width. */
void lowp_fill(Lowp *lowp, const float *rows, bool is_left);
void lowp_clear(Lowp *lowp);

/** out[i, j] = sum over q of left row first_left + i and right row first_right + j: exact int32. */
void lowp_gemm(const Lowp *left, int64_t first_left, int64_t m, const Lowp *right,
               int64_t first_right, int64_t n, int32_t *out);

#endif
