#ifndef NULL_H
#define NULL_H

#include <stdint.h>

#include "directions.h"
#include "status.h"
#include "team.h"

/** The isotropic null: the best cosine that one random direction finds among random parents. */

/** The value t with P(largest cosine of `parents` independent random directions in `dimension`
 *  dimensions <= t) = share. The density of one cosine is proportional to (1 - t^2)^((dimension
 *  - 3) / 2). Made of +, -, *, / and sqrt alone (the same bits on every CPU); good to 1e-6 for
 *  dimensions from 8 to 10^5.
 *  ranks   local
 *  dimension in    below 3 counts as 3
 *  parents in      >= 1 and below 2^40; 0 gives nan
 *  share   in      in (0, 1): 0.5, 0.999 */
double null_quantile(int64_t dimension, int64_t parents, double share);

/** The dimension at which a pair of dictionaries enters the null: the smaller of their effective
 *  dimensions, rounded to the nearest integer. (In trials the null of simulated children lay
 *  between those of the two; the smaller one is the nearer and the more cautious.)
 *  ranks   local */
int64_t null_dimension(double child, double parent);

/** The null in force (splitting.md, section 4): a null child is the normalised
 *  (mean + 1/sqrt(32) x random signed sum of 32 centred alive child rows). The children's
 *  covariance without eigenvectors, and the same bits at any number of ranks and threads: the rows
 *  and signs of draw i are keyed by (seed, names, i), sums over ranks are made in fixed point. */
typedef struct NullQuantile {
  double value;     /* the order statistic: at least this share of the draws lies at or below */
  double low, high; /* its 95 % Monte-Carlo interval; nan where so few draws do not bound it */
} NullQuantile;

typedef struct NullSimulated {
  int64_t draws;
  NullQuantile best_median, best_999; /* of the best cosine among the parents */
  NullQuantile r2_median, r2_999;     /* of the span fit */
  int64_t histogram[100];             /* of the best cosine, bins of 0.01 over [0, 1] */
} NullSimulated;

typedef struct NullJob {
  const Directions *child, *parent; /* unit rows and states; whole, or a sample of children */
  const float *child_mean;          /* [width] of spread_mean() */
  const char *child_name, *parent_name;
  int64_t seed, draws;
  int64_t most; /* candidates a draw for the span fit */
  int64_t span; /* its parents */
} NullJob;

/** Draws come in panels of bounded size, dealt over the ranks as features are.
 *  ranks   collective
 *  fails   ERR_MEMORY. Without alive children or parents every value is nan and `draws` is 0 */
Status null_simulate(Team *team, const NullJob *job, NullSimulated *out) MUST_USE;

/** The 1-based places, in ascending order, of the two draws between which the quantile
 *  thousandths / 1000 of what was drawn from lies with 95 % certainty, by the binomial
 *  distribution.
 *  ranks   local
 *  low     out     0: no draw is a lower bound
 *  high    out     draws + 1: no draw is an upper bound */
void null_bounds(int64_t draws, int64_t thousandths, int64_t *low, int64_t *high);

#endif
