#ifndef BLUEPRINT_H
#define BLUEPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "status.h"
#include "weights.h"

/** What a GGUF file's metadata say about the model. ranks: all local. */

/** Fill everything of `weights` but the floats: shape, layers, their attention and RoPE tables.
 *  fails   as weights_init(); the caller clears */
Status blueprint_read(Weights *weights, const Gguf *gguf, const WeightsWanted *wanted) MUST_USE;

/** Do the file's query and key rows come in adjacent pairs? (After blueprint_read.) */
bool blueprint_is_paired(const Gguf *gguf);

#endif
