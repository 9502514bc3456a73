#ifndef IMPORT_FOLD_H
#define IMPORT_FOLD_H

#include <stdint.h>

#include "bundle.h"
#include "status.h"

/** Consecutive latents of a bundle, on their way into dictionaries/NAME.h5. */
typedef struct FoldPiece {
  int64_t first, count; /* latents */
  float *encoder;       /* [count, width] */
  float *decoder;       /* [count, width] */
  float *bias;          /* [count] */
  float *threshold;     /* [count]; jumprelu, else NULL */
  float *gain, *offset; /* [count]; where import_has_gain, else NULL. In: the bundle's log gain and
                           magnitude bias (gated) */
} FoldPiece;

/** Does the dictionary need /gain and /offset? Gated does, and a TopK that chooses by scores which
 *  its decoder rows' norms do not enter.
 *  ranks   local */
bool import_has_gain(const Bundle *bundle);

/** Give decoder rows unit norm, and move the norms, and the scale of the rows, to where they change
 *  no reconstruction: into encoder, bias and threshold, or into the gain. Latents whose decoder row
 *  is zero are dead: zero throughout, but for a TopK's scores, which go on taking places.
 *  ranks   local
 *  dead    in/out  grows by the latents of zero decoder rows
 *  fails   ERR_NUMERIC: a folded value is beyond float32 (names the latent) */
Status import_fold(const Bundle *bundle, const FoldPiece *piece, int64_t *dead) MUST_USE;

#endif
