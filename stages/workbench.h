#ifndef WORKBENCH_H
#define WORKBENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "codec.h"
#include "sae.h"
#include "stage.h"
#include "tokenizer.h"
#include "transformer.h"

/** A run's model and dictionaries, ready for texts of the user's own: inspect --text, contrast, steer. Every rank holds
 *  the model and runs the same texts; dictionaries are partitioned. */
typedef struct Workbench {
  Stage *stage;
  Team *team;
  Archive *activations;
  int64_t layer, width;
  double norm_limit; /* rows of larger norm are left out, as harvest does; 0: none is */
  Gguf *gguf;
  Tokenizer *tokenizer;
  Transformer *transformer;
} Workbench;

/** The run's files and the tokenizer, without the model's weights.
 *  ranks   collective
 *  fails   ERR_MISSING (activations.h5, the model), ERR_DATA (another model than harvest's), ERR_FORMAT;
 *          workbench_close() is safe after all of them */
Status workbench_open(Workbench *bench, Stage *stage) MUST_USE;
/** ranks   collective; safe on a zeroed struct */
void workbench_close(Workbench *bench);

/** The weights.
 *  ranks   collective
 *  is_whole   in   all layers and the output head; else up to the run's layer
 *  positions  in   tokens of the longest text
 *  fails   ERR_CONFIG (longer than the model's contexts), ERR_MEMORY */
Status workbench_load(Workbench *bench, bool is_whole, int64_t positions) MUST_USE;

/** Append the tokens of a text, behind one token in front that is not the text's: in the stream of a corpus a text
 *  stands behind an end token or a begin token.
 *  ranks   local
 *  front   out     tokens in front: 0 or 1
 *  fails   ERR_DATA (not UTF-8, no text), ERR_MEMORY */
Status workbench_tokens(const Workbench *bench, const char *text, TokenizerIds *ids,
                        int64_t *front) MUST_USE;
/** Has a row no meaning for dictionaries: a first position, an extreme norm? (Signature of Steer.is_left_out.)
 *  ranks   local
 *  bench   in      a Workbench */
bool workbench_is_left_out(void *bench, int64_t position, const float *row);

/** A dictionary at work. */
typedef struct WorkbenchDictionary {
  int64_t index; /* in run.yaml */
  Archive *file;
  Sae *sae;
  Codec *codec;
} WorkbenchDictionary;

/** Its file.
 *  ranks   collective
 *  fails   ERR_MISSING, ERR_FORMAT; workbench_dictionary_close() is safe after all of them */
Status workbench_dictionary_open(WorkbenchDictionary *one, const Workbench *bench,
                                 int64_t index) MUST_USE;
/** Its weights, after workbench_load().
 *  ranks   collective
 *  most    in      rows of a codec call
 *  fails   ERR_DATA (another width than the model's), ERR_FORMAT, ERR_NUMERIC, ERR_MEMORY */
Status workbench_dictionary_load(WorkbenchDictionary *one, const Workbench *bench,
                                 int64_t most) MUST_USE;
/** ranks   collective; safe on a zeroed struct */
void workbench_dictionary_close(WorkbenchDictionary *one);
/** A feature's unit direction, on every rank.
 *  ranks   collective
 *  out     out     [width] */
Status workbench_direction(const WorkbenchDictionary *one, int64_t latent, float *out) MUST_USE;

#endif
