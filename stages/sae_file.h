#ifndef SAE_FILE_H
#define SAE_FILE_H

#include <stdint.h>

#include "archive.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** dictionaries/NAME.h5, read in parts: every rank reads the latents that it owns. */

/** Which of this rank's decoder rows are zero: latents without a direction.
 *  ranks   collective
 *  is_zero out     [own] of shard_of(latents, shard_latent_block(latents))
 *  fails   ERR_FORMAT, ERR_FILE, ERR_NUMERIC (a row is not finite), ERR_MEMORY */
Status sae_file_zero_rows(Archive *file, Team *team, int64_t latents, uint8_t *is_zero) MUST_USE;

#endif
