#include "quant.h"

#include <stddef.h>
#include <string.h>

/* Layouts are ggml's public file format. A block of the plain types holds 32 weights with one
 * scale, a block of the K types 256 with scales of their own for each 16 or 32. */

static float as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

static uint16_t read_u16(const uint8_t *data) {
  return (uint16_t)(data[0] | data[1] << 8);
}

static uint32_t read_u32(const uint8_t *data) {
  return (uint32_t)read_u16(data) | (uint32_t)read_u16(data + 2) << 16;
}

/* Exact for all halves: the exponent is rebased by a multiplication, which also normalises
 * subnormal ones. */
static float read_half(const uint8_t *data) {
  const uint32_t half = read_u16(data);
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t rest = (half & 0x7fffu) << 13;
  if (rest >= 0x0f800000u) { /* inf, nan */
    return as_float(sign | rest | 0x7f800000u);
  }
  const float magnitude = as_float(rest) * 0x1p112f;
  return sign ? -magnitude : magnitude;
}

static void f32_block(const uint8_t *data, float *out) {
  memcpy(out, data, sizeof(*out));
}

static void f16_block(const uint8_t *data, float *out) {
  *out = read_half(data);
}

static void bf16_block(const uint8_t *data, float *out) {
  *out = as_float((uint32_t)read_u16(data) << 16);
}

static void q4_0_block(const uint8_t *data, float *out) {
  const float d = read_half(data);
  const uint8_t *q = data + 2;
  for (int j = 0; j < 16; j++) {
    out[j] = (float)((q[j] & 15) - 8) * d;
    out[j + 16] = (float)((q[j] >> 4) - 8) * d;
  }
}

static void q4_1_block(const uint8_t *data, float *out) {
  const float d = read_half(data), m = read_half(data + 2);
  const uint8_t *q = data + 4;
  for (int j = 0; j < 16; j++) {
    out[j] = (float)(q[j] & 15) * d + m;
    out[j + 16] = (float)(q[j] >> 4) * d + m;
  }
}

/* The fifth bits of weights j and j + 16 are bits j and j + 16 of `high`. */
static int five_bits_low(uint32_t high, uint8_t q, int j) {
  return (int)((q & 15u) | ((high >> j & 1u) << 4));
}

static int five_bits_high(uint32_t high, uint8_t q, int j) {
  return (int)(((uint32_t)q >> 4) | ((high >> (j + 16) & 1u) << 4));
}

static void q5_0_block(const uint8_t *data, float *out) {
  const float d = read_half(data);
  const uint32_t high = read_u32(data + 2);
  const uint8_t *q = data + 6;
  for (int j = 0; j < 16; j++) {
    out[j] = (float)(five_bits_low(high, q[j], j) - 16) * d;
    out[j + 16] = (float)(five_bits_high(high, q[j], j) - 16) * d;
  }
}

static void q5_1_block(const uint8_t *data, float *out) {
  const float d = read_half(data), m = read_half(data + 2);
  const uint32_t high = read_u32(data + 4);
  const uint8_t *q = data + 8;
  for (int j = 0; j < 16; j++) {
    out[j] = (float)five_bits_low(high, q[j], j) * d + m;
    out[j + 16] = (float)five_bits_high(high, q[j], j) * d + m;
  }
}

static void q8_0_block(const uint8_t *data, float *out) {
  const float d = read_half(data);
  for (int j = 0; j < 32; j++) {
    out[j] = (float)(int8_t)data[2 + j] * d;
  }
}

static void q2_k_block(const uint8_t *data, float *out) {
  const uint8_t *scales = data, *q = data + 16;
  const float d = read_half(data + 80), least = read_half(data + 82);
  for (int group = 0; group < 16; group++) { /* 16 weights each: two bits of 16 bytes in a row */
    const float scale = d * (float)(scales[group] & 15),
                shift = least * (float)(scales[group] >> 4);
    const uint8_t *bytes = q + (group / 8) * 32 + (group % 2) * 16;
    const int bit = group % 8 / 2 * 2;
    for (int l = 0; l < 16; l++) {
      out[group * 16 + l] = scale * (float)(bytes[l] >> bit & 3) - shift;
    }
  }
}

/* Sixteen 6-bit scales in 12 bytes: low four bits in the first 8 bytes, high two in the last 4. */
static int q3_k_scale(const uint8_t *packed, int group) {
  const int low = group < 8 ? packed[group] & 15 : packed[group - 8] >> 4;
  const int high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
  return (low | high << 4) - 32;
}

static void q3_k_block(const uint8_t *data, float *out) {
  const uint8_t *high = data, *q = data + 32, *scales = data + 96;
  const float d = read_half(data + 108);
  for (int group = 0; group < 16; group++) {
    const float scale = d * (float)q3_k_scale(scales, group);
    const int side = group % 2 * 16, bit = group % 8 / 2 * 2;
    const uint8_t *bytes = q + (group / 8) * 32 + side;
    for (int l = 0; l < 16; l++) {
      const int above = high[side + l] >> (group / 2) & 1;
      out[group * 16 + l] = scale * (float)((bytes[l] >> bit & 3) - (above ? 0 : 4));
    }
  }
}

/* Eight 6-bit scales and minima in 12 bytes (Q4_K, Q5_K). */
static void k_scale_and_least(const uint8_t *packed, int group, int *scale, int *least) {
  if (group < 4) {
    *scale = packed[group] & 63;
    *least = packed[group + 4] & 63;
  } else {
    *scale = (packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4);
    *least = packed[group + 4] >> 4 | (packed[group] >> 6 << 4);
  }
}

