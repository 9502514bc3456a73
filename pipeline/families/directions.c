#include "directions.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "memory.h"

Shard directions_shard(int64_t latents, int rank, int size) {
  return shard_of(latents, shard_latent_block(latents), rank, size);
}

Status directions_open(Directions *directions, const Team *team, int64_t latents, int64_t width) {
  memset(directions, 0, sizeof(*directions));
  directions->latents = latents;
  directions->width = width;
  directions->own = directions_shard(latents, team->rank, team->size);
  const int64_t count = shard_count(directions->own);
  TRY(MEMORY_NEW(&directions->rows, count * width, "rows of a dictionary"));
  TRY(MEMORY_NEW(&directions->state, count, "states of latents"));
  TRY(MEMORY_NEW(&directions->is_left_out, count, "dead latents"));
  memset(directions->state, DIRECTION_ALIVE, (size_t)count);
  return OK;
}

void directions_clear(Directions *directions) {
  MEMORY_FREE(directions->rows);
  MEMORY_FREE(directions->state);
  MEMORY_FREE(directions->is_left_out);
}

static DirectionState judge(double square, int64_t firings, int64_t seen) {
  if (square == 0) {
    return DIRECTION_DEAD;
  }
  if (firings > 0) {
    return DIRECTION_ALIVE;
  }
  return seen >= DIRECTION_DEAD_ROWS ? DIRECTION_DEAD : DIRECTION_UNSEEN;
}

Status directions_judge(Directions *directions, const int64_t *firings, int64_t seen) {
  for (int64_t i = 0; i < shard_count(directions->own); i++) {
    const double square = dense_square(directions->rows + i * directions->width, directions->width);
    if (!isfinite(square)) {
      return RAISE(ERR_NUMERIC, "decoder row of latent %lld is not finite",
                   (long long)(directions->own.first + i));
    }
    const DirectionState state = judge(square, firings == NULL ? 1 : firings[i], seen);
    directions->state[i] = (uint8_t)state;
    directions->is_left_out[i] = state == DIRECTION_DEAD;
  }
  return OK;
}

static void unit_row(float *row, int64_t width) {
  const double norm = sqrt(dense_square(row, width));
  if (norm > 0) {
    for (int64_t j = 0; j < width; j++) {
      row[j] = (float)(row[j] / norm);
    }
  }
}

void directions_unit(Directions *directions) {
  for (int64_t i = 0; i < shard_count(directions->own); i++) {
    unit_row(directions->rows + i * directions->width, directions->width);
  }
}

void directions_centre(Directions *directions, const float *mean) {
  for (int64_t i = 0; i < shard_count(directions->own); i++) {
    float *row = directions->rows + i * directions->width;
    for (int64_t j = 0; j < directions->width; j++) {
      row[j] -= mean[j];
    }
    unit_row(row, directions->width);
  }
}
