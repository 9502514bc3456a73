#ifndef EVALUATE_TEXT_H
#define EVALUATE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "status.h"
#include "tokenizer.h"

/** The text on which dictionaries are put into the model: held-out documents of activations.h5, one behind the
 *  other, cut into contexts as harvest does it. A unit is about a thousand tokens of whole contexts: the same on
 *  any number of ranks. */
typedef struct EvaluateText {
  int32_t *ids;     /* [tokens] contexts one behind the other */
  int64_t *lengths; /* [contexts] */
  int64_t *first;   /* [contexts + 1] first token of each */
  int64_t tokens, contexts;
  int64_t per_unit; /* contexts of a unit; the last may have fewer */
  int64_t units;
  bool is_held_out; /* false: there are no held-out documents, and these were trained on */
} EvaluateText;

/** Every rank reads the whole of it.
 *  ranks   collective
 *  most    in      tokens: no further context is begun once there are so many
 *  fails   ERR_DATA (too little text), ERR_FORMAT, ERR_FILE, ERR_MEMORY; evaluate_text_close() is safe after all of
 *          them */
Status evaluate_text_open(EvaluateText *text, Team *team, Archive *activations,
                          const Tokenizer *tokenizer, int64_t context, int64_t most) MUST_USE;
/** ranks local; safe on a zeroed struct */
void evaluate_text_close(EvaluateText *text);

/** The contexts of a unit.
 *  ranks   local */
int64_t evaluate_text_unit(const EvaluateText *text, int64_t unit, int64_t *first_context);

#endif
