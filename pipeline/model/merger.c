#include "merger.h"

#include "memory.h"

/* A binary heap of candidate pairs. A merge makes pairs of its two symbols stale; they are not
 * searched for, but recognised when they come up: the lengths no longer add up. */

void merger_begin(Merger *merger) {
  merger->count = 0;
  merger->pairs = 0;
}

Status merger_add(Merger *merger, int32_t length, int32_t id) {
  if (merger->count == merger->symbols_room) {
    const int64_t room = merger->symbols_room ? 2 * merger->symbols_room : 64;
    TRY(MEMORY_RESIZE(&merger->symbols, room, "symbols of a word"));
    merger->symbols_room = room;
  }
  ASSERT(merger->symbols && merger->count < INT32_MAX);
  const int32_t at = (int32_t)merger->count++;
  MergerSymbol *symbol = &merger->symbols[at];
  const MergerSymbol *before = at ? symbol - 1 : NULL;
  *symbol = (MergerSymbol){
      .start = before ? before->start + before->length : 0,
      .length = length,
      .previous = at - 1,
      .next = -1,
      .id = id,
  };
  if (at > 0) {
    merger->symbols[at - 1].next = at;
  }
  return OK;
}

static void sift_up(MergerPair *heap, int64_t at, MergerPair pair) {
  while (at > 0 && pair.order < heap[(at - 1) / 2].order) {
    heap[at] = heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap[at] = pair;
}

static void sift_down(MergerPair *heap, int64_t count, MergerPair pair) {
  int64_t at = 0;
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child + 1 < count && heap[child + 1].order < heap[child].order) {
      child++;
    }
    if (child >= count || pair.order <= heap[child].order) {
      break;
    }
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = pair;
}

static Status push_pair(Merger *merger, MergerPair pair) {
  if (merger->pairs == merger->heap_room) {
    const int64_t room = merger->heap_room ? 2 * merger->heap_room : 64;
    TRY(MEMORY_RESIZE(&merger->heap, room, "pairs of symbols"));
    merger->heap_room = room;
  }
  sift_up(merger->heap, merger->pairs++, pair);
  return OK;
}

static MergerPair pop_pair(Merger *merger) {
  const MergerPair first = merger->heap[0];
  merger->pairs--;
  if (merger->pairs > 0) {
    sift_down(merger->heap, merger->pairs, merger->heap[merger->pairs]);
  }
  return first;
}

typedef struct Run {
  Merger *merger;
  const char *word;
  MergerRule rule;
  const void *context;
} Run;

static Status consider(const Run *run, int32_t left, int32_t right) {
  if (left < 0 || right < 0) {
    return OK;
  }
  const MergerSymbol *a = &run->merger->symbols[left], *b = &run->merger->symbols[right];
  uint32_t priority;
  int32_t id;
  if (!run->rule(run->context, run->word, a, b, &priority, &id)) {
    return OK;
  }
  return push_pair(run->merger, (MergerPair){.order = (uint64_t)priority << 32 | (uint32_t)left,
                                             .right = right,
                                             .length = a->length + b->length,
                                             .id = id});
}

static Status apply(const Run *run, MergerPair pair) {
  MergerSymbol *symbols = run->merger->symbols;
  const int32_t left = (int32_t)(uint32_t)pair.order;
  MergerSymbol *a = &symbols[left], *b = &symbols[pair.right];
  if (a->length == 0 || b->length == 0 || a->length + b->length != pair.length) {
    return OK; /* stale */
  }
  a->id = pair.id;
  a->length += b->length;
  b->length = 0;
  a->next = b->next;
  if (a->next >= 0) {
    symbols[a->next].previous = left;
  }
  TRY(consider(run, a->previous, left));
  return consider(run, left, a->next);
}

Status merger_run(Merger *merger, const char *word, MergerRule rule, const void *context) {
  const Run run = {merger, word, rule, context};
  for (int32_t i = 1; i < merger->count; i++) {
    TRY(consider(&run, i - 1, i));
  }
  while (merger->pairs > 0) {
    TRY(apply(&run, pop_pair(merger)));
  }
  return OK;
}

void merger_clear(Merger *merger) {
  MEMORY_FREE(merger->symbols);
  MEMORY_FREE(merger->heap);
  *merger = (Merger){0};
}
