#include "families_picked.h"

#include <string.h>

#include "memory.h"

static Status take(FamiliesPicked *picked, int64_t count, int64_t firings) {
  TRY(MEMORY_NEW(&picked->start, count + 1, "firings of some features"));
  TRY(MEMORY_NEW(&picked->row, firings, "firings of some features"));
  return MEMORY_NEW(&picked->value, firings, "firings of some features");
}

Status families_pick(FamiliesPicked *picked, const EvidenceChildren *from, const int64_t *feature,
                     int64_t count) {
  int64_t firings = 0;
  for (int64_t i = 0; i < count; ++i) {
    firings += from->start[feature[i] + 1] - from->start[feature[i]];
  }
  TRY(take(picked, count, firings));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = from->start[feature[i]] - from->start[0], to = picked->start[i];
    const int64_t fired = from->start[feature[i] + 1] - from->start[feature[i]];
    if (fired > 0) {
      memcpy(picked->row + to, from->row + at, (size_t)fired * sizeof *picked->row);
      memcpy(picked->value + to, from->value + at, (size_t)fired * sizeof *picked->value);
    }
    picked->start[i + 1] = to + fired;
  }
  picked->children =
      (EvidenceChildren){count, picked->start, picked->row, picked->value, from->place};
  return OK;
}

void families_picked_close(FamiliesPicked *picked) {
  MEMORY_FREE(picked->start);
  MEMORY_FREE(picked->row);
  MEMORY_FREE(picked->value);
}
