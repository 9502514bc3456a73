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
static const VerdictSpan NO_SPAN = {NAN, {LOOKUP_NONE, LOOKUP_NONE}, {0, 0}, NAN};

enum { CHILDREN = 4, PLACES = 3, NEAR = 2 };

/* Four children with two places by cosine and one by activation, counted by hand: 100 rows each in 20
   documents but for the last, which fires 20 times. */
static uint32_t CANDIDATES[] = {4, 7,           LOOKUP_NONE, 9, LOOKUP_NONE, 2,
                                4, LOOKUP_NONE, LOOKUP_NONE, 9, LOOKUP_NONE, 3};
static const float COSINES[] = {0.60F, 0.58F, NAN, 0.30F, NAN, 0.1F,
                                0.75F, NAN,   NAN, 0.45F, NAN, 0.2F};
static const uint8_t SUGGESTED[] = {0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1};
static const int64_t PARENTS[] = {1000, 300, 0, 50, 0, 400, 1000, 0, 0, 50, 0, 60};
static EvidenceSums SUMS[] = {{10, 10, 50}, {90, 410, 452}, {0, 0, 0},      {20, 40, 100},
                              {0, 0, 0},    {3, 3, 15},     {95, 455, 476}, {0, 0, 0},
                              {0, 0, 0},    {20, 40, 40},   {0, 0, 0},      {1, 1, 2}};
static int64_t FIRED[] = {100, 100, 100, 20}, SQUARES[] = {500, 500, 500, 40},
               DOCUMENTS[] = {20, 20, 20, 10};
static double PRODUCTS[] = {1, 81, 0, 4, 0, 1, 90, 0, 0, 3, 0, 0},
              PARENT_SQUARES[] = {1, 81, 0, 4, 0, 1, 90, 0, 0, 3, 0, 0},
              VALUE_SQUARES[] = {100, 100, 100, 20};
static const uint8_t STATES[] = {DIRECTION_ALIVE, DIRECTION_ALIVE, DIRECTION_ALIVE,
                                 DIRECTION_ALIVE};
static const uint32_t BEST_CHILD[] = {10, 11, 12, 13};
static const float LAST[] = {0.58F, 0.30F, 0.2F, 0.45F};
static const VerdictSpan SPANS[] = {{NAN, {LOOKUP_NONE, LOOKUP_NONE}, {0, 0}, NAN},
                                    {0.1, {9, LOOKUP_NONE}, {0.3, 0}, NAN},
                                    {0.6, {4, LOOKUP_NONE}, {0.75, 0}, NAN},
                                    {0.2, {9, LOOKUP_NONE}, {0.45, 0}, NAN}};

static void fill(VerdictTable *table, const uint8_t *states) {
  float encoder[CHILDREN * PLACES];
  for (int i = 0; i < CHILDREN * PLACES; ++i) {
    encoder[i] = 0.9F;
  }
  CU_ASSERT(verdict_open(table, CHILDREN, 0.4) == OK);
  for (int64_t first = 0; first < CHILDREN; first += 2) { /* in two parts */
    const int64_t at = first * PLACES;
    const Evidence evidence = {.children = 2,
                               .candidates = PLACES,
                               .candidate = CANDIDATES + at,
                               .narrow = SUMS + at,
                               .wide = SUMS + at,
                               .product = PRODUCTS + at,
                               .square = PARENT_SQUARES + at,
                               .fired = FIRED + first,
                               .fired_square = SQUARES + first,
                               .documents = DOCUMENTS + first,
                               .value_square = VALUE_SQUARES + first,
                               .rows = 10000};
    const VerdictInput input = {.evidence = &evidence,
                                .near = NEAR,
                                .cosine = COSINES + at,
                                .cosine_centred = COSINES + at,
                                .encoder_cosine = encoder + at,
                                .is_suggested = SUGGESTED + at,
                                .parent_narrow = PARENTS + at,
                                .parent_wide = PARENTS + at,
                                .last = LAST + first,
                                .span = SPANS + first,
                                .state = states + first,
                                .best_child = BEST_CHILD + first,
                                .first = 10 + first};
    CU_ASSERT(verdict_add(table, &input, &RULES) == OK);
  }
}

