#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"
#include "tokenizer.h"

/** Rows on their way into activations.h5. They come in units, numbered in corpus order, from any
 *  rank; every rank spools its own. Their places in the file are known only at the end: rows far
 *  above the median norm are left out, and the file may be cut after a number of rows. The result
 *  does not depend on which rank brings which unit. */
typedef struct Activations Activations;

typedef struct ActivationsOptions {
  const char *folder; /* for the spools; borrowed until activations_destroy() */
  int64_t width;      /* may be 0: rows known by their codes alone */
  bool is_bf16;       /* else float32 */
  double norm_limit;  /* rows above so many medians are left out, 0: none. The median is that of the
                        first 65,536 rows in corpus order, or the first most_rows if fewer */
  int64_t most_rows;  /* cut the file there, 0: never */
} ActivationsOptions;

typedef struct ActivationsRow {
  uint32_t token, document, position; /* as in store/schema.h */
  float largest;                      /* of |value| */
  double square;                      /* squared norm of the values as stored */
} ActivationsRow;

typedef struct ActivationsUnit {
  int64_t index; /* in corpus order; each rank adds its own in ascending order */
  int64_t rows;
  const ActivationsRow *row;                /* [rows] */
  const void *values;                       /* [rows, width] bf16 or float32 */
  int64_t left_out_first, left_out_special; /* positions without a row */
} ActivationsUnit;

/** ranks   collective */
Status activations_create(Activations **out, Team *team,
                          const ActivationsOptions *options) MUST_USE;
/** ranks   local */
void activations_destroy(Activations **activations);

/** Bytes of a stored row.
 *  ranks   local */
int64_t activations_row_bytes(const ActivationsOptions *options);
/** Round a row to the stored type, and measure it.
 *  ranks   local
 *  values  in/out  [width] replaced by the stored values
 *  stored  out     [activations_row_bytes()]
 *  row     out     `largest` and `square` alone are set
 *  fails   ERR_NUMERIC when a value is not finite */
Status activations_store_row(const ActivationsOptions *options, float *values, void *stored,
                             ActivationsRow *row) MUST_USE;

/** ranks   local
 *  fails   ERR_SPACE, ERR_FILE (the spools), ERR_MEMORY */
Status activations_add(Activations *activations, const ActivationsUnit *unit) MUST_USE;
/** The next document's tokens; every rank may say it, rank 0 keeps it. Long documents may come in
 *  parts: activations_add_tokens() for those before the last.
 *  ranks   local
 *  fails   ERR_DATA (more than 2^32 - 2 documents or tokens in one), ERR_SPACE, ERR_FILE,
 *          ERR_MEMORY */
Status activations_add_tokens(Activations *activations, const int32_t *ids, int64_t count) MUST_USE;
Status activations_add_document(Activations *activations, const int32_t *ids,
                                int64_t count) MUST_USE;

/** Are there most_rows rows? Call it when all ranks have added all units below some number.
 *  ranks   collective
 *  kept    out     rows that will be stored so far; -1 while that is not known (or there is no
 *                  limit) */
Status activations_is_full(Activations *activations, bool *is_full, int64_t *kept) MUST_USE;

typedef struct ActivationsFile {
  const char *path, *stamp, *model, *model_hash;
  int64_t layer, context;
  int64_t seed;    /* of the choice of held-out documents */
  double held_out; /* share of the documents */
  const Tokenizer *tokenizer;
  int64_t vocabulary;    /* without a tokenizer: tokens are called by their numbers, " #17"; 0: the
                            rows' tokens are not known and not written */
  int64_t document_rows; /* documents are runs of so many rows, for want of better; 0: real ones */
} ActivationsFile;

/** Write the file and say what was left out.
 *  ranks   collective
 *  fails   ERR_DATA (no row, or no row to train on), ERR_SPACE, ERR_FILE, ERR_MEMORY */
Status activations_write(Activations *activations, const ActivationsFile *file) MUST_USE;

#endif
