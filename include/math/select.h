#ifndef SELECT_H
#define SELECT_H

#include <stdint.h>

/** Total order of (score, id): score descending, ties to the lower id; as one integer, larger is
 * better. */
typedef uint64_t SelectKey;

/** 0 is no key (below every real one). ids below 2^32 - 1; score must not be nan; -0 counts as 0.
 *  ranks   local, like all here */
SelectKey select_key(float score, int64_t id);
float select_score(SelectKey key);
int64_t select_id(SelectKey key);

/** Keep the `capacity` best keys in keys[0 .. *count), a heap whose worst key is keys[0].
 *  select_offer inserts when there is room or the key beats the worst. */
void select_offer(SelectKey *keys, int64_t *count, int64_t capacity, SelectKey key);
/** The key a newcomer must beat: keys[0] when full, else 0. */
SelectKey select_worst(const SelectKey *keys, int64_t count, int64_t capacity);
/** Sort best first (ends the heap order). */
void select_sort(SelectKey *keys, int64_t count);
/** The n-th best (1-based) of `count` keys; 0 when there are fewer. Reorders keys. */
SelectKey select_nth(SelectKey *keys, int64_t count, int64_t n);

#endif
