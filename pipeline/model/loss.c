#include "loss.h"

#include <math.h>

#include "pointwise.h"

enum { LOGITS = 1 << 22 };

int64_t loss_rows_at_once(const Transformer *transformer) {
  const int64_t rows = LOGITS / transformer_vocabulary(transformer);
  return rows > 0 ? rows : 1;
}

void loss_of_unit(TransformerScratch *scratch, const Transformer *transformer,
                  const TransformerUnit *unit, const float *residual, float *logits, double *loss) {
  const int64_t width = transformer_width(transformer);
  const int64_t vocabulary = transformer_vocabulary(transformer);
  const int64_t most = loss_rows_at_once(transformer);
  int64_t row = 0;
  for (int64_t c = 0; c < unit->contexts; ++c) {
    const int64_t last = row + unit->lengths[c] - 1;
    while (row < last) {
      const int64_t count = last - row < most ? last - row : most;
      transformer_logits(scratch, residual + row * width, count, logits);
      for (int64_t i = 0; i < count; ++i, ++row) {
        loss[row] = pointwise_surprise(logits + i * vocabulary, vocabulary, unit->ids[row + 1]);
      }
    }
    loss[row++] = NAN;
  }
}
