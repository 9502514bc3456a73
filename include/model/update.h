#ifndef UPDATE_H
#define UPDATE_H

#include "status.h"
#include "train.h"

/** The last part of a step: Adam on this rank's latents and on b_dec with the gradient that was
 *  measured; decoder rows that have unit norm back to it; norms and thresholds anew.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status update_run(Train *train) MUST_USE;

/** What follows from the weights of latents [first, first + count): their norms; their thresholds, where
 *  they have any, from the logarithms.
 *  ranks   local */
void update_norms(const Train *train, int64_t first, int64_t count);
void update_thresholds(const Train *train, int64_t first, int64_t count);

/** Scale a row to unit norm; a zero row stays.
 *  ranks   local */
void update_unit_norm(float *row, int64_t width);

#endif
