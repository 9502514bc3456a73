#include "span.h"

#include <math.h>
#include <string.h>

#include "exchange.h"
#include "lookup.h"
#include "memory.h"
#include "threads.h"

/* The fit of a child needs no row of it: the dot products of the child with its candidates are
   known, and with each parent that joins come that parent's with all candidates. So a step fetches
   one row a child, and a round of the ring makes the products. All else is arithmetic on a few
   numbers, in double, in a fixed order. */

enum { UNIT = 256, SLICE_BYTES = 1 << 23 };

/* A pivot below this is rounding alone: the parent lies in the span of the others. */
static const double PIVOT_LEAST = 1e-6;

/* Parents that have joined, in the order in which they did. */
typedef struct Basis {
  int count;
  int place[SPAN_MOST]; /* among the candidates */
  double cosine[SPAN_MOST];
  double gram[SPAN_MOST][SPAN_MOST];
  double weight[SPAN_MOST];
} Basis;

typedef struct Fit {
  const Neighbours *candidates;
  int64_t parents; /* K */
  int64_t step;
  int16_t *place;   /* [own, K] candidates that have joined; -1: none */
  float *dots;      /* [K - 1, own, most] each with all candidates */
  uint32_t *wanted; /* [own] the parent that joined last; LOOKUP_NONE: none */
  SpanFit *out;
} Fit;

/* Cholesky factor of the members' products. False: a member lies in the span of others. */
static bool factorise(const Basis *basis, const int *member, int count,
                      double factor[SPAN_MOST][SPAN_MOST]) {
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = basis->gram[member[i]][member[j]];
      for (int k = 0; k < j; ++k) {
        sum -= factor[i][k] * factor[j][k];
      }
      if (i == j && sum < PIVOT_LEAST) {
        return false;
      }
      factor[i][j] = i == j ? sqrt(sum) : sum / factor[j][j];
    }
  }
  return true;
}

/* Weights of least squares over the members alone; 0 for the others. */
static bool solve(const Basis *basis, const bool *is_in, double *weight) {
  double factor[SPAN_MOST][SPAN_MOST];
  int member[SPAN_MOST], count = 0;
  for (int i = 0; i < basis->count; ++i) {
    weight[i] = 0;
    if (is_in[i]) {
      member[count++] = i;
    }
  }
  if (!factorise(basis, member, count, factor)) {
    return false;
  }
  for (int i = 0; i < count; ++i) {
    double sum = basis->cosine[member[i]];
    for (int k = 0; k < i; ++k) {
      sum -= factor[i][k] * weight[member[k]];
    }
    weight[member[i]] = sum / factor[i][i];
  }
  for (int i = count - 1; i >= 0; --i) {
    double sum = weight[member[i]];
    for (int k = i + 1; k < count; ++k) {
      sum -= factor[k][i] * weight[member[k]];
    }
    weight[member[i]] = sum / factor[i][i];
  }
  return true;
}

/* How far the weights may go towards `target` before one is 0; that one leaves. */
static bool step_back(const Basis *basis, bool *is_in, const double *target, double *weight) {
  double share = 1;
  int leaving = -1;
  for (int i = 0; i < basis->count; ++i) {
    if (is_in[i] && target[i] <= 0 && weight[i] / (weight[i] - target[i]) < share) {
      share = weight[i] / (weight[i] - target[i]);
      leaving = i;
    }
  }
  for (int i = 0; i < basis->count; ++i) {
    weight[i] += is_in[i] ? share * (target[i] - weight[i]) : 0;
  }
  if (leaving >= 0) {
    is_in[leaving] = false;
    weight[leaving] = 0;
  }
  return leaving >= 0;
}

static double residual_dot(const Basis *basis, int i) {
  double dot = basis->cosine[i];
  for (int k = 0; k < basis->count; ++k) {
    dot -= basis->weight[k] * basis->gram[i][k];
  }
  return dot;
}

/* The member to be with the largest dot product with the residual; -1: none. */
static int next_member(const Basis *basis, const bool *is_in, const bool *is_barred) {
  int best = -1;
  double most = SPAN_LEAST;
  for (int i = 0; i < basis->count; ++i) {
    const double dot = residual_dot(basis, i);
    if (!is_in[i] && !is_barred[i] && dot > most) {
      most = dot;
      best = i;
    }
  }
  return best;
}

