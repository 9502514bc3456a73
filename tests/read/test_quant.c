#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "quant.h"
#include "text.h"

enum { BYTES = 2048, VALUES = 2048, LINE = 16384 };

static int64_t from_hex(const char *digits, uint8_t *bytes) {
  int64_t count = 0;
  for (unsigned byte; sscanf(digits + 2 * count, "%2x", &byte) == 1; count++) {
    bytes[count] = (uint8_t)byte;
  }
  return count;
}

static uint64_t hash_values(const float *values, int64_t count) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  const uint8_t *bytes = (const uint8_t *)values;
  for (int64_t i = 0; i < count * (int64_t)sizeof(*values); i++) {
    hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  }
  return hash;
}

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/* A line of quant_golden.txt: see quant_golden.py. */
static void check_golden_line(char *line) {
  uint8_t bytes[BYTES];
  float values[VALUES];
  int64_t elements, size;
  const char *name = strtok(line, " ");
  const int type = atoi(strtok(NULL, " "));
  const int64_t length = from_hex(strtok(NULL, " "), bytes);
  const uint64_t hash = strtoull(strtok(NULL, " "), NULL, 16);
  CU_ASSERT_STRING_EQUAL(quant_name(type), name);
  CU_ASSERT_FATAL(quant_block(type, &elements, &size));
  CU_ASSERT_EQUAL(length % size, 0);
  quant_dequantise(type, bytes, length / size, values);
  int64_t at = 0;
  for (const char *bits = strtok(NULL, " \n"); bits; bits = strtok(NULL, " \n"), at += 32) {
    CU_ASSERT_EQUAL(bits_of(values[at]), strtoul(bits, NULL, 16));
  }
  CU_ASSERT_EQUAL(at, length / size * elements);
  CU_ASSERT_EQUAL(hash_values(values, at), hash);
}

static void test_quantised_types_give_the_reference_bits(void) {
  static char line[LINE];
  char path[1024];
  int lines = 0;
  snprintf(path, sizeof(path), "%s/tests/data/quant_golden.txt", getenv("CLEAVE_SOURCE"));
  FILE *file = fopen(path, "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  for (; fgets(line, sizeof(line), file); lines++) {
    check_golden_line(line);
  }
  fclose(file);
  CU_ASSERT_EQUAL(lines, 10);
}

static float naive_half(unsigned half) {
  const unsigned exponent = half >> 10 & 31, fraction = half & 1023;
  const float sign = half & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) {
    return fraction ? nanf("") : sign * INFINITY;
  }
  const int shift = exponent ? (int)exponent - 25 : -24;
  return sign * ldexpf((float)(exponent ? fraction | 1024 : fraction), shift);
}

static void test_every_half_is_exact(void) {
  int wrong = 0;
  for (unsigned half = 0; half < 65536; half++) {
    const uint8_t bytes[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
    float value;
    quant_dequantise(QUANT_F16, bytes, 1, &value);
    const float expected = naive_half(half);
    wrong += isnan(expected) ? !isnan(value) : bits_of(value) != bits_of(expected);
  }
  CU_ASSERT_EQUAL(wrong, 0);
}

static void test_bf16_is_the_upper_half_of_a_float(void) {
  static const uint8_t BYTES_OF[] = {0x80, 0x3f, 0x49, 0xc0, 0x01, 0x00};
  float values[3];
  quant_dequantise(QUANT_BF16, BYTES_OF, 3, values);
  CU_ASSERT_EQUAL(values[0], 1.0f);
  CU_ASSERT_EQUAL(values[1], -3.140625f);
  CU_ASSERT_EQUAL(bits_of(values[2]), 0x00010000u);
}

static void test_f32_needs_no_alignment(void) {
  const uint8_t bytes[] = {9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0};
  float values[2];
  quant_dequantise(QUANT_F32, bytes + 1, 2, values);
  CU_ASSERT(values[0] == 1.0f && values[1] == -2.0f);
}

static void test_unreadable_types_have_names_but_no_blocks(void) {
  int64_t elements, bytes;
  CU_ASSERT_FALSE(quant_block(23, &elements, &bytes));
  CU_ASSERT(elements == 0 && bytes == 0);
  CU_ASSERT_STRING_EQUAL(quant_name(23), "IQ4_XS");
  CU_ASSERT_FALSE(quant_block(-1, &elements, &bytes));
  CU_ASSERT_STRING_EQUAL(quant_name(1000), "unknown");
}

static const CheckFact FACTS[] = {
    {"quantised types give the reference's bits", test_quantised_types_give_the_reference_bits},
    {"every half is exact", test_every_half_is_exact},
    {"bf16 is the upper half of a float", test_bf16_is_the_upper_half_of_a_float},
    {"f32 needs no alignment", test_f32_needs_no_alignment},
    {"unreadable types have names but no blocks", test_unreadable_types_have_names_but_no_blocks},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "quant", FACTS);
}
