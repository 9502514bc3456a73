#ifndef LABELLED_H
#define LABELLED_H

#include <stdint.h>

#include "contrast.h"
#include "status.h"
#include "workbench.h"

/** Labelled texts as tokens. Every rank holds all of them. */
typedef struct LabelledTexts {
  char *names[CONTRAST_SETS]; /* of the sets */
  int sets;
  int64_t texts_of[CONTRAST_SETS];
  int64_t texts, room;
  TokenizerIds *ids; /* [texts] */
  uint8_t *set;      /* [texts] */
  uint8_t *half;     /* [texts] half of each set, drawn by the seed, is 1 */
  int64_t longest;   /* tokens */
  int64_t front;     /* tokens in front of each that are not the text's: 0 or 1 */
  int64_t cut;       /* texts that were cut to the run's context */
} LabelledTexts;

/** Read "NAME=PATH,NAME=PATH,...": a .jsonl line is a text, a text file is a text, a folder holds many. Texts are cut
 *  to harvest.context tokens.
 *  ranks   local
 *  fails   ERR_USAGE, ERR_MISSING, ERR_FORMAT, ERR_DATA (a set without a text), ERR_MEMORY;
 *          labelled_close() is safe after all of them */
Status labelled_open(LabelledTexts *corpus, const Workbench *bench, const char *sets) MUST_USE;
/** The same with one set, read from one path.
 *  ranks   local */
Status labelled_read(LabelledTexts *corpus, const Workbench *bench, const char *path) MUST_USE;
void labelled_close(LabelledTexts *corpus);

/** "good,bad" -> bits of sets.
 *  ranks   local
 *  flag    in      for the message
 *  fails   ERR_USAGE */
Status labelled_sets(const LabelledTexts *corpus, const char *flag, const char *names,
                     uint32_t *out) MUST_USE;

#endif
