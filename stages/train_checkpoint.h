#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "team.h"
#include "train.h"

/** checkpoints/NAME/step-N.h5: the whole state after N steps. The last two are kept; any number of
 *  ranks can go on. */
typedef struct TrainCheckpoint {
  const char *folder; /* borrowed: checkpoints/NAME */
  const char *stamp;  /* borrowed: of the dictionary that is being made */
} TrainCheckpoint;

/** Save the state, and drop all but the last two.
 *  ranks   collective
 *  log_bytes in    length of the training log, on rank 0
 *  fails   ERR_FILE, ERR_SPACE; the older ones are then still there */
Status train_checkpoint_save(const TrainCheckpoint *checkpoint, Team *team, Train *train,
                             int64_t log_bytes) MUST_USE;

/** Go on from the last one, if there is any; from the one before it where that is damaged (every array is
 *  checked against its checksum).
 *  ranks   collective
 *  force   in      drop checkpoints of another stamp, instead of refusing
 *  found   out     the state was filled in
 *  fails   ERR_STALE (made with other settings), ERR_FORMAT (all are damaged, too), ERR_FILE */
Status train_checkpoint_load(const TrainCheckpoint *checkpoint, Team *team, Train *train,
                             bool force, bool *found, int64_t *log_bytes) MUST_USE;

/** Remove all of them, and the folder.
 *  ranks   local: rank 0 */
void train_checkpoint_remove(const TrainCheckpoint *checkpoint);

#endif
