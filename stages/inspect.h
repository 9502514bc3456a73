#ifndef INSPECT_H
#define INSPECT_H

#include "dossier.h"
#include "stage.h"

/** What cleave-inspect shows; all append to `out` on every rank alike. */

/** All features of a dictionary on a text: what fires at each token, and the strongest features as
 *  strips.
 *  ranks   collective
 *  most    in      features shown in all
 *  fails   ERR_MISSING (model, dictionary), ERR_DATA (no text, longer than the model's context), as
 *          the floors say */
Status inspect_text(Stage *stage, const DossierView *view, int dictionary, const char *text,
                    int64_t most, Text *out) MUST_USE;

/** The strongest features of each of many texts, a JSON line each: {"text": 0, "tokens": 17, "features": [{"feature":
 *  "8k/12", "activation": 3.5, "label": "..."}, ..]}. Texts are cut to harvest.context tokens.
 *  ranks   collective
 *  path    in      a .jsonl line is a text, a text file is a text, a folder holds many
 *  most    in      features of a text, by their strongest activation on it
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_DATA, ERR_MEMORY */
Status inspect_batch(Stage *stage, const DossierView *view, int dictionary, const char *path,
                     int64_t most, Text *out) MUST_USE;

#endif
