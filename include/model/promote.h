#ifndef PROMOTE_H
#define PROMOTE_H

#include <stdint.h>

#include "status.h"
#include "transformer.h"

/** Which tokens a direction of the residual stream makes more likely, and which less: its share in
 *  their logits through the final norm's weights and the output head,
 *    effect = head_token . (norm * direction),
 *  before the final norm divides by the length of the stream, which is the same for all tokens.
 *  Exact, by the screen of the comparison. ranks: all local. */
typedef struct Promote Promote;

enum { PROMOTE_NONE = -1 };

/** transformer  in   kept; with `logits`
 *  fails   ERR_MEMORY */
Status promote_create(Promote **out, const Transformer *transformer) MUST_USE;
void promote_destroy(Promote **promote);

/** One end of the scale.
 *  direction in    [count, width]
 *  sign      in    1: the most promoted; -1: the most suppressed
 *  token     out   [count, most] strongest first, ties to the lower id; PROMOTE_NONE: there is no
 *                  more, or the direction is zero
 *  effect    out   [count, most] signed; 0 without a token
 *  fails   ERR_MEMORY */
Status promote_find(Promote *promote, const float *direction, int64_t count, int sign, int64_t most,
                    int64_t *token, float *effect) MUST_USE;

#endif
