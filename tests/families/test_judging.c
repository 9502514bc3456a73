#include <math.h>

#include "check.h"
#include "evidence.h"

static const EvidenceRules RULES = {
    .p_min = 0.5, .lift_min = 3, .firings_min = 30, .documents_min = 10};

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

static const CheckFact FACTS[] = {
    {"Wilson equals known intervals", test_wilson_equals_known_intervals},
    {"documents that agree inside count once", test_documents_that_agree_inside_count_once},
    {"even documents count every firing", test_even_documents_count_every_firing},
    {"certainty counts documents", test_certainty_counts_documents},
    {"too little is no number", test_too_little_is_no_number},
    {"silent parents have no lift", test_silent_parents_have_no_lift},
    {"verdicts need bound and lift", test_verdicts_need_bound_and_lift},
    {"verdicts that depend on k are open", test_verdicts_that_depend_on_k_are_open},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "judging", FACTS);
}
