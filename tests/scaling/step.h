#ifndef STEP_H
#define STEP_H

#include <stdint.h>

#include "team.h"

/** A training step of topk without its arithmetic: the agreements and exchanges that train_step() and batches_take()
 *  make, in their order and of their sizes, which follow from the shape alone. test_step.c holds it against the real
 *  one; simulate.c runs it on ranks that do not exist. */

typedef struct StepShape {
  int64_t latents, width, batch, k;
  int64_t row_bytes; /* of a stored row */
  int64_t aux_k;     /* dead latents that help a row; 0: none is dead */
} StepShape;

/** What lies between exchanges: operations of products in 8 bits, bytes of memory walked through by all threads, and by
 *  one (what every rank does alike, on all rows of the batch). */
typedef enum StepKind { STEP_SCREENED, STEP_STREAMED, STEP_ALIKE, STEP_KINDS } StepKind;

/** Parts of a step, each with its exchanges: the batch's rows; keys and cuts; sums over the width; AuxK; gradients and
 *  the update. */
typedef enum StepPart {
  STEP_BATCH,
  STEP_KEYS,
  STEP_SUMS,
  STEP_AUXK,
  STEP_UPDATE,
  STEP_PARTS
} StepPart;

typedef struct StepWork {
  void (*pass)(void *context, StepKind kind, double amount);
  void (*end)(void *context, StepPart part);
  void *context;
} StepWork;

/** Bytes of room that a step wants.  ranks local */
int64_t step_room(const Team *team, const StepShape *shape);
/** ranks   collective
 *  work    in      NULL: none
 *  room    scratch [step_room()] bytes */
void step_run(Team *team, const StepShape *shape, const StepWork *work, char *room);

#endif
