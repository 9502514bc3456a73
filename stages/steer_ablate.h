#ifndef STEER_ABLATE_H
#define STEER_ABLATE_H

#include "steer_run.h"

/** Attribution without gradients: what the model makes of the next token when a feature of the prompt is held at 0. */
typedef struct SteerEffect {
  int64_t latent;
  double activation; /* strongest on the prompt */
  int64_t position;  /* of it: a token of the prompt, from 0 at ids[0] */
  double change;     /* of log P(target), nats: below 0, the feature speaks for it */
} SteerEffect;

/** The features of one dictionary that fire most strongly on a prompt, each removed in turn.
 *  ranks   collective
 *  ids     in      [count]
 *  target  in/out  next token; -1: the likeliest one, which it then is
 *  most    in      features that are tried
 *  effects out     [*found] by size of the change, largest first; the caller's to MEMORY_FREE, NULL on failure
 *  log_p   out     of the target, with all features in place
 *  fails   ERR_MEMORY */
Status steer_ablate(SteerSession *session, int64_t dictionary, const int32_t *ids, int64_t count,
                    int32_t *target, int64_t most, SteerEffect **effects, int64_t *found,
                    double *log_p) MUST_USE;

#endif
