#ifndef SHARD_H
#define SHARD_H

#include <stdint.h>

/** A range [first, past) of a whole. Empty when first == past. */
typedef struct Shard {
  int64_t first;
  int64_t past;
} Shard;

/** Rank `rank`'s part of `total` items dealt in whole blocks of `block` items (the last may be
 *  shorter): ranks own consecutive blocks, the counts of blocks differ by at most one, lower ranks
 *  have more. With more ranks than blocks some parts are empty.
 *  ranks   local
 *  needs   total >= 0, block > 0, 0 <= rank < size */
Shard shard_of(int64_t total, int64_t block, int rank, int size);
/** The rank that owns item `index` under the same dealing.
 *  ranks   local
 *  needs   0 <= index < total */
int shard_owner(int64_t total, int64_t block, int64_t index, int size);
/** ranks   local */
int64_t shard_count(Shard shard);

/** Block of latents of a dictionary: 1,024, or a sixteenth of the latents if that is smaller (at
 *  least 1). Fixed by the configuration, never by the rank count.
 *  ranks   local */
int64_t shard_latent_block(int64_t latents);

#endif
