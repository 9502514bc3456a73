#ifndef GATE_H
#define GATE_H

#include <stdbool.h>

#include "status.h"
#include "text.h"

/** Does an imported dictionary do on the user's rows what its maker says it does? The usual causes
 *  of a no (wrong layer, scale, model variant, missing BOS, quantised model) all show in the number
 *  of active latents and in the explained variance. */
typedef struct Gate {
  bool is_import;            /* else there is nothing to doubt */
  double l0, stated_l0;      /* active latents a row; stated nan: nobody says */
  double explained_variance; /* nan: not known */
} Gate;

/** l0 off by more than this factor, or less variance explained than this, does not pass. */
#define GATE_FACTOR 2.0
#define GATE_VARIANCE 0.3

/** Append what is wrong and the causes to look for; nothing when all is well.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status gate_judge(const Gate *gate, Text *sentence) MUST_USE;

/** "small" (below 25 active latents a row), "medium" (below 75) or "big": dictionaries of different
 *  classes are compared with a warning.
 *  ranks   local */
const char *gate_class(double l0);

#endif
