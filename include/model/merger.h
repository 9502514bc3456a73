#ifndef MERGER_H
#define MERGER_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Merging neighbours into larger tokens, best pair first: what byte-level BPE (by the rank of the
 *  merge) and SentencePiece (by the score of the token) share. O(n log n) in the length of a word.
 *  Part of the tokenizer. ranks: all local. */

typedef struct MergerSymbol {
  int32_t start, length;  /* bytes as they were added; length 0: swallowed by a neighbour */
  int32_t previous, next; /* symbols, -1: none */
  int32_t id;             /* token, or -1: these bytes are none */
} MergerSymbol;

typedef struct MergerPair {
  uint64_t order;            /* priority, then place: smaller is earlier */
  int32_t right, length, id; /* right symbol, bytes of both, token they become */
} MergerPair;

/** Scratch memory of one thread; `Merger m = {0};` is empty. */
typedef struct Merger {
  MergerSymbol *symbols; /* [count]; symbol 0 begins the word and is never swallowed */
  MergerPair *heap;      /* [pairs] */
  int64_t count, pairs, symbols_room, heap_room;
} Merger;

/** Do two neighbours of `word` merge? `*id` is the token they become, `*priority` smaller for
 *  pairs to merge earlier (ties: the leftmost). Must be pure. */
typedef bool (*MergerRule)(const void *context, const char *word, const MergerSymbol *left,
                           const MergerSymbol *right, uint32_t *priority, int32_t *id);

/** Begin a word, and add its symbols from left to right.
 *  ranks   local
 *  fails   ERR_MEMORY */
void merger_begin(Merger *merger);
Status merger_add(Merger *merger, int32_t length, int32_t id) MUST_USE;
/** Merge until no rule applies; then walk from symbols[0] along `next` (count 0: an empty word).
 *  ranks   local
 *  fails   ERR_MEMORY */
Status merger_run(Merger *merger, const char *word, MergerRule rule, const void *context) MUST_USE;
void merger_clear(Merger *merger);

#endif
