#ifndef IMPORT_CODES_H
#define IMPORT_CODES_H

#include <stdint.h>

#include "stage.h"
#include "status.h"

/** codes/NAME.h5 of one dictionary from sparse codes made elsewhere (its key `codes`): a CSR matrix
 *  [rows, latents] as scipy.sparse.save_npz writes it, or .safetensors with `row` (ascending),
 *  `feature` and `value`. Needs activations.h5, and dictionaries/NAME.h5.
 *  ranks   collective
 *  dictionary  in  index into the settings' dictionaries; its `codes` is not ""
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_UNSUPPORTED, ERR_DATA (ids or rows out of range or order: names
 *          the place), ERR_STALE, ERR_SPACE, ERR_FILE, ERR_MEMORY */
Status import_codes(Stage *stage, int64_t dictionary) MUST_USE;

#endif
