#include <math.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "random.h"

/* Results, stamps and files depend on these bits: they must never change. */
static void test_the_bits_are_fixed_for_ever(void) {
  CU_ASSERT_EQUAL(random_bits(1, 2), UINT64_C(0xf57f62740bd88152));
  CU_ASSERT_EQUAL(random_key(42, "decoder start", "8k"), UINT64_C(0x4a42a81f53d837a1));
  CU_ASSERT_EQUAL(random_subkey(7, 3), UINT64_C(0x88dd8cb61888a4c9));
  CU_ASSERT_EQUAL(random_hash("", 0, 0), UINT64_C(0x48218226ff3cd4bf));
  CU_ASSERT_EQUAL(random_hash("0123456789abcdefghijklmnopqrstuvwxyz_0123456789", 47, 5),
                  UINT64_C(0x24c502372f84a016));
  CU_ASSERT_EQUAL(random_permute(9, 1000003, 77), 829419);
  CU_ASSERT_EQUAL(random_normal(11, 12), 0x1.3de2acd6c7ccbp-2);
}

static void test_uniform_numbers_fill_the_unit_interval(void) {
  enum { DRAWS = 400000, BINS = 100 };
  int64_t bins[BINS] = {0};
  for (uint64_t i = 0; i < DRAWS; ++i) {
    const double value = random_uniform(3, i);
    CU_ASSERT_TRUE_FATAL(value >= 0 && value < 1);
    ++bins[(int)(value * BINS)];
  }
  double square = 0;
  for (int i = 0; i < BINS; ++i) {
    square += pow((double)bins[i] - (double)DRAWS / BINS, 2) / ((double)DRAWS / BINS);
  }
  CU_ASSERT_TRUE(square > 50 && square < 160); /* chi-square with 99 degrees: 99.9 % below 148 */
}

static void test_integers_are_fair(void) {
  enum { DRAWS = 300000, BOUND = 7 };
  int64_t bins[BOUND] = {0};
  for (uint64_t i = 0; i < DRAWS; ++i) {
    const int64_t value = random_below(5, i, BOUND);
    CU_ASSERT_TRUE_FATAL(value >= 0 && value < BOUND);
    ++bins[value];
  }
  for (int i = 0; i < BOUND; ++i) {
    CU_ASSERT_DOUBLE_EQUAL((double)bins[i], (double)DRAWS / BOUND, 1000); /* 5 sigma */
  }
  CU_ASSERT_EQUAL(random_below(5, 1, 1), 0);
  CU_ASSERT_TRUE(random_below(5, 1, INT64_MAX) > 0);
}

static void test_normal_numbers_have_their_moments(void) {
  enum { DRAWS = 1000000 };
  double sums[5] = {0}, across = 0;
  for (uint64_t i = 0; i < DRAWS; ++i) {
    const double value = random_normal(17, i);
    for (int power = 1; power <= 4; ++power) {
      sums[power] += pow(value, power);
    }
    across += value * random_normal(18, i);
  }
  CU_ASSERT_DOUBLE_EQUAL(sums[1] / DRAWS, 0, 0.005);
  CU_ASSERT_DOUBLE_EQUAL(sums[2] / DRAWS, 1, 0.007);
  CU_ASSERT_DOUBLE_EQUAL(sums[3] / DRAWS, 0, 0.015);
  CU_ASSERT_DOUBLE_EQUAL(sums[4] / DRAWS, 3 - 0.075, 0.05);
  CU_ASSERT_DOUBLE_EQUAL(across / DRAWS, 0, 0.005);
}

/* Mean number of result bits that flip with one bit of the argument. */
static double flips(uint64_t (*f)(uint64_t)) {
  int64_t flipped = 0;
  for (uint64_t value = 0; value < 300; ++value) {
    for (int bit = 0; bit < 64; ++bit) {
      flipped += __builtin_popcountll(f(value) ^ f(value ^ (UINT64_C(1) << bit)));
    }
  }
  return (double)flipped / (300 * 64);
}

static uint64_t of_index(uint64_t value) {
  return random_bits(1234, value);
}

static uint64_t of_key(uint64_t value) {
  return random_bits(value, 1234);
}

static uint64_t of_word(uint64_t value) {
  return random_hash(&value, sizeof(value), 0);
}

static uint64_t of_seed(uint64_t value) {
  return random_hash("abc", 3, value);
}

static void test_one_bit_flips_half_of_the_result(void) {
  CU_ASSERT_DOUBLE_EQUAL(flips(of_index), 32, 0.2);
  CU_ASSERT_DOUBLE_EQUAL(flips(of_key), 32, 0.2);
  CU_ASSERT_DOUBLE_EQUAL(flips(of_word), 32, 0.2);
  CU_ASSERT_DOUBLE_EQUAL(flips(of_seed), 32, 0.2);
}

static void test_keys_differ_by_each_part(void) {
  const uint64_t key = random_key(1, "start", "8k");
  CU_ASSERT_EQUAL(key, random_key(1, "start", "8k"));
  CU_ASSERT_NOT_EQUAL(key, random_key(2, "start", "8k"));
  CU_ASSERT_NOT_EQUAL(key, random_key(-1, "start", "8k"));
  CU_ASSERT_NOT_EQUAL(key, random_key(1, "order", "8k"));
  CU_ASSERT_NOT_EQUAL(key, random_key(1, "start", "8k-b"));
  CU_ASSERT_NOT_EQUAL(random_key(1, "ab", "c"), random_key(1, "a", "bc"));
  CU_ASSERT_NOT_EQUAL(random_subkey(key, 0), random_subkey(key, 1));
  CU_ASSERT_NOT_EQUAL(random_subkey(key, 0), random_bits(key, 0));
}

