#ifndef ACTIVATIONS_PLAN_H
#define ACTIVATIONS_PLAN_H

#include "activations.h"
#include "spool.h"

/* What activations.c (collecting) and activations_file.c (writing) share. */

typedef struct UnitRecord {
  int64_t index;
  int64_t rows;   /* candidates */
  int64_t kept;   /* of them not above the norm limit */
  int64_t offset; /* candidates before it in this rank's spools */
  int64_t first;  /* row of the file where its kept rows begin */
  int64_t left_out_first, left_out_special;
} UnitRecord;

struct Activations {
  Team *team;
  ActivationsOptions options;
  Spool *values, *rows; /* of all candidates of this rank */
  UnitRecord *units;    /* [count] of this rank */
  int64_t count, capacity;
  int64_t largest_unit; /* rows */
  int64_t counted;      /* units whose `kept` is known */
  int64_t kept;         /* rows kept in them */
  bool is_settled;      /* median and limit are known */
  double median, limit; /* norms; limit is infinite for none */
  UnitRecord *all;      /* [all_count] of all ranks, by index (activations_place) */
  int64_t all_count;
  Spool *tokens;           /* rank 0: of all documents */
  int64_t *document_start; /* rank 0: [documents + 1] */
  int64_t documents, documents_capacity;
  int64_t document_tokens; /* of the document in hand */
};

/* Settle the limit if it is not, count what is kept, and give every unit its place. collective.
 * total: rows of the file; cut: most_rows was reached. */
Status activations_place(Activations *activations, int64_t *total, bool *is_cut) MUST_USE;

/* The candidates of one own unit into `rows` [unit->rows]. local */
Status activations_read_rows(Activations *activations, const UnitRecord *unit,
                             ActivationsRow *rows) MUST_USE;
bool activations_keeps(const Activations *activations, const ActivationsRow *row);

#endif
