#ifndef GENERATE_H
#define GENERATE_H

#include <stdint.h>

#include "status.h"
#include "transformer.h"

/** Continue a text token by token: feed the prompt, pick a token, feed it, and so on. The hook sees
 *  the residual stream of every token that is fed, after every layer, and may change it (steering).
 *  ranks: all local. */
typedef struct Generation Generation;

/** transformer  in   kept; created with all layers and `logits`; texts are at most
 *                    transformer_positions() long
 *  fails        ERR_MEMORY */
Status generate_create(Generation **out, const Transformer *transformer) MUST_USE;
void generate_destroy(Generation **generation);

/** Add tokens behind those so far: any count from 1 on, cut into pieces inside.
 *  hook    in   NULL for none; called a piece and layer at a time, rows in order
 *  fails   ERR_DATA (longer than transformer_positions(), an id outside the vocabulary), the hook's
 *          status; the text is then as it was before the call */
Status generate_feed(Generation *generation, const int32_t *ids, int64_t count,
                     const TransformerHook *hook) MUST_USE;
/** Tokens so far; and forget all but the first `length` (a shared prompt, say): feed something
 *  before the next pick. */
int64_t generate_length(const Generation *generation);
void generate_cut(Generation *generation, int64_t length);

/** Logits of the token after those fed: [vocabulary], valid until the next call. */
const float *generate_logits(const Generation *generation);
/** A next token: the likeliest (ties: lowest id) for temperature 0, else drawn from softmax(logits
 *  / temperature) by a random number of (key, length). It is not fed. */
int32_t generate_pick(Generation *generation, double temperature, uint64_t key);

#endif
