#include <math.h>
#include <string.h>

#include "check.h"
#include "lookup.h"
#include "memory.h"
#include "verdict.h"

static const VerdictRules RULES = {
    .link = 0.4,
    .strong = 0.7,
    .margin = 0.05,
    .evidence = {.p_min = 0.5, .lift_min = 3, .firings_min = 30, .documents_min = 10}};

static VerdictCandidate candidate(double cosine, double encoder, EvidenceVerdict evidence) {
  VerdictCandidate out = {
      .parent = 0, .cosine = (float)cosine, .encoder_cosine = (float)encoder, .evidence = evidence};
  out.narrow = (EvidenceShare){0.1, 0.05, 0.2, 9};
  return out;
}

static ChildStatus status_of(const VerdictCandidate *candidates, int64_t count, bool mutual,
                             int64_t *chosen) {
  return verdict_child(candidates, count, DIRECTION_ALIVE, mutual, &RULES, chosen);
}

static ChildStatus alone(double cosine, double encoder, EvidenceVerdict evidence, bool mutual) {
  const VerdictCandidate one = candidate(cosine, encoder, evidence);
  int64_t chosen;
  const ChildStatus status = status_of(&one, 1, mutual, &chosen);
  CU_ASSERT(chosen == 0);
  return status;
}

static void test_dead_and_unseen_come_first(void) {
  const VerdictCandidate one = candidate(0.9, 0.9, EVIDENCE_YES);
  int64_t chosen;
  CU_ASSERT(verdict_child(&one, 1, DIRECTION_DEAD, true, &RULES, &chosen) == CHILD_DEAD);
  CU_ASSERT(chosen == -1);
  CU_ASSERT(verdict_child(&one, 1, DIRECTION_UNSEEN, true, &RULES, &chosen) == CHILD_UNSEEN);
  CU_ASSERT(chosen == 0);
}

static void test_kept_needs_everything(void) {
  CU_ASSERT(alone(0.71, 0.71, EVIDENCE_YES, true) == CHILD_KEPT);
  CU_ASSERT(alone(0.71, 0.71, EVIDENCE_OPEN, true) == CHILD_KEPT_OPEN);
  CU_ASSERT(alone(0.71, 0.71, EVIDENCE_NO, true) == CHILD_RELATED);
  CU_ASSERT(alone(0.71, 0.71, EVIDENCE_YES, false) == CHILD_SPLIT);
  CU_ASSERT(alone(0.69, 0.71, EVIDENCE_YES, true) == CHILD_SPLIT);
  CU_ASSERT(alone(0.71, 0.69, EVIDENCE_YES, true) == CHILD_SPLIT);
}

static void test_kept_uses_the_higher_of_link_and_strong(void) {
  VerdictRules high = RULES;
  int64_t chosen;
  const VerdictCandidate one = candidate(0.75, 0.9, EVIDENCE_YES);
  high.link = 0.8;
  CU_ASSERT(verdict_child(&one, 1, DIRECTION_ALIVE, true, &high, &chosen) == CHILD_UNMATCHED);
  high.link = 0.75;
  CU_ASSERT(verdict_child(&one, 1, DIRECTION_ALIVE, true, &high, &chosen) == CHILD_KEPT);
}

static void test_split_and_related_follow_evidence(void) {
  CU_ASSERT(alone(0.41, 0, EVIDENCE_YES, false) == CHILD_SPLIT);
  CU_ASSERT(alone(0.41, 0.9, EVIDENCE_OPEN, false) == CHILD_RELATED_OPEN);
  CU_ASSERT(alone(0.41, 0.9, EVIDENCE_NO, false) == CHILD_RELATED);
  CU_ASSERT(alone(0.71, 0.31, EVIDENCE_OPEN, false) == CHILD_SPLIT_OPEN);
  CU_ASSERT(alone(0.71, 0.29, EVIDENCE_OPEN, false) == CHILD_RELATED_OPEN);
  CU_ASSERT(alone(0.71, NAN, EVIDENCE_OPEN, true) == CHILD_RELATED_OPEN);
}

static void test_antipodes_are_no_parents(void) {
  CU_ASSERT(alone(-0.95, 0.9, EVIDENCE_OPEN, true) == CHILD_UNMATCHED);
}

