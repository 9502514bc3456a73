#include "corpus.h"

#include <string.h>

#include "check.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"

Team *corpus_ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

static void draw_row(uint64_t key, int64_t row, uint32_t latents, uint32_t *ids) {
  for (int64_t e = 0; e < STORED; ++e) { /* stride 7 keeps the ids of a row distinct */
    const uint64_t first = random_bits(key, (uint64_t)row) % latents;
    ids[row * STORED + e] = (uint32_t)((first + (uint64_t)e * 7) % latents);
  }
}

static void take_corpus(Corpus *corpus) {
  CU_ASSERT(MEMORY_NEW(&corpus->document, ROWS, "documents") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->start, ROWS + 1, "starts") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->child, ROWS * STORED, "children") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->parent, ROWS * STORED, "parents") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->value, ROWS * STORED, "values") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->active, ROWS * STORED, "active") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->candidate, CHILDREN * K, "candidates") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->first, CHILDREN + 1, "starts") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->row, ROWS * STORED, "rows") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->firing, ROWS * STORED, "values") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->gathered_start, ROWS + 1, "starts") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->gathered_id, ROWS * STORED, "parents") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->gathered_active, ROWS * STORED, "active") == OK);
}

static void list_firings(Corpus *corpus) {
  int64_t count = 0;
  for (uint32_t c = 0; c < CHILDREN; ++c) {
    for (int64_t row = 0; row < ROWS; ++row) {
      for (int64_t e = row * STORED; e < row * STORED + ACTIVE; ++e) {
        if (corpus->child[e] == c) {
          corpus->row[count] = (uint32_t)row;
          corpus->firing[count++] = corpus->value[e];
        }
      }
    }
    corpus->first[c + 1] = count;
  }
}

void corpus_open(Corpus *corpus) {
  const uint64_t key = random_key(1, "test", "evidence");
  take_corpus(corpus);
  corpus->piece = ROWS;
  for (int64_t row = 0; row < ROWS; ++row) {
    const bool is_new = row > 0 && random_below(random_subkey(key, 1), (uint64_t)row, 20) == 0;
    corpus->document[row] = row == 0 ? 0 : corpus->document[row - 1] + (is_new ? 2 : 0);
    corpus->start[row + 1] = corpus->start[row] + STORED;
    draw_row(random_subkey(key, 2), row, CHILDREN, corpus->child);
    draw_row(random_subkey(key, 3), row, PARENTS, corpus->parent);
    if (row % 3 == 0) { /* parents that do fire along: 2 c and, last of the row, 2 c + 1 */
      corpus->parent[row * STORED] = corpus->child[row * STORED] * 2 % PARENTS;
      corpus->parent[row * STORED + STORED - 1] = corpus->parent[row * STORED] + 1;
      for (int64_t e = 1; e < STORED - 1; ++e) {
        corpus->parent[row * STORED + e] =
            (corpus->parent[row * STORED] + 2 + (uint32_t)e) % PARENTS;
      }
    }
    for (int64_t e = row * STORED; e < (row + 1) * STORED; ++e) {
      corpus->active[e] = e % STORED < ACTIVE;
      corpus->value[e] = (float)random_uniform(random_subkey(key, 4), (uint64_t)e) + 0.5F;
    }
  }
  list_firings(corpus);
  for (int64_t i = 0; i < CHILDREN * K;
       ++i) { /* K - 1 - c % K of them, one place in the middle empty */
    const int64_t c = i / K, j = i % K;
    const bool is_none = j == 2 || j >= K - c % K;
    corpus->candidate[i] = is_none ? LOOKUP_NONE : (uint32_t)((c * 2 + j * 11) % PARENTS);
  }
}

