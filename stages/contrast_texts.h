#ifndef CONTRAST_TEXTS_H
#define CONTRAST_TEXTS_H

#include <stdint.h>

#include "contrast.h"
#include "status.h"
#include "workbench.h"

/** Labelled texts as tokens. Every rank holds all of them. */
typedef struct ContrastCorpus {
  char *names[CONTRAST_SETS]; /* of the sets */
  int sets;
  int64_t texts_of[CONTRAST_SETS];
  int64_t texts, room;
  TokenizerIds *ids; /* [texts] */
  uint8_t *set;      /* [texts] */
  uint8_t *half;     /* [texts] half of each set, drawn by the seed, is 1 */
  int64_t longest;   /* tokens */
  int64_t cut;       /* texts that were cut to the run's context */
} ContrastCorpus;

/** Read "NAME=PATH,NAME=PATH,...": a .jsonl line is a text, a text file is a text, a folder holds many. Texts are cut
 *  to harvest.context tokens.
 *  ranks   local
 *  fails   ERR_USAGE, ERR_MISSING, ERR_FORMAT, ERR_DATA (a set without a text), ERR_MEMORY;
 *          contrast_corpus_close() is safe after all of them */
Status contrast_corpus_open(ContrastCorpus *corpus, const Workbench *bench,
                            const char *sets) MUST_USE;
void contrast_corpus_close(ContrastCorpus *corpus);

/** "good,bad" -> bits of sets.
 *  ranks   local
 *  flag    in      for the message
 *  fails   ERR_USAGE */
Status contrast_corpus_sets(const ContrastCorpus *corpus, const char *flag, const char *names,
                            uint32_t *out) MUST_USE;

#endif
