#ifndef LOSS_H
#define LOSS_H

#include <stdint.h>

#include "transformer.h"

/** How well a model foresees a text: -log P(next token) in nats, row by row. */

enum { LOSS_LOGITS = 512 * 8192 }; /* formed at a time: 16 MB */

/** ranks   local
 *  residual in     [rows, width] the stream after the last layer
 *  logits  out     [LOSS_LOGITS] scratch
 *  loss    out     [rows] of the token behind each; nan where a context ends */
void loss_of_unit(TransformerScratch *scratch, const Transformer *transformer,
                  const TransformerUnit *unit, const float *residual, float *logits, double *loss);

#endif
