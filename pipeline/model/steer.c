#include "steer.h"

#include <math.h>

#include "dense.h"
#include "exchange.h"
#include "memory.h"

void steer_close(Steer *steer) {
  MEMORY_FREE(steer->found);
  steer->room = 0;
}

/* The activation of a latent of this rank, 0 where it does not fire. */
static double activation_of(const Fire *fire, int64_t row, int64_t latent) {
  for (int64_t i = fire->start[row]; i < fire->start[row + 1]; ++i) {
    if (select_id(fire->keys[i]) == latent && fire_is_active(fire, row, i)) {
      return (double)fire->values[i];
    }
  }
  return 0;
}

/* What all clamps find in the rows, before any row changes. */
static Status find(Steer *steer, const float *rows, int64_t count) {
  for (int64_t c = 0; c < steer->count; ++c) {
    const SteerClamp *clamp = &steer->clamps[c];
    if (c == 0 || clamp->codec != steer->clamps[c - 1].codec) {
      TRY(codec_encode(clamp->codec, rows, count));
    }
    for (int64_t r = 0; r < count; ++r) {
      steer->found[c * count + r] = activation_of(clamp->codec->fire, r, clamp->latent);
    }
  }
  exchange_max(steer->team, steer->found, steer->count * count);
  return OK;
}

static void change_row(const Steer *steer, float *row, int64_t r, int64_t count) {
  for (int64_t c = 0; c < steer->count; ++c) {
    const SteerClamp *clamp = &steer->clamps[c];
    const double found = steer->found[c * count + r];
    const double wanted = isnan(clamp->value) ? found : clamp->value;
    if (wanted != found) {
      dense_add(row, clamp->direction, steer->width,
                (float)((wanted - found) / clamp->codec->scale));
    }
  }
}

static Status change(Steer *steer, float *rows, int64_t count) {
  TRY(find(steer, rows, count));
  for (int64_t r = 0; r < count; ++r, ++steer->position) {
    float *row = rows + r * steer->width;
    const bool is_left_out =
        steer->is_left_out != NULL && steer->is_left_out(steer->context, steer->position, row);
    if (steer->position >= steer->first && !is_left_out) {
      change_row(steer, row, r, count);
    }
  }
  return OK;
}

Status steer_rows(Steer *steer, float *rows, int64_t count) {
  int64_t most = count;
  for (int64_t c = 0; c < steer->count; ++c) {
    most = steer->clamps[c].codec->most < most ? steer->clamps[c].codec->most : most;
  }
  if (steer->count == 0) {
    steer->position += count;
    return OK;
  }
  if (most > steer->room) {
    TRY_ALL(steer->team,
            MEMORY_RESIZE(&steer->found, steer->count * most, "activations of clamped features"));
    steer->room = most;
  }
  for (int64_t first = 0; first < count; first += most) {
    const int64_t left = count - first;
    TRY(change(steer, rows + first * steer->width, left < most ? left : most));
  }
  return OK;
}

static Status call(void *context, int64_t layer, float *residual, int64_t rows) {
  Steer *steer = context;
  return layer == steer->layer ? steer_rows(steer, residual, rows) : OK;
}

TransformerHook steer_hook(Steer *steer) {
  return (TransformerHook){call, steer};
}
