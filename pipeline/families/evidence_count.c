#include <string.h>

#include "evidence.h"
#include "evidence_walk.h"
#include "lookup.h"
#include "memory.h"
#include "threads.h"

/* A child's candidates stand in a small hash table, and every entry of the rows where the child
   fires is looked up there: most slots are empty, and the table stays in the first cache while rows
   of any dictionary stream past. */

enum {
  UNIT = 64,
  WINDOW_LEAST = 1024,
  WINDOW_FIRINGS = 8,
  SLOTS_LEAST = 1024,
  SLOTS_OF_ONE = 32,
  CANDIDATES_MOST = 65534,
  GROUP = 8
};

/* What a thread needs for the child that it counts. */
typedef struct Finder {
  uint16_t *slot;    /* [slots] 1 + candidate; 0: none */
  uint32_t *touched; /* [candidates + 1] those that fired in the document */
  int64_t touched_count;
  int64_t *hit;            /* [GROUP * longest row] entries of a few rows that may be candidates */
  int64_t hit_past[GROUP]; /* past each row's last one */
  /* [candidates] of the child */
  const uint32_t *candidate;
  uint32_t *now_narrow, *now_wide;
  double *product, *square;
} Finder;

typedef struct Count {
  Evidence *evidence;
  const EvidenceChildren *children;
  EvidenceWalk walk;
  int64_t *next; /* [children] first firing not counted yet */
  /* of the document that a child is in, from one chunk to the next */
  uint32_t *document, *now;        /* [children] its number; n */
  uint32_t *now_narrow, *now_wide; /* [children, candidates] x */
  int shift;                       /* 32 - log2 of the slots */
  Finder *finders;                 /* [threads] */
} Count;

static uint32_t slot_of(uint32_t id, int shift) {
  return (id * 2654435769u) >> shift;
}

static uint32_t slot_after(const Count *count, uint32_t slot) {
  return (slot + 1) & ((1u << (32 - count->shift)) - 1);
}

/* The slot where a parent of the child is, or would be. */
static uint32_t find_slot(const Count *count, const Finder *finder, uint32_t id) {
  uint32_t slot = slot_of(id, count->shift);
  while (finder->slot[slot] != 0 && finder->candidate[finder->slot[slot] - 1] != id) {
    slot = slot_after(count, slot);
  }
  return slot;
}

static void turn_to(const Count *count, Finder *finder, int64_t child) {
  const int64_t at = child * count->evidence->candidates;
  finder->touched_count = 0;
  finder->candidate = count->evidence->candidate + at;
  finder->now_narrow = count->now_narrow + at;
  finder->now_wide = count->now_wide + at;
  finder->product = count->evidence->product + at;
  finder->square = count->evidence->square + at;
}

/* Candidates into the table; those touched in the document that goes on are touched again. */
static Status enter_child(const Count *count, Finder *finder, int64_t child) {
  turn_to(count, finder, child);
  for (int64_t j = 0; j < count->evidence->candidates; ++j) {
    const uint32_t id = finder->candidate[j];
    if (id == LOOKUP_NONE) {
      continue;
    }
    const uint32_t slot = find_slot(count, finder, id);
    if (finder->slot[slot] != 0) {
      return RAISE(ERR_FORMAT, "%s: parent %lld is named twice for one child",
                   count->children->place, (long long)id);
    }
    finder->slot[slot] = (uint16_t)(j + 1);
    if (finder->now_wide[j] > 0) {
      finder->touched[finder->touched_count++] = (uint32_t)j;
    }
  }
  return OK;
}

static void leave_child(const Count *count, Finder *finder) {
  for (int64_t j = 0; j < count->evidence->candidates; ++j) {
    const uint32_t id = finder->candidate[j];
    if (id == LOOKUP_NONE) {
      continue;
    }
    uint32_t slot = slot_of(id, count->shift);
    while (finder->slot[slot] != j + 1) {
      slot = slot_after(count, slot);
    }
    finder->slot[slot] = 0;
  }
}

static void add_document(EvidenceSums *sums, uint32_t *now, int64_t n) {
  const int64_t x = *now;
  sums->both += x;
  sums->square += x * x;
  sums->cross += x * n;
  *now = 0;
}

static void end_document(const Count *count, Finder *finder, int64_t child) {
  Evidence *evidence = count->evidence;
  const int64_t n = count->now[child];
  evidence->fired[child] += n;
  evidence->fired_square[child] += n * n;
  evidence->documents[child] += n > 0;
  count->now[child] = 0;
  for (int64_t t = 0; t < finder->touched_count; ++t) {
    const int64_t at = child * evidence->candidates + finder->touched[t];
    add_document(&evidence->narrow[at], &count->now_narrow[at], n);
    add_document(&evidence->wide[at], &count->now_wide[at], n);
  }
  finder->touched_count = 0;
}

