#ifndef TRAIN_OUTPUT_H
#define TRAIN_OUTPUT_H

#include <stdint.h>

#include "status.h"
#include "team.h"
#include "train.h"
#include "train_rows.h"

/** dictionaries/NAME.h5 from a training that is done. */
typedef struct TrainOutput {
  const char *path, *stamp;
  const char *control_of; /* "" for a level */
  const TrainRows *rows;
} TrainOutput;

/** Free decoder norms are folded into the encoder, in `train` too: it is of no use after that.
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE, ERR_MEMORY; no file then */
Status train_output_write(const TrainOutput *output, Team *team, const Train *train) MUST_USE;

#endif
