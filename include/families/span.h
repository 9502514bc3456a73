#ifndef SPAN_H
#define SPAN_H

#include <stdint.h>

#include "directions.h"
#include "neighbours.h"
#include "status.h"
#include "team.h"

/** Span fit R2_K: how well a few parents together rebuild a child's direction. Nonnegative
 *  orthogonal matching pursuit over the child's stored candidates: K times the candidate of largest
 *  positive dot product with the residual joins (ties to the lower id), and the weights are fitted
 *  again (least squares, nonnegative). R2 = 1 - |d_c - sum w_p d_p|^2 for the unit child.
 *  All numbers are made whole on the child's rank in a fixed order: the same bits at any number of
 *  ranks, threads and panels. */
enum { SPAN_MOST = 8 };
/** A dot product with the residual up to this is rounding, not a direction. */
#define SPAN_LEAST 1e-6

typedef struct SpanFit {
  float r2;                   /* nan: no candidate */
  uint32_t parent[SPAN_MOST]; /* by descending weight, ties to the lower id; LOOKUP_NONE: none */
  float weight[SPAN_MOST];    /* > 0; 0: none */
  float mutual;               /* cosine of the two heaviest parents; nan: fewer than two */
} SpanFit;

/** ranks   collective. K - 1 rounds of the ring; a rank fetches K - 1 rows a child
 *  child   in      unit rows: a panel, or the whole
 *  parent  in      unit rows: the whole
 *  candidates in   [own children] sorted lists with the cosines of these rows
 *  parents in      K, 1 .. SPAN_MOST
 *  out     out     [own children]
 *  fails   ERR_MEMORY (width + K most floats a child) */
Status span_fit(Team *team, const Directions *child, const Directions *parent,
                const Neighbours *candidates, int64_t parents, SpanFit *out) MUST_USE;

#endif