/* Entry `e` may be a candidate: its slot is not empty. No branch that cannot be foretold. */
static void meet(const Count *count, Finder *finder, int64_t e, float value) {
  const EvidenceChunk *chunk = &count->walk.chunk;
  const uint32_t found = finder->slot[find_slot(count, finder, chunk->id[e])];
  if (found == 0) {
    return;
  }
  const uint32_t j = found - 1;
  const double other = chunk->active[e] != 0 ? (double)chunk->value[e] : 0;
  finder->touched[finder->touched_count] = j;
  finder->touched_count += finder->now_wide[j]++ == 0;
  finder->now_narrow[j] += chunk->active[e] != 0;
  finder->product[j] += (double)value * other;
  finder->square[j] += other * other;
}

/* Entries of some rows whose slot is not empty. Their values are asked for: they lie anywhere. */
static void find_hits(const Count *count, Finder *finder, const uint32_t *row, int64_t rows,
                      int64_t left) {
  const EvidenceChunk *chunk = &count->walk.chunk;
  const uint16_t *slot = finder->slot;
  const int shift = count->shift;
  int64_t found = 0;
  for (int64_t r = 0; r < rows; ++r) {
    evidence_fetch(chunk, row + r, left - r);
    const EvidenceRow entries = evidence_row(chunk, row[r]);
    int64_t first = found;
    for (int64_t e = entries.first; e < entries.past; ++e) {
      finder->hit[found] = e;
      found += slot[slot_of(chunk->id[e], shift)] != 0;
    }
    for (; first < found; ++first) {
      __builtin_prefetch(chunk->value + finder->hit[first]);
    }
    finder->hit_past[r] = found;
  }
}

static void enter_row(const Count *count, Finder *finder, int64_t child, int64_t row) {
  const uint32_t document = count->walk.chunk.document[row - count->walk.chunk.first];
  if (count->now[child] > 0 && document != count->document[child]) {
    end_document(count, finder, child);
  }
  count->document[child] = document;
  ++count->now[child];
}

static void count_rows(const Count *count, Finder *finder, int64_t child, int64_t first,
                       int64_t past) {
  const EvidenceChildren *children = count->children;
  const int64_t rows = past - first < GROUP ? past - first : GROUP;
  int64_t i = 0;
  find_hits(count, finder, children->row + first, rows, past - first);
  for (int64_t r = 0; r < rows; ++r) {
    const float value = children->value[first + r];
    enter_row(count, finder, child, children->row[first + r]);
    count->evidence->value_square[child] += (double)value * (double)value;
    for (; i < finder->hit_past[r]; ++i) {
      meet(count, finder, finder->hit[i], value);
    }
  }
}

static Status count_child(const Count *count, Finder *finder, int64_t child) {
  EvidencePlaces places;
  TRY(evidence_places(&count->walk, count->children, child, &count->next[child], &places));
  if (places.first == places.past) {
    return OK;
  }
  TRY(enter_child(count, finder, child));
  for (int64_t i = places.first; i < places.past; i += GROUP) {
    count_rows(count, finder, child, i, places.past);
  }
  leave_child(count, finder);
  return OK;
}

static Status count_unit(int64_t unit, int thread, void *context) {
  const Count *count = context;
  for (int64_t c = unit * UNIT; c < (unit + 1) * UNIT && c < count->children->count; ++c) {
    TRY(count_child(count, &count->finders[thread], c));
  }
  return OK;
}

/* Every child's last document ends with the corpus. */
static Status end_unit(int64_t unit, int thread, void *context) {
  const Count *count = context;
  Finder *finder = &count->finders[thread];
  for (int64_t c = unit * UNIT; c < (unit + 1) * UNIT && c < count->children->count; ++c) {
    TRY(enter_child(count, finder, c));
    end_document(count, finder, c);
    leave_child(count, finder);
  }
  return OK;
}

/* Rows that a child fires in a few times: fewer, and its candidates would go into the table too
   often; more, and the rows would not stay in the cache from one child to the next. */
static int64_t window_of(const Count *count) {
  const EvidenceChildren *children = count->children;
  const int64_t firings = children->start[children->count] - children->start[0];
  const double rows = (double)count->walk.source->rows * (double)children->count * WINDOW_FIRINGS /
                      (double)(firings > 0 ? firings : 1);
  if (rows >= (double)count->walk.source->rows) {
    return 0;
  }
  return rows > WINDOW_LEAST ? (int64_t)rows : WINDOW_LEAST;
}

static Status take_hits(Count *count) {
  for (int t = 0; t < threads_count();
       ++t) { /* one more: a place is written before it is known to be needed */
    TRY(MEMORY_RESIZE(&count->finders[t].hit, GROUP * count->walk.longest + 1,
                      "candidates of rows"));
  }
  return OK;
}

