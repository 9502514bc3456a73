#include "trie.h"

#include <string.h>

#include "memory.h"

void trie_init(Trie *trie) {
  *trie = (Trie){0};
  memset(trie->roots, 0xff, sizeof(trie->roots)); /* -1 */
}

static int32_t find_child(const Trie *trie, int32_t parent, uint8_t byte) {
  int32_t node = trie->nodes[parent].child;
  while (node >= 0 && trie->nodes[node].byte != byte) {
    node = trie->nodes[node].sibling;
  }
  return node;
}

static Status add_node(Trie *trie, uint8_t byte, int32_t *node) {
  if (trie->count == trie->room) {
    const int64_t room = trie->room ? 2 * trie->room : 256;
    TRY(MEMORY_RESIZE(&trie->nodes, room, "nodes of a trie"));
    trie->room = room;
  }
  *node = (int32_t)trie->count++;
  trie->nodes[*node] = (TrieNode){.child = -1, .sibling = -1, .id = -1, .byte = byte};
  return OK;
}

static Status step_or_add(Trie *trie, int32_t parent, uint8_t byte, int32_t *node) {
  *node = parent < 0 ? trie->roots[byte] : find_child(trie, parent, byte);
  if (*node >= 0) {
    return OK;
  }
  TRY(add_node(trie, byte, node));
  if (parent < 0) {
    trie->roots[byte] = *node;
  } else {
    trie->nodes[*node].sibling = trie->nodes[parent].child;
    trie->nodes[parent].child = *node;
  }
  return OK;
}

Status trie_add(Trie *trie, const char *bytes, int64_t length, int32_t id) {
  int32_t node = -1;
  for (int64_t i = 0; i < length; i++) {
    TRY(step_or_add(trie, node, (uint8_t)bytes[i], &node));
  }
  if (trie->nodes[node].id < 0) {
    trie->nodes[node].id = id;
  }
  return OK;
}

int64_t trie_longest(const Trie *trie, const char *bytes, int64_t length, int32_t *id) {
  int64_t longest = 0;
  int32_t node = length > 0 ? trie->roots[(uint8_t)bytes[0]] : -1;
  for (int64_t i = 1; node >= 0; i++) {
    if (trie->nodes[node].id >= 0) {
      longest = i;
      *id = trie->nodes[node].id;
    }
    node = i < length ? find_child(trie, node, (uint8_t)bytes[i]) : -1;
  }
  return longest;
}

void trie_clear(Trie *trie) {
  MEMORY_FREE(trie->nodes);
  trie_init(trie);
}
