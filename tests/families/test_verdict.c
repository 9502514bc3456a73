#include <math.h>
#include <string.h>

#include "check.h"
#include "lookup.h"
#include "memory.h"
#include "verdict_table.h"

static const VerdictRules RULES = {
    .strong = 0.7,
    .margin = 0.05,
    .r2_cut = 0.3,
    .evidence = {.p_min = 0.5, .lift_min = 3, .firings_min = 30, .documents_min = 10}};
enum { NO = EVIDENCE_NO, YES = EVIDENCE_YES, OPEN = EVIDENCE_OPEN };

static VerdictCandidate candidate(double cosine, double encoder, int evidence) {
  VerdictCandidate out = {.cosine = (float)cosine,
                          .encoder_cosine = (float)encoder,
                          .evidence = (EvidenceVerdict)evidence};
  out.narrow = (EvidenceShare){0.1, 0.05, 0.2, 9};
  return out;
}

/* An alive child with these candidates by cosine, which no sum of two parents rebuilds. */
static VerdictChild child_of(const VerdictCandidate *candidates, int64_t count) {
  return (VerdictChild){.state = DIRECTION_ALIVE,
                        .fired = 100,
                        .candidates = candidates,
                        .near = count,
                        .count = count,
                        .r2 = 0.1,
                        .span_parent = {-1, -1},
                        .span_cosine = NAN};
}

static ChildStatus status_at(const VerdictChild *child, double link) {
  int64_t chosen;
  return verdict_child(child, &RULES, link, &chosen);
}

static ChildStatus alone(double cosine, double encoder, int evidence, bool mutual) {
  const VerdictCandidate one = candidate(cosine, encoder, evidence);
  VerdictChild child = child_of(&one, 1);
  int64_t chosen;
  child.mutual = mutual;
  const ChildStatus status = verdict_child(&child, &RULES, 0.4, &chosen);
  CU_ASSERT(chosen == 0);
  return status;
}

static void test_dead_and_unseen_come_first(void) {
  const VerdictCandidate one = candidate(0.9, 0.9, YES);
  VerdictChild child = child_of(&one, 1);
  int64_t chosen;
  child.mutual = true;
  child.state = DIRECTION_DEAD;
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_DEAD && chosen == -1);
  child.state = DIRECTION_UNSEEN;
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_UNSEEN && chosen == 0);
}

/* One candidate: cosine, encoder cosine, evidence, mutual -> status. */
static void test_one_parent(void) {
  static const struct {
    double cosine, encoder;
    int evidence;
    bool mutual;
    ChildStatus want;
  } CASES[] = {
      {0.71, 0.71, YES, true, CHILD_KEPT},           {0.71, 0.71, OPEN, true, CHILD_KEPT_OPEN},
      {0.71, 0.71, NO, true, CHILD_RELATED},         {0.71, 0.71, YES, false, CHILD_SPLIT},
      {0.69, 0.71, YES, true, CHILD_SPLIT},          {0.71, 0.69, YES, true, CHILD_SPLIT},
      {0.41, 0.00, YES, false, CHILD_SPLIT},         {0.41, 0.90, OPEN, false, CHILD_RELATED_OPEN},
      {0.41, 0.90, NO, false, CHILD_RELATED},        {0.71, 0.31, OPEN, false, CHILD_SPLIT_OPEN},
      {0.71, 0.29, OPEN, false, CHILD_RELATED_OPEN}, {0.71, NAN, OPEN, true, CHILD_RELATED_OPEN},
      {0.39, 0.90, YES, true, CHILD_UNMATCHED},   /* evidence counts by its interval there */
      {-0.95, 0.90, OPEN, true, CHILD_UNMATCHED}, /* antipodes are no parents */
  };
  for (int i = 0; i < CHECK_COUNT(CASES); ++i) {
    const ChildStatus got =
        alone(CASES[i].cosine, CASES[i].encoder, CASES[i].evidence, CASES[i].mutual);
    CU_ASSERT(got == CASES[i].want);
  }
}

static void test_kept_uses_the_higher_of_link_and_strong(void) {
  const VerdictCandidate one = candidate(0.75, 0.9, YES);
  VerdictChild child = child_of(&one, 1);
  child.mutual = true;
  CU_ASSERT(status_at(&child, 0.8) == CHILD_UNMATCHED);
  CU_ASSERT(status_at(&child, 0.75) == CHILD_KEPT);
}

