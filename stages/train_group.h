#ifndef TRAIN_GROUP_H
#define TRAIN_GROUP_H

#include "batches.h"
#include "training.h"

/** Dictionaries that are trained on the same batches, one after the other in every step; often one
 *  alone. Those that stand behind the others (after a kill) catch up first. */
typedef struct TrainGroup {
  Stage *stage;
  Training *members; /* [count], claimed; the group's */
  int64_t count;
  Batches *batches;
  float *batch; /* [batch, width] */
  double saved; /* clock_seconds() of the last checkpoints */
} TrainGroup;

/** The batches of a group whose members were claimed.  ranks local */
BatchesSpec train_group_spec(const TrainGroup *group);
/** Train all members to their ends.
 *  ranks   collective
 *  fails   ERR_INTERRUPTED after a signal, when all are saved; what training_*() fails with */
Status train_group_run(TrainGroup *group) MUST_USE;
/** ranks   collective */
void train_group_close(TrainGroup *group);

#endif