static void q4_k_block(const uint8_t *data, float *out) {
  const float d = read_half(data), d_least = read_half(data + 2);
  const uint8_t *q = data + 16;
  for (int group = 0; group < 8; group++) {
    int scale, least;
    k_scale_and_least(data + 4, group, &scale, &least);
    const float factor = d * (float)scale, shift = d_least * (float)least;
    const uint8_t *bytes = q + group / 2 * 32;
    const int bit = group % 2 * 4;
    for (int l = 0; l < 32; l++) {
      out[group * 32 + l] = factor * (float)(bytes[l] >> bit & 15) - shift;
    }
  }
}

static void q5_k_block(const uint8_t *data, float *out) {
  const float d = read_half(data), d_least = read_half(data + 2);
  const uint8_t *high = data + 16, *q = data + 48;
  for (int group = 0; group < 8; group++) {
    int scale, least;
    k_scale_and_least(data + 4, group, &scale, &least);
    const float factor = d * (float)scale, shift = d_least * (float)least;
    const uint8_t *bytes = q + group / 2 * 32;
    const int bit = group % 2 * 4;
    for (int l = 0; l < 32; l++) {
      const int value = (bytes[l] >> bit & 15) | (high[l] >> group & 1) << 4;
      out[group * 32 + l] = factor * (float)value - shift;
    }
  }
}

static void q6_k_block(const uint8_t *data, float *out) {
  const uint8_t *low = data, *high = data + 128, *scales = data + 192;
  const float d = read_half(data + 208);
  for (int group = 0; group < 8; group++) { /* 32 weights each, two scales */
    const int half = group / 4, part = group % 4;
    const uint8_t *bytes = low + half * 64 + part % 2 * 32;
    const int bit = part / 2 * 4;
    for (int l = 0; l < 32; l++) {
      const int value = (bytes[l] >> bit & 15) | (high[half * 32 + l] >> (part * 2) & 3) << 4;
      const float factor = d * (float)(int8_t)scales[group * 2 + l / 16];
      out[group * 32 + l] = factor * (float)(value - 32);
    }
  }
}

typedef struct QuantType {
  int type;
  const char *name;
  int64_t elements, bytes; /* of a block */
  void (*block)(const uint8_t *data, float *out);
} QuantType;

static const QuantType TYPES[] = {
    {QUANT_F32, "F32", 1, 4, f32_block},
    {QUANT_F16, "F16", 1, 2, f16_block},
    {QUANT_Q4_0, "Q4_0", 32, 18, q4_0_block},
    {QUANT_Q4_1, "Q4_1", 32, 20, q4_1_block},
    {QUANT_Q5_0, "Q5_0", 32, 22, q5_0_block},
    {QUANT_Q5_1, "Q5_1", 32, 24, q5_1_block},
    {QUANT_Q8_0, "Q8_0", 32, 34, q8_0_block},
    {9, "Q8_1", 0, 0, NULL},
    {QUANT_Q2_K, "Q2_K", 256, 84, q2_k_block},
    {QUANT_Q3_K, "Q3_K", 256, 110, q3_k_block},
    {QUANT_Q4_K, "Q4_K", 256, 144, q4_k_block},
    {QUANT_Q5_K, "Q5_K", 256, 176, q5_k_block},
    {QUANT_Q6_K, "Q6_K", 256, 210, q6_k_block},
    {15, "Q8_K", 0, 0, NULL},
    {16, "IQ2_XXS", 0, 0, NULL},
    {17, "IQ2_XS", 0, 0, NULL},
    {18, "IQ3_XXS", 0, 0, NULL},
    {19, "IQ1_S", 0, 0, NULL},
    {20, "IQ4_NL", 0, 0, NULL},
    {21, "IQ3_S", 0, 0, NULL},
    {22, "IQ2_S", 0, 0, NULL},
    {23, "IQ4_XS", 0, 0, NULL},
    {24, "I8", 0, 0, NULL},
    {25, "I16", 0, 0, NULL},
    {26, "I32", 0, 0, NULL},
    {27, "I64", 0, 0, NULL},
    {28, "F64", 0, 0, NULL},
    {29, "IQ1_M", 0, 0, NULL},
    {QUANT_BF16, "BF16", 1, 2, bf16_block},
    {34, "TQ1_0", 0, 0, NULL},
    {35, "TQ2_0", 0, 0, NULL},
    {39, "MXFP4", 0, 0, NULL},
};

static const QuantType *find_type(int type) {
  for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
    if (TYPES[i].type == type) {
      return &TYPES[i];
    }
  }
  return NULL;
}

const char *quant_name(int type) {
  const QuantType *found = find_type(type);
  return found ? found->name : "unknown";
}

bool quant_block(int type, int64_t *elements, int64_t *bytes) {
  const QuantType *found = find_type(type);
  *elements = found ? found->elements : 0;
  *bytes = found ? found->bytes : 0;
  return *elements > 0;
}

void quant_dequantise(int type, const uint8_t *data, int64_t blocks, float *out) {
  const QuantType *found = find_type(type);
  if (type == QUANT_F32) {
    memcpy(out, data, (size_t)blocks * sizeof(*out));
    return;
  }
  for (int64_t i = 0; i < blocks; i++) {
    found->block(data + i * found->bytes, out + i * found->elements);
  }
}
