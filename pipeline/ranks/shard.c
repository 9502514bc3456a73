#include "shard.h"

#include "status.h"

typedef struct Dealing {
  int64_t each;  /* whole blocks of every rank */
  int64_t extra; /* the first `extra` ranks have one more */
} Dealing;

static Dealing deal_blocks(int64_t total, int64_t block, int size) {
  ASSERT(total >= 0 && block > 0 && size > 0);
  const int64_t blocks = total / block + (total % block != 0);
  return (Dealing){.each = blocks / size, .extra = blocks % size};
}

/* First item of a rank's part; rank == size gives the end of the whole. */
static int64_t first_item(Dealing dealing, int64_t total, int64_t block, int64_t rank) {
  const int64_t before = rank < dealing.extra ? rank : dealing.extra;
  const int64_t blocks = rank * dealing.each + before;
  return blocks > total / block ? total : blocks * block;
}

Shard shard_of(int64_t total, int64_t block, int rank, int size) {
  ASSERT(rank >= 0 && rank < size);
  const Dealing dealing = deal_blocks(total, block, size);
  return (Shard){.first = first_item(dealing, total, block, rank),
                 .past = first_item(dealing, total, block, (int64_t)rank + 1)};
}

int shard_owner(int64_t total, int64_t block, int64_t index, int size) {
  ASSERT(index >= 0 && index < total);
  const Dealing dealing = deal_blocks(total, block, size);
  const int64_t at = index / block;
  const int64_t in_larger = dealing.extra * (dealing.each + 1);
  if (at < in_larger) {
    return (int)(at / (dealing.each + 1));
  }
  return (int)(dealing.extra + (at - in_larger) / dealing.each);
}

int64_t shard_count(Shard shard) {
  return shard.past - shard.first;
}

int64_t shard_latent_block(int64_t latents) {
  const int64_t sixteenth = latents / 16;
  if (sixteenth < 1) {
    return 1;
  }
  return sixteenth < 1024 ? sixteenth : 1024;
}
