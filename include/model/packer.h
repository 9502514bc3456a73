#ifndef PACKER_H
#define PACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "lines.h"
#include "status.h"
#include "tokenizer.h"

/** Documents -> one stream of tokens -> contexts -> units for the forward pass. Each document is
 *  followed by the model's end-of-text token, where it has one, and the stream is cut into contexts
 *  of a fixed length without regard to documents; a begin token goes in front of each context where
 *  the tokenizer says so. A unit is a fixed number of contexts, but the first is one alone (so that
 *  there is something to show at once); the last context and the last unit may be shorter. Units
 *  depend on text, tokenizer and context length alone. ranks: all local. */
typedef struct Packer Packer;

/** Token rows of a unit come to about so many, so that matrix products are large (a context longer
 *  than that is a unit of its own). Part of the bits of the results: fixed. */
enum { PACKER_ROWS = 1024 };
/** Contexts of that many tokens in a unit.  ranks local */
int64_t packer_contexts(int64_t context);

typedef struct PackerUnit {
  int64_t rows, contexts;
  int32_t *ids;       /* [rows] contexts one behind the other */
  int64_t *lengths;   /* [contexts] */
  int64_t *documents; /* [rows] number of the token's document */
  int64_t *positions; /* [rows] the token's index in its document's tokens, of which the end
                         token is the last; -1: a begin token in front of a context */
} PackerUnit;

/** Told every document once, in order, before any unit that holds tokens of it. `ids` end with the
 *  end token. */
typedef struct PackerListener {
  Status (*document)(void *context, int64_t number, const int32_t *ids, int64_t count);
  void *context;
} PackerListener;

/** lines and tokenizer are kept.
 *  context   in      tokens of a context, its begin token included; >= 2
 *  listener  in      NULL for none
 *  fails     ERR_MEMORY */
Status packer_create(Packer **out, Lines *lines, const Tokenizer *tokenizer, int64_t context,
                     const PackerListener *listener) MUST_USE;
void packer_destroy(Packer **packer);

/** Memory for one unit. fails ERR_MEMORY */
Status packer_unit_init(PackerUnit *unit, const Packer *packer) MUST_USE;
void packer_unit_clear(PackerUnit *unit);
/** Most rows a unit can have. */
int64_t packer_unit_rows(const Packer *packer);

/** The next unit; rows 0 at the end of the text.
 *  unit      out     replaced
 *  fails     as lines_next(), tokenizer_encode() and the listener */
Status packer_next(Packer *packer, PackerUnit *unit) MUST_USE;

/** Tokens of the document in hand that are in no unit yet. */
int64_t packer_waiting(const Packer *packer);

#endif
