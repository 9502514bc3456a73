#include "directions.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "threads.h"

Shard directions_shard(int64_t latents, int rank, int size) {
  return shard_of(latents, shard_latent_block(latents), rank, size);
}

static Shard own_of_part(const Team *team, int64_t latents, Shard part) {
  const int64_t block = shard_latent_block(latents);
  ASSERT(part.first % block == 0 && (part.past % block == 0 || part.past == latents));
  const Shard own = shard_of(shard_count(part), block, team->rank, team->size);
  return (Shard){part.first + own.first, part.first + own.past};
}

Status directions_open_part(Directions *directions, const Team *team, int64_t latents,
                            int64_t width, Shard part) {
  memset(directions, 0, sizeof(*directions));
  directions->latents = latents;
  directions->width = width;
  directions->part = part;
  directions->own = own_of_part(team, latents, part);
  const int64_t count = shard_count(directions->own);
  TRY(MEMORY_NEW(&directions->rows, count * width, "rows of a dictionary"));
  TRY(MEMORY_NEW(&directions->state, count, "states of latents"));
  TRY(MEMORY_NEW(&directions->is_left_out, count, "dead latents"));
  memset(directions->state, DIRECTION_ALIVE, (size_t)count);
  return OK;
}

Status directions_open(Directions *directions, const Team *team, int64_t latents, int64_t width) {
  return directions_open_part(directions, team, latents, width, (Shard){0, latents});
}

void directions_clear(Directions *directions) {
  MEMORY_FREE(directions->rows);
  MEMORY_FREE(directions->state);
  MEMORY_FREE(directions->is_left_out);
}

DirectionState directions_state(double square, int64_t firings, int64_t seen) {
  if (square == 0) {
    return DIRECTION_DEAD;
  }
  if (firings > 0) {
    return DIRECTION_ALIVE;
  }
  return seen >= DIRECTION_DEAD_ROWS ? DIRECTION_DEAD : DIRECTION_UNSEEN;
}

void directions_judge(Directions *directions, const int64_t *firings, int64_t seen) {
  for (int64_t i = 0; i < shard_count(directions->own); i++) {
    const double square = dense_square(directions->rows + i * directions->width, directions->width);
    directions->state[i] =
        (uint8_t)directions_state(square, firings == NULL ? 1 : firings[i], seen);
  }
  directions_adopt(directions, directions->state);
}

void directions_adopt(Directions *directions, const uint8_t *state) {
  for (int64_t i = 0; i < shard_count(directions->own); i++) {
    directions->state[i] = state[i];
    directions->is_left_out[i] = state[i] == DIRECTION_DEAD;
  }
}

int64_t directions_count(Team *team, const Directions *directions, DirectionState state) {
  int64_t count = 0;
  for (int64_t i = 0; i < shard_count(directions->own); i++) {
    count += directions->state[i] == state;
  }
  exchange_sum(team, &count, 1);
  return count;
}

static bool unit_row(float *row, int64_t width) {
  const double norm = sqrt(dense_square(row, width));
  if (norm > 0) {
    for (int64_t j = 0; j < width; j++) {
      row[j] = (float)(row[j] / norm);
    }
  }
  return isfinite(norm);
}

/** Rows in units of work. */
enum { UNIT_ROWS = 1024 };

typedef struct Scaling {
  const Directions *directions;
  const char *place;
} Scaling;

static Status unit_rows(int64_t unit, int thread, void *context) {
  const Scaling *scaling = context;
  const Directions *directions = scaling->directions;
  (void)thread;
  const int64_t own = shard_count(directions->own);
  const int64_t past = (unit + 1) * UNIT_ROWS < own ? (unit + 1) * UNIT_ROWS : own;
  for (int64_t i = unit * UNIT_ROWS; i < past; i++) {
    if (!unit_row(directions->rows + i * directions->width, directions->width)) {
      return RAISE(ERR_NUMERIC, "%s: the row of latent %lld is not finite", scaling->place,
                   (long long)(directions->own.first + i));
    }
  }
  return OK;
}

Status directions_unit(Directions *directions, const char *place) {
  Scaling scaling = {directions, place};
  const int64_t own = shard_count(directions->own);
  return threads_run((own + UNIT_ROWS - 1) / UNIT_ROWS, unit_rows, &scaling);
}