static void test_near_ties_go_to_the_one_with_evidence(void) {
  VerdictCandidate three[3] = {candidate(0.60, 0, OPEN), candidate(0.56, 0, YES),
                               candidate(0.54, 0, YES)};
  const VerdictChild child = child_of(three, 3);
  int64_t chosen;
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_SPLIT); /* 0.54 is no tie */
  CU_ASSERT(chosen == 1 && verdict_convinced(&child, &RULES) == 1);
  three[0].evidence = EVIDENCE_YES;
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_AMBIGUOUS); /* two */
  CU_ASSERT(chosen == 0 && verdict_convinced(&child, &RULES) == 0);
  three[0].evidence = three[1].evidence = EVIDENCE_NO;
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_AMBIGUOUS); /* none */
  CU_ASSERT(verdict_convinced(&child, &RULES) == -1);
}

static void test_ties_below_the_link_do_not_compete(void) {
  const VerdictCandidate two[2] = {candidate(0.41, 0, YES), candidate(0.39, 0, YES)};
  const VerdictChild child = child_of(two, 2);
  CU_ASSERT(status_at(&child, 0.40) == CHILD_SPLIT);
  CU_ASSERT(status_at(&child, 0.38) == CHILD_AMBIGUOUS);
}

static void test_kept_wins_over_ambiguous_but_not_at_another_parent(void) {
  VerdictCandidate two[2] = {candidate(0.80, 0.8, YES), candidate(0.79, 0.8, YES)};
  VerdictChild child = child_of(two, 2);
  int64_t chosen;
  child.mutual = true;
  CU_ASSERT(status_at(&child, 0.4) == CHILD_KEPT);
  two[0].evidence = EVIDENCE_OPEN; /* pi(c) is now the second: not the mutual one */
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_SPLIT && chosen == 1);
}

/* Two parents, span fit: cosines, evidence, R2, lighter weight, cosine between them, link -> status. */
static void test_compositions(void) {
  static const struct {
    double first, second;
    int one, other;
    double r2, weight, between, link;
    ChildStatus want;
  } CASES[] = {
      {0.64, 0.64, YES, YES, 0.80, 0.60, 0.0, 0.4, CHILD_COMPOSED}, /* not ambiguous */
      {0.70, 0.52, YES, YES, 0.75, 0.50, 0.0, 0.4, CHILD_COMPOSED}, /* not split */
      {0.70, 0.52, YES, YES, 0.68, 0.50, 0.0, 0.4, CHILD_SPLIT},    /* adds less than 0.2 */
      {0.70, 0.52, YES, YES, 0.75, 0.29, 0.0, 0.4, CHILD_SPLIT},    /* too light */
      {0.70, 0.52, YES, YES, 0.75, 0.50, 0.5, 0.4, CHILD_SPLIT},    /* two copies of one */
      {0.70, 0.52, YES, YES, 0.75, 0.50, NAN, 0.4, CHILD_SPLIT},
      {0.70, 0.52, YES, NO, 0.75, 0.50, 0.0, 0.4, CHILD_SPLIT},
      {0.70, 0.52, YES, OPEN, 0.75, 0.50, 0.0, 0.4, CHILD_SPLIT}, /* composed? comes later */
      {0.60, 0.50, OPEN, YES, 0.70, 0.50, 0.0, 0.4, CHILD_COMPOSED_OPEN},
      {0.60, 0.50, OPEN, OPEN, 0.70, 0.50, 0.0, 0.4, CHILD_COMPOSED_OPEN},
      {0.60, 0.50, OPEN, NO, 0.70, 0.50, 0.0, 0.4, CHILD_RELATED_OPEN},
      {0.60, 0.58, OPEN, OPEN, 0.70, 0.50, 0.0, 0.4, CHILD_AMBIGUOUS}, /* before composed? */
      {0.60, 0.50, NO, YES, 0.70, 0.50, 0.0, 0.4, CHILD_RELATED},
      {0.39, 0.38, YES, YES, 0.31, 0.35, 0.0, 0.4, CHILD_COMPOSED}, /* below the link */
      {0.39, 0.38, YES, OPEN, 0.31, 0.35, 0.0, 0.4, CHILD_COMPOSED_OPEN},
      {0.39, 0.38, OPEN, OPEN, 0.31, 0.35, 0.0, 0.4, CHILD_COMPOSED_OPEN},
      {0.39, 0.38, YES, NO, 0.31, 0.35, 0.0, 0.4, CHILD_UNMATCHED},
      {0.39, 0.38, YES, YES, 0.29, 0.35, 0.0, 0.4, CHILD_UNMATCHED}, /* R2 below its cut */
      {0.39, 0.38, YES, YES, NAN, 0.35, 0.0, 0.4, CHILD_UNMATCHED},
      {0.64, 0.64, YES, YES, 0.80, 0.60, 0.0, 0.7, CHILD_COMPOSED},
  };
  for (int i = 0; i < CHECK_COUNT(CASES); ++i) {
    const VerdictCandidate two[2] = {candidate(CASES[i].first, 0, CASES[i].one),
                                     candidate(CASES[i].second, 0, CASES[i].other)};
    VerdictChild child = child_of(two, 2);
    child.r2 = CASES[i].r2;
    child.weight = CASES[i].weight;
    child.span_cosine = CASES[i].between;
    child.span_parent[0] = 1;
    child.span_parent[1] = 0;
    CU_ASSERT(status_at(&child, CASES[i].link) == CASES[i].want);
  }
}