static void test_below_the_link_any_candidate_relates(void) {
  VerdictCandidate two[2] = {candidate(0.39, 0, EVIDENCE_OPEN), candidate(0.2, 0, EVIDENCE_NO)};
  int64_t chosen;
  CU_ASSERT(status_of(two, 2, true, &chosen) == CHILD_UNMATCHED);
  two[1].narrow = (EvidenceShare){0.4, 0.25, 0.5, 3};
  CU_ASSERT(status_of(two, 2, true, &chosen) == CHILD_RELATED);
  CU_ASSERT(chosen == 0);
  two[1].narrow.lift = 2.9;
  CU_ASSERT(status_of(two, 2, true, &chosen) == CHILD_UNMATCHED);
  two[1].narrow = (EvidenceShare){NAN, NAN, NAN, NAN};
  CU_ASSERT(status_of(two, 2, true, &chosen) == CHILD_UNMATCHED);
  CU_ASSERT(status_of(two, 0, false, &chosen) == CHILD_UNMATCHED);
  CU_ASSERT(chosen == -1);
}

static void test_near_ties_go_to_the_one_with_evidence(void) {
  VerdictCandidate three[3] = {candidate(0.60, 0, EVIDENCE_OPEN), candidate(0.56, 0, EVIDENCE_YES),
                               candidate(0.54, 0, EVIDENCE_YES)};
  int64_t chosen;
  CU_ASSERT(status_of(three, 3, false, &chosen) == CHILD_SPLIT); /* 0.54 is no tie */
  CU_ASSERT(chosen == 1);
  three[0].evidence = EVIDENCE_YES;
  CU_ASSERT(status_of(three, 3, false, &chosen) == CHILD_AMBIGUOUS); /* two with evidence */
  CU_ASSERT(chosen == 0);
  three[0].evidence = three[1].evidence = EVIDENCE_NO;
  CU_ASSERT(status_of(three, 3, false, &chosen) == CHILD_AMBIGUOUS); /* none */
}

static void test_ties_below_the_link_do_not_compete(void) {
  VerdictCandidate two[2] = {candidate(0.41, 0, EVIDENCE_YES), candidate(0.39, 0, EVIDENCE_YES)};
  int64_t chosen;
  CU_ASSERT(status_of(two, 2, false, &chosen) == CHILD_SPLIT);
}

static void test_kept_wins_over_ambiguous_but_not_at_another_parent(void) {
  VerdictCandidate two[2] = {candidate(0.80, 0.8, EVIDENCE_YES),
                             candidate(0.79, 0.8, EVIDENCE_YES)};
  int64_t chosen;
  CU_ASSERT(status_of(two, 2, true, &chosen) == CHILD_KEPT);
  two[0].evidence = EVIDENCE_OPEN; /* pi(c) is now the second: not the mutual one */
  CU_ASSERT(status_of(two, 2, true, &chosen) == CHILD_SPLIT);
  CU_ASSERT(chosen == 1);
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

static void test_the_link_rises_to_the_null_in_thousandths(void) {
  CU_ASSERT(verdict_link(0.4, 0.33) == 0.4);
  CU_ASSERT_DOUBLE_EQUAL(verdict_link(0.4, 0.4401), 0.441, 1e-12);
  CU_ASSERT_DOUBLE_EQUAL(verdict_link(0.4, 0.441), 0.441, 1e-12);
  CU_ASSERT(verdict_link(0.4, NAN) == 0.4);
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
    const char *name = verdict_child_name((ChildStatus)status);
    CU_ASSERT(verdict_is_open((ChildStatus)status) == (strchr(name, '?') != NULL));
  }
}

