#include "verdict_table.h"

#include <math.h>

#include "lookup.h"
#include "memory.h"

double verdict_step(int step) {
  return (40 + step) / 100.0;
}

static double link_at(const VerdictTable *table, int cut) {
  return cut == VERDICT_MAIN ? table->link : verdict_step(cut);
}

static Status take_evidence(VerdictTable *table, int64_t count) {
  TRY(MEMORY_NEW(&table->both, count, "common firings"));
  TRY(MEMORY_NEW(&table->documents, count, "documents"));
  TRY(MEMORY_NEW(&table->p, count, "shares"));
  TRY(MEMORY_NEW(&table->p_low, count, "shares"));
  TRY(MEMORY_NEW(&table->p_high, count, "shares"));
  TRY(MEMORY_NEW(&table->p_wide, count, "shares"));
  TRY(MEMORY_NEW(&table->p_child, count, "shares"));
  TRY(MEMORY_NEW(&table->lift, count, "lifts"));
  TRY(MEMORY_NEW(&table->jaccard, count, "overlaps"));
  return MEMORY_NEW(&table->masked_cosine, count, "cosines of activations");
}

static Status take_thresholds(VerdictTable *table, int64_t count) {
  TRY(MEMORY_NEW(&table->status_at, count * VERDICT_CUTS, "statuses at thresholds"));
  TRY(MEMORY_NEW(&table->takes_convinced, count, "parents at thresholds"));
  TRY(MEMORY_NEW(&table->convinced, count, "parents with evidence"));
  TRY(MEMORY_NEW(&table->convinced_cosine, count, "cosines"));
  return MEMORY_NEW(&table->is_new, count, "new features");
}

Status verdict_open(VerdictTable *table, int64_t count, double link) {
  *table = (VerdictTable){.count = count, .link = link};
  TRY(MEMORY_NEW(&table->status, count, "statuses"));
  TRY(MEMORY_NEW(&table->flags, count, "flags"));
  TRY(MEMORY_NEW(&table->evidence, count, "evidence"));
  TRY(MEMORY_NEW(&table->parent, count, "parents"));
  TRY(MEMORY_NEW(&table->first_parent, count, "best parents"));
  TRY(MEMORY_NEW(&table->best, count, "cosines"));
  TRY(MEMORY_NEW(&table->second, count, "cosines"));
  TRY(MEMORY_NEW(&table->cosine, count, "cosines"));
  TRY(MEMORY_NEW(&table->cosine_centred, count, "cosines"));
  TRY(MEMORY_NEW(&table->encoder_cosine, count, "cosines"));
  TRY(take_evidence(table, count));
  TRY(take_thresholds(table, count));
  return MEMORY_NEW(&table->edge_start, count + 1, "first edges");
}

static void clear_edges(VerdictTable *table) {
  MEMORY_FREE(table->edge_start);
  MEMORY_FREE(table->edge_parent);
  MEMORY_FREE(table->edge_cosine);
  MEMORY_FREE(table->edge_cosine_centred);
  MEMORY_FREE(table->edge_encoder_cosine);
  MEMORY_FREE(table->edge_both);
  MEMORY_FREE(table->edge_both_wide);
  MEMORY_FREE(table->edge_p);
  MEMORY_FREE(table->edge_trials);
  MEMORY_FREE(table->edge_product);
}

void verdict_clear(VerdictTable *table) {
  MEMORY_FREE(table->status);
  MEMORY_FREE(table->flags);
  MEMORY_FREE(table->evidence);
  MEMORY_FREE(table->parent);
  MEMORY_FREE(table->first_parent);
  MEMORY_FREE(table->best);
  MEMORY_FREE(table->second);
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
  MEMORY_FREE(table->jaccard);
  MEMORY_FREE(table->masked_cosine);
  MEMORY_FREE(table->status_at);
  MEMORY_FREE(table->takes_convinced);
  MEMORY_FREE(table->convinced);
  MEMORY_FREE(table->convinced_cosine);
  MEMORY_FREE(table->is_new);
  clear_edges(table);
}

