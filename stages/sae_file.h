#ifndef SAE_FILE_H
#define SAE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** dictionaries/NAME.h5, whoever made it: every rank reads the latents that it owns. */
typedef struct SaeFile {
  Archive *file; /* borrowed */
  Team *team;
  int64_t latents, width;
  int64_t k;          /* of topk; 0: latents have thresholds */
  double input_scale; /* what a raw row is multiplied by */
  bool subtract_b_dec;
  bool has_threshold, has_gain; /* datasets */
} SaeFile;

/** Look at an opened dictionary.
 *  ranks   collective
 *  file    in      borrowed as long as `out` is used
 *  fails   ERR_FORMAT, ERR_UNSUPPORTED (an architecture that cleave does not know) */
Status sae_file_open(SaeFile *out, Team *team, Archive *file) MUST_USE;

/** Read this rank's latents and check them.
 *  ranks   collective
 *  out     out     for sae_destroy(); NULL after a failure
 *  fails   ERR_NUMERIC (not finite: names the latent), ERR_FORMAT (a decoder row that is neither of
 *          unit norm nor zero), ERR_FILE, ERR_MEMORY */
Status sae_file_read(const SaeFile *file, Sae **out) MUST_USE;

/** Which of this rank's decoder rows are zero: latents without a direction. Reads them in pieces.
 *  ranks   collective
 *  is_zero out     [own] of shard_of(latents, shard_latent_block(latents))
 *  fails   ERR_FORMAT, ERR_NUMERIC as sae_file_read, ERR_FILE, ERR_MEMORY */
Status sae_file_zero_rows(const SaeFile *file, uint8_t *is_zero) MUST_USE;

#endif