/* Two children with two candidates each, counted by hand. */
static void test_table_holds_the_chosen_parent_and_the_edges(void) {
  const uint32_t candidates[] = {4, 7, 9, LOOKUP_NONE}, best_child[] = {0, 1};
  const float cosine[] = {0.60f, 0.58f, 0.30f, 0}, centred[] = {0.5f, 0.51f, 0.2f, 0};
  const float encoder[] = {0.1f, 0.2f, 0.3f, 0};
  const uint8_t state[] = {DIRECTION_ALIVE, DIRECTION_ALIVE};
  int64_t fired[] = {100, 20}, square[] = {500, 40}, documents[] = {20, 10};
  EvidenceSums sums[] = {{10, 10, 50}, {90, 410, 452}, {20, 40, 40}, {0, 0, 0}};
  const int64_t parents[] = {1000, 300, 50, 0};
  const Evidence evidence = {.children = 2,
                             .candidates = 2,
                             .candidate = candidates,
                             .narrow = sums,
                             .wide = sums,
                             .fired = fired,
                             .fired_square = square,
                             .documents = documents,
                             .rows = 10000};
  const VerdictInput input = {&evidence, cosine, centred,    encoder, parents,
                              parents,   state,  best_child, 0};
  VerdictTable table;
  CU_ASSERT(verdict_table(&table, &input, &RULES) == OK);
  CU_ASSERT(table.status[0] == CHILD_SPLIT && table.parent[0] == 7 && table.first_parent[0] == 4);
  CU_ASSERT(table.cosine[0] == 0.58f && table.cosine_centred[0] == 0.51f);
  CU_ASSERT(table.both[0] == 90 && table.documents[0] == 20 && table.evidence[0] == EVIDENCE_YES);
  CU_ASSERT(table.p[0] == 0.9f && table.lift[0] == 30.0f && table.p_child[0] == 0.3f);
  CU_ASSERT(table.p_low[0] > 0.7f && table.p_high[0] < 1.0f && table.p_wide[0] == 0.9f);
  CU_ASSERT(table.status[1] == CHILD_UNMATCHED && table.parent[1] == 9);
  CU_ASSERT(isnan(table.p[1]) && isnan(table.p_child[1]) && table.both[1] == 20);
  CU_ASSERT(table.edges == 2 && table.edge_start[1] == 2 && table.edge_start[2] == 2);
  CU_ASSERT(table.edge_parent[0] == 4 && table.edge_p[0] == 0.1f && table.edge_cosine[1] == 0.58f);
  verdict_clear(&table);
}

static void test_dead_children_have_no_edges_and_frequent_ones_are_dense(void) {
  const uint32_t candidates[] = {4, 7}, best_child[] = {0, 1};
  const float cosine[] = {0.9f, 0.9f};
  const uint8_t state[] = {DIRECTION_DEAD, DIRECTION_UNSEEN};
  int64_t fired[] = {101, 100}, square[] = {101, 100}, documents[] = {50, 50};
  EvidenceSums sums[2] = {{0}};
  const int64_t parents[2] = {0};
  const Evidence evidence = {.children = 2,
                             .candidates = 1,
                             .candidate = candidates,
                             .narrow = sums,
                             .wide = sums,
                             .fired = fired,
                             .fired_square = square,
                             .documents = documents,
                             .rows = 1000};
  const VerdictInput input = {&evidence, cosine, cosine,     cosine, parents,
                              parents,   state,  best_child, 0};
  VerdictTable table;
  CU_ASSERT(verdict_table(&table, &input, &RULES) == OK);
  CU_ASSERT(table.status[0] == CHILD_DEAD && table.parent[0] == LOOKUP_NONE);
  CU_ASSERT(isnan(table.cosine[0]) && table.edge_start[1] == 0);
  CU_ASSERT(table.flags[0] == verdict_bit(FLAG_DENSE) && table.flags[1] == 0);
  CU_ASSERT(table.status[1] == CHILD_UNSEEN && table.parent[1] == 7 && table.edges == 1);
  verdict_clear(&table);
}

static const CheckFact FACTS[] = {
    {"dead and unseen come first", test_dead_and_unseen_come_first},
    {"kept needs everything", test_kept_needs_everything},
    {"kept uses the higher of link and strong", test_kept_uses_the_higher_of_link_and_strong},
    {"split and related follow evidence", test_split_and_related_follow_evidence},
    {"antipodes are no parents", test_antipodes_are_no_parents},
    {"below the link any candidate relates", test_below_the_link_any_candidate_relates},
    {"near ties go to the one with evidence", test_near_ties_go_to_the_one_with_evidence},
    {"ties below the link do not compete", test_ties_below_the_link_do_not_compete},
    {"kept wins over ambiguous, but not at another parent",
     test_kept_wins_over_ambiguous_but_not_at_another_parent},
    {"parents by their children", test_parents_by_their_children},
    {"the link rises to the null in thousandths", test_the_link_rises_to_the_null_in_thousandths},
    {"codes have their names", test_codes_have_their_names},
    {"table holds the chosen parent and the edges",
     test_table_holds_the_chosen_parent_and_the_edges},
    {"dead children have no edges and frequent ones are dense",
     test_dead_children_have_no_edges_and_frequent_ones_are_dense},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "verdict", FACTS);
}