VerdictSpan verdict_span(float r2, const uint32_t *representative, const float *weight,
                         int64_t span, float mutual) {
  VerdictSpan out = {
      .r2 = (double)r2, .parent = {LOOKUP_NONE, LOOKUP_NONE}, .mutual = (double)mutual};
  for (int64_t i = 0; i < span && representative[i] != LOOKUP_NONE; ++i) {
    double sum = 0;
    bool is_first = true;
    for (int64_t j = 0; j < span && representative[j] != LOOKUP_NONE; ++j) {
      const bool is_same = representative[j] == representative[i];
      sum += is_same ? (double)weight[j] : 0;
      is_first = is_first && !(is_same && j < i);
    }
    const int place = sum > out.weight[0] ? 0 : sum > out.weight[1] ? 1 : 2;
    if (!is_first || place == 2) {
      continue;
    }
    out.weight[1] = place == 0 ? out.weight[0] : sum;
    out.parent[1] = place == 0 ? out.parent[0] : representative[i];
    out.weight[0] = place == 0 ? sum : out.weight[0];
    out.parent[0] = place == 0 ? representative[i] : out.parent[0];
  }
  const bool are_first =
      span >= 2 && out.parent[1] != LOOKUP_NONE &&
      (out.parent[0] == representative[0] || out.parent[0] == representative[1]) &&
      (out.parent[1] == representative[0] || out.parent[1] == representative[1]);
  out.mutual = are_first ? out.mutual : NAN;
  return out;
}

/* One child while its row is made. */
typedef struct Row {
  const VerdictInput *input;
  const VerdictRules *rules;
  int64_t child, at;            /* in the input; its first candidate there */
  VerdictCandidate *candidates; /* room for all */
  int64_t *place;               /* [count] in the input, of each candidate */
  VerdictChild of;
} Row;

static VerdictCandidate candidate_of(const Row *row, int64_t at) {
  const VerdictInput *input = row->input;
  const Evidence *evidence = input->evidence;
  const EvidenceRules *rules = &row->rules->evidence;
  VerdictCandidate candidate = {.parent = evidence->candidate[at],
                                .is_suggested = input->is_suggested[at] != 0,
                                .cosine = input->cosine[at],
                                .cosine_centred = input->cosine_centred[at],
                                .encoder_cosine = input->encoder_cosine[at]};
  candidate.narrow =
      evidence_share(evidence, &evidence->narrow[at], row->child, input->parent_narrow[at], rules);
  candidate.wide =
      evidence_share(evidence, &evidence->wide[at], row->child, input->parent_wide[at], rules);
  candidate.evidence = evidence_judge_both(&candidate.narrow, &candidate.wide, rules);
  return candidate;
}

static void list_candidates(Row *row) {
  const Evidence *evidence = row->input->evidence;
  for (int64_t j = 0; j < evidence->candidates; ++j) {
    if (evidence->candidate[row->at + j] != LOOKUP_NONE && row->of.state != DIRECTION_DEAD) {
      row->place[row->of.count] = row->at + j;
      row->candidates[row->of.count++] = candidate_of(row, row->at + j);
      row->of.near += j < row->input->near;
    }
  }
}

static int64_t find_candidate(const Row *row, uint32_t parent) {
  for (int64_t j = 0; parent != LOOKUP_NONE && j < row->of.near; ++j) {
    if (row->candidates[j].parent == parent) {
      return j;
    }
  }
  return -1;
}

