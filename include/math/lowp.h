#ifndef LOWP_H
#define LOWP_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

enum {
  LOWP_WIDEST = 65536, /* columns whose products still fit 32 bits */
  LOWP_TILE = 512,     /* right rows that lowp_pack() lays out together */
  LOWP_GRID = 127,     /* largest |q| */
  LOWP_EVEN_GRID = 64  /* a grid up to here gives the same bytes on every CPU */
};

/** Rows in 8 bits for screening: q_i = round(x_i / scale) with one scale a row, and the exact size
 *  of what was lost. With x^ = scale q, in exact arithmetic
 *    |x . w - x^ . w^| <= |x| error_w + error_x |w^|,
 *  error = |x - x^| rounded up (Cauchy-Schwarz). Nothing here is approximate: the bound is part of
 *  the result. Products are formed by oneDNN (u8 x s8 -> s32, exact integers) where it is right on
 *  this CPU; lowp_open() finds out. Without VNNI it adds neighbouring products in 16 bits: right rows
 *  get a scale then that keeps the sums of neighbours small enough for that. A row whose largest
 *  |x_i| is 0, below 2^-60 or above 2^50 has q = 0 and error = |x|; one that holds a NaN or an
 *  infinity has an error that is not finite.
 *  ranks   all local */
typedef struct Lowp {
  int64_t count;  /* may be lowered, and raised again, between fills */
  int64_t width;  /* <= LOWP_WIDEST */
  int64_t stride; /* bytes a row, >= width; those past width are of no account */
  bool is_left;   /* rows hold q + an offset of lowp.c's own, unsigned; right rows hold q */
  int grid;       /* largest |q|; may be lowered, a fill for the other side sets LOWP_GRID */
  uint8_t *rows;  /* [count, stride]; once packed, whole tiles of right rows in another order */
  float *scale;   /* [count] */
  float *error;   /* [count] |x - x^|, rounded up */
  float *norm;    /* [count] |x^|, rounded up */
  int32_t *shift; /* [count] right rows: what the left rows' offset adds to products, negated */
  const struct LowpTiles *tiles; /* NULL: not packed */
} Lowp;

/** Can this process multiply in 8 bits? Multiplies tiles of extreme values against an integer loop;
 *  call once, before threads start. CLEAVE_LOWP=off in the environment says no (for tests and
 *  benchmarks). Without lowp_open(), or after a no, no Lowp may be made.
 *  why     out     a sentence for the log: what is used, or why float32 is */
bool lowp_open(const char **why);
/** Did lowp_open() say yes? */
bool lowp_is_open(void);

/** Quantise rows, by all threads. `is_left`: they will be the left operand of lowp_gemm (queries).
 *  rows NULL: memory alone, to be filled later.
 *  fails   ERR_MEMORY; lowp_clear() is safe after it */
Status lowp_create(Lowp *out, const float *rows, int64_t count, int64_t width,
                   bool is_left) MUST_USE;
/** Quantise again into the same memory: other rows of the same width, as many as lowp->count says
 *  (at most what lowp_create was told). */
void lowp_fill(Lowp *lowp, const float *rows, bool is_left);
void lowp_clear(Lowp *lowp);
/** Some rows as a Lowp of their own, in the same memory: to be filled, or used if `lowp` is not
 *  packed; not to be cleared. */
Lowp lowp_part(const Lowp *lowp, int64_t first, int64_t count);
/** Bring right rows into the order in which products are fastest, if this CPU has one; for
 *  lowp_multiply() alone, and until they are filled again, wholly. By all threads.
 *  fails   ERR_MEMORY: the rows are lost */
Status lowp_pack(Lowp *lowp) MUST_USE;

/** out[i, j] = sum over q of left row first_left + i and right row first_right + j: exact int32.
 *  right   in      not packed
 *  fails   ERR_MEMORY */
Status lowp_gemm(const Lowp *left, int64_t first_left, int64_t m, const Lowp *right,
                 int64_t first_right, int64_t n, int32_t *out) MUST_USE;

/** The same for a tile of right rows, packed or not, first_right a multiple of LOWP_TILE, as many as
 *  there are up to LOWP_TILE, and without the shift: out[i, j] + right->shift[first_right + j] is
 *  what lowp_gemm() gives. */
Status lowp_multiply(const Lowp *left, int64_t first_left, int64_t m, const Lowp *right,
                     int64_t first_right, int32_t *out) MUST_USE;

#endif
