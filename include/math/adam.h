#ifndef ADAM_H
#define ADAM_H

#include <stdint.h>

#include "lanes.h"

/** Adam (0.9, 0.999, 6.25e-10), element-wise, the same bits on every CPU. Moments below 1e-30
 *  become 0. */
typedef struct Adam {
  int64_t step;         /* updates begun so far */
  double first, second; /* 0.9^step, 0.999^step, by repeated multiplication */
  LanesAdam factors;    /* of the update that was begun */
} Adam;

/** The state after `step` updates.
 *  ranks   local, like all here */
void adam_open(Adam *adam, int64_t step);
/** Begin the next update. clip: factor of all gradients. */
void adam_begin(Adam *adam, double rate, double clip);
/** weight, first, second [count] in/out; gradient NULL: all zero. */
void adam_update(const Adam *adam, float *weight, float *first, float *second,
                 const float *gradient, int64_t count);
/** The same with moments in bfloat16, rounded at random so that small changes add up: key must differ
 *  between updates and rows.
 *  room    scratch [2, count] */
void adam_update_bf16(const Adam *adam, float *weight, uint16_t *first, uint16_t *second,
                      const float *gradient, int64_t count, uint64_t key, float *room);

#endif