static void expect_permutation(uint64_t key, int64_t count, char *seen) {
  memset(seen, 0, (size_t)count);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = random_permute(key, count, i);
    if (place < 0 || place >= count || seen[place] != 0) {
      CU_FAIL("not a permutation");
      return;
    }
    seen[place] = 1;
  }
}

static void test_permutations_reach_each_place_once(void) {
  char *seen = NULL;
  CU_ASSERT_EQUAL(MEMORY_NEW(&seen, 1 << 20, "places"), OK);
  for (int64_t count = 1; count <= 300; ++count) {
    expect_permutation((uint64_t)count, count, seen);
  }
  expect_permutation(4, 1 << 20, seen);
  expect_permutation(5, 999983, seen);
  MEMORY_FREE(seen);
  const int64_t huge = (INT64_C(1) << 62) + 12345;
  const int64_t place = random_permute(6, huge, huge - 1);
  CU_ASSERT_TRUE(place >= 0 && place < huge);
}

static void test_permutations_are_fair(void) {
  enum { COUNT = 6, KEYS = 60000 };
  int64_t bins[COUNT][COUNT] = {{0}};
  for (uint64_t key = 0; key < KEYS; ++key) {
    for (int i = 0; i < COUNT; ++i) {
      ++bins[i][random_permute(key, COUNT, i)];
    }
  }
  for (int i = 0; i < COUNT; ++i) {
    for (int place = 0; place < COUNT; ++place) {
      CU_ASSERT_DOUBLE_EQUAL((double)bins[i][place], (double)KEYS / COUNT, 500);
    }
  }
}

static void test_permutations_part_neighbours(void) {
  enum { COUNT = 100000 };
  double product = 0;
  int64_t neighbours = 0;
  for (int64_t i = 0; i < COUNT; ++i) {
    const int64_t a = random_permute(8, COUNT, i), b = random_permute(8, COUNT, (i + 1) % COUNT);
    neighbours += a - b == 1 || b - a == 1;
    product += ((double)a / COUNT - 0.5) * ((double)b / COUNT - 0.5);
  }
  CU_ASSERT_TRUE(neighbours < 12); /* 2 expected */
  CU_ASSERT_DOUBLE_EQUAL(12 * product / COUNT, 0, 0.02);
}

static void test_the_hash_sees_each_byte_and_the_length(void) {
  unsigned char bytes[150] = {0};
  for (int64_t length = 0; length < 150; ++length) {
    const uint64_t hash = random_hash(bytes, length, 1);
    CU_ASSERT_NOT_EQUAL(hash, random_hash(bytes, length + 1, 1)); /* one more zero */
    for (int64_t i = 0; i < length; ++i) {
      bytes[i] = 0x80;
      CU_ASSERT_NOT_EQUAL(hash, random_hash(bytes, length, 1));
      bytes[i] = 0;
    }
  }
}

/* Flips of high bits of neighbouring words must not cancel: signs of floats are such bits. */
static void test_the_hash_parts_all_patterns_of_signs(void) {
  enum { FLOATS = 16, PATTERNS = 1 << FLOATS };
  uint64_t *seen = NULL;
  int collisions = 0;
  CU_ASSERT_EQUAL(MEMORY_NEW(&seen, 2 * PATTERNS, "hashes"), OK);
  for (int pattern = 0; pattern < PATTERNS; ++pattern) {
    float row[FLOATS];
    for (int i = 0; i < FLOATS; ++i) {
      row[i] = (pattern >> i) & 1 ? -1.0F : 1.0F;
    }
    const uint64_t hash = random_hash(row, sizeof(row), 0);
    uint64_t place = hash % (2 * PATTERNS);
    while (seen[place] != 0 && seen[place] != hash) {
      place = (place + 1) % (2 * PATTERNS);
    }
    collisions += seen[place] == hash;
    seen[place] = hash;
  }
  MEMORY_FREE(seen);
  CU_ASSERT_EQUAL(collisions, 0);
}

static void test_the_hash_does_not_see_alignment(void) {
  char bytes[128];
  const char *text = "the quick brown fox jumps over the lazy dog, and again, until it is long";
  const int64_t length = (int64_t)strlen(text);
  for (int shift = 0; shift < 16; ++shift) {
    memcpy(bytes + shift, text, (size_t)length);
    CU_ASSERT_EQUAL(random_hash(bytes + shift, length, 2), random_hash(text, length, 2));
  }
}

static const CheckFact FACTS[] = {
    {"the bits are fixed for ever", test_the_bits_are_fixed_for_ever},
    {"uniform numbers fill the unit interval", test_uniform_numbers_fill_the_unit_interval},
    {"integers are fair", test_integers_are_fair},
    {"normal numbers have their moments", test_normal_numbers_have_their_moments},
    {"one bit flips half of the result", test_one_bit_flips_half_of_the_result},
    {"keys differ by each part", test_keys_differ_by_each_part},
    {"permutations reach each place once", test_permutations_reach_each_place_once},
    {"permutations are fair", test_permutations_are_fair},
    {"permutations part neighbours", test_permutations_part_neighbours},
    {"the hash sees each byte and the length", test_the_hash_sees_each_byte_and_the_length},
    {"the hash parts all patterns of signs", test_the_hash_parts_all_patterns_of_signs},
    {"the hash does not see alignment", test_the_hash_does_not_see_alignment},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "random", FACTS);
}
