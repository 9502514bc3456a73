#ifndef CENTRE_H
#define CENTRE_H

#include <stdint.h>

#include "directions.h"
#include "neighbours.h"
#include "status.h"
#include "team.h"

/** Cosines after each dictionary's mean direction is subtracted, of pairs whose raw cosine is known:
 *  (c - m)(p - n) = cp - cn - mp + mn, so that no row has to travel again. Good to about 5e-7 /
 *  (|c - m| |p - n|). Made whole on the child's rank: the same bits at any number of ranks. */
typedef struct CentreTerm {
  float along;  /* row . the other dictionary's mean */
  float length; /* |row - its own dictionary's mean| */
} CentreTerm;

/** ranks   local
 *  rows    in      unit rows
 *  own, other in   [width] means of the rows' dictionary and of the other one
 *  out     out     [own rows]
 *  fails   ERR_MEMORY */
Status centre_terms(const Directions *rows, const float *own, const float *other,
                    CentreTerm *out) MUST_USE;

typedef struct CentreJob {
  const Neighbours *lists;   /* sorted parents of the children below */
  const CentreTerm *child;   /* [children] */
  const CentreTerm *parent;  /* [own parents] */
  int64_t parents;           /* latents of the parents' dictionary */
  const float *mean, *other; /* [width] of the children, of the parents */
  int64_t width;
} CentreJob;

/** The centred cosine of each child with each of its parents.
 *  ranks   collective
 *  out     out     [children, most]; nan where there is no parent; 0 where a row is its mean (to 1e-5)
 *  fails   ERR_MEMORY */
Status centre_score(Team *team, const CentreJob *job, float *out) MUST_USE;

#endif