/* Nonnegative least squares over the basis (Lawson and Hanson). */
static void fit_weights(Basis *basis) {
  bool is_in[SPAN_MOST] = {false}, is_barred[SPAN_MOST] = {false};
  double target[SPAN_MOST];
  memset(basis->weight, 0, sizeof basis->weight);
  for (int turn = 0; turn < 4 * SPAN_MOST; ++turn) {
    const int next = next_member(basis, is_in, is_barred);
    if (next < 0) {
      return;
    }
    is_in[next] = true;
    if (!solve(basis, is_in, target)) {
      is_in[next] = false;
      is_barred[next] = true;
      continue;
    }
    while (step_back(basis, is_in, target, basis->weight)) {
      is_barred[next] = is_barred[next] || !is_in[next]; /* rounding: it may not come again */
      if (!solve(basis, is_in, target)) {
        return; /* the weights as they are will do */
      }
    }
  }
}

/* Entry of step `step` of a child's candidate. */
static double dot_of(const Fit *fit, int64_t child, int64_t step, int64_t place) {
  const int64_t most = fit->candidates->most;
  return (double)fit->dots[(step * fit->candidates->count + child) * most + place];
}

static void make_basis(const Fit *fit, int64_t child, Basis *basis) {
  const SelectKey *keys = fit->candidates->keys + child * fit->candidates->most;
  const int16_t *place = fit->place + child * fit->parents;
  memset(basis, 0, sizeof *basis);
  while (basis->count < fit->parents && place[basis->count] >= 0) {
    const int i = basis->count++;
    basis->place[i] = place[i];
    basis->cosine[i] = (double)select_score(keys[place[i]]);
    basis->gram[i][i] = 1;
    for (int j = 0; j < i; ++j) {
      basis->gram[i][j] = basis->gram[j][i] = dot_of(fit, child, j, place[i]);
    }
  }
}

static bool has_joined(const Basis *basis, int64_t place) {
  for (int i = 0; i < basis->count; ++i) {
    if (basis->place[i] == place) {
      return true;
    }
  }
  return false;
}

static double candidate_dot(const Fit *fit, const Basis *basis, int64_t child, int64_t place) {
  const SelectKey *keys = fit->candidates->keys + child * fit->candidates->most;
  double dot = (double)select_score(keys[place]);
  for (int k = 0; k < basis->count; ++k) {
    dot -= basis->weight[k] * dot_of(fit, child, k, place);
  }
  return dot;
}

/* The candidate that joins next; -1: none points along the residual. */
static int16_t choose(const Fit *fit, const Basis *basis, int64_t child) {
  const SelectKey *keys = fit->candidates->keys + child * fit->candidates->most;
  int16_t best = -1;
  double most = SPAN_LEAST;
  for (int64_t j = 0; j < fit->candidates->counts[child]; ++j) {
    const double dot = candidate_dot(fit, basis, child, j);
    const bool is_tie = best >= 0 && dot == most && select_id(keys[j]) < select_id(keys[best]);
    if ((dot > most || is_tie) && !has_joined(basis, j)) {
      most = dot;
      best = (int16_t)j;
    }
  }
  return best;
}

static Status join_unit(int64_t unit, int thread, void *context) {
  const Fit *fit = context;
  (void)thread;
  for (int64_t c = unit * UNIT; c < (unit + 1) * UNIT && c < fit->candidates->count; ++c) {
    Basis basis;
    int16_t *place = fit->place + c * fit->parents + fit->step;
    make_basis(fit, c, &basis);
    fit_weights(&basis);
    const bool is_over = fit->step > 0 && place[-1] < 0;
    *place = is_over ? -1 : choose(fit, &basis, c);
    const SelectKey *keys = fit->candidates->keys + c * fit->candidates->most;
    fit->wanted[c] = *place < 0 ? LOOKUP_NONE : (uint32_t)select_id(keys[*place]);
  }
  return OK;
}

/* Parents with a weight, heaviest first, ties to the lower id. */
static void order_parents(const Basis *basis, const SelectKey *keys, int order[SPAN_MOST],
                          int *count) {
  *count = 0;
  for (int i = 0; i < basis->count; ++i) {
    int at = *count;
    if ((float)basis->weight[i] <= 0) {
      continue;
    }
    for (; at > 0; --at) {
      const float mine = (float)basis->weight[i], other = (float)basis->weight[order[at - 1]];
      const int64_t id = select_id(keys[basis->place[i]]);
      if (mine < other || (mine == other && id > select_id(keys[basis->place[order[at - 1]]]))) {
        break;
      }
      order[at] = order[at - 1];
    }
    order[at] = i;
    ++*count;
  }
}