void corpus_close(Corpus *corpus) {
  MEMORY_FREE(corpus->document);
  MEMORY_FREE(corpus->start);
  MEMORY_FREE(corpus->child);
  MEMORY_FREE(corpus->parent);
  MEMORY_FREE(corpus->value);
  MEMORY_FREE(corpus->active);
  MEMORY_FREE(corpus->candidate);
  MEMORY_FREE(corpus->first);
  MEMORY_FREE(corpus->row);
  MEMORY_FREE(corpus->firing);
  MEMORY_FREE(corpus->gathered_start);
  MEMORY_FREE(corpus->gathered_id);
  MEMORY_FREE(corpus->gathered_active);
}

static Status read_piece(void *context, int64_t first, EvidenceChunk *chunk) {
  const Corpus *corpus = context;
  const int64_t left = ROWS - first, from = corpus->start[first];
  *chunk = (EvidenceChunk){.first = first,
                           .rows = left < corpus->piece ? left : corpus->piece,
                           .document = corpus->document + first,
                           .start = corpus->start + first,
                           .id = corpus->parent + from,
                           .value = corpus->value + from,
                           .active = corpus->active + from};
  return OK;
}

static Status gather_rows(void *context, const uint32_t *row, int64_t count, EvidenceChunk *chunk) {
  Corpus *corpus = context;
  ++corpus->gathers;
  for (int64_t i = 0; i < count; ++i) {
    CU_ASSERT_FATAL(row[i] < ROWS && (i == 0 || row[i] > row[i - 1]));
    const int64_t from = corpus->start[row[i]], to = i * STORED;
    memcpy(corpus->gathered_id + to, corpus->parent + from, STORED * sizeof *corpus->parent);
    memcpy(corpus->gathered_active + to, corpus->active + from, STORED);
    corpus->gathered_start[i + 1] = to + STORED;
  }
  *chunk = (EvidenceChunk){.rows = count,
                           .start = corpus->gathered_start,
                           .id = corpus->gathered_id,
                           .active = corpus->gathered_active};
  return OK;
}

EvidenceSource corpus_source(Corpus *corpus) {
  return (EvidenceSource){.rows = ROWS,
                          .entries = ROWS * STORED,
                          .parents = PARENTS,
                          .room = corpus->room,
                          .read = read_piece,
                          .gather = corpus->room > 0 ? gather_rows : NULL,
                          .context = corpus,
                          .place = "test"};
}

EvidenceChildren corpus_children(const Corpus *corpus) {
  const Shard own = lookup_own(corpus_ranks(), CHILDREN);
  const int64_t from = corpus->first[own.first];
  return (EvidenceChildren){shard_count(own), corpus->first + own.first, corpus->row + from,
                            corpus->firing + from, "test"};
}

int64_t corpus_first_child(void) {
  return lookup_own(corpus_ranks(), CHILDREN).first;
}

int64_t corpus_find(const uint32_t *ids, int64_t row, int64_t most, uint32_t id) {
  for (int64_t e = row * STORED; e < row * STORED + most; ++e) {
    if (ids[e] == id) {
      return e;
    }
  }
  return -1;
}

EvidenceSums corpus_sums(const Corpus *corpus, uint32_t child, uint32_t parent, int64_t most) {
  EvidenceSums sums = {0};
  for (int64_t row = 0; row < ROWS;) {
    const int64_t document = corpus->document[row];
    int64_t x = 0, n = 0;
    for (; row < ROWS && corpus->document[row] == document; ++row) {
      const bool here = corpus_find(corpus->child, row, ACTIVE, child) >= 0;
      n += here;
      x += here && corpus_find(corpus->parent, row, most, parent) >= 0;
    }
    sums.both += x;
    sums.square += x * x;
    sums.cross += x * n;
  }
  return sums;
}

int64_t corpus_fired(const uint32_t *ids, int64_t most, uint32_t id) {
  int64_t fired = 0;
  for (int64_t row = 0; row < ROWS; ++row) {
    fired += corpus_find(ids, row, most, id) >= 0;
  }
  return fired;
}
