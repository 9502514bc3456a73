#include "verdict.h"

#include <math.h>

#define VERDICT_TEXT(name, text) text,
static const char *const CHILD_NAMES[] = {VERDICT_CHILD_LIST(VERDICT_TEXT)};
static const char *const PARENT_NAMES[] = {VERDICT_PARENT_LIST(VERDICT_TEXT)};
static const char *const FLAG_NAMES[] = {VERDICT_FLAG_LIST(VERDICT_TEXT)};
#undef VERDICT_TEXT

const char *verdict_child_name(int status) {
  return CHILD_NAMES[status];
}

const char *verdict_parent_name(int status) {
  return PARENT_NAMES[status];
}

const char *verdict_flag_name(int flag) {
  return FLAG_NAMES[flag];
}

uint8_t verdict_bit(VerdictFlag flag) {
  return (uint8_t)(1u << flag);
}

bool verdict_is_kept(ChildStatus status) {
  return status == CHILD_KEPT || status == CHILD_KEPT_OPEN;
}

bool verdict_is_split(ChildStatus status) {
  return status == CHILD_SPLIT || status == CHILD_SPLIT_OPEN;
}

bool verdict_in_forest(ChildStatus status) {
  return verdict_is_kept(status) || verdict_is_split(status) || status == CHILD_ABSORBED;
}

bool verdict_is_open(ChildStatus status) {
  return status == CHILD_KEPT_OPEN || status == CHILD_SPLIT_OPEN || status == CHILD_COMPOSED_OPEN ||
         status == CHILD_RELATED_OPEN;
}

double verdict_cut(double least, double null_999) {
  const double rounded = ceil(null_999 * 1000) / 1000;
  return rounded > least ? rounded : least;
}

/* Parents that the cosines cannot tell from the best: within the margin of it. */
static int64_t count_near(const VerdictChild *child, double margin, double link) {
  const VerdictCandidate *candidates = child->candidates;
  int64_t near = 0;
  while (near < child->near && (double)candidates[near].cosine >= link &&
         (near == 0 || (double)candidates[0].cosine - (double)candidates[near].cosine < margin)) {
    ++near;
  }
  return near;
}

int64_t verdict_convinced(const VerdictChild *child, const VerdictRules *rules) {
  const int64_t near = count_near(child, rules->margin, -2);
  for (int64_t j = 0; j < near; ++j) {
    if (child->candidates[j].evidence == EVIDENCE_YES) {
      return j;
    }
  }
  return -1;
}

/* The one parent of the first `near` that has evidence, -1 unless there is exactly one. */
static int64_t only_convinced(const VerdictChild *child, int64_t near) {
  int64_t yes = -1, convinced = 0;
  for (int64_t j = 0; j < near; ++j) {
    if (child->candidates[j].evidence == EVIDENCE_YES) {
      ++convinced;
      yes = j;
    }
  }
  return convinced == 1 ? yes : -1;
}

/* A parent that fires along, near or not, counted where it is active; never with nan. */
static bool has_related(const VerdictChild *child, const VerdictRules *rules) {
  for (int64_t j = 0; j < child->count; ++j) {
    const EvidenceShare *share = &child->candidates[j].narrow;
    if (share->low >= VERDICT_RELATED_P && share->lift >= rules->evidence.lift_min) {
      return true;
    }
  }
  return false;
}

bool verdict_is_new(const VerdictChild *child, const VerdictRules *rules) {
  if (child->state != DIRECTION_ALIVE || child->fired < rules->evidence.firings_min ||
      has_related(child, rules) || !(child->r2 < rules->r2_cut)) {
    return false;
  }
  for (int64_t j = 0; j < child->count; ++j) {
    const EvidenceShare *share = &child->candidates[j].narrow;
    const bool is_far = share->high < VERDICT_RELATED_P || share->lift < rules->evidence.lift_min;
    if (child->candidates[j].is_suggested && !is_far) {
      return false;
    }
  }
  return true;
}

bool verdict_absorbs(const EvidenceShare *share, double encoder) {
  return share->high <= VERDICT_ABSORBED_P && encoder < VERDICT_ABSORBED_ENCODER;
}

