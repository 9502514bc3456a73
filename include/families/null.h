#ifndef NULL_H
#define NULL_H

#include <stdint.h>

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

#endif
