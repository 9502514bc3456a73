#include <math.h>
#include <string.h>

#include "check.h"
#include "evidence.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"
#include "team.h"
#include "threads.h"

enum { CHILDREN = 200, PARENTS = 70, K = 8, ACTIVE = 5, STORED = 10, ROWS = 1500 };

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

static const double LIFT_MIN = 1.5;

/* A corpus: documents of 1 to 40 rows; each row has STORED distinct latents, the first ACTIVE
   fire. */
typedef struct Corpus {
  uint32_t *document, *child, *parent;
  int64_t *start;
  float *value; /* of both */
  uint8_t *active;
  uint32_t *candidate; /* [CHILDREN, K] of all children */
  /* the children's firings by feature */
  int64_t *first;
  uint32_t *row;
  float *firing;
  int64_t piece; /* rows a chunk */
  int64_t room;  /* entries that are gathered at once; 0: none are */
  /* what was gathered */
  int64_t *gathered_start, gathers;
  uint32_t *gathered_id;
  uint8_t *gathered_active;
} Corpus;

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

static void corpus_open(Corpus *corpus) {
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

static void corpus_close(Corpus *corpus) {
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

static EvidenceSource source_of(Corpus *corpus) {
  return (EvidenceSource){.rows = ROWS,
                          .entries = ROWS * STORED,
                          .parents = PARENTS,
                          .room = corpus->room,
                          .read = read_piece,
                          .gather = corpus->room > 0 ? gather_rows : NULL,
                          .context = corpus,
                          .place = "test"};
}

/* The children of this rank. */
static EvidenceChildren children_of(const Corpus *corpus) {
  const Shard own = lookup_own(ranks(), CHILDREN);
  const int64_t from = corpus->first[own.first];
  return (EvidenceChildren){shard_count(own), corpus->first + own.first, corpus->row + from,
                            corpus->firing + from, "test"};
}

static int64_t first_child(void) {
  return lookup_own(ranks(), CHILDREN).first;
}

static Status count(Evidence *evidence, Corpus *corpus) {
  const EvidenceChildren children = children_of(corpus);
  const EvidenceSource source = source_of(corpus);
  return evidence_count(evidence, &children, &source, corpus->candidate + first_child() * K, K);
}

/* The place of latent `id` among the first `most` of the row; -1: it is not there. */
static int64_t find(const uint32_t *ids, int64_t row, int64_t most, uint32_t id) {
  for (int64_t e = row * STORED; e < row * STORED + most; ++e) {
    if (ids[e] == id) {
      return e;
    }
  }
  return -1;
}

static EvidenceSums naive_sums(const Corpus *corpus, uint32_t child, uint32_t parent,
                               int64_t most) {
  EvidenceSums sums = {0};
  for (int64_t row = 0; row < ROWS;) {
    const int64_t document = corpus->document[row];
    int64_t x = 0, n = 0;
    for (; row < ROWS && corpus->document[row] == document; ++row) {
      const bool here = find(corpus->child, row, ACTIVE, child) >= 0;
      n += here;
      x += here && find(corpus->parent, row, most, parent) >= 0;
    }
    sums.both += x;
    sums.square += x * x;
    sums.cross += x * n;
  }
  return sums;
}

static bool is_equal(EvidenceSums a, EvidenceSums b) {
  return a.both == b.both && a.square == b.square && a.cross == b.cross;
}

static void test_counts_equal_naive_loops(void) {
  Corpus corpus = {0};
  Evidence evidence;
  corpus_open(&corpus);
  corpus.piece = 37;
  CU_ASSERT(count(&evidence, &corpus) == OK);
  int64_t wrong = 0;
  for (int64_t i = 0; i < evidence.children * K; ++i) {
    const uint32_t child = (uint32_t)(first_child() + i / K), parent = evidence.candidate[i];
    if (i / K % 5 == 0) {
      wrong += !is_equal(evidence.narrow[i], naive_sums(&corpus, child, parent, ACTIVE));
      wrong += !is_equal(evidence.wide[i], naive_sums(&corpus, child, parent, STORED));
    }
  }
  CU_ASSERT(wrong == 0 && evidence.rows == ROWS);
  evidence_close(&evidence);
  corpus_close(&corpus);
}

static void test_children_are_counted_by_document(void) {
  Corpus corpus = {0};
  Evidence evidence;
  corpus_open(&corpus);
  corpus.piece = 100;
  CU_ASSERT(count(&evidence, &corpus) == OK);
  int64_t wrong = 0;
  for (int64_t c = 0; c < evidence.children; ++c) {
    int64_t fired = 0, square = 0, documents = 0;
    for (int64_t row = 0; row < ROWS;) {
      const int64_t document = corpus.document[row];
      int64_t n = 0;
      for (; row < ROWS && corpus.document[row] == document; ++row) {
        n += find(corpus.child, row, ACTIVE, (uint32_t)(first_child() + c)) >= 0;
      }
      fired += n;
      square += n * n;
      documents += n > 0;
    }
    wrong += evidence.fired[c] != fired || evidence.fired_square[c] != square ||
             evidence.documents[c] != documents;
  }
  CU_ASSERT(wrong == 0);
  evidence_close(&evidence);
  corpus_close(&corpus);
}

/* Cosine of the activations over the rows where the child fires, in row order. */
static double naive_cosine(const Corpus *corpus, uint32_t child, uint32_t parent) {
  double product = 0, own = 0, other = 0;
  for (int64_t row = 0; row < ROWS; ++row) {
    const int64_t c = find(corpus->child, row, ACTIVE, child);
    const int64_t p = find(corpus->parent, row, ACTIVE, parent);
    const double f = c < 0 ? 0 : (double)corpus->value[c];
    const double g = c < 0 || p < 0 ? 0 : (double)corpus->value[p];
    product += f * g;
    own += f * f;
    other += g * g;
  }
  return own > 0 && other > 0 ? product / (sqrt(own) * sqrt(other)) : NAN;
}

static void test_masked_cosines_equal_naive_loops(void) {
  Corpus corpus = {0};
  Evidence evidence;
  corpus_open(&corpus);
  corpus.piece = 53;
  CU_ASSERT(count(&evidence, &corpus) == OK);
  int64_t wrong = 0, numbers = 0;
  for (int64_t i = 0; i < evidence.children * K; i += 3) {
    const double found = evidence_masked_cosine(&evidence, i);
    const double naive =
        naive_cosine(&corpus, (uint32_t)(first_child() + i / K), evidence.candidate[i]);
    wrong += isnan(naive) ? !isnan(found) : found != naive; /* the same sums in the same order */
    numbers += !isnan(naive);
  }
  CU_ASSERT(wrong == 0 && (numbers > 10 || evidence.children == 0));
  evidence_close(&evidence);
  corpus_close(&corpus);
}

static bool has_same(const Evidence *a, const Evidence *b) {
  const size_t cells = (size_t)(a->children * K), own = (size_t)a->children;
  return memcmp(a->narrow, b->narrow, cells * sizeof *a->narrow) == 0 &&
         memcmp(a->wide, b->wide, cells * sizeof *a->wide) == 0 &&
         memcmp(a->product, b->product, cells * sizeof *a->product) == 0 &&
         memcmp(a->square, b->square, cells * sizeof *a->square) == 0 &&
         memcmp(a->fired_square, b->fired_square, own * sizeof *a->fired_square) == 0 &&
         memcmp(a->documents, b->documents, own * sizeof *a->documents) == 0 &&
         memcmp(a->value_square, b->value_square, own * sizeof *a->value_square) == 0;
}

static void test_pieces_and_threads_do_not_matter(void) {
  Corpus corpus = {0};
  Evidence whole, pieces;
  corpus_open(&corpus);
  CU_ASSERT(count(&whole, &corpus) == OK);
  for (corpus.piece = 1; corpus.piece < 100; corpus.piece += 36) {
    threads_set(corpus.piece > 1 ? 3 : 1);
    CU_ASSERT(count(&pieces, &corpus) == OK);
    CU_ASSERT(has_same(&whole, &pieces));
    evidence_close(&pieces);
  }
  threads_set(1);
  evidence_close(&whole);
  corpus_close(&corpus);
}

/* Rows where a latent is among the first `most`. */
static int64_t naive_fired(const uint32_t *ids, int64_t most, uint32_t id) {
  int64_t fired = 0;
  for (int64_t row = 0; row < ROWS; ++row) {
    fired += find(ids, row, most, id) >= 0;
  }
  return fired;
}

static void test_parents_are_counted(void) {
  Corpus corpus = {0};
  int64_t narrow[PARENTS], wide[PARENTS], wrong = 0;
  corpus_open(&corpus);
  corpus.piece = 119;
  const EvidenceSource source = source_of(&corpus);
  CU_ASSERT(evidence_fired(&source, (Shard){3, PARENTS}, narrow, wide) == OK);
  for (uint32_t p = 3; p < PARENTS; ++p) {
    wrong += narrow[p - 3] != naive_fired(corpus.parent, ACTIVE, p);
    wrong += wide[p - 3] != naive_fired(corpus.parent, STORED, p);
  }
  CU_ASSERT(wrong == 0);
  CU_ASSERT(evidence_fired(&source, (Shard){5, 5}, NULL, NULL) == OK);
  corpus_close(&corpus);
}

/* The best parent of a child by naive counts that is not taken yet; LOOKUP_NONE: none. */
static uint32_t naive_best(const Corpus *corpus, uint32_t child, const uint32_t *fired,
                           const bool *taken) {
  uint32_t best = LOOKUP_NONE;
  int64_t most = 1;
  const int64_t n = naive_fired(corpus->child, ACTIVE, child);
  for (uint32_t p = 0; p < PARENTS; ++p) {
    const int64_t both = naive_sums(corpus, child, p, ACTIVE).both;
    if (!taken[p] && both > most && (double)both / (double)n * ROWS / fired[p] >= LIFT_MIN) {
      best = p;
      most = both;
    }
  }
  return best;
}

static void suggest(Corpus *corpus, int64_t bytes, uint32_t *fired, uint32_t *out) {
  const EvidenceChildren children = children_of(corpus);
  const EvidenceSource source = source_of(corpus);
  for (uint32_t p = 0; p < PARENTS; ++p) {
    fired[p] = (uint32_t)naive_fired(corpus->parent, ACTIVE, p);
  }
  const EvidenceSuggest job = {.children = &children,
                               .source = &source,
                               .parent_fired = fired,
                               .lift_min = LIFT_MIN,
                               .most = 4,
                               .bytes = bytes};
  CU_ASSERT(evidence_suggest(&job, out) == OK);
}

static void test_suggestions_are_the_best_of_all_parents(void) {
  static uint32_t out[CHILDREN * 4];
  uint32_t fired[PARENTS];
  Corpus corpus = {0};
  int64_t wrong = 0, found = 0;
  corpus_open(&corpus);
  corpus.piece = 400;
  suggest(&corpus, 1 << 20, fired, out);
  for (int64_t c = 0; c < children_of(&corpus).count; c += 4) {
    bool taken[PARENTS] = {false};
    for (int64_t j = 0; j < 4; ++j) {
      const uint32_t best = naive_best(&corpus, (uint32_t)(first_child() + c), fired, taken);
      wrong += out[c * 4 + j] != best;
      if (best != LOOKUP_NONE) {
        taken[best] = true;
        ++found;
      }
    }
  }
  CU_ASSERT(wrong == 0 && (found > 10 || children_of(&corpus).count == 0));
  corpus_close(&corpus);
}

static void test_tiles_do_not_matter_to_suggestions(void) {
  static uint32_t whole[CHILDREN * 4], tiles[CHILDREN * 4];
  uint32_t fired[PARENTS];
  Corpus corpus = {0};
  corpus_open(&corpus);
  suggest(&corpus, 1 << 20, fired, whole);
  const size_t size = (size_t)children_of(&corpus).count * 4 * sizeof *whole;
  for (int64_t bytes = 0; bytes < 6000; bytes += 2000) {
    threads_set(bytes > 0 ? 3 : 1);
    corpus.piece = 1 + bytes / 7;
    suggest(&corpus, bytes, fired, tiles);
    CU_ASSERT(memcmp(whole, tiles, size) == 0);
  }
  threads_set(1);
  corpus_close(&corpus);
}

/* From a row at a time, where nearly every child is left halfway, to all at once. */
static void test_gathered_rows_give_the_same_suggestions(void) {
  static uint32_t walked[CHILDREN * 4], gathered[CHILDREN * 4];
  static const int64_t rooms[] = {STORED, 3 * STORED, 101 * STORED, ROWS * STORED - 1};
  uint32_t fired[PARENTS];
  Corpus corpus = {0};
  corpus_open(&corpus);
  suggest(&corpus, 1 << 20, fired, walked);
  const int64_t children = children_of(&corpus).count;
  CU_ASSERT(corpus.gathers == 0);
  for (int i = 0; i < 4; ++i) {
    threads_set(i % 2 == 0 ? 3 : 1);
    corpus.room = rooms[i];
    corpus.gathers = 0;
    suggest(&corpus, 1, fired, gathered);
    CU_ASSERT(memcmp(walked, gathered, (size_t)children * 4 * sizeof *walked) == 0);
    CU_ASSERT((corpus.gathers > 0) == (children > 0));
  }
  corpus.gathers = 0;
  suggest(&corpus, 1 << 30, fired, gathered); /* one walk is less to read */
  CU_ASSERT(corpus.gathers == 0);
  threads_set(1);
  corpus_close(&corpus);
}

static Status suggest_spoiled(Corpus *corpus, const EvidenceChildren *children) {
  static uint32_t out[CHILDREN * 4], fired[PARENTS];
  const EvidenceSource source = source_of(corpus);
  const EvidenceSuggest job = {children, &source, fired, LIFT_MIN, 4, 1};
  return evidence_suggest(&job, out);
}

static void test_wrong_codes_are_refused_when_gathered(void) {
  Corpus corpus = {0};
  corpus_open(&corpus);
  corpus.room = 20 * STORED;
  const EvidenceChildren all = {CHILDREN, corpus.first, corpus.row, corpus.firing, "test"};
  const int64_t at = corpus.first[3]; /* of a child that fires twice and more */
  const uint32_t row = corpus.row[at + 1], id = corpus.parent[row * STORED];
  CU_ASSERT(suggest_spoiled(&corpus, &all) == OK);
  corpus.row[at + 1] = corpus.row[at]; /* a row twice */
  CU_ASSERT(suggest_spoiled(&corpus, &all) == ERR_FORMAT);
  corpus.row[at + 1] = ROWS; /* a row beyond the corpus */
  CU_ASSERT(suggest_spoiled(&corpus, &all) == ERR_FORMAT);
  corpus.row[at + 1] = row;
  corpus.parent[row * STORED] = PARENTS;
  CU_ASSERT(suggest_spoiled(&corpus, &all) == ERR_FORMAT);
  corpus.parent[row * STORED] = id;
  CU_ASSERT(suggest_spoiled(&corpus, &all) == OK);
  corpus_close(&corpus);
}

/* One row a chunk, whatever the corpus. */
static Status read_two(void *context, int64_t first, EvidenceChunk *chunk) {
  const Corpus *corpus = context;
  const int64_t from = corpus->start[first];
  *chunk = (EvidenceChunk){first,
                           1,
                           corpus->document + first,
                           corpus->start + first,
                           corpus->parent + from,
                           corpus->value + from,
                           corpus->active + from};
  return OK;
}

/* A child that meets more parents than its first table holds. */
static void test_many_common_parents_are_all_counted(void) {
  enum { MANY = 5000 };
  static uint32_t id[2 * MANY], fired[MANY];
  static float value[2 * MANY];
  static uint8_t active[2 * MANY];
  static uint32_t document[2], row[2] = {0, 1};
  static int64_t start[3] = {0, MANY, 2 * MANY}, first[2] = {0, 2};
  uint32_t out[3];
  for (uint32_t i = 0; i < 2 * MANY; ++i) {
    id[i] = i % MANY;
    active[i] = 1;
    fired[i % MANY] = 2;
  }
  fired[0] = 1; /* so that its lift is higher, which is not asked */
  Corpus corpus = {.start = start, .document = document, .parent = id, .value = value};
  corpus.active = active;
  corpus.piece = 1;
  const EvidenceChildren children = {1, first, row, value, "test"};
  const EvidenceSource source = {.rows = 2,
                                 .entries = 2 * MANY,
                                 .parents = MANY,
                                 .read = read_two,
                                 .context = &corpus,
                                 .place = "test"};
  const EvidenceSuggest job = {&children, &source, fired, 1, 3, 0};
  CU_ASSERT(evidence_suggest(&job, out) == OK);
  CU_ASSERT(out[0] == 0 && out[1] == 1 && out[2] == 2);
}

/* Frequencies 1 to PARENTS: others must be of the same quarter octave. */
static void test_matched_parents_have_the_frequency_of_the_chosen(void) {
  enum { MANY = 4000, CHOSEN = 50 };
  static uint32_t fired[MANY], chosen[CHOSEN], out[CHOSEN * 16], again[CHOSEN * 16];
  for (uint32_t p = 0; p < MANY; ++p) {
    fired[p] = (p * 7919u) % MANY;
  }
  for (uint32_t c = 0; c < CHOSEN; ++c) {
    chosen[c] = c == 7 ? LOOKUP_NONE : c * 61;
  }
  EvidenceMatched job = {CHOSEN, 100, chosen, MANY, fired, random_key(3, "matched", "a"), 16};
  CU_ASSERT(evidence_matched(&job, out) == OK);
  int64_t wrong = 0, full = 0;
  for (int64_t c = 0; c < CHOSEN; ++c) {
    for (int64_t j = 0; j < 16; ++j) {
      const uint32_t id = out[c * 16 + j];
      if (id == LOOKUP_NONE) {
        continue;
      }
      const double ratio = (double)fired[id] / (double)fired[chosen[c]];
      wrong += id == chosen[c] || ratio > 1.1893 || ratio < 1 / 1.1893;
      for (int64_t k = 0; k < j; ++k) {
        wrong += out[c * 16 + k] == id;
      }
      full += j == 15;
    }
  }
  CU_ASSERT(wrong == 0 && full >= CHOSEN - 10);
  CU_ASSERT(chosen[0] == 0 && fired[0] == 0 && out[0] == LOOKUP_NONE); /* never fires */
  CU_ASSERT(out[7 * 16] == LOOKUP_NONE);
  job.first = 110; /* the same children by another rank: the same draws */
  job.children = CHOSEN - 10;
  job.chosen = chosen + 10;
  CU_ASSERT(evidence_matched(&job, again) == OK);
  CU_ASSERT(memcmp(again, out + 160, (CHOSEN - 10) * 16 * sizeof *out) == 0);
  chosen[20] = MANY;
  CU_ASSERT(evidence_matched(&job, again) == ERR_FORMAT);
}

static void test_small_bins_give_all_others(void) {
  const uint32_t fired[] = {8, 9, 100, 8, 0, 10, 17}, chosen[] = {1, 2};
  uint32_t out[2 * 3];
  const EvidenceMatched job = {2, 0, chosen, 7, fired, 5, 3};
  CU_ASSERT(evidence_matched(&job, out) == OK);
  CU_ASSERT(out[0] + out[1] == 0 + 3 && out[0] != out[1] && out[2] == LOOKUP_NONE);
  CU_ASSERT(out[3] == LOOKUP_NONE); /* 10 > 8 * 2^(1/4); 100 is alone */
}

static void test_ranks_count_ties_against_the_chosen(void) {
  const uint32_t candidate[] = {4, LOOKUP_NONE, 6, 7};
  EvidenceSums narrow[] = {{5, 0, 0}, {0, 0, 0}, {3, 0, 0}, {0, 0, 0}};
  const Evidence evidence = {
      .children = 1, .candidates = 4, .candidate = candidate, .narrow = narrow};
  int64_t others;
  CU_ASSERT(evidence_rank(&evidence, 0, 6, &others) == 1 && others == 3);
  CU_ASSERT(evidence_rank(&evidence, 0, 5, &others) == 2);
  CU_ASSERT(evidence_rank(&evidence, 0, 0, &others) == 4);
}

/* Two rows of one entry each, spoiled in one way. */
typedef struct Spoiled {
  uint32_t document[2], id[2], row[2], candidate[2];
  int64_t start[3], rows, first;
} Spoiled;

static Status read_spoiled(void *context, int64_t first, EvidenceChunk *chunk) {
  static const float VALUE[2] = {1, 1};
  static const uint8_t ACTIVE_TOO[2] = {1, 1};
  const Spoiled *one = context;
  *chunk =
      (EvidenceChunk){one->first, one->rows, one->document, one->start, one->id, VALUE, ACTIVE_TOO};
  return first == 0 ? OK : RAISE(ERR_FILE, "read beyond the end");
}

static Status count_spoiled(Spoiled *one) {
  static const float VALUE[2] = {1, 1};
  static const int64_t FIRST[2] = {0, 2};
  const EvidenceChildren children = {1, FIRST, one->row, VALUE, "test"};
  const EvidenceSource source = {
      .rows = 2, .entries = 2, .parents = 3, .read = read_spoiled, .context = one, .place = "test"};
  Evidence evidence;
  const Status status = evidence_count(&evidence, &children, &source, one->candidate, 2);
  evidence_close(&evidence);
  return status;
}

static void test_wrong_codes_are_refused(void) {
  const Spoiled fine = {{4, 5}, {0, 2}, {0, 1}, {1, LOOKUP_NONE}, {7, 8, 9}, 2, 0};
  Spoiled cases[8];
  for (int i = 0; i < 8; ++i) {
    cases[i] = fine;
  }
  cases[0].document[1] = 3;
  cases[1].id[1] = 3;
  cases[2].row[0] = 1;    /* a row twice */
  cases[3].row[1] = 2;    /* a row beyond the corpus */
  cases[4].start[1] = 10; /* a row that ends before it begins */
  cases[5].rows = 3;      /* more rows than there are */
  cases[6].first = 1;     /* not the rows asked for */
  cases[7].rows = 0;
  Spoiled good = fine;
  CU_ASSERT(count_spoiled(&good) == OK);
  for (int i = 0; i < 8; ++i) {
    CU_ASSERT(count_spoiled(&cases[i]) == ERR_FORMAT);
  }
  cases[0] = fine;
  cases[0].rows = 1;
  CU_ASSERT(count_spoiled(&cases[0]) == ERR_FILE); /* what the source fails with */
}

static void test_wrong_candidates_are_refused(void) {
  Spoiled one = {{4, 5}, {0, 2}, {0, 1}, {3, LOOKUP_NONE}, {7, 8, 9}, 2, 0};
  CU_ASSERT(count_spoiled(&one) == ERR_FORMAT);
  one.candidate[0] = one.candidate[1] = 2;
  CU_ASSERT(count_spoiled(&one) == ERR_FORMAT);
}

static const CheckFact FACTS[] = {
    {"counts equal naive loops", test_counts_equal_naive_loops},
    {"children are counted by document", test_children_are_counted_by_document},
    {"masked cosines equal naive loops", test_masked_cosines_equal_naive_loops},
    {"pieces and threads do not matter", test_pieces_and_threads_do_not_matter},
    {"parents are counted", test_parents_are_counted},
    {"suggestions are the best of all parents", test_suggestions_are_the_best_of_all_parents},
    {"tiles do not matter to suggestions", test_tiles_do_not_matter_to_suggestions},
    {"gathered rows give the same suggestions", test_gathered_rows_give_the_same_suggestions},
    {"wrong codes are refused when gathered", test_wrong_codes_are_refused_when_gathered},
    {"many common parents are all counted", test_many_common_parents_are_all_counted},
    {"matched parents have the frequency of the chosen",
     test_matched_parents_have_the_frequency_of_the_chosen},
    {"small bins give all others", test_small_bins_give_all_others},
    {"ranks count ties against the chosen", test_ranks_count_ties_against_the_chosen},
    {"wrong codes are refused", test_wrong_codes_are_refused},
    {"wrong candidates are refused", test_wrong_candidates_are_refused},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "evidence", FACTS);
}
