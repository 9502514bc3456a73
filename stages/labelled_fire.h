#ifndef LABELLED_FIRE_H
#define LABELLED_FIRE_H

#include "labelled.h"

/** What fires on the texts: of each of this rank's latents the texts where it does, with its strongest activation on
 *  each. */
typedef struct LabelledFirings {
  Shard own;              /* latents */
  int64_t *start;         /* [own + 1] */
  ContrastEntry *entries; /* [start[own]] by latent, texts ascending */
} LabelledFirings;

/** Run the model over all texts, each on one rank, and the dictionary over all of them on all ranks.
 *  ranks   collective; labelled_firings_close() is safe after a failure
 *  bench   in      loaded for texts of corpus->longest tokens
 *  fails   ERR_MEMORY */
Status labelled_firings_open(LabelledFirings *firings, Workbench *bench,
                             const WorkbenchDictionary *dictionary,
                             const LabelledTexts *corpus) MUST_USE;
void labelled_firings_close(LabelledFirings *firings);

#endif