static Status count_chunks(Count *count) {
  const int64_t units = (count->children->count + UNIT - 1) / UNIT;
  count->walk.window = window_of(count);
  for (;;) {
    TRY(evidence_walk(&count->walk));
    if (count->walk.chunk.rows == 0) {
      break;
    }
    TRY(take_hits(count));
    TRY(threads_run(units, count_unit, count));
  }
  TRY(evidence_walked(count->children, count->next));
  return threads_run(units, end_unit, count);
}

static Status check_candidates(const Evidence *evidence, int64_t parents) {
  const int64_t cells = evidence->children * evidence->candidates;
  ASSERT(evidence->candidates >= 0 && evidence->candidates <= CANDIDATES_MOST);
  for (int64_t i = 0; i < cells; ++i) {
    const uint32_t id = evidence->candidate[i];
    if (id != LOOKUP_NONE && id >= parents) {
      return RAISE(ERR_FORMAT, "candidate parent %lld of %lld: run cleave-compare again",
                   (long long)id, (long long)parents);
    }
  }
  return OK;
}

static Status take_evidence(Evidence *evidence) {
  const int64_t own = evidence->children, cells = own * evidence->candidates;
  TRY(MEMORY_NEW(&evidence->narrow, cells, "counts of candidates"));
  TRY(MEMORY_NEW(&evidence->wide, cells, "counts of candidates"));
  TRY(MEMORY_NEW(&evidence->product, cells, "products of activations"));
  TRY(MEMORY_NEW(&evidence->square, cells, "squares of activations"));
  TRY(MEMORY_NEW(&evidence->fired, own, "firings of children"));
  TRY(MEMORY_NEW(&evidence->fired_square, own, "squared firings of children"));
  TRY(MEMORY_NEW(&evidence->documents, own, "documents of children"));
  return MEMORY_NEW(&evidence->value_square, own, "squares of activations");
}

static Status take_finders(Count *count, int64_t candidates) {
  int64_t slots = SLOTS_LEAST;
  for (count->shift = 22; slots < SLOTS_OF_ONE * candidates; slots *= 2) {
    --count->shift;
  }
  TRY(MEMORY_NEW(&count->finders, threads_count(), "threads that count"));
  for (int t = 0; t < threads_count(); ++t) {
    TRY(MEMORY_NEW(&count->finders[t].slot, slots, "slots of candidates"));
    TRY(MEMORY_NEW(&count->finders[t].touched, candidates + 1, "candidates of a document"));
  }
  return OK;
}

static Status take_count(Count *count) {
  const int64_t own = count->children->count, candidates = count->evidence->candidates;
  TRY(MEMORY_NEW(&count->next, own, "firings of children"));
  TRY(MEMORY_NEW(&count->document, own, "documents of children"));
  TRY(MEMORY_NEW(&count->now, own, "firings in a document"));
  TRY(MEMORY_NEW(&count->now_narrow, own * candidates, "counts in a document"));
  TRY(MEMORY_NEW(&count->now_wide, own * candidates, "counts in a document"));
  for (int64_t c = 0; c < own; ++c) {
    count->next[c] = count->children->start[c] - count->children->start[0];
  }
  return take_finders(count, candidates);
}

static void give_back(Count *count) {
  for (int t = 0; count->finders != NULL && t < threads_count(); ++t) {
    MEMORY_FREE(count->finders[t].slot);
    MEMORY_FREE(count->finders[t].touched);
    MEMORY_FREE(count->finders[t].hit);
  }
  MEMORY_FREE(count->finders);
  MEMORY_FREE(count->next);
  MEMORY_FREE(count->document);
  MEMORY_FREE(count->now);
  MEMORY_FREE(count->now_narrow);
  MEMORY_FREE(count->now_wide);
}

Status evidence_count(Evidence *evidence, const EvidenceChildren *children,
                      const EvidenceSource *source, const uint32_t *candidate, int64_t candidates) {
  *evidence = (Evidence){.children = children->count,
                         .candidates = candidates,
                         .candidate = candidate,
                         .rows = source->rows};
  Count count = {.evidence = evidence, .children = children, .walk = {.source = source}};
  TRY(check_candidates(evidence, source->parents));
  TRY(take_evidence(evidence));
  Status status = take_count(&count);
  if (status == OK) {
    status = count_chunks(&count);
  }
  give_back(&count);
  return status;
}

void evidence_close(Evidence *evidence) {
  MEMORY_FREE(evidence->narrow);
  MEMORY_FREE(evidence->wide);
  MEMORY_FREE(evidence->product);
  MEMORY_FREE(evidence->square);
  MEMORY_FREE(evidence->fired);
  MEMORY_FREE(evidence->fired_square);
  MEMORY_FREE(evidence->documents);
  MEMORY_FREE(evidence->value_square);
}
