#include "rebuild.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "memory.h"

void rebuild_begin(Rebuild *rebuild, int64_t width) {
  ASSERT(rebuild->width == width || rebuild->direction == NULL);
  rebuild->width = width;
  rebuild->children = rebuild->shares = 0;
}

static Status make_room(Rebuild *rebuild, int64_t count) {
  if (rebuild->children == rebuild->direction_room) {
    const int64_t room = 2 * rebuild->direction_room + 16;
    TRY(MEMORY_RESIZE(&rebuild->direction, room * rebuild->width, "directions of children"));
    rebuild->direction_room = room;
  }
  if (rebuild->shares + count > rebuild->share_room) {
    const int64_t room = 2 * (rebuild->shares + count);
    TRY(MEMORY_RESIZE(&rebuild->share, room, "firings that children share"));
    TRY(MEMORY_RESIZE(&rebuild->turn, room, "firings that children share"));
    rebuild->share_room = room;
  }
  return OK;
}

Status rebuild_add(Rebuild *rebuild, const uint32_t *at, const float *value, int64_t count,
                   float **direction) {
  ASSERT(rebuild->children < REBUILD_MOST);
  TRY(make_room(rebuild, count));
  for (int64_t i = 0; i < count; ++i) {
    rebuild->share[rebuild->shares++] =
        (RebuildShare){.at = at[i], .child = (uint32_t)rebuild->children, .value = value[i]};
  }
  *direction = rebuild->direction + rebuild->children++ * rebuild->width;
  return OK;
}

/* By firing; a firing's children in the order in which they came. */
static void sort_shares(Rebuild *rebuild, int64_t firings) {
  int64_t *start = rebuild->start;
  memset(start, 0, (size_t)(firings + 1) * sizeof *start);
  for (int64_t i = 0; i < rebuild->shares; ++i) {
    ++start[rebuild->share[i].at + 1];
  }
  for (int64_t t = 0; t < firings; ++t) {
    start[t + 1] += start[t];
  }
  for (int64_t i = 0; i < rebuild->shares; ++i) {
    rebuild->turn[start[rebuild->share[i].at]++] = rebuild->share[i];
  }
}

static Status take_ends(Rebuild *rebuild, int64_t firings) {
  if (rebuild->rest == NULL) {
    TRY(MEMORY_NEW(&rebuild->rest, rebuild->width, "what children leave"));
  }
  if (firings + 1 > rebuild->firing_room) {
    TRY(MEMORY_RESIZE(&rebuild->start, firings + 1, "firings of a parent"));
    rebuild->firing_room = firings + 1;
  }
  return OK;
}

Status rebuild_end(Rebuild *rebuild, const float *direction, const float *value, int64_t firings,
                   double *out) {
  double all = 0, left = 0;
  *out = NAN;
  if (rebuild->children == 0) {
    return OK;
  }
  TRY(take_ends(rebuild, firings));
  sort_shares(rebuild, firings); /* start[t] is then where the shares of t + 1 begin */
  for (int64_t t = 0, i = 0; t < firings; ++t) {
    const double whole = (double)value[t] * (double)value[t];
    all += whole;
    if (i == rebuild->start[t]) {
      left += whole;
      continue;
    }
    memset(rebuild->rest, 0, (size_t)rebuild->width * sizeof *rebuild->rest);
    dense_add(rebuild->rest, direction, rebuild->width, value[t]);
    for (; i < rebuild->start[t]; ++i) {
      const RebuildShare *share = &rebuild->turn[i];
      dense_add(rebuild->rest, rebuild->direction + share->child * rebuild->width, rebuild->width,
                -share->value);
    }
    left += dense_square(rebuild->rest, rebuild->width);
  }
  *out = all > 0 ? 1 - left / all : NAN;
  return OK;
}

void rebuild_close(Rebuild *rebuild) {
  MEMORY_FREE(rebuild->direction);
  MEMORY_FREE(rebuild->rest);
  MEMORY_FREE(rebuild->share);
  MEMORY_FREE(rebuild->turn);
  MEMORY_FREE(rebuild->start);
}
