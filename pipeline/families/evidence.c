#include "evidence.h"

#include <math.h>
#include <string.h>

#include "lookup.h"
#include "memory.h"

/* What a parent is in a row: bits, so that a count is an addition. */
enum { MARK_WIDE = 1, MARK_NARROW = 2 };

/* The two-sided 95 % point of the normal distribution. */
static const double Z95 = 1.959963984540054;

static Status check_candidates(const Evidence *evidence) {
  const int64_t cells = shard_count(evidence->own) * evidence->candidates;
  for (int64_t i = 0; i < cells; ++i) {
    const uint32_t id = evidence->candidate[i];
    if (id != LOOKUP_NONE && id >= evidence->parents) {
      return RAISE(ERR_FORMAT, "candidate parent %lld of %lld: run cleave-compare again",
                   (long long)id, (long long)evidence->parents);
    }
  }
  return OK;
}

static Status take_children(Evidence *evidence) {
  const int64_t own = shard_count(evidence->own);
  TRY(MEMORY_NEW(&evidence->fired, own, "firings of children"));
  TRY(MEMORY_NEW(&evidence->fired_square, own, "squared firings of children"));
  TRY(MEMORY_NEW(&evidence->documents, own, "documents of children"));
  TRY(MEMORY_NEW(&evidence->touched, own, "children of a document"));
  return MEMORY_NEW(&evidence->now, own, "firings in a document");
}

static Status take_pairs(Evidence *evidence) {
  const int64_t cells = shard_count(evidence->own) * evidence->candidates;
  TRY(MEMORY_NEW(&evidence->narrow, cells, "counts of candidates"));
  TRY(MEMORY_NEW(&evidence->wide, cells, "counts of candidates"));
  TRY(MEMORY_NEW(&evidence->now_narrow, cells, "counts in a document"));
  return MEMORY_NEW(&evidence->now_wide, cells, "counts in a document");
}

static Status take_parents(Evidence *evidence) {
  const int64_t own = shard_count(evidence->own_parents);
  TRY(MEMORY_NEW(&evidence->parent_narrow, own, "firings of parents"));
  TRY(MEMORY_NEW(&evidence->parent_wide, own, "firings of parents"));
  return MEMORY_NEW(&evidence->mark, evidence->parents, "marks of parents");
}

Status evidence_open(Evidence *evidence, const Team *team, int64_t children, int64_t parents,
                     const uint32_t *candidate, int64_t candidates) {
  *evidence = (Evidence){.own = lookup_own(team, children),
                         .own_parents = lookup_own(team, parents),
                         .children = children,
                         .parents = parents,
                         .candidate = candidate,
                         .candidates = candidates};
  TRY(check_candidates(evidence));
  TRY(take_children(evidence));
  TRY(take_pairs(evidence));
  return take_parents(evidence);
}

void evidence_close(Evidence *evidence) {
  MEMORY_FREE(evidence->narrow);
  MEMORY_FREE(evidence->wide);
  MEMORY_FREE(evidence->fired);
  MEMORY_FREE(evidence->fired_square);
  MEMORY_FREE(evidence->documents);
  MEMORY_FREE(evidence->parent_narrow);
  MEMORY_FREE(evidence->parent_wide);
  MEMORY_FREE(evidence->touched);
  MEMORY_FREE(evidence->now);
  MEMORY_FREE(evidence->now_narrow);
  MEMORY_FREE(evidence->now_wide);
  MEMORY_FREE(evidence->mark);
}

static void add_document(EvidenceSums *sums, uint32_t *now, int64_t n) {
  const int64_t x = *now;
  sums->both += x;
  sums->square += x * x;
  sums->cross += x * n;
  *now = 0;
}

static void end_document(Evidence *evidence) {
  for (int64_t t = 0; t < evidence->touched_count; ++t) {
    const int64_t child = evidence->touched[t];
    const int64_t n = evidence->now[child];
    evidence->fired[child] += n;
    evidence->fired_square[child] += n * n;
    ++evidence->documents[child];
    evidence->now[child] = 0;
    for (int64_t j = 0; j < evidence->candidates; ++j) {
      const int64_t at = child * evidence->candidates + j;
      add_document(&evidence->narrow[at], &evidence->now_narrow[at], n);
      add_document(&evidence->wide[at], &evidence->now_wide[at], n);
    }
  }
  evidence->touched_count = 0;
}

void evidence_end(Evidence *evidence) {
  end_document(evidence);
}

/* Mark the parents of a row and count the own ones. */
static Status mark_parents(Evidence *evidence, const EvidenceCodes *codes, int64_t row) {
  for (int64_t e = codes->start[row] - codes->start[0]; e < codes->start[row + 1] - codes->start[0];
       ++e) {
    const int64_t id = codes->id[e];
    if (id >= evidence->parents) {
      return RAISE(ERR_FORMAT, "row %lld: latent %lld of a dictionary of %lld",
                   (long long)(evidence->rows + row), (long long)id, (long long)evidence->parents);
    }
    evidence->mark[id] = codes->active[e] ? MARK_WIDE | MARK_NARROW : MARK_WIDE;
    if (id >= evidence->own_parents.first && id < evidence->own_parents.past) {
      ++evidence->parent_wide[id - evidence->own_parents.first];
      evidence->parent_narrow[id - evidence->own_parents.first] += codes->active[e] != 0;
    }
  }
  return OK;
}

