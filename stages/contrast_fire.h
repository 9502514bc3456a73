#ifndef CONTRAST_FIRE_H
#define CONTRAST_FIRE_H

#include "contrast_texts.h"

/** What fires on the texts: of each of this rank's latents the texts where it does, with its strongest activation on
 *  each. */
typedef struct ContrastFirings {
  Shard own;              /* latents */
  int64_t *start;         /* [own + 1] */
  ContrastEntry *entries; /* [start[own]] by latent, texts ascending */
} ContrastFirings;

/** Run the model over all texts, each on one rank, and the dictionary over all of them on all ranks.
 *  ranks   collective; contrast_firings_close() is safe after a failure
 *  bench   in      loaded for texts of corpus->longest tokens
 *  fails   ERR_MEMORY */
Status contrast_firings_open(ContrastFirings *firings, Workbench *bench,
                             const WorkbenchDictionary *dictionary,
                             const ContrastCorpus *corpus) MUST_USE;
void contrast_firings_close(ContrastFirings *firings);

#endif
