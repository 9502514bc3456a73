#include <math.h>
#include <string.h>

#include "check.h"
#include "evidence.h"
#include "exchange.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"
#include "team.h"

enum { CHILDREN = 200, PARENTS = 70, K = 8, ACTIVE = 5, STORED = 10, ROWS = 1500 };

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

static const EvidenceRules RULES = {
    .p_min = 0.5, .lift_min = 3, .firings_min = 30, .documents_min = 10};

/* A corpus: documents of 1 to 40 rows; each row has STORED distinct latents, the first ACTIVE fire. */
typedef struct Corpus {
  int64_t *document, *start;
  uint32_t *child, *parent;
  uint8_t *active;
  uint32_t *candidate; /* [CHILDREN, K] of all children */
} Corpus;

static void draw_row(uint64_t key, int64_t row, uint32_t latents, uint32_t *ids) {
  for (int64_t e = 0; e < STORED; ++e) { /* stride 7 keeps the ids of a row distinct */
    const uint64_t first = random_bits(key, (uint64_t)row) % latents;
    ids[row * STORED + e] = (uint32_t)((first + (uint64_t)e * 7) % latents);
  }
}

static void corpus_open(Corpus *corpus) {
  const uint64_t key = random_key(1, "test", "evidence");
  CU_ASSERT(MEMORY_NEW(&corpus->document, ROWS, "documents") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->start, ROWS + 1, "starts") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->child, ROWS * STORED, "children") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->parent, ROWS * STORED, "parents") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->active, ROWS * STORED, "active") == OK);
  CU_ASSERT(MEMORY_NEW(&corpus->candidate, CHILDREN * K, "candidates") == OK);
  for (int64_t row = 0; row < ROWS; ++row) {
    const bool is_new = row > 0 && random_below(random_subkey(key, 1), (uint64_t)row, 20) == 0;
    corpus->document[row] = row == 0 ? 0 : corpus->document[row - 1] + (is_new ? 2 : 0);
    corpus->start[row + 1] = corpus->start[row] + STORED;
    draw_row(random_subkey(key, 2), row, CHILDREN, corpus->child);
    draw_row(random_subkey(key, 3), row, PARENTS, corpus->parent);
    for (int64_t e = 0; e < STORED; ++e) {
      corpus->active[row * STORED + e] = e < ACTIVE;
    }
  }
  for (int64_t c = 0; c < CHILDREN; ++c) {
    const int64_t count = c % (K + 1);
    for (int64_t j = 0; j < K; ++j) {
      corpus->candidate[c * K + j] =
          j < count ? (uint32_t)((c * 3 + j * 11) % PARENTS) : LOOKUP_NONE;
    }
  }
}

static void corpus_close(Corpus *corpus) {
  MEMORY_FREE(corpus->document);
  MEMORY_FREE(corpus->start);
  MEMORY_FREE(corpus->child);
  MEMORY_FREE(corpus->parent);
  MEMORY_FREE(corpus->active);
  MEMORY_FREE(corpus->candidate);
}

static EvidenceRows rows_of(const Corpus *corpus, int64_t first, int64_t rows) {
  return (EvidenceRows){.rows = rows,
                        .document = corpus->document + first,
                        .child = {corpus->start + first, corpus->child + first * STORED,
                                  corpus->active + first * STORED},
                        .parent = {corpus->start + first, corpus->parent + first * STORED,
                                   corpus->active + first * STORED}};
}

static void count_in_pieces(Evidence *evidence, const Corpus *corpus, int64_t piece) {
  const Shard own = lookup_own(ranks(), CHILDREN);
  CU_ASSERT(evidence_open(evidence, ranks(), CHILDREN, PARENTS, corpus->candidate + own.first * K,
                          K) == OK);
  for (int64_t row = 0; row < ROWS; row += piece) {
    const EvidenceRows rows = rows_of(corpus, row, row + piece < ROWS ? piece : ROWS - row);
    CU_ASSERT(evidence_count(evidence, &rows) == OK);
  }
  evidence_end(evidence);
}

/* Is latent `id` among the first `most` of the row? */
static int64_t fires(const uint32_t *ids, int64_t row, int64_t most, uint32_t id) {
  for (int64_t e = 0; e < most; ++e) {
    if (ids[row * STORED + e] == id) {
      return 1;
    }
  }
  return 0;
}

