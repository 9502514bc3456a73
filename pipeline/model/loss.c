#include "loss.h"

#include <math.h>

#include "pointwise.h"

/* Rows meet the tokens of the output head tile by tile: a product takes its tile in anew for every block of rows, which
 * for few rows costs as much as the product. */
enum { ROWS = 512, TOKENS = LOSS_LOGITS / ROWS };

typedef struct Row {
  PointwiseMass mass;
  double own;   /* logit of the token behind it */
  int32_t next; /* that token; -1: the context ends */
} Row;

static void begin_rows(const TransformerUnit *unit, int64_t first, int64_t count, Row *rows) {
  int64_t context = 0, end = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = first + i;
    while (row >= end) {
      end += unit->lengths[context++];
    }
    rows[i] = (Row){.next = row + 1 < end ? unit->ids[row + 1] : -1};
  }
}

static void add_tile(Row *row, float *logits, int64_t first, int64_t tokens) {
  if (row->next >= first && row->next < first + tokens) {
    row->own = (double)logits[row->next - first];
  }
  if (row->next >= 0) {
    pointwise_mass_add(&row->mass, logits, tokens);
  }
}

void loss_of_unit(TransformerScratch *scratch, const Transformer *transformer,
                  const TransformerUnit *unit, const float *residual, float *logits, double *loss) {
  const int64_t width = transformer_width(transformer);
  const int64_t vocabulary = transformer_vocabulary(transformer);
  Row rows[ROWS];
  int64_t all = 0;
  for (int64_t c = 0; c < unit->contexts; ++c) {
    all += unit->lengths[c];
  }
  for (int64_t row = 0; row < all; row += ROWS) {
    const int64_t count = all - row < ROWS ? all - row : ROWS;
    begin_rows(unit, row, count, rows);
    for (int64_t token = 0; token < vocabulary; token += TOKENS) {
      const int64_t tokens = vocabulary - token < TOKENS ? vocabulary - token : TOKENS;
      transformer_logits_of(scratch, residual + row * width, count, token, tokens, logits);
      for (int64_t i = 0; i < count; ++i) {
        add_tile(&rows[i], logits + i * tokens, token, tokens);
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      loss[row + i] = rows[i].next >= 0 ? pointwise_mass_log(&rows[i].mass) - rows[i].own : NAN;
    }
  }
}
