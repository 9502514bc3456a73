#ifndef EVALUATE_FILE_H
#define EVALUATE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "promote.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** How much of what the model knows passes through a dictionary: losses in nats a token. */
typedef struct EvaluateFigures {
  double plain;                         /* of the model as it is */
  double itself;                        /* rows exchanged for themselves: plain, but for rounding */
  double zero, mean;                    /* for zero; for the mean row */
  double rebuilt;                       /* for what the dictionary makes of them */
  double recovered;                     /* (zero - rebuilt) / (zero - plain) */
  double recovered_low, recovered_high; /* its 95 % interval, contexts as units */
  int64_t contexts, tokens;             /* tokens foretold */
  int64_t rows;                         /* exchanged */
  bool is_held_out;
} EvaluateFigures;

/** Sums of losses of contexts -> rebuilt and recovered; the other losses are known.
 *  ranks   local
 *  plain, zero, rebuilt  in  [contexts] */
void evaluate_recovered(EvaluateFigures *figures, const double *plain, const double *zero,
                        const double *rebuilt);

/** evaluation/NAME.h5. */
typedef struct EvaluateFile {
  Team *team;
  const char *path, *name, *stamp;
  const char *dictionary, *activations; /* content checksums */
  const char *model_hash;
  int64_t promoted; /* tokens a feature and end */
} EvaluateFile;

/** Write it; the tokens are found on the way.
 *  ranks   collective
 *  fails   ERR_SPACE, ERR_FILE, ERR_MEMORY: no file then */
Status evaluate_file_write(const EvaluateFile *file, const EvaluateFigures *figures, const Sae *sae,
                           Promote *promote) MUST_USE;

#endif