static void describe(Row *row) {
  const VerdictInput *input = row->input;
  const VerdictSpan *span = &input->span[row->child];
  row->at = row->child * input->evidence->candidates;
  row->of = (VerdictChild){.state = (DirectionState)input->state[row->child],
                           .fired = input->evidence->fired[row->child],
                           .candidates = row->candidates,
                           .r2 = span->r2,
                           .weight = span->weight[1],
                           .span_cosine = span->mutual};
  list_candidates(row);
  row->of.mutual =
      row->of.near > 0 && (int64_t)input->best_child[row->child] == input->first + row->child;
  row->of.span_parent[0] = find_candidate(row, span->parent[0]);
  row->of.span_parent[1] = find_candidate(row, span->parent[1]);
}

static void fill_nothing(VerdictTable *table, int64_t to) {
  table->parent[to] = table->first_parent[to] = table->convinced[to] = LOOKUP_NONE;
  table->best[to] = table->second[to] = table->convinced_cosine[to] = NAN;
  table->cosine[to] = table->cosine_centred[to] = table->encoder_cosine[to] = NAN;
  table->p[to] = table->p_low[to] = table->p_high[to] = table->p_wide[to] = NAN;
  table->p_child[to] = table->lift[to] = table->jaccard[to] = table->masked_cosine[to] = NAN;
}

static void fill_parent(VerdictTable *table, const Row *row, int64_t to, int64_t chosen) {
  const VerdictCandidate *parent = &row->candidates[chosen];
  const int64_t at = row->place[chosen], fired = row->of.fired;
  const int64_t both = row->input->evidence->narrow[at].both;
  const int64_t parent_fired = row->input->parent_narrow[at];
  const bool is_known = !isnan(parent->narrow.p) && parent_fired > 0;
  table->parent[to] = parent->parent;
  table->evidence[to] = (uint8_t)parent->evidence;
  table->cosine[to] = parent->cosine;
  table->cosine_centred[to] = parent->cosine_centred;
  table->encoder_cosine[to] = parent->encoder_cosine;
  table->both[to] = both;
  table->p[to] = (float)parent->narrow.p;
  table->p_low[to] = (float)parent->narrow.low;
  table->p_high[to] = (float)parent->narrow.high;
  table->p_wide[to] = (float)parent->wide.p;
  table->lift[to] = (float)parent->narrow.lift;
  if (is_known) {
    table->p_child[to] = (float)((double)both / (double)parent_fired);
    table->jaccard[to] = (float)((double)both / (double)(fired + parent_fired - both));
    table->masked_cosine[to] = (float)evidence_masked_cosine(row->input->evidence, at);
  }
}

/* The ranking by raw cosine. */
static void fill_ranking(VerdictTable *table, const Row *row, int64_t to) {
  const int64_t near = row->of.near;
  if (near == 0) {
    return;
  }
  const float last = row->input->last[row->child];
  table->first_parent[to] = row->candidates[0].parent;
  table->best[to] = row->candidates[0].cosine;
  table->second[to] = near > 1 ? row->candidates[1].cosine : NAN;
  const double margin = (double)table->best[to] - (double)(near > 1 ? table->second[to] : last);
  if (margin >= 0) { /* not nan */
    const int bin = (int)(margin * VERDICT_BINS);
    ++table->margin[bin < VERDICT_BINS ? bin : VERDICT_BINS - 1];
  }
}

static void fill_statuses(VerdictTable *table, const Row *row, int64_t to) {
  const int64_t convinced = verdict_convinced(&row->of, row->rules);
  int64_t chosen = -1;
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    table->status_at[to * VERDICT_CUTS + cut] =
        (uint8_t)verdict_child(&row->of, row->rules, link_at(table, cut), &chosen);
    table->takes_convinced[to] |= chosen > 0 ? (uint64_t)1 << cut : 0;
  }
  table->status[to] = table->status_at[to * VERDICT_CUTS + VERDICT_MAIN];
  table->is_new[to] = verdict_is_new(&row->of, row->rules);
  if (convinced >= 0) {
    table->convinced[to] = row->candidates[convinced].parent;
    table->convinced_cosine[to] = row->candidates[convinced].cosine;
  }
  if (chosen >= 0) { /* at VERDICT_MAIN, the last */
    fill_parent(table, row, to, chosen);
  }
}

