#include "gate.h"

#include <math.h>

#define CLASS_MEDIUM 25.0
#define CLASS_BIG 75.0

static bool is_far(const Gate *gate) {
  return !isnan(gate->stated_l0) &&
         (gate->l0 > GATE_FACTOR * gate->stated_l0 || gate->l0 * GATE_FACTOR < gate->stated_l0);
}

static bool is_poor(const Gate *gate) {
  return !isnan(gate->explained_variance) && gate->explained_variance < GATE_VARIANCE;
}

Status gate_judge(const Gate *gate, Text *sentence) {
  if (!gate->is_import || (!is_far(gate) && !is_poor(gate))) {
    return OK;
  }
  if (is_far(gate)) {
    TRY(text_printf(sentence, "%.1f active latents a row where its maker states %.1f%s", gate->l0,
                    gate->stated_l0, is_poor(gate) ? "; " : ""));
  }
  if (is_poor(gate)) {
    TRY(text_printf(sentence, "%.3g of the variance explained", gate->explained_variance));
  }
  return text_printf(sentence,
                     ": wrong layer, scale, model variant, missing BOS or quantised model?");
}

const char *gate_class(double l0) {
  return l0 < CLASS_MEDIUM ? "small" : (l0 < CLASS_BIG ? "medium" : "big");
}
