#ifndef LOOKUP_H
#define LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "shard.h"
#include "status.h"
#include "team.h"

/** Arrays over the features of a dictionary that no rank holds whole: rank r keeps the items of its
 *  own latent blocks, and these calls fetch, add to, or send to the items of others. Lists may
 *  differ between ranks and be empty; indices must lie in [0, total). */

/** "No feature" in lists of ids. */
#define LOOKUP_NONE 4294967295u

/** The items of this rank.
 *  ranks   local */
Shard lookup_own(const Team *team, int64_t total);

/** out[i] = the item of index wanted[i].
 *  ranks   collective
 *  own     in      this rank's items, `size` bytes each
 *  wanted  in      [count] in any order, with repeats; LOOKUP_NONE leaves out[i] as it is
 *  fails   ERR_MEMORY */
Status lookup_items(Team *team, int64_t total, const void *own, size_t size, const uint32_t *wanted,
                    int64_t count, void *out) MUST_USE;

/** Add values[i] (1 each when NULL) to the item of index to[i].
 *  ranks   collective
 *  to      in      [count]; LOOKUP_NONE is left out
 *  own     in/out  this rank's items
 *  fails   ERR_MEMORY; `own` may then hold a part */
Status lookup_add(Team *team, int64_t total, const uint32_t *to, const int64_t *values,
                  int64_t count, int64_t *own) MUST_USE;

/** Raise the item of index to[i] to values[i] where that is larger; otherwise as lookup_add(). */
Status lookup_max(Team *team, int64_t total, const uint32_t *to, const float *values, int64_t count,
                  float *own) MUST_USE;

/** Send records[i] to the rank that owns index to[i].
 *  ranks   collective
 *  to      in      [count]; LOOKUP_NONE is left out
 *  out     out     [*arrived] records in the order of the sending ranks, each rank's in the order of
 *                  its list: sorted by sender when senders walk their own features upwards. Owned by
 *                  the caller (MEMORY_FREE); NULL on failure
 *  fails   ERR_MEMORY */
Status lookup_deliver(Team *team, int64_t total, const uint32_t *to, const void *records,
                      size_t size, int64_t count, void **out, int64_t *arrived) MUST_USE;

#endif