static bool is_like_parent(const VerdictCandidate *parent, const VerdictRules *rules, double link) {
  return (double)parent->cosine >= (rules->strong > link ? rules->strong : link) &&
         (double)parent->encoder_cosine >= VERDICT_ENCODER_KEPT && parent->evidence != EVIDENCE_NO;
}

/* CHILD_COMPOSED with evidence for both parents, CHILD_COMPOSED_OPEN with evidence against none,
   CHILD_NONE: no sum of two parents. */
static ChildStatus composition(const VerdictChild *child, const VerdictRules *rules, double least) {
  const int64_t *pair = child->span_parent;
  if (pair[0] < 0 || pair[1] < 0 || !(child->r2 >= least) || !(child->r2 >= rules->r2_cut) ||
      !(child->weight >= VERDICT_COMPOSED_WEIGHT) ||
      !(child->span_cosine < VERDICT_COMPOSED_COSINE)) {
    return CHILD_NONE;
  }
  const EvidenceVerdict one = child->candidates[pair[0]].evidence;
  const EvidenceVerdict other = child->candidates[pair[1]].evidence;
  if (one == EVIDENCE_NO || other == EVIDENCE_NO) {
    return CHILD_NONE;
  }
  return one == EVIDENCE_YES && other == EVIDENCE_YES ? CHILD_COMPOSED : CHILD_COMPOSED_OPEN;
}

static ChildStatus status_above_link(const VerdictChild *child, const VerdictCandidate *parent,
                                     bool is_ambiguous, const VerdictRules *rules) {
  const double best = (double)child->candidates[0].cosine;
  const ChildStatus sum = composition(child, rules, best * best + VERDICT_COMPOSED_GAIN);
  const bool is_open = parent->evidence == EVIDENCE_OPEN;
  if (sum == CHILD_COMPOSED) {
    return CHILD_COMPOSED;
  }
  if (is_ambiguous) {
    return CHILD_AMBIGUOUS;
  }
  if (parent->evidence == EVIDENCE_YES) {
    return CHILD_SPLIT;
  }
  if (is_open && (double)parent->cosine >= rules->strong &&
      (double)parent->encoder_cosine > VERDICT_ENCODER_SPLIT) {
    return CHILD_SPLIT_OPEN;
  }
  if (sum == CHILD_COMPOSED_OPEN) {
    return CHILD_COMPOSED_OPEN;
  }
  return is_open ? CHILD_RELATED_OPEN : CHILD_RELATED;
}

static ChildStatus status_below_link(const VerdictChild *child, const VerdictRules *rules) {
  const ChildStatus sum = composition(child, rules, 0);
  if (sum != CHILD_NONE) {
    return sum;
  }
  return has_related(child, rules) ? CHILD_RELATED : CHILD_UNMATCHED;
}

ChildStatus verdict_child(const VerdictChild *child, const VerdictRules *rules, double link,
                          int64_t *chosen) {
  const int64_t near = count_near(child, rules->margin, link);
  const int64_t yes = near >= 2 ? only_convinced(child, near) : -1;
  *chosen = child->near == 0 || child->state == DIRECTION_DEAD ? -1 : yes >= 0 ? yes : 0;
  if (child->state != DIRECTION_ALIVE) {
    return child->state == DIRECTION_DEAD ? CHILD_DEAD : CHILD_UNSEEN;
  }
  if (near == 0) {
    return status_below_link(child, rules);
  }
  const VerdictCandidate *parent = &child->candidates[*chosen];
  if (child->mutual && *chosen == 0 && is_like_parent(parent, rules, link)) {
    return parent->evidence == EVIDENCE_YES ? CHILD_KEPT : CHILD_KEPT_OPEN;
  }
  return status_above_link(child, parent, near >= 2 && yes < 0, rules);
}

ParentStatus verdict_parent(DirectionState state, int64_t kept, int64_t split, bool is_linked) {
  if (state != DIRECTION_ALIVE) {
    return state == DIRECTION_DEAD ? PARENT_DEAD : PARENT_UNSEEN;
  }
  if (kept > 0) {
    return split > 0 ? PARENT_SPLIT_PERSISTS : PARENT_PERSISTS;
  }
  if (split > 0) {
    return split > 1 ? PARENT_SPLIT_K : PARENT_REFINED;
  }
  return is_linked ? PARENT_LINKED : PARENT_LOST;
}
