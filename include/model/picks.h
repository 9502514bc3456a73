#ifndef PICKS_H
#define PICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "batchwise.h"
#include "fire.h"
#include "hits.h"
#include "mesh.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** The exact selection of a training batch: what fires, also by latent, and what it rebuilds. */
typedef struct SaePicks {
  int64_t rows;         /* of the last sae_select */
  int64_t capacity;     /* hits of a row, on average */
  Fire *fire;           /* the k best of each row; or */
  Batchwise *batchwise; /* the rows x k best of the batch */
  Hits hits;            /* this rank's latents: by row, and by latent */
  double *bounds;       /* [rows] of the sum of a row's activations, the same on all ranks */
  double *scales;       /* [rows] of sae_decode */
  int64_t *sums, *part; /* [rows, width] of sae_decode */
} SaePicks;

/** Buffers for up to rows_most rows of this rank's group, and for the hits of a whole batch: of each row
 *  the k best latents (topk), or the rows x k best of the batch.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status sae_picks_create(SaePicks **out, const Sae *sae, const Mesh *mesh, int64_t rows_most,
                        int64_t batch, int64_t k, bool is_batchwise) MUST_USE;
void sae_picks_destroy(SaePicks **picks);

/** Select in the rows of this rank's group, batchwise among those of all groups. Positive scores alone
 *  count, so there may be fewer hits. The result depends neither on ranks nor on threads.
 *  ranks   collective over all; centred the same in a group
 *  centred in      [count, width] the group's rows
 *  batch   in      rows of all groups
 *  fails   ERR_MEMORY */
Status sae_select(const Mesh *mesh, const Sae *sae, const float *centred, int64_t count,
                  int64_t batch, SaePicks *picks) MUST_USE;

/** Reconstruct the rows of the last sae_select from their hits, in fixed point, by nested parts of the
 *  dictionary: the rows out + g * stride from the latents below past[g].
 *  ranks   collective over the group
 *  past    in      [parts] ascending, the last the number of latents
 *  out     out     [rows, width] for each part: scaled x^, the same on all ranks of the group
 *  fails   ERR_MEMORY */
Status sae_decode(Team *group, const Sae *sae, SaePicks *picks, const int64_t *past, int64_t parts,
                  float *out, int64_t stride) MUST_USE;

#endif
