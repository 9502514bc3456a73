#include "random.h"

#include <math.h>
#include <string.h>

#include "status.h"

__extension__ typedef unsigned __int128 Wide;

/* 2^64 / golden ratio, the increment of SplitMix64. */
static const uint64_t GOLDEN = UINT64_C(0x9e3779b97f4a7c15);

/* The finaliser of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators"
 * (OOPSLA 2014), with the constants of Stafford's variant 13. A bijection that mixes all bits. */
static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t value, int bits) {
  return (value << bits) | (value >> (64 - bits));
}

uint64_t random_key(int64_t seed, const char *purpose, const char *name) {
  uint64_t key = mix((uint64_t)seed + GOLDEN);
  key = random_hash(purpose, (int64_t)strlen(purpose), key);
  return random_hash(name, (int64_t)strlen(name), key);
}

uint64_t random_subkey(uint64_t key, uint64_t index) {
  return mix(random_bits(~key, index) + GOLDEN);
}

/* One SplitMix64 alone would make all keys windows of the same sequence, and many long streams
 * would overlap; the key added between two rounds parts them. */
uint64_t random_bits(uint64_t key, uint64_t index) {
  return mix(mix(key + index * GOLDEN) + rotate(key, 32));
}

double random_uniform(uint64_t key, uint64_t index) {
  return (double)(random_bits(key, index) >> 11) * 0x1p-53;
}

static uint64_t scale_to(uint64_t bits, uint64_t bound) {
  return (uint64_t)(((Wide)bits * bound) >> 64);
}

int64_t random_below(uint64_t key, uint64_t index, int64_t bound) {
  ASSERT(bound > 0);
  return (int64_t)scale_to(random_bits(key, index), (uint64_t)bound);
}

static int64_t sum_of_quarters(uint64_t bits) {
  return (int64_t)((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) +
                   (bits >> 48));
}

double random_normal(uint64_t key, uint64_t index) {
  const uint64_t first = random_bits(key, index);
  int64_t sum = sum_of_quarters(first);
  for (uint64_t i = 1; i < 4; ++i) {
    sum += sum_of_quarters(mix(first + i * GOLDEN));
  }
  /* Each integer has mean 65535 / 2 and variance (2^32 - 1) / 12; doubled, the sum is whole. */
  const double scale = 0.5 / 75674.454474412967; /* sqrt(16 (2^32 - 1) / 12) */
  return (double)(2 * sum - 16 * 65535) * scale;
}

/* The least root >= 1 with root^2 >= value. */
static uint64_t root_up(uint64_t value) {
  uint64_t root = 2 + (uint64_t)sqrt((double)value); /* never too small */
  while (root > 1 && (Wide)(root - 1) * (root - 1) >= value) {
    --root;
  }
  return root;
}

/* Feistel network on pairs (left, right) of Z_a x Z_b with a b barely above count (Black and
 * Rogaway, "Ciphers with arbitrary finite domains", 2002): hardly ever a second walk. */
static uint64_t feistel(uint64_t key, uint64_t a, uint64_t b, uint64_t index) {
  enum { ROUNDS = 8 };
  uint64_t left = index / b, right = index % b;
  for (uint64_t round = 0; round < ROUNDS; round += 2) {
    left += scale_to(mix(key + round * GOLDEN + right), a);
    left -= left >= a ? a : 0;
    right += scale_to(mix(key + (round + 1) * GOLDEN + left), b);
    right -= right >= b ? b : 0;
  }
  return left * b + right;
}

int64_t random_permute(uint64_t key, int64_t count, int64_t index) {
  ASSERT(index >= 0 && index < count);
  const uint64_t a = root_up((uint64_t)count);
  const uint64_t b = ((uint64_t)count + a - 1) / a;
  uint64_t place = (uint64_t)index;
  do {
    place = feistel(mix(key + GOLDEN), a, b, place);
  } while (place >= (uint64_t)count);
  return (int64_t)place;
}

/* Odd constants with about half of their bits set. */
static const uint64_t HASH_IN = UINT64_C(0xd6e8feb86659fd93);
static const uint64_t HASH_UP = UINT64_C(0xa0761d6478bd642f);
static const uint64_t HASH_STEP = UINT64_C(0xe7037ed1a0b428db);

/* A word is spread over all bits before it meets the state: else flips of high bits (signs of
 * floats) in neighbouring words could cancel. For each word a bijection of the state. */
static uint64_t absorb(uint64_t state, uint64_t word) {
  word = rotate(word * HASH_IN, 31) * HASH_UP;
  return rotate(state ^ word, 27) * HASH_STEP + GOLDEN;
}

static uint64_t load_word(const unsigned char *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof(word));
  return word;
}

uint64_t random_hash(const void *bytes, int64_t length, uint64_t seed) {
  ASSERT(length >= 0);
  const unsigned char *at = bytes;
  int64_t left = length;
  uint64_t state = mix(seed + GOLDEN) ^ ((uint64_t)length * HASH_IN);
  if (left >= 32) { /* four independent lanes: the multiplier's latency is hidden */
    uint64_t lanes[4] = {state, state ^ HASH_IN, state ^ HASH_UP, state ^ HASH_STEP};
    for (; left >= 32; left -= 32, at += 32) {
      for (int i = 0; i < 4; ++i) {
        lanes[i] = absorb(lanes[i], load_word(at + 8 * i));
      }
    }
    for (int i = 0; i < 4; ++i) {
      state = absorb(state, lanes[i]);
    }
  }
  for (; left >= 8; left -= 8, at += 8) {
    state = absorb(state, load_word(at));
  }
  if (left > 0) {
    unsigned char tail[8] = {0};
    memcpy(tail, at, (size_t)left);
    state = absorb(state, load_word(tail));
  }
  return mix(state);
}