static Status make_edge_room(VerdictTable *table, int64_t edges) {
  if (edges > table->room) {
    const int64_t room = edges + edges / 2;
    TRY(MEMORY_RESIZE(&table->edge_parent, room, "parents of edges"));
    TRY(MEMORY_RESIZE(&table->edge_cosine, room, "cosines of edges"));
    TRY(MEMORY_RESIZE(&table->edge_cosine_centred, room, "cosines of edges"));
    TRY(MEMORY_RESIZE(&table->edge_encoder_cosine, room, "cosines of edges"));
    TRY(MEMORY_RESIZE(&table->edge_both, room, "common firings of edges"));
    TRY(MEMORY_RESIZE(&table->edge_both_wide, room, "common firings of edges"));
    TRY(MEMORY_RESIZE(&table->edge_p, room, "shares of edges"));
    TRY(MEMORY_RESIZE(&table->edge_trials, room, "trials of edges"));
    TRY(MEMORY_RESIZE(&table->edge_product, room, "products of edges"));
    table->room = room;
  }
  return OK;
}

static void fill_edge(VerdictTable *table, const Row *row, int64_t candidate, int64_t edge) {
  const VerdictCandidate *parent = &row->candidates[candidate];
  const int64_t at = row->place[candidate];
  const Evidence *evidence = row->input->evidence;
  table->edge_parent[edge] = parent->parent;
  table->edge_cosine[edge] = parent->cosine;
  table->edge_cosine_centred[edge] = parent->cosine_centred;
  table->edge_encoder_cosine[edge] = parent->encoder_cosine;
  table->edge_both[edge] = evidence->narrow[at].both;
  table->edge_both_wide[edge] = evidence->wide[at].both;
  table->edge_p[edge] = (float)parent->narrow.p;
  table->edge_trials[edge] =
      isnan(parent->narrow.p) ? NAN
                              : (float)evidence_trials(evidence, &evidence->narrow[at], row->child);
  table->edge_product[edge] = evidence->product[at];
}

static Status fill_edges(VerdictTable *table, const Row *row, int64_t to) {
  int64_t edges = 0;
  while (edges < row->of.near && (double)row->candidates[edges].cosine >= table->link) {
    ++edges;
  }
  TRY(make_edge_room(table, table->edges + edges));
  for (int64_t j = 0; j < edges; ++j) {
    fill_edge(table, row, j, table->edges + j);
  }
  table->edges += edges;
  table->edge_start[to + 1] = table->edges;
  return OK;
}

static Status fill_child(VerdictTable *table, Row *row, int64_t to) {
  const Evidence *evidence = row->input->evidence;
  describe(row);
  fill_nothing(table, to);
  fill_ranking(table, row, to);
  fill_statuses(table, row, to);
  table->documents[to] = evidence->documents[row->child];
  if ((double)evidence->fired[row->child] > VERDICT_DENSE * (double)evidence->rows) {
    table->flags[to] |= verdict_bit(FLAG_DENSE);
  }
  return fill_edges(table, row, to);
}

Status verdict_add(VerdictTable *table, const VerdictInput *input, const VerdictRules *rules) {
  const int64_t count = input->evidence->children, candidates = input->evidence->candidates;
  Row row = {.input = input, .rules = rules};
  ASSERT(table->filled + count <= table->count);
  Status status = MEMORY_NEW(&row.candidates, candidates, "candidates of a child");
  if (status == OK) {
    status = MEMORY_NEW(&row.place, candidates, "candidates of a child");
  }
  for (row.child = 0; status == OK && row.child < count; ++row.child) {
    status = fill_child(table, &row, table->filled + row.child);
  }
  table->filled += status == OK ? count : 0;
  MEMORY_FREE(row.candidates);
  MEMORY_FREE(row.place);
  return status;
}

