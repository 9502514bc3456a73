#ifndef STEER_H
#define STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"
#include "status.h"
#include "team.h"
#include "transformer.h"

/** Features of one or more dictionaries held at values of one's choice while a model runs: behind
 *  one layer each row x of the stream becomes
 *    x + sum over clamps of (c - f) d / scale,
 *  f the feature's activation in x itself, c the wanted one, d its unit direction, scale what the
 *  dictionary multiplies raw rows by. What the dictionary does not explain of x stays. */
typedef struct SteerClamp {
  Codec *codec; /* of its dictionary */
  int64_t latent;
  double value;     /* c, in the dictionary's units; nan: as it is, c = f */
  float *direction; /* [width] d; the same on every rank */
} SteerClamp;

typedef struct Steer {
  Team *team;
  int64_t layer, width;
  const SteerClamp *clamps; /* [count]; those of one codec stand together */
  int64_t count;
  int64_t first; /* rows of lower positions stay */
  /** Has a row no meaning for dictionaries (a first position, say)? NULL: all have. */
  bool (*is_left_out)(void *context, int64_t position, const float *row);
  void *context;
  int64_t position; /* of the next row: the caller sets it before each pass */
  double *found;    /* [count, room] f of rows in hand */
  int64_t room;
} Steer;

/** Give back what passes took.
 *  ranks   local */
void steer_close(Steer *steer);

/** Change rows of one context in place; moves steer->position behind them.
 *  ranks   collective; rows and count the same on every rank
 *  rows    in/out  [count, width] raw
 *  fails   ERR_MEMORY */
Status steer_rows(Steer *steer, float *rows, int64_t count) MUST_USE;

/** A hook for passes of ONE context (transformer_run, generate_feed).
 *  ranks   collective use: every rank makes the same pass */
TransformerHook steer_hook(Steer *steer);

#endif