static void clear_marks(Evidence *evidence, const EvidenceCodes *codes, int64_t row) {
  for (int64_t e = codes->start[row] - codes->start[0]; e < codes->start[row + 1] - codes->start[0];
       ++e) {
    evidence->mark[codes->id[e]] = 0;
  }
}

static void count_child(Evidence *evidence, int64_t child) {
  const uint32_t *candidate = evidence->candidate + child * evidence->candidates;
  uint32_t *narrow = evidence->now_narrow + child * evidence->candidates;
  uint32_t *wide = evidence->now_wide + child * evidence->candidates;
  if (evidence->now[child]++ == 0) {
    evidence->touched[evidence->touched_count++] = child;
  }
  for (int64_t j = 0; j < evidence->candidates && candidate[j] != LOOKUP_NONE; ++j) {
    const uint32_t mark = evidence->mark[candidate[j]];
    wide[j] += mark & MARK_WIDE;
    narrow[j] += mark >> 1;
  }
}

static Status count_children(Evidence *evidence, const EvidenceCodes *codes, int64_t row) {
  const Shard own = evidence->own;
  for (int64_t e = codes->start[row] - codes->start[0]; e < codes->start[row + 1] - codes->start[0];
       ++e) {
    const int64_t id = codes->id[e];
    if (id >= evidence->children) {
      return RAISE(ERR_FORMAT, "row %lld: latent %lld of a dictionary of %lld",
                   (long long)(evidence->rows + row), (long long)id, (long long)evidence->children);
    }
    if (codes->active[e] && id >= own.first && id < own.past) {
      count_child(evidence, id - own.first);
    }
  }
  return OK;
}

static Status enter_document(Evidence *evidence, int64_t document, int64_t row) {
  if (row > 0 && document < evidence->document) {
    return RAISE(ERR_FORMAT, "row %lld: document %lld after %lld: rows must be in corpus order",
                 (long long)row, (long long)document, (long long)evidence->document);
  }
  if (row > 0 && document != evidence->document) {
    end_document(evidence);
  }
  evidence->document = document;
  return OK;
}

Status evidence_count(Evidence *evidence, const EvidenceRows *rows) {
  for (int64_t row = 0; row < rows->rows; ++row) {
    TRY(enter_document(evidence, rows->document[row], evidence->rows + row));
    TRY(mark_parents(evidence, &rows->parent, row));
    TRY(count_children(evidence, &rows->child, row));
    clear_marks(evidence, &rows->parent, row);
  }
  evidence->rows += rows->rows;
  return OK;
}

Status evidence_of_parents(Team *team, const Evidence *evidence, int64_t *narrow, int64_t *wide) {
  const int64_t cells = shard_count(evidence->own) * evidence->candidates;
  memset(narrow, 0, (size_t)cells * sizeof *narrow);
  memset(wide, 0, (size_t)cells * sizeof *wide);
  TRY(lookup_items(team, evidence->parents, evidence->parent_narrow, sizeof *narrow,
                   evidence->candidate, cells, narrow));
  return lookup_items(team, evidence->parents, evidence->parent_wide, sizeof *wide,
                      evidence->candidate, cells, wide);
}

void evidence_wilson(double p, double n, double *low, double *high) {
  const double z2 = Z95 * Z95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  *low = p > 0 ? centre - half : 0; /* exact at the ends, whatever the rounding */
  *high = p < 1 ? centre + half : 1;
}

/* Tokens of one document are not independent: as many trials as would give the variance that the
   documents show (ratio estimator). A share of 0 or 1 shows none: a document counts once. */
static double effective_trials(const Evidence *evidence, const EvidenceSums *sums, int64_t child,
                               double p) {
  const double n = (double)evidence->fired[child];
  const double documents = (double)evidence->documents[child];
  if (sums->both == 0 || sums->both == evidence->fired[child]) {
    return documents;
  }
  const double spread = (double)sums->square - 2 * p * (double)sums->cross +
                        p * p * (double)evidence->fired_square[child];
  const double variance = documents / (documents - 1) * spread / (n * n);
  return variance * n > p * (1 - p) ? p * (1 - p) / variance : n;
}

EvidenceShare evidence_share(const Evidence *evidence, const EvidenceSums *sums, int64_t child,
                             int64_t parent_fired, const EvidenceRules *rules) {
  EvidenceShare share = {NAN, NAN, NAN, NAN};
  const int64_t fired = evidence->fired[child];
  if (fired < 1 || fired < rules->firings_min || evidence->documents[child] < 2 ||
      evidence->documents[child] < rules->documents_min) {
    return share;
  }
  share.p = (double)sums->both / (double)fired;
  evidence_wilson(share.p, effective_trials(evidence, sums, child, share.p), &share.low,
                  &share.high);
  share.lift = parent_fired > 0 ? share.p * (double)evidence->rows / (double)parent_fired : 0;
  return share;
}

EvidenceVerdict evidence_judge(const EvidenceShare *share, const EvidenceRules *rules) {
  if (isnan(share->p)) {
    return EVIDENCE_OPEN;
  }
  if (share->low >= rules->p_min && share->lift >= rules->lift_min) {
    return EVIDENCE_YES;
  }
  const bool is_no = share->high < rules->p_min || share->lift < rules->lift_min;
  return is_no ? EVIDENCE_NO : EVIDENCE_OPEN;
}

EvidenceVerdict evidence_judge_both(const EvidenceShare *narrow, const EvidenceShare *wide,
                                    const EvidenceRules *rules) {
  const EvidenceVerdict verdict = evidence_judge(narrow, rules);
  return verdict == evidence_judge(wide, rules) ? verdict : EVIDENCE_OPEN;
}
