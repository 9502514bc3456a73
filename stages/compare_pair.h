#ifndef COMPARE_PAIR_H
#define COMPARE_PAIR_H

#include "centre.h"
#include "compare_run.h"
#include "compare_work.h"
#include "span.h"

/** A pair of dictionaries while it is compared (compare_pair.c: from panel to panel; compare_panel.c:
 *  one panel; compare_end.c: what is known when all children are through). */

/** What is counted from panel to panel; all int64, since it is kept as one array. */
typedef struct PairTally {
  int64_t sampled_pairs;
  int64_t all_histogram[SAMPLE_BINS];
  int64_t centred_differs; /* alive children whose best parent by centred cosine is another */
} PairTally;

typedef struct Pair {
  const Dictionary *child, *parent;
  Step step; /* its lists: the children of each parent */
  PairTally tally;
  Directions parent_rows, parent_encoder;
  CentreTerm *parent_terms; /* [own parents] */
} Pair;

/** Compare the children of a panel with all parents, and keep their results.
 *  ranks   collective */
Status compare_pair_panel(Compare *compare, Pair *pair, Shard part) MUST_USE;

/** All children are through: the lists of the parents, the distributions and the null.
 *  ranks   collective */
Status compare_pair_end(Compare *compare, Pair *pair) MUST_USE;

#endif