static void test_any_candidate_relates_below_the_link(void) {
  VerdictCandidate two[2] = {candidate(0.39, 0, OPEN), candidate(0.2, 0, NO)};
  VerdictChild child = child_of(two, 2);
  int64_t chosen;
  child.near = 1; /* the second by activation alone */
  CU_ASSERT(status_at(&child, 0.4) == CHILD_UNMATCHED);
  two[1].narrow = (EvidenceShare){0.4, 0.25, 0.5, 3};
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_RELATED && chosen == 0);
  two[1].narrow.lift = 2.9;
  CU_ASSERT(status_at(&child, 0.4) == CHILD_UNMATCHED);
  two[1].narrow = (EvidenceShare){NAN, NAN, NAN, NAN};
  CU_ASSERT(status_at(&child, 0.4) == CHILD_UNMATCHED);
  child.near = child.count = 0;
  CU_ASSERT(verdict_child(&child, &RULES, 0.4, &chosen) == CHILD_UNMATCHED && chosen == -1);
}

/* A feature that fires often enough, alone, and that no sum of parents rebuilds. */
static void test_who_is_new(void) {
  VerdictCandidate two[2] = {candidate(0.30, 0, NO), candidate(0.1, 0, NO)};
  VerdictChild child = child_of(two, 2);
  two[1].is_suggested = true;
  CU_ASSERT(verdict_is_new(&child, &RULES));
  two[1].narrow = (EvidenceShare){0.2, 0.1, 0.25, 9}; /* may be related */
  CU_ASSERT(!verdict_is_new(&child, &RULES));
  two[1].narrow.lift = 2;
  CU_ASSERT(verdict_is_new(&child, &RULES));
  two[1].narrow = (EvidenceShare){NAN, NAN, NAN, NAN}; /* nobody knows */
  CU_ASSERT(!verdict_is_new(&child, &RULES));
  two[1].is_suggested = false; /* by cosine alone: only a sure relation counts */
  CU_ASSERT(verdict_is_new(&child, &RULES));
  two[1].narrow = (EvidenceShare){0.5, 0.3, 0.6, 9};
  CU_ASSERT(!verdict_is_new(&child, &RULES));
  two[1].narrow = (EvidenceShare){0, 0, 0.1, 0};
  child.fired = 29;
  CU_ASSERT(!verdict_is_new(&child, &RULES));
  child.fired = 30;
  child.r2 = 0.3;
  CU_ASSERT(!verdict_is_new(&child, &RULES));
  child.r2 = NAN;
  CU_ASSERT(!verdict_is_new(&child, &RULES));
  child.r2 = 0.29;
  child.state = DIRECTION_UNSEEN;
  CU_ASSERT(!verdict_is_new(&child, &RULES));
}

