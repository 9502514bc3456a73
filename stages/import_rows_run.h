#ifndef IMPORT_ROWS_RUN_H
#define IMPORT_ROWS_RUN_H

#include "activations.h"
#include "shard.h"
#include "stage.h"
#include "tensor.h"
#include "tokenizer.h"

/* What import_rows.c (the rows) and import_places.c (their tokens and documents) share. */

typedef enum ImportKind { IMPORT_ROWS, IMPORT_TOKENS, IMPORT_DOCUMENTS, IMPORT_KINDS } ImportKind;

typedef struct ImportRows {
  Stage *stage;
  Team *team;
  const ImportSettings *settings;
  char *path; /* activations.h5 */
  char stamp[17];
  TensorFile *files[IMPORT_KINDS];
  const Tensor *tensors[IMPORT_KINDS]; /* NULL: not given */
  Tokenizer *tokenizer;                /* may be NULL */
  int64_t rows, unit_rows;
  int64_t vocabulary;   /* tokens; 0: not known */
  Shard own;            /* rows */
  uint32_t document;    /* of the row before the next one; of row 0 there */
  int64_t document_row; /* where it began */
  int64_t last_number;  /* its number in the file */
  int64_t zero_rows;
  ActivationsOptions options;
  Activations *activations;
  float *values;           /* [unit_rows, width] */
  uint8_t *stored;         /* [unit_rows] stored rows */
  ActivationsRow *row;     /* [unit_rows] */
  int64_t *token, *number; /* [unit_rows] of the unit in hand */
} ImportRows;

enum { PLACES_MADE = 128 }; /* rows of a document where their numbers are missing */

const char *import_rows_path(const ImportRows *import, ImportKind kind);

/* Tokens and document numbers of rows [first, first + count); made-up ones where they are missing.
 * local */
Status places_read(ImportRows *import, int64_t first, int64_t count) MUST_USE;
/* Check the tokens and numbers of all rows; what this rank must know of the rows before its own.
 * collective */
Status places_survey(ImportRows *import) MUST_USE;
/* Step on to row `row`, which has this number: sets document and document_row. local */
Status places_step(ImportRows *import, int64_t row, int64_t number) MUST_USE;
/* The tokens of all documents (those of the rows) into the collection. local, for rank 0 */
Status places_add_documents(ImportRows *import) MUST_USE;

#endif
