#ifndef ENCODE_ROWS_H
#define ENCODE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "encode.h"
#include "status.h"
#include "team.h"

/** The rows of activations.h5 in batches: each rank reads a slice, and all get the whole. Where the tokens of
 *  rows made elsewhere are not known, the vocabulary is 0 and so are the tokens. */

enum { ENCODE_ROWS_BATCH = 4096 }; /* fixed: results do not depend on it, file accesses do */

typedef struct EncodeRows {
  Team *team;
  Archive *file;
  int64_t rows, width, vocabulary;
  bool is_bf16, has_values, has_tokens;
  int64_t documents;
  uint8_t *document_held_out; /* [documents] */
  double *mean;               /* [width] of the raw training rows */
  int64_t *token_rows;        /* [vocabulary] rows of each token, of the batches read so far */
  /* The batch that was read last. */
  void *raw;            /* [batch, width] as in the file */
  float *x;             /* [batch, width] scaled */
  uint32_t *token;      /* [batch] */
  uint32_t *document;   /* [batch] */
  uint8_t *is_held_out; /* [batch] */
  int64_t *counts;      /* [team size] rows that each rank reads */
} EncodeRows;

/** ranks   collective
 *  path    in      of activations.h5
 *  has_values in   false: the rows' tokens and documents alone are read
 *  fails   ERR_MISSING, ERR_FORMAT, ERR_MEMORY; clear what was opened by encode_rows_close() */
Status encode_rows_open(EncodeRows *rows, Team *team, const char *path, bool has_values) MUST_USE;
/** ranks   collective */
void encode_rows_close(EncodeRows *rows);

/** Begin again at the first row: token_rows is zero. ranks local */
void encode_rows_rewind(EncodeRows *rows);
/** Read the batch that begins at row `first`.
 *  ranks   collective
 *  scale   in      what a raw value is multiplied by
 *  batch   out     its arrays belong to rows and last until the next call; without values x is NULL
 *  fails   ERR_FILE, ERR_NUMERIC (a row is not finite), ERR_FORMAT (a token or document out of
 *          range) */
Status encode_rows_read(EncodeRows *rows, int64_t first, double scale, EncodeBatch *batch) MUST_USE;

#endif
