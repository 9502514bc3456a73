#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/** Random numbers without state: each is a function of a key and a counter, so no result depends on
 *  which rank or thread asks. A key is made of everything that should make streams differ. */

/** Key of (seed, purpose, name): `random_key(seed, "decoder start", "8k")`.
 *  ranks   local */
uint64_t random_key(int64_t seed, const char *purpose, const char *name);
/** A key below a key, e.g. one for each epoch. */
uint64_t random_subkey(uint64_t key, uint64_t index);

/** 64 random bits of counter `index`.
 *  ranks   local */
uint64_t random_bits(uint64_t key, uint64_t index);
/** Uniform in [0, 1), 53 bits. */
double random_uniform(uint64_t key, uint64_t index);
/** Uniform integer in [0, bound), bound > 0 (multiply-high; bias below 2^-32 for bounds below
 *  2^32). */
int64_t random_below(uint64_t key, uint64_t index, int64_t bound);
/** Mean 0, variance 1: a sum of 16 uniform 16-bit integers (excess kurtosis -0.075). Integers
 *  alone, so the same bits on every CPU; libm's log and cos are not. */
double random_normal(uint64_t key, uint64_t index);

/** Where a keyed permutation of [0, count) sends `index` (Feistel network with cycle walking).
 *  ranks   local */
int64_t random_permute(uint64_t key, int64_t count, int64_t index);

/** 64-bit hash of bytes (the project's only hash; not cryptographic). Chain with `seed`.
 *  ranks   local */
uint64_t random_hash(const void *bytes, int64_t length, uint64_t seed);

#endif
