#ifndef TRAINING_H
#define TRAINING_H

#include "mesh.h"
#include "stage.h"
#include "stamp.h"
#include "train.h"
#include "train_log.h"
#include "train_rows.h"

/** One dictionary on its way from activations.h5 to dictionaries/NAME.h5. */
typedef struct Training {
  Stage *stage;
  Team *team;
  TrainRows *rows; /* borrowed */
  const DictionarySettings *settings;
  int64_t seed;
  char *path, *folder; /* dictionaries/NAME.h5, checkpoints/NAME */
  char stamp[32];
  Mesh mesh;
  Train *train; /* NULL: not open */
  TrainLog log;
  TrainReport report; /* of the last step */
  int64_t first;      /* step at which this run of the program began */
  double exchanged;   /* exchange_seconds() then */
} Training;

/** What a rank asks of all with a step: the largest wins. */
enum { REQUEST_NONE, REQUEST_SAVE, REQUEST_STOP };

/** The architecture that run.yaml asks for.  ranks local */
const Architecture *training_architecture(const Stage *stage);

/** Are the keys of section train such as this architecture takes, and k no more than the latents? Are so many ranks
 *  equal groups (train.replicas)?
 *  ranks   local
 *  fails   ERR_CONFIG */
Status training_check_keys(const Stage *stage) MUST_USE;
Status training_check_ranks(const Stage *stage, int64_t ranks) MUST_USE;

/** A training of dictionary `index` that is not open, and how it will be trained.  ranks local */
Training training_of(Stage *stage, TrainRows *rows, int64_t index);
TrainSpec training_spec(const Training *training, int64_t steps);

/** Is there anything to do?
 *  ranks   collective
 *  fails   ERR_STALE, ERR_MEMORY */
Status training_claim(Training *training, Stage *stage, TrainRows *rows, int64_t index,
                      bool *go) MUST_USE;
/** Passes over the rows.  ranks local */
double training_passes(const Training *training);
/** Take the memory, and the state of a checkpoint if there is one.
 *  ranks   collective
 *  steps   in      of the whole training
 *  fails   ERR_MEMORY, ERR_STALE, ERR_FORMAT, ERR_FILE */
Status training_open(Training *training, int64_t steps) MUST_USE;
/** ranks   local */
bool training_is_done(const Training *training);
/** One step on the batch of step training->train->step, and its line in the log.
 *  ranks   collective
 *  request in/out  this rank's; the largest of all ranks' */
Status training_step(Training *training, const float *batch, int *request) MUST_USE;
/** Save a checkpoint.  ranks collective */
Status training_save(Training *training) MUST_USE;
/** Write the dictionary, say what it took, and remove the checkpoints.  ranks collective */
Status training_finish(Training *training) MUST_USE;
/** Give everything back; what was never taken is fine.  ranks collective */
void training_close(Training *training);

#endif