static void test_rows_hold_the_chosen_parent(void) {
  VerdictTable t;
  fill(&t, STATES);
  CU_ASSERT(t.filled == CHILDREN);
  CU_ASSERT(t.status[0] == CHILD_SPLIT && t.parent[0] == 7 && t.first_parent[0] == 4);
  CU_ASSERT(t.cosine[0] == 0.58F && t.best[0] == 0.60F && t.second[0] == 0.58F);
  CU_ASSERT(t.both[0] == 90 && t.documents[0] == 20 && t.evidence[0] == EVIDENCE_YES);
  CU_ASSERT(t.p[0] == 0.9F && t.lift[0] == 30.0F && t.p_child[0] == 0.3F);
  CU_ASSERT(t.p_low[0] > 0.7F && t.p_high[0] < 1.0F && t.p_wide[0] == 0.9F);
  CU_ASSERT_DOUBLE_EQUAL(t.jaccard[0], 90.0 / (100 + 300 - 90), 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(t.masked_cosine[0], 81 / (10.0 * 9.0), 1e-6);
  CU_ASSERT(t.status[1] == CHILD_UNMATCHED && t.parent[1] == 9 && isnan(t.second[1]));
  CU_ASSERT(t.status[2] == CHILD_KEPT && t.parent[2] == 4);
  CU_ASSERT(t.status[3] == CHILD_RELATED_OPEN && isnan(t.p[3]) && isnan(t.p_child[3]));
  CU_ASSERT(t.both[3] == 20 && t.documents[3] == 10);
  verdict_clear(&t);
}

static void test_edges_are_those_at_the_link(void) {
  VerdictTable t;
  fill(&t, STATES);
  CU_ASSERT(t.edges == 4 && t.edge_start[1] == 2 && t.edge_start[2] == 2 && t.edge_start[4] == 4);
  CU_ASSERT(t.edge_parent[0] == 4 && t.edge_p[0] == 0.1F && t.edge_cosine[1] == 0.58F);
  CU_ASSERT(t.edge_both[1] == 90 && t.edge_both_wide[1] == 90 && t.edge_product[1] == 81);
  CU_ASSERT(t.edge_trials[1] > 1 && t.edge_trials[1] <= 100 && isnan(t.edge_trials[3]));
  verdict_clear(&t);
}

static void test_margins_use_the_last_cosine_without_a_second(void) {
  VerdictTable t;
  fill(&t, STATES);
  CU_ASSERT(t.margin[2] + t.margin[1] == 1);   /* 0.60 - 0.58 */
  CU_ASSERT(t.margin[0] == 2);                 /* alone, and the last is the best itself */
  CU_ASSERT(t.margin[54] + t.margin[55] == 1); /* 0.75 - 0.20 */
  verdict_clear(&t);
}

static void test_statuses_follow_the_threshold(void) {
  VerdictTable t;
  fill(&t, STATES);
  for (int cut = 0; cut < VERDICT_STEPS; ++cut) {
    const double link = verdict_step(cut);
    const uint8_t first = t.status_at[cut], third = t.status_at[2 * VERDICT_CUTS + cut];
    const bool takes = link < 0.58; /* the second counts while it reaches the link */
    const ChildStatus near = takes ? CHILD_SPLIT : CHILD_RELATED;
    CU_ASSERT(first == (link <= 0.60 ? near : CHILD_RELATED)); /* 7 fires along, linked or not */
    CU_ASSERT(verdict_parent_at(&t, 0, cut) == (takes ? 7 : 4));
    CU_ASSERT(third == (link <= 0.75 ? CHILD_KEPT : CHILD_RELATED));
  }
  CU_ASSERT(t.status_at[VERDICT_MAIN] == t.status[0] &&
            verdict_parent_at(&t, 0, VERDICT_MAIN) == 7);
  verdict_clear(&t);
}

static void test_absorbed_where_the_sibling_is_kept(void) {
  VerdictTable t;
  fill(&t, STATES);
  const uint64_t kept = verdict_kept_at(&t, 2);
  CU_ASSERT(kept == ((((uint64_t)1 << 36) - 1) | (uint64_t)1 << VERDICT_MAIN)); /* 0.40 .. 0.75 */
  verdict_set_absorbed(&t, 0, kept & ~(uint64_t)1);                             /* not at 0.40 */
  CU_ASSERT(t.status[0] == CHILD_ABSORBED && t.status_at[0] == CHILD_SPLIT);
  CU_ASSERT(t.status_at[17] == CHILD_ABSORBED); /* 0.57 */
  CU_ASSERT(t.status_at[18] != CHILD_ABSORBED); /* pi(c) is another there */
  verdict_set_absorbed(&t, 2, kept);
  CU_ASSERT(t.status[2] == CHILD_KEPT);
  verdict_clear(&t);
}

static void test_new_features_are_novel_or_flagged(void) {
  VerdictTable t;
  fill(&t, STATES);
  CU_ASSERT(!t.is_new[0] && t.is_new[1] && !t.is_new[3]);
  verdict_set_new(&t, 1, false);
  CU_ASSERT(t.status[1] == CHILD_UNMATCHED && t.flags[1] == verdict_bit(FLAG_UNREPLICATED));
  verdict_clear(&t);
  fill(&t, STATES);
  verdict_set_new(&t, 1, true);
  CU_ASSERT(t.status[1] == CHILD_NOVEL && t.flags[1] == 0);
  CU_ASSERT(t.status_at[VERDICT_CUTS + 7] == CHILD_NOVEL);
  verdict_clear(&t);
}

static void test_duplicates_get_the_row_of_their_representative(void) {
  VerdictTable t;
  fill(&t, STATES);
  const VerdictRow row = verdict_row(&t, 0);
  verdict_set_duplicate(&t, 3, &row);
  CU_ASSERT(t.status[3] == CHILD_SPLIT && t.parent[3] == 7 && t.both[3] == 90 && t.p[3] == 0.9F);
  CU_ASSERT(verdict_is_duplicate(&t, 3) && !verdict_is_duplicate(&t, 0));
  verdict_clear(&t);
}

static void test_dead_children_have_nothing_and_frequent_ones_are_dense(void) {
  const uint8_t states[] = {DIRECTION_DEAD, DIRECTION_UNSEEN, DIRECTION_ALIVE, DIRECTION_ALIVE};
  VerdictTable t;
  FIRED[2] = 1001;
  fill(&t, states);
  FIRED[2] = 100;
  CU_ASSERT(t.status[0] == CHILD_DEAD && t.parent[0] == LOOKUP_NONE && isnan(t.cosine[0]));
  CU_ASSERT(t.edge_start[1] == 0 && isnan(t.best[0]));
  CU_ASSERT(t.status[1] == CHILD_UNSEEN && t.parent[1] == 9);
  CU_ASSERT(t.flags[2] == verdict_bit(FLAG_DENSE) && t.flags[3] == 0);
  verdict_clear(&t);
}

static void test_spans_join_near_duplicates(void) {
  const uint32_t plain[] = {5, 3, 8, LOOKUP_NONE}, joined[] = {5, 3, 5, 3}, moved[] = {5, 3, 8, 8};
  const float weight[] = {0.5F, 0.4F, 0.29F, 0.2F};
  VerdictSpan span = verdict_span(0.7F, plain, weight, 4, 0.1F);
  CU_ASSERT(span.parent[0] == 5 && span.parent[1] == 3 && (float)span.mutual == 0.1F);
  CU_ASSERT((float)span.r2 == 0.7F && (float)span.weight[1] == 0.4F);
  span = verdict_span(0.7F, joined, weight, 4, 0.1F);
  CU_ASSERT(span.parent[0] == 5 && span.parent[1] == 3 && (float)span.mutual == 0.1F);
  CU_ASSERT_DOUBLE_EQUAL(span.weight[0], 0.79, 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(span.weight[1], 0.6, 1e-6);
  span = verdict_span(0.7F, moved, weight, 4, 0.1F); /* 8 is now second: nobody knows cos(5, 8) */
  CU_ASSERT(span.parent[1] == 8 && isnan(span.mutual));
  span = verdict_span(NAN, plain + 3, weight, 1, NAN);
  CU_ASSERT(span.parent[0] == NO_SPAN.parent[0] && isnan(span.r2) && isnan(span.mutual));
}

static const CheckFact FACTS[] = {
    {"rows hold the chosen parent", test_rows_hold_the_chosen_parent},
    {"edges are those at the link", test_edges_are_those_at_the_link},
    {"margins use the last cosine without a second",
     test_margins_use_the_last_cosine_without_a_second},
    {"statuses follow the threshold", test_statuses_follow_the_threshold},
    {"absorbed where the sibling is kept", test_absorbed_where_the_sibling_is_kept},
    {"new features are novel or flagged", test_new_features_are_novel_or_flagged},
    {"duplicates get the row of their representative",
     test_duplicates_get_the_row_of_their_representative},
    {"dead children have nothing and frequent ones are dense",
     test_dead_children_have_nothing_and_frequent_ones_are_dense},
    {"spans join near duplicates", test_spans_join_near_duplicates},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "verdict_table", FACTS);
}
