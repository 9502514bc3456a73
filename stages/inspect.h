#ifndef INSPECT_H
#define INSPECT_H

#include "dossier.h"
#include "stage.h"

/** What cleave-inspect shows; both halves append to `out` on every rank alike. */

/** All features of a dictionary on a text: what fires at each token, and the strongest features as
 *  strips.
 *  ranks   collective
 *  most    in      features shown in all
 *  fails   ERR_MISSING (model, dictionary), ERR_DATA (no text, longer than the model's context), as
 *          the floors say */
Status inspect_text(Stage *stage, const DossierView *view, int dictionary, const char *text,
                    int64_t most, Text *out) MUST_USE;

#endif
