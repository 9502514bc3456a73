#include <math.h>
#include <string.h>

#include "check.h"
#include "corpus.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"
#include "threads.h"

static Status count(Evidence *evidence, Corpus *corpus) {
  const EvidenceChildren children = corpus_children(corpus);
  const EvidenceSource source = corpus_source(corpus);
  return evidence_count(evidence, &children, &source, corpus->candidate + corpus_first_child() * K,
                        K);
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
    const uint32_t child = (uint32_t)(corpus_first_child() + i / K), parent = evidence.candidate[i];
    if (i / K % 5 == 0) {
      wrong += !is_equal(evidence.narrow[i], corpus_sums(&corpus, child, parent, ACTIVE));
      wrong += !is_equal(evidence.wide[i], corpus_sums(&corpus, child, parent, STORED));
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
        n += corpus_find(corpus.child, row, ACTIVE, (uint32_t)(corpus_first_child() + c)) >= 0;
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
    const int64_t c = corpus_find(corpus->child, row, ACTIVE, child);
    const int64_t p = corpus_find(corpus->parent, row, ACTIVE, parent);
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
        naive_cosine(&corpus, (uint32_t)(corpus_first_child() + i / K), evidence.candidate[i]);
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

static void test_parents_are_counted(void) {
  Corpus corpus = {0};
  int64_t narrow[PARENTS], wide[PARENTS], wrong = 0;
  corpus_open(&corpus);
  corpus.piece = 119;
  const EvidenceSource source = corpus_source(&corpus);
  CU_ASSERT(evidence_fired(&source, (Shard){3, PARENTS}, narrow, wide) == OK);
  for (uint32_t p = 3; p < PARENTS; ++p) {
    wrong += narrow[p - 3] != corpus_fired(corpus.parent, ACTIVE, p);
    wrong += wide[p - 3] != corpus_fired(corpus.parent, STORED, p);
  }
  CU_ASSERT(wrong == 0);
  CU_ASSERT(evidence_fired(&source, (Shard){5, 5}, NULL, NULL) == OK);
  corpus_close(&corpus);
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
