#ifndef SURGERY_H
#define SURGERY_H

#include <stdint.h>

#include "evaluate_text.h"
#include "progress.h"
#include "status.h"
#include "team.h"
#include "workbench.h"

/** The model with its residual stream exchanged behind the run's layer, on a text: every rank runs units of its own.
 *  Rows that harvest does not store (first positions, special tokens, extreme norms) stay as they are. */
typedef struct Surgery Surgery;

/** Runs the plain model once and keeps the stream of the own units.
 *  ranks   collective
 *  bench   in      loaded whole; kept, as is the text
 *  bar     in/out  open: counts the text's tokens
 *  fails   ERR_MEMORY, ERR_DATA */
Status surgery_create(Surgery **out, Workbench *bench, const EvaluateText *text,
                      Progress *bar) MUST_USE;
/** NULL is fine.
 *  ranks   local */
void surgery_destroy(Surgery **surgery);

/** Losses of the plain model: of each context the sum of -log P of its tokens but the first, nats; [contexts],
 *  the same on every rank.
 *  ranks   local */
const double *surgery_plain(const Surgery *surgery);
/** Over all contexts: rows that are exchanged; tokens that are foretold.
 *  ranks   local */
int64_t surgery_rows(const Surgery *surgery);
int64_t surgery_predictions(const Surgery *surgery);

/** What takes the place of rows: rows [count, width] raw, changed in place.
 *  ranks   collective (the same rows on all ranks) */
typedef struct SurgeryChange {
  Status (*call)(void *context, float *rows, int64_t count);
  void *context;
} SurgeryChange;

/** Losses with the rows exchanged, of all contexts, on every rank.
 *  ranks   collective
 *  before  in      where the bar stands: it goes on by the text's tokens
 *  losses  out     [contexts]
 *  fails   what the change fails with; ERR_MEMORY */
Status surgery_run(Surgery *surgery, const SurgeryChange *change, Progress *bar, int64_t before,
                   double *losses) MUST_USE;

/** Tokens of a unit at most: rows of one SurgeryChange call.
 *  ranks   local */
int64_t surgery_rows_most(const EvaluateText *text);

#endif
