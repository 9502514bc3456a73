#ifndef TRIE_H
#define TRIE_H

#include <stdint.h>

#include "status.h"

/** A set of byte strings with an id each, for finding the longest that begins at a place. Read-only
 *  once filled: threads may share it. Part of the tokenizer. ranks: all local. */
typedef struct TrieNode {
  int32_t child, sibling; /* nodes, -1: none */
  int32_t id;             /* of the string that ends here, -1: none */
  uint8_t byte;
} TrieNode;

typedef struct Trie {
  TrieNode *nodes; /* [count] */
  int64_t count, room;
  int32_t roots[256]; /* node of each first byte, -1: none */
} Trie;

void trie_init(Trie *trie);
/** Add a string (not empty); the first id of equal ones stays.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status trie_add(Trie *trie, const char *bytes, int64_t length, int32_t id) MUST_USE;
/** Bytes of the longest string that `bytes` begins with, 0 for none.
 *  ranks   local */
int64_t trie_longest(const Trie *trie, const char *bytes, int64_t length, int32_t *id);
void trie_clear(Trie *trie);

#endif
