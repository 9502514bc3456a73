#include "verdict.h"

#include <math.h>

#include "lookup.h"
#include "memory.h"

#define VERDICT_TEXT(name, text) text,
static const char *const CHILD_NAMES[] = {VERDICT_CHILD_LIST(VERDICT_TEXT)};
static const char *const PARENT_NAMES[] = {VERDICT_PARENT_LIST(VERDICT_TEXT)};
static const char *const FLAG_NAMES[] = {VERDICT_FLAG_LIST(VERDICT_TEXT)};
#undef VERDICT_TEXT

const char *verdict_child_name(ChildStatus status) {
  return CHILD_NAMES[status];
}

const char *verdict_parent_name(ParentStatus status) {
  return PARENT_NAMES[status];
}

const char *verdict_flag_name(VerdictFlag flag) {
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

double verdict_link(double least, double null_999) {
  const double rounded = ceil(null_999 * 1000) / 1000;
  return rounded > least ? rounded : least;
}

/* The parents that the cosines alone cannot tell apart: at or above the link and within the margin of
   the best. Returns how many; `yes` is the one with evidence, -1 unless there is exactly one. */
static int64_t near_ties(const VerdictCandidate *candidates, int64_t count,
                         const VerdictRules *rules, int64_t *yes) {
  int64_t near = 0, convinced = 0;
  *yes = -1;
  for (int64_t j = 0; j < count; ++j) {
    const double cosine = (double)candidates[j].cosine;
    if (cosine < rules->link || (j > 0 && (double)candidates[0].cosine - cosine >= rules->margin)) {
      break;
    }
    ++near;
    if (candidates[j].evidence == EVIDENCE_YES) {
      ++convinced;
      *yes = j;
    }
  }
  if (convinced != 1) {
    *yes = -1;
  }
  return near;
}

/* A parent that fires along without lying near, counted where it is active. */
static bool has_related(const VerdictCandidate *candidates, int64_t count,
                        const VerdictRules *rules) {
  for (int64_t j = 0; j < count; ++j) {
    const EvidenceShare *share = &candidates[j].narrow;
    if (share->low >= VERDICT_RELATED_P && share->lift >= rules->evidence.lift_min) {
      return true; /* never with nan: comparisons are false */
    }
  }
  return false;
}

static bool is_like_parent(const VerdictCandidate *candidate, const VerdictRules *rules) {
  const double strong = rules->strong > rules->link ? rules->strong : rules->link;
  return (double)candidate->cosine >= strong &&
         (double)candidate->encoder_cosine >= VERDICT_ENCODER_KEPT &&
         candidate->evidence != EVIDENCE_NO;
}

static ChildStatus status_above_link(const VerdictCandidate *chosen, bool is_ambiguous,
                                     const VerdictRules *rules) {
  const bool is_open = chosen->evidence == EVIDENCE_OPEN;
  if (is_ambiguous) {
    return CHILD_AMBIGUOUS;
  }
  if (chosen->evidence == EVIDENCE_YES) {
    return CHILD_SPLIT;
  }
  if (is_open && (double)chosen->cosine >= rules->strong &&
      (double)chosen->encoder_cosine > VERDICT_ENCODER_SPLIT) {
    return CHILD_SPLIT_OPEN;
  }
  return is_open ? CHILD_RELATED_OPEN : CHILD_RELATED;
}

ChildStatus verdict_child(const VerdictCandidate *candidates, int64_t count, DirectionState state,
                          bool mutual, const VerdictRules *rules, int64_t *chosen) {
  int64_t yes;
  const int64_t near = near_ties(candidates, count, rules, &yes);
  *chosen = count == 0 || state == DIRECTION_DEAD ? -1 : near >= 2 && yes >= 0 ? yes : 0;
  if (state != DIRECTION_ALIVE) {
    return state == DIRECTION_DEAD ? CHILD_DEAD : CHILD_UNSEEN;
  }
  if (near == 0) {
    return has_related(candidates, count, rules) ? CHILD_RELATED : CHILD_UNMATCHED;
  }
  const VerdictCandidate *parent = &candidates[*chosen];
  if (mutual && *chosen == 0 && is_like_parent(parent, rules)) {
    return parent->evidence == EVIDENCE_YES ? CHILD_KEPT : CHILD_KEPT_OPEN;
  }
  return status_above_link(parent, near >= 2 && yes < 0, rules);
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

static Status take_columns(VerdictTable *table) {
  const int64_t count = table->count;
  TRY(MEMORY_NEW(&table->status, count, "statuses"));
  TRY(MEMORY_NEW(&table->flags, count, "flags"));
  TRY(MEMORY_NEW(&table->evidence, count, "evidence"));
  TRY(MEMORY_NEW(&table->parent, count, "parents"));
  TRY(MEMORY_NEW(&table->first_parent, count, "best parents"));
  TRY(MEMORY_NEW(&table->cosine, count, "cosines"));
  TRY(MEMORY_NEW(&table->cosine_centred, count, "cosines"));
  TRY(MEMORY_NEW(&table->encoder_cosine, count, "cosines"));
  TRY(MEMORY_NEW(&table->both, count, "common firings"));
  TRY(MEMORY_NEW(&table->documents, count, "documents"));
  TRY(MEMORY_NEW(&table->p, count, "shares"));
  TRY(MEMORY_NEW(&table->p_low, count, "shares"));
  TRY(MEMORY_NEW(&table->p_high, count, "shares"));
  TRY(MEMORY_NEW(&table->p_wide, count, "shares"));
  TRY(MEMORY_NEW(&table->p_child, count, "shares"));
  TRY(MEMORY_NEW(&table->lift, count, "lifts"));
  return MEMORY_NEW(&table->edge_start, count + 1, "first edges");
}

void verdict_clear(VerdictTable *table) {
  MEMORY_FREE(table->status);
  MEMORY_FREE(table->flags);
  MEMORY_FREE(table->evidence);
  MEMORY_FREE(table->parent);
  MEMORY_FREE(table->first_parent);
  MEMORY_FREE(table->cosine);
  MEMORY_FREE(table->cosine_centred);
  MEMORY_FREE(table->encoder_cosine);
  MEMORY_FREE(table->both);
  MEMORY_FREE(table->documents);
  MEMORY_FREE(table->p);
  MEMORY_FREE(table->p_low);
  MEMORY_FREE(table->p_high);
  MEMORY_FREE(table->p_wide);
  MEMORY_FREE(table->p_child);
  MEMORY_FREE(table->lift);
  MEMORY_FREE(table->edge_start);
  MEMORY_FREE(table->edge_parent);
  MEMORY_FREE(table->edge_cosine);
  MEMORY_FREE(table->edge_p);
}

/* Candidates of an own child that are there at all. */
static int64_t candidates_of(const VerdictInput *input, int64_t child) {
  const Evidence *evidence = input->evidence;
  int64_t count = 0;
  if (input->state[child] != DIRECTION_DEAD) {
    while (count < evidence->candidates &&
           evidence->candidate[child * evidence->candidates + count] != LOOKUP_NONE) {
      ++count;
    }
  }
  return count;
}

static Status take_edges(VerdictTable *table, const VerdictInput *input, double link) {
  const int64_t most = input->evidence->candidates;
  for (int64_t child = 0; child < table->count; ++child) {
    const int64_t count = candidates_of(input, child);
    int64_t edges = 0;
    while (edges < count && (double)input->cosine[child * most + edges] >= link) {
      ++edges;
    }
    table->edge_start[child + 1] = table->edge_start[child] + edges;
  }
  table->edges = table->edge_start[table->count];
  TRY(MEMORY_NEW(&table->edge_parent, table->edges, "parents of edges"));
  TRY(MEMORY_NEW(&table->edge_cosine, table->edges, "cosines of edges"));
  return MEMORY_NEW(&table->edge_p, table->edges, "shares of edges");
}

static VerdictCandidate candidate_of(const VerdictInput *input, int64_t child, int64_t at,
                                     const EvidenceRules *rules) {
  const Evidence *evidence = input->evidence;
  VerdictCandidate candidate = {.parent = evidence->candidate[at],
                                .cosine = input->cosine[at],
                                .cosine_centred = input->cosine_centred[at],
                                .encoder_cosine = input->encoder_cosine[at]};
  candidate.narrow =
      evidence_share(evidence, &evidence->narrow[at], child, input->parent_narrow[at], rules);
  candidate.wide =
      evidence_share(evidence, &evidence->wide[at], child, input->parent_wide[at], rules);
  candidate.evidence = evidence_judge_both(&candidate.narrow, &candidate.wide, rules);
  return candidate;
}

static void fill_parent(VerdictTable *table, const VerdictInput *input, int64_t child,
                        const VerdictCandidate *parent, int64_t at) {
  const int64_t both = input->evidence->narrow[at].both;
  const bool is_known = !isnan(parent->narrow.p) && input->parent_narrow[at] > 0;
  table->parent[child] = parent->parent;
  table->evidence[child] = (uint8_t)parent->evidence;
  table->cosine[child] = parent->cosine;
  table->cosine_centred[child] = parent->cosine_centred;
  table->encoder_cosine[child] = parent->encoder_cosine;
  table->both[child] = both;
  table->p[child] = (float)parent->narrow.p;
  table->p_low[child] = (float)parent->narrow.low;
  table->p_high[child] = (float)parent->narrow.high;
  table->p_wide[child] = (float)parent->wide.p;
  table->lift[child] = (float)parent->narrow.lift;
  table->p_child[child] = is_known ? (float)((double)both / (double)input->parent_narrow[at]) : NAN;
}

static void fill_nothing(VerdictTable *table, int64_t child) {
  table->parent[child] = table->first_parent[child] = LOOKUP_NONE;
  table->cosine[child] = table->cosine_centred[child] = table->encoder_cosine[child] = NAN;
  table->p[child] = table->p_low[child] = table->p_high[child] = table->p_wide[child] = NAN;
  table->p_child[child] = table->lift[child] = NAN;
}

static void fill_edges(VerdictTable *table, int64_t child, const VerdictCandidate *candidates) {
  const int64_t first = table->edge_start[child];
  for (int64_t e = first; e < table->edge_start[child + 1]; ++e) {
    table->edge_parent[e] = candidates[e - first].parent;
    table->edge_cosine[e] = candidates[e - first].cosine;
    table->edge_p[e] = (float)candidates[e - first].narrow.p;
  }
}

static void fill_child(VerdictTable *table, const VerdictInput *input, const VerdictRules *rules,
                       int64_t child, VerdictCandidate *candidates) {
  const Evidence *evidence = input->evidence;
  const int64_t first = child * evidence->candidates, count = candidates_of(input, child);
  for (int64_t j = 0; j < count; ++j) {
    candidates[j] = candidate_of(input, child, first + j, &rules->evidence);
  }
  const bool mutual = count > 0 && input->best_child[child] == input->first + child;
  int64_t chosen;
  table->status[child] = (uint8_t)verdict_child(
      candidates, count, (DirectionState)input->state[child], mutual, rules, &chosen);
  fill_nothing(table, child);
  if (chosen >= 0) {
    table->first_parent[child] = candidates[0].parent;
    fill_parent(table, input, child, &candidates[chosen], first + chosen);
  }
  fill_edges(table, child, candidates);
  table->documents[child] = evidence->documents[child];
  if ((double)evidence->fired[child] > VERDICT_DENSE * (double)evidence->rows) {
    table->flags[child] |= verdict_bit(FLAG_DENSE);
  }
}

Status verdict_table(VerdictTable *table, const VerdictInput *input, const VerdictRules *rules) {
  VerdictCandidate *candidates = NULL;
  *table = (VerdictTable){.count = input->evidence->children};
  TRY(take_columns(table));
  TRY(take_edges(table, input, rules->link));
  TRY(MEMORY_NEW(&candidates, input->evidence->candidates, "candidates of a child"));
  for (int64_t child = 0; child < table->count; ++child) {
    fill_child(table, input, rules, child, candidates);
  }
  MEMORY_FREE(candidates);
  return OK;
}
