#include "merges.h"

#include <string.h>

#include "memory.h"

static const char KEY[] = "tokenizer.ggml.merges";

static MergesEntry *find_slot(const Merges *merges, uint64_t pair) {
  uint64_t hash = pair * UINT64_C(0x9e3779b97f4a7c15);
  hash ^= hash >> 32;
  for (uint64_t at = hash & merges->slots_mask;; at = (at + 1) & merges->slots_mask) {
    MergesEntry *entry = &merges->slots[at];
    if (entry->id == NO_TOKEN || entry->pair == pair) {
      return entry;
    }
  }
}

static uint64_t pair_of(int32_t left, int32_t right) {
  return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

bool merges_find(const Merges *merges, int32_t left, int32_t right, uint32_t *rank, int32_t *id) {
  const MergesEntry *entry = find_slot(merges, pair_of(left, right));
  *rank = entry->rank;
  *id = entry->id;
  return entry->id != NO_TOKEN;
}

/* "left right" in the alphabet of bytes. `bytes` has room for the text. */
static bool parse_merge(const Vocabulary *vocabulary, const char *text, int64_t length, char *bytes,
                        uint64_t *pair, int32_t *id) {
  const char *space = memchr(text, ' ', (size_t)length);
  const int64_t before = space ? space - text : 0;
  const int64_t left = space ? vocabulary_decode(text, before, bytes) : -1;
  if (left < 0) {
    return false;
  }
  const int64_t right = vocabulary_decode(space + 1, length - before - 1, bytes + left);
  if (right < 0) {
    return false;
  }
  const int32_t a = vocabulary_find(vocabulary, bytes, left);
  const int32_t b = vocabulary_find(vocabulary, bytes + left, right);
  *pair = pair_of(a, b);
  *id = vocabulary_find(vocabulary, bytes, left + right);
  return a != NO_TOKEN && b != NO_TOKEN && *id != NO_TOKEN;
}

static Status read_merge(Merges *merges, const Gguf *gguf, const Vocabulary *vocabulary,
                         int64_t index) {
  const char *text;
  char *bytes;
  int64_t length;
  uint64_t pair = 0;
  int32_t id = NO_TOKEN;
  TRY(gguf_array_text(gguf, KEY, index, &text, &length));
  TRY(MEMORY_NEW(&bytes, length, "a merge"));
  const bool is_good = parse_merge(vocabulary, text, length, bytes, &pair, &id);
  MEMORY_FREE(bytes);
  if (!is_good) {
    return RAISE(ERR_FORMAT, "%s: %s: item %lld (%.*s) does not join two tokens into a third",
                 gguf_path(gguf), KEY, (long long)index, (int)(length < 100 ? length : 100), text);
  }
  MergesEntry *entry = find_slot(merges, pair);
  if (entry->id == NO_TOKEN) {
    *entry = (MergesEntry){.pair = pair, .rank = (uint32_t)index, .id = id};
  }
  return OK;
}

Status merges_read(Merges *merges, const Gguf *gguf, const Vocabulary *vocabulary) {
  *merges = (Merges){0};
  const int64_t count = gguf_array_length(gguf, KEY);
  if (count < 0 || count > INT32_MAX / 2) {
    return RAISE(ERR_FORMAT, "%s: %s must list the merges of a gpt2 tokenizer", gguf_path(gguf),
                 KEY);
  }
  uint64_t slots = 16;
  while (slots < 2 * (uint64_t)count) {
    slots *= 2;
  }
  merges->slots_mask = slots - 1;
  TRY(MEMORY_NEW(&merges->slots, (int64_t)slots, "hash table of merges"));
  for (uint64_t i = 0; i < slots; i++) {
    merges->slots[i].id = NO_TOKEN;
  }
  for (int64_t i = 0; i < count; i++) {
    TRY(read_merge(merges, gguf, vocabulary, i));
  }
  return OK;
}

void merges_clear(Merges *merges) {
  MEMORY_FREE(merges->slots);
}