static EvidenceSums naive_sums(const Corpus *corpus, uint32_t child, uint32_t parent,
                               int64_t most) {
  EvidenceSums sums = {0};
  for (int64_t row = 0; row < ROWS;) {
    const int64_t document = corpus->document[row];
    int64_t x = 0, n = 0;
    for (; row < ROWS && corpus->document[row] == document; ++row) {
      const int64_t here = fires(corpus->child, row, ACTIVE, child);
      n += here;
      x += here * fires(corpus->parent, row, most, parent);
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
  count_in_pieces(&evidence, &corpus, ROWS);
  int64_t wrong = 0;
  for (int64_t c = 0; c < shard_count(evidence.own); c += 5) {
    for (int64_t j = 0; j < K && evidence.candidate[c * K + j] != LOOKUP_NONE; ++j) {
      const uint32_t child = (uint32_t)(evidence.own.first + c);
      const uint32_t parent = evidence.candidate[c * K + j];
      wrong += !is_equal(evidence.narrow[c * K + j], naive_sums(&corpus, child, parent, ACTIVE));
      wrong += !is_equal(evidence.wide[c * K + j], naive_sums(&corpus, child, parent, STORED));
    }
  }
  CU_ASSERT(wrong == 0);
  evidence_close(&evidence);
  corpus_close(&corpus);
}

static void test_children_are_counted_by_document(void) {
  Corpus corpus = {0};
  Evidence evidence;
  corpus_open(&corpus);
  count_in_pieces(&evidence, &corpus, ROWS);
  int64_t wrong = 0;
  for (int64_t c = 0; c < shard_count(evidence.own); ++c) {
    int64_t fired = 0, square = 0, documents = 0;
    for (int64_t row = 0; row < ROWS;) {
      const int64_t document = corpus.document[row];
      int64_t n = 0;
      for (; row < ROWS && corpus.document[row] == document; ++row) {
        n += fires(corpus.child, row, ACTIVE, (uint32_t)(evidence.own.first + c));
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

static void test_pieces_do_not_matter(void) {
  Corpus corpus = {0};
  Evidence whole, pieces;
  corpus_open(&corpus);
  count_in_pieces(&whole, &corpus, ROWS);
  for (int64_t piece = 1; piece < 100; piece += 36) {
    count_in_pieces(&pieces, &corpus, piece);
    const size_t cells = (size_t)(shard_count(whole.own) * K);
    CU_ASSERT(memcmp(whole.narrow, pieces.narrow, cells * sizeof *whole.narrow) == 0);
    CU_ASSERT(memcmp(whole.wide, pieces.wide, cells * sizeof *whole.wide) == 0);
    CU_ASSERT(pieces.rows == ROWS);
    evidence_close(&pieces);
  }
  evidence_close(&whole);
  corpus_close(&corpus);
}

static void test_parents_are_counted_once_over_all_ranks(void) {
  Corpus corpus = {0};
  Evidence evidence;
  int64_t *narrow = NULL, *wide = NULL, wrong = 0;
  corpus_open(&corpus);
  count_in_pieces(&evidence, &corpus, ROWS);
  const int64_t cells = shard_count(evidence.own) * K;
  CU_ASSERT(MEMORY_NEW(&narrow, cells, "counts") == OK);
  CU_ASSERT(MEMORY_NEW(&wide, cells, "counts") == OK);
  CU_ASSERT(evidence_of_parents(ranks(), &evidence, narrow, wide) == OK);
  for (int64_t i = 0; i < cells; ++i) {
    int64_t active = 0, stored = 0;
    for (int64_t row = 0; row < ROWS && evidence.candidate[i] != LOOKUP_NONE; ++row) {
      active += fires(corpus.parent, row, ACTIVE, evidence.candidate[i]);
      stored += fires(corpus.parent, row, STORED, evidence.candidate[i]);
    }
    wrong += narrow[i] != active || wide[i] != stored;
  }
  CU_ASSERT(wrong == 0);
  MEMORY_FREE(narrow);
  MEMORY_FREE(wide);
  evidence_close(&evidence);
  corpus_close(&corpus);
}

static void test_wilson_equals_known_intervals(void) {
  double low, high;
  evidence_wilson(0.5, 10, &low, &high);
  CU_ASSERT_DOUBLE_EQUAL(low, 0.236593, 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(high, 0.763407, 1e-6);
  evidence_wilson(0, 10, &low, &high);
  CU_ASSERT(low == 0);
  CU_ASSERT_DOUBLE_EQUAL(high, 0.277533, 1e-6);
  evidence_wilson(1, 10, &low, &high);
  CU_ASSERT_DOUBLE_EQUAL(low, 0.722467, 1e-6);
  CU_ASSERT(high == 1);
}

/* One child, counted by hand: D documents with n firings each. */
typedef struct Hand {
  int64_t fired, fired_square, documents;
} Hand;

static Evidence by_hand(Hand *hand, int64_t documents, int64_t n) {
  *hand = (Hand){documents * n, documents * n * n, documents};
  return (Evidence){.fired = &hand->fired,
                    .fired_square = &hand->fired_square,
                    .documents = &hand->documents,
                    .rows = 100000};
}

static void test_documents_that_agree_inside_count_once(void) {
  Hand hand;
  double low, high;
  const Evidence evidence = by_hand(&hand, 20, 10);
  const EvidenceSums half = {100, 1000, 1000}; /* x = 10 in ten documents, 0 in ten */
  const EvidenceShare share = evidence_share(&evidence, &half, 0, 1000, &RULES);
  evidence_wilson(0.5, 19, &low, &high); /* D/(D-1) makes 19 of 20 documents */
  CU_ASSERT_DOUBLE_EQUAL(share.p, 0.5, 1e-15);
  CU_ASSERT_DOUBLE_EQUAL(share.low, low, 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(share.high, high, 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(share.lift, 50, 1e-12);
}

static void test_even_documents_count_every_firing(void) {
  Hand hand;
  double low, high;
  const Evidence evidence = by_hand(&hand, 20, 10);
  const EvidenceSums even = {140, 20 * 49, 1400}; /* x = 7 of 10 everywhere: no variance at all */
  const EvidenceShare share = evidence_share(&evidence, &even, 0, 1000, &RULES);
  evidence_wilson(0.7, 200, &low, &high);
  CU_ASSERT_DOUBLE_EQUAL(share.low, low, 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(share.high, high, 1e-12);
}

static void test_certainty_counts_documents(void) {
  Hand hand;
  double low, high;
  const Evidence evidence = by_hand(&hand, 20, 10);
  const EvidenceSums always = {200, 2000, 2000}, never = {0, 0, 0};
  evidence_wilson(1, 20, &low, &high);
  const EvidenceShare all = evidence_share(&evidence, &always, 0, 1000, &RULES);
  CU_ASSERT_DOUBLE_EQUAL(all.low, low, 1e-12);
  CU_ASSERT(all.high == 1);
  const EvidenceShare none = evidence_share(&evidence, &never, 0, 1000, &RULES);
  CU_ASSERT(none.low == 0 && none.p == 0 && none.lift == 0);
  CU_ASSERT(evidence_judge(&none, &RULES) == EVIDENCE_NO);
}

static void test_too_little_is_no_number(void) {
  Hand hand;
  const EvidenceSums all = {1, 1, 1};
  const int64_t cases[][2] = {
      {29, 1}, {9, 100}, {1, 1000}, {0, 0}}; /* documents, firings in each */
  for (int64_t i = 0; i < 4; ++i) {
    const Evidence evidence = by_hand(&hand, cases[i][0], cases[i][1]);
    const EvidenceShare share = evidence_share(&evidence, &all, 0, 1000, &RULES);
    CU_ASSERT(isnan(share.p) && isnan(share.low) && isnan(share.high) && isnan(share.lift));
    CU_ASSERT(evidence_judge(&share, &RULES) == EVIDENCE_OPEN);
  }
  const Evidence enough = by_hand(&hand, 30, 1);
  const EvidenceShare share = evidence_share(&enough, &all, 0, 1000, &RULES);
  CU_ASSERT(!isnan(share.p));
}

static void test_silent_parents_have_no_lift(void) {
  Hand hand;
  const Evidence evidence = by_hand(&hand, 20, 10);
  const EvidenceSums none = {0, 0, 0};
  const EvidenceShare share = evidence_share(&evidence, &none, 0, 0, &RULES);
  CU_ASSERT(share.lift == 0);
}

static void test_verdicts_need_bound_and_lift(void) {
  const struct {
    double low, high, lift;
    EvidenceVerdict verdict;
  } cases[] = {{0.5, 0.6, 3, EVIDENCE_YES},   {0.5, 0.6, 2.99, EVIDENCE_NO},
               {0.49, 0.6, 3, EVIDENCE_OPEN}, {0.49, 0.5, 3, EVIDENCE_OPEN},
               {0.1, 0.499, 9, EVIDENCE_NO},  {0.1, 0.6, 1, EVIDENCE_NO}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    const EvidenceShare share = {0.5, cases[i].low, cases[i].high, cases[i].lift};
    CU_ASSERT(evidence_judge(&share, &RULES) == cases[i].verdict);
  }
}

static void test_verdicts_that_depend_on_k_are_open(void) {
  const EvidenceShare yes = {0.9, 0.8, 0.95, 9}, no = {0.1, 0.05, 0.2, 9},
                      open = {0.5, 0.4, 0.6, 9};
  CU_ASSERT(evidence_judge_both(&yes, &yes, &RULES) == EVIDENCE_YES);
  CU_ASSERT(evidence_judge_both(&no, &no, &RULES) == EVIDENCE_NO);
  CU_ASSERT(evidence_judge_both(&no, &yes, &RULES) == EVIDENCE_OPEN);
  CU_ASSERT(evidence_judge_both(&yes, &no, &RULES) == EVIDENCE_OPEN);
  CU_ASSERT(evidence_judge_both(&no, &open, &RULES) == EVIDENCE_OPEN);
}

static void test_wrong_codes_are_refused(void) {
  const uint32_t none[K * CHILDREN] = {0}, child[2] = {0, CHILDREN}, parent[2] = {0, PARENTS};
  const uint8_t active[2] = {1, 1};
  const int64_t start[3] = {0, 1, 2}, up[2] = {0, 1}, down[2] = {1, 0};
  const uint32_t fine[2] = {0, 1};
  const struct {
    const int64_t *document;
    const uint32_t *child, *parent;
  } cases[] = {{down, fine, fine}, {up, child, fine}, {up, fine, parent}};
  for (int64_t i = 0; i < 3; ++i) {
    Evidence evidence;
    const EvidenceRows rows = {
        2, cases[i].document, {start, cases[i].child, active}, {start, cases[i].parent, active}};
    CU_ASSERT(evidence_open(&evidence, ranks(), CHILDREN, PARENTS, none, K) == OK);
    CU_ASSERT(evidence_count(&evidence, &rows) == ERR_FORMAT);
    evidence_close(&evidence);
  }
}

static void test_candidates_outside_are_refused(void) {
  static uint32_t candidate[K * CHILDREN];
  candidate[0] = PARENTS;
  Evidence evidence;
  const Status status = evidence_open(&evidence, ranks(), CHILDREN, PARENTS, candidate, K);
  const bool is_empty = shard_count(lookup_own(ranks(), CHILDREN)) == 0;
  CU_ASSERT(status == (is_empty ? OK : ERR_FORMAT));
  evidence_close(&evidence);
}

static void test_ranks_without_children_count_parents(void) {
  Evidence evidence;
  const uint32_t candidate[1] = {0}, id[2] = {0, 0};
  const uint8_t active[2] = {1, 0};
  const int64_t start[3] = {0, 1, 2}, document[2] = {0, 0};
  const EvidenceRows rows = {2, document, {start, id, active}, {start, id, active}};
  int64_t narrow = -1, wide = -1;
  CU_ASSERT(evidence_open(&evidence, ranks(), 1, 1, candidate, 1) == OK);
  CU_ASSERT(evidence_count(&evidence, &rows) == OK);
  evidence_end(&evidence);
  CU_ASSERT(evidence_of_parents(ranks(), &evidence, &narrow, &wide) == OK);
  if (shard_count(evidence.own) == 1) {
    CU_ASSERT(narrow == 1 && wide == 2 && evidence.fired[0] == 1);
    CU_ASSERT(evidence.narrow[0].both == 1 && evidence.wide[0].both == 1);
  }
  evidence_close(&evidence);
}

static const CheckFact FACTS[] = {
    {"counts equal naive loops", test_counts_equal_naive_loops},
    {"children are counted by document", test_children_are_counted_by_document},
    {"pieces do not matter", test_pieces_do_not_matter},
    {"parents are counted once over all ranks", test_parents_are_counted_once_over_all_ranks},
    {"Wilson equals known intervals", test_wilson_equals_known_intervals},
    {"documents that agree inside count once", test_documents_that_agree_inside_count_once},
    {"even documents count every firing", test_even_documents_count_every_firing},
    {"certainty counts documents", test_certainty_counts_documents},
    {"too little is no number", test_too_little_is_no_number},
    {"silent parents have no lift", test_silent_parents_have_no_lift},
    {"verdicts need bound and lift", test_verdicts_need_bound_and_lift},
    {"verdicts that depend on k are open", test_verdicts_that_depend_on_k_are_open},
    {"wrong codes are refused", test_wrong_codes_are_refused},
    {"candidates outside are refused", test_candidates_outside_are_refused},
    {"ranks without children count parents", test_ranks_without_children_count_parents},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "evidence", FACTS);
}
