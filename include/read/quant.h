#ifndef QUANT_H
#define QUANT_H

#include <stdbool.h>
#include <stdint.h>

/** ggml's tensor types: names, block sizes, and blocks to float32. Pure functions.
 *  ranks: all local. */
enum {
  QUANT_F32 = 0,
  QUANT_F16 = 1,
  QUANT_Q4_0 = 2,
  QUANT_Q4_1 = 3,
  QUANT_Q5_0 = 6,
  QUANT_Q5_1 = 7,
  QUANT_Q8_0 = 8,
  QUANT_Q2_K = 10,
  QUANT_Q3_K = 11,
  QUANT_Q4_K = 12,
  QUANT_Q5_K = 13,
  QUANT_Q6_K = 14,
  QUANT_BF16 = 30
};

/** "Q4_K"; also of types that cannot be read ("IQ4_XS"); "unknown" for a number that ggml lacks.
 *  ranks   local */
const char *quant_name(int type);

/** Elements and bytes of one block; false (and both 0) for a type that cannot be read.
 *  ranks   local */
bool quant_block(int type, int64_t *elements, int64_t *bytes);

/** `blocks` blocks as float32, by ggml's own formulas (the same bits as its reference code).
 *  ranks   local
 *  type    in      quant_block() is true
 *  data    in      [blocks * bytes], any alignment
 *  out     out     [blocks * elements] */
void quant_dequantise(int type, const uint8_t *data, int64_t blocks, float *out);

#endif
