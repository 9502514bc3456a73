#ifndef SPAN_H
#define SPAN_H

#include <stdint.h>

#include "directions.h"
#include "neighbours.h"
#include "status.h"
#include "team.h"

/** Span fit R2_K: how well a few parents together rebuild a child's direction. Nonnegative orthogonal
 *  matching pursuit over the child's stored candidates: K times the candidate of largest positive
 *  dot product with the residual joins (ties to the lower id), and the weights are fitted again
 *  (least squares, nonnegative). R2 = 1 - |d_c - sum w_p d_p|^2 for the unit child.
 *  All numbers are made whole on the child's rank in a fixed order: the same bits at any number of
 *  ranks and threads. */
enum { SPAN_MOST = 8 };

typedef struct SpanFit {
  float r2;                   /* nan: no candidate */
  uint32_t parent[SPAN_MOST]; /* by descending weight, ties to the lower id; LOOKUP_NONE: none */
  float weight[SPAN_MOST];    /* > 0; 0: none */
  float mutual;               /* cosine of the two heaviest parents; nan: fewer than two */
} SpanFit;

/** ranks   collective
 *  child, parent  in  unit rows; of any owners (a panel of a dictionary will do)
 *  candidates in   [own children] of neighbours_find()
 *  parents   in    K, 1 .. SPAN_MOST
 *  out       out   [own children]
 *  fails     ERR_MEMORY */
Status span_fit(Team *team, const Directions *child, const Directions *parent,
                const Neighbours *candidates, int64_t parents, SpanFit *out) MUST_USE;

#endif