static void finish(const Fit *fit, int64_t child, const Basis *basis) {
  const SelectKey *keys = fit->candidates->keys + child * fit->candidates->most;
  SpanFit *out = &fit->out[child];
  int order[SPAN_MOST], count;
  double r2 = 0; /* |d|^2 - |d - sum w p|^2 with |d| = 1 */
  order_parents(basis, keys, order, &count);
  for (int i = 0; i < basis->count; ++i) {
    r2 += basis->weight[i] * (basis->cosine[i] + residual_dot(basis, i));
  }
  *out = (SpanFit){.r2 = fit->candidates->counts[child] > 0 ? (float)r2 : NAN, .mutual = NAN};
  for (int i = 0; i < SPAN_MOST; ++i) {
    out->parent[i] = i < count ? (uint32_t)select_id(keys[basis->place[order[i]]]) : LOOKUP_NONE;
    out->weight[i] = i < count ? (float)basis->weight[order[i]] : 0;
  }
  if (count > 1) {
    out->mutual = (float)basis->gram[order[0]][order[1]];
  }
}

static Status finish_unit(int64_t unit, int thread, void *context) {
  const Fit *fit = context;
  (void)thread;
  for (int64_t c = unit * UNIT; c < (unit + 1) * UNIT && c < fit->candidates->count; ++c) {
    Basis basis;
    make_basis(fit, c, &basis);
    fit_weights(&basis);
    finish(fit, c, &basis);
  }
  return OK;
}

/* Rows of the parents that joined last, in slices of bounded size. */
static Status fetch_rows(Team *team, const Directions *parent, const Fit *fit, float *rows) {
  const int64_t width = parent->width, row = width * (int64_t)sizeof *rows;
  const int64_t slice = SLICE_BYTES / row > 0 ? SLICE_BYTES / row : 1;
  int64_t most = fit->candidates->count;
  exchange_max_integer(team, &most, 1);
  for (int64_t first = 0; first < most; first += slice) {
    const int64_t left = fit->candidates->count - first;
    const int64_t count = left < 0 ? 0 : left < slice ? left : slice;
    const int64_t at = count > 0 ? first : 0;
    TRY(lookup_items(team, parent->latents, parent->rows, (size_t)row, fit->wanted + at, count,
                     rows + at * width));
  }
  return OK;
}

static Status take_fit(Fit *fit) {
  const int64_t own = fit->candidates->count;
  TRY(MEMORY_NEW(&fit->place, own * fit->parents, "parents of span fits"));
  TRY(MEMORY_NEW(&fit->wanted, own, "parents of span fits"));
  TRY(MEMORY_NEW(&fit->dots, (fit->parents - 1) * own * fit->candidates->most,
                 "products of candidates"));
  memset(fit->place, 0xff, (size_t)(own * fit->parents) * sizeof *fit->place);
  return OK;
}

/* One parent joins each child; all but the last meet the other candidates. */
static Status join(Team *team, const Directions *parent, Directions *chosen, Fit *fit) {
  const Neighbours *candidates = fit->candidates;
  const int64_t units = (candidates->count + UNIT - 1) / UNIT;
  TRY_ALL(team, threads_run(units, join_unit, fit));
  if (fit->step == fit->parents - 1) {
    TRY_ALL(team, threads_run(units, finish_unit, fit));
    return OK;
  }
  TRY(fetch_rows(team, parent, fit, chosen->rows));
  return neighbours_score(team, chosen, parent, candidates,
                          fit->dots + fit->step * candidates->count * candidates->most);
}

Status span_fit(Team *team, const Directions *child, const Directions *parent,
                const Neighbours *candidates, int64_t parents, SpanFit *out) {
  ASSERT(parents >= 1 && parents <= SPAN_MOST && candidates->most <= INT16_MAX);
  ASSERT(candidates->count == shard_count(child->own) && child->width == parent->width);
  Fit fit = {.candidates = candidates, .parents = parents, .out = out};
  Directions chosen = *child; /* in its place, rows of the parents that joined last */
  chosen.rows = NULL;
  Status status = take_fit(&fit);
  if (status == OK) {
    status = MEMORY_NEW(&chosen.rows, candidates->count * child->width, "rows of parents");
  }
  status = team_agree(team, status);
  for (; status == OK && fit.step < parents; ++fit.step) {
    status = join(team, parent, &chosen, &fit);
  }
  MEMORY_FREE(chosen.rows);
  MEMORY_FREE(fit.place);
  MEMORY_FREE(fit.wanted);
  MEMORY_FREE(fit.dots);
  return status;
}
