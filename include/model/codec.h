#ifndef CODEC_H
#define CODEC_H

#include <stdint.h>

#include "fire.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** A dictionary applied to raw rows of the residual stream, all of whose ranks hold the same rows:
 *  what fires, and the rows as it rebuilds them. A few thousand rows at a time. */
typedef struct Codec {
  const Sae *sae; /* borrowed */
  Team *team;
  double scale;   /* what a raw row is multiplied by */
  int64_t most;   /* rows at a time */
  Fire *fire;     /* of the last codec_encode(): this rank's latents, by row */
  float *centred; /* [most, width] */
  int64_t *which; /* [most] 0, 1, 2, ... */
  double *scales; /* [most] */
  int64_t *sums;  /* [most, width] */
} Codec;

/** k: active latents a row of topk; else without meaning.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status codec_create(Codec **out, Team *team, const Sae *sae, double scale, int64_t k,
                    int64_t most) MUST_USE;
/** NULL is fine.
 *  ranks   local */
void codec_destroy(Codec **codec);

/** What fires: codec->fire.
 *  ranks   collective; rows and count the same on every rank
 *  rows    in      [count, width] raw
 *  fails   ERR_MEMORY */
Status codec_encode(Codec *codec, const float *rows, int64_t count) MUST_USE;

/** The rows of the last codec_encode() as the dictionary rebuilds them: the same bits on every rank,
 *  and at any number of ranks.
 *  ranks   collective
 *  out     out     [count, width] raw
 *  fails   ERR_MEMORY */
Status codec_decode(Codec *codec, float *out) MUST_USE;

#endif