static void test_who_absorbs(void) {
  CU_ASSERT(verdict_absorbs(&(EvidenceShare){0.1, 0.05, 0.15, 1}, 0.19));
  CU_ASSERT(!verdict_absorbs(&(EvidenceShare){0.1, 0.05, 0.16, 1}, 0.19));
  CU_ASSERT(!verdict_absorbs(&(EvidenceShare){0.1, 0.05, 0.15, 1}, 0.2));
  CU_ASSERT(!verdict_absorbs(&(EvidenceShare){NAN, NAN, NAN, NAN}, 0));
  CU_ASSERT(!verdict_absorbs(&(EvidenceShare){0.1, 0.05, 0.15, 1}, NAN));
}

static void test_parents_by_their_children(void) {
  CU_ASSERT(verdict_parent(DIRECTION_DEAD, 1, 1, true) == PARENT_DEAD);
  CU_ASSERT(verdict_parent(DIRECTION_UNSEEN, 1, 1, true) == PARENT_UNSEEN);
  CU_ASSERT(verdict_parent(DIRECTION_ALIVE, 1, 0, true) == PARENT_PERSISTS);
  CU_ASSERT(verdict_parent(DIRECTION_ALIVE, 1, 3, true) == PARENT_SPLIT_PERSISTS);
  CU_ASSERT(verdict_parent(DIRECTION_ALIVE, 0, 2, true) == PARENT_SPLIT_K);
  CU_ASSERT(verdict_parent(DIRECTION_ALIVE, 0, 1, true) == PARENT_REFINED);
  CU_ASSERT(verdict_parent(DIRECTION_ALIVE, 0, 0, true) == PARENT_LINKED);
  CU_ASSERT(verdict_parent(DIRECTION_ALIVE, 0, 0, false) == PARENT_LOST);
}

static void test_cuts_rise_to_the_null_in_thousandths(void) {
  CU_ASSERT(verdict_cut(0.4, 0.33) == 0.4);
  CU_ASSERT_DOUBLE_EQUAL(verdict_cut(0.4, 0.4401), 0.441, 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(verdict_cut(0.4, 0.441), 0.441, 1e-12);
  CU_ASSERT(verdict_cut(0.4, NAN) == 0.4);
}

static void test_codes_have_their_names(void) {
  CU_ASSERT_STRING_EQUAL(verdict_child_name(CHILD_NONE), "");
  CU_ASSERT_STRING_EQUAL(verdict_child_name(CHILD_SPLIT_OPEN), "split?");
  CU_ASSERT_STRING_EQUAL(verdict_child_name(CHILD_UNMATCHED), "unmatched");
  CU_ASSERT(CHILD_UNMATCHED == 14 && PARENT_LOST == 8); /* codes in files */
  CU_ASSERT_STRING_EQUAL(verdict_parent_name(PARENT_SPLIT_PERSISTS), "split+persists");
  CU_ASSERT_STRING_EQUAL(verdict_flag_name(FLAG_SKIP), "skip");
  CU_ASSERT(verdict_bit(FLAG_LOW_TC) == 1 && verdict_bit(FLAG_HOLES) == 64);
  for (int status = 0; status < CHILD_STATUSES; ++status) {
    const char *name = verdict_child_name(status);
    CU_ASSERT(verdict_is_open((ChildStatus)status) == (strchr(name, '?') != NULL));
  }
}

static const CheckFact FACTS[] = {
    {"dead and unseen come first", test_dead_and_unseen_come_first},
    {"one parent", test_one_parent},
    {"kept uses the higher of link and strong", test_kept_uses_the_higher_of_link_and_strong},
    {"near ties go to the one with evidence", test_near_ties_go_to_the_one_with_evidence},
    {"ties below the link do not compete", test_ties_below_the_link_do_not_compete},
    {"kept wins over ambiguous, but not at another parent",
     test_kept_wins_over_ambiguous_but_not_at_another_parent},
    {"compositions", test_compositions},
    {"any candidate relates below the link", test_any_candidate_relates_below_the_link},
    {"who is new", test_who_is_new},
    {"who absorbs", test_who_absorbs},
    {"parents by their children", test_parents_by_their_children},
    {"cuts rise to the null in thousandths", test_cuts_rise_to_the_null_in_thousandths},
    {"codes have their names", test_codes_have_their_names},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "verdict", FACTS);
}