uint32_t verdict_parent_at(const VerdictTable *table, int64_t child, int cut) {
  const bool is_convinced = (table->takes_convinced[child] >> cut & 1) != 0;
  return is_convinced ? table->convinced[child] : table->first_parent[child];
}

uint64_t verdict_kept_at(const VerdictTable *table, int64_t child) {
  uint64_t kept = 0;
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    const bool is_kept = table->status_at[child * VERDICT_CUTS + cut] == CHILD_KEPT;
    kept |= is_kept ? (uint64_t)1 << cut : 0;
  }
  return kept;
}

void verdict_set_absorbed(VerdictTable *table, int64_t child, uint64_t sibling_kept) {
  uint8_t *status = table->status_at + child * VERDICT_CUTS;
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    const bool is_convinced = verdict_parent_at(table, child, cut) == table->convinced[child];
    const bool is_linked = (double)table->convinced_cosine[child] >= link_at(table, cut);
    const bool is_kept = verdict_is_kept((ChildStatus)status[cut]);
    if (is_convinced && is_linked && !is_kept && (sibling_kept >> cut & 1) != 0) {
      status[cut] = CHILD_ABSORBED;
    }
  }
  table->status[child] = status[VERDICT_MAIN];
}

void verdict_set_new(VerdictTable *table, int64_t child, bool has_like) {
  uint8_t *status = table->status_at + child * VERDICT_CUTS;
  if (!has_like) {
    const bool is_unmatched = table->status[child] == CHILD_UNMATCHED;
    table->flags[child] |= is_unmatched ? verdict_bit(FLAG_UNREPLICATED) : 0;
    return;
  }
  for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
    status[cut] = status[cut] == CHILD_UNMATCHED ? CHILD_NOVEL : status[cut];
  }
  table->status[child] = status[VERDICT_MAIN];
}

VerdictRow verdict_row(const VerdictTable *table, int64_t child) {
  return (VerdictRow){.status = table->status[child],
                      .flags = table->flags[child],
                      .evidence = table->evidence[child],
                      .parent = table->parent[child],
                      .first_parent = table->first_parent[child],
                      .best = table->best[child],
                      .second = table->second[child],
                      .cosine = table->cosine[child],
                      .cosine_centred = table->cosine_centred[child],
                      .encoder_cosine = table->encoder_cosine[child],
                      .p = table->p[child],
                      .p_low = table->p_low[child],
                      .p_high = table->p_high[child],
                      .p_wide = table->p_wide[child],
                      .p_child = table->p_child[child],
                      .lift = table->lift[child],
                      .jaccard = table->jaccard[child],
                      .masked_cosine = table->masked_cosine[child],
                      .both = table->both[child],
                      .documents = table->documents[child]};
}

void verdict_set_duplicate(VerdictTable *table, int64_t child, const VerdictRow *row) {
  table->status[child] = row->status;
  table->flags[child] = row->flags | verdict_bit(FLAG_DUPLICATE);
  table->evidence[child] = row->evidence;
  table->parent[child] = row->parent;
  table->first_parent[child] = row->first_parent;
  table->best[child] = row->best;
  table->second[child] = row->second;
  table->cosine[child] = row->cosine;
  table->cosine_centred[child] = row->cosine_centred;
  table->encoder_cosine[child] = row->encoder_cosine;
  table->p[child] = row->p;
  table->p_low[child] = row->p_low;
  table->p_high[child] = row->p_high;
  table->p_wide[child] = row->p_wide;
  table->p_child[child] = row->p_child;
  table->lift[child] = row->lift;
  table->jaccard[child] = row->jaccard;
  table->masked_cosine[child] = row->masked_cosine;
  table->both[child] = row->both;
  table->documents[child] = row->documents;
}

bool verdict_is_duplicate(const VerdictTable *table, int64_t child) {
  return (table->flags[child] & verdict_bit(FLAG_DUPLICATE)) != 0;
}
