#ifndef MERGES_H
#define MERGES_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "status.h"
#include "vocabulary.h"

/** The merges of byte-level BPE: which two tokens become which, and in what order. Read-only after
 *  merges_read(): threads may share it. Part of the tokenizer. ranks: all local. */
typedef struct MergesEntry {
  uint64_t pair; /* left id, right id */
  uint32_t rank; /* smaller merges earlier */
  int32_t id;    /* what they become; NO_TOKEN: a free slot */
} MergesEntry;

typedef struct Merges {
  MergesEntry *slots; /* [slots_mask + 1] hash table */
  uint64_t slots_mask;
} Merges;

/** merges_clear() is needed after a failure too.
 *  ranks   local
 *  fails   ERR_FORMAT (a merge of what are no tokens; names it), ERR_MEMORY */
Status merges_read(Merges *merges, const Gguf *gguf, const Vocabulary *vocabulary) MUST_USE;
bool merges_find(const Merges *merges, int32_t left, int32_t right, uint32_t *rank, int32_t *id);
void merges_clear(Merges *merges);

#endif
