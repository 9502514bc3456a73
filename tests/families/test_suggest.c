#include <string.h>

#include "check.h"
#include "corpus.h"
#include "lookup.h"
#include "threads.h"

static const double LIFT_MIN = 1.5;

/* The best parent of a child by naive counts that is not taken yet; LOOKUP_NONE: none. */
static uint32_t naive_best(const Corpus *corpus, uint32_t child, const uint32_t *fired,
                           const bool *taken) {
  uint32_t best = LOOKUP_NONE;
  int64_t most = 1;
  const int64_t n = corpus_fired(corpus->child, ACTIVE, child);
  for (uint32_t p = 0; p < PARENTS; ++p) {
    const int64_t both = corpus_sums(corpus, child, p, ACTIVE).both;
    if (!taken[p] && both > most && (double)both / (double)n * ROWS / fired[p] >= LIFT_MIN) {
      best = p;
      most = both;
    }
  }
  return best;
}

static void suggest(Corpus *corpus, int64_t bytes, uint32_t *fired, uint32_t *out) {
  const EvidenceChildren children = corpus_children(corpus);
  const EvidenceSource source = corpus_source(corpus);
  for (uint32_t p = 0; p < PARENTS; ++p) {
    fired[p] = (uint32_t)corpus_fired(corpus->parent, ACTIVE, p);
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
  for (int64_t c = 0; c < corpus_children(&corpus).count; c += 4) {
    bool taken[PARENTS] = {false};
    for (int64_t j = 0; j < 4; ++j) {
      const uint32_t best = naive_best(&corpus, (uint32_t)(corpus_first_child() + c), fired, taken);
      wrong += out[c * 4 + j] != best;
      if (best != LOOKUP_NONE) {
        taken[best] = true;
        ++found;
      }
    }
  }
  CU_ASSERT(wrong == 0 && (found > 10 || corpus_children(&corpus).count == 0));
  corpus_close(&corpus);
}

static void test_tiles_do_not_matter_to_suggestions(void) {
  static uint32_t whole[CHILDREN * 4], tiles[CHILDREN * 4];
  uint32_t fired[PARENTS];
  Corpus corpus = {0};
  corpus_open(&corpus);
  suggest(&corpus, 1 << 20, fired, whole);
  const size_t size = (size_t)corpus_children(&corpus).count * 4 * sizeof *whole;
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
  const int64_t children = corpus_children(&corpus).count;
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
  const EvidenceSource source = corpus_source(corpus);
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

static const CheckFact FACTS[] = {
    {"suggestions are the best of all parents", test_suggestions_are_the_best_of_all_parents},
    {"tiles do not matter to suggestions", test_tiles_do_not_matter_to_suggestions},
    {"gathered rows give the same suggestions", test_gathered_rows_give_the_same_suggestions},
    {"wrong codes are refused when gathered", test_wrong_codes_are_refused_when_gathered},
    {"many common parents are all counted", test_many_common_parents_are_all_counted},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "suggest", FACTS);
}
