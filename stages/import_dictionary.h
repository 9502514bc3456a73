#ifndef IMPORT_DICTIONARY_H
#define IMPORT_DICTIONARY_H

#include <stdint.h>

#include "stage.h"
#include "status.h"

/** dictionaries/NAME.h5 of one dictionary from a folder of another tool (its key `import`), in
 *  cleave's own terms: unit decoder rows, norms and scales folded. Says what the folder was
 *  understood as. Each rank holds some tens of MB of its latents at a time.
 *  ranks   collective
 *  index   in      into the settings' dictionaries; its `source` is not ""
 *  fails   ERR_CONFIG (other latents than declared), ERR_STALE, ERR_SPACE, ERR_NUMERIC, and those
 *          of bundle.h; no file then */
Status import_dictionary(Stage *stage, int64_t index) MUST_USE;

#endif
