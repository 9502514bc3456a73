#include "phases.h"

#include "clock.h"

void phases_start(PhaseTimes *times) {
  times->mark = clock_seconds();
}

void phases_lap(PhaseTimes *times, Phase phase) {
  const double now = clock_seconds();
  times->seconds[phase] += now - times->mark;
  times->mark = now;
}

const char *phases_name(Phase phase) {
  static const char *const NAMES[PHASES] = {"input", "encoder",   "select", "scores", "decode",
                                            "AuxK",  "gradients", "Adam",   "saving"};
  return NAMES[phase];
}
