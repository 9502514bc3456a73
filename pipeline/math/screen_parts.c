#include "screen_parts.h"

#include <math.h>

#include "dense.h"
#include "memory.h"
#include "threads.h"

void screen_norms(const float *rows, int64_t count, int64_t width, double *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = sqrt(dense_square(rows + i * width, width)) * (1.0 + 0x1p-40);
  }
}

float screen_round_down(double value) {
  const float near = (float)value;
  return (double)near > value ? nextafterf(near, -INFINITY) : near;
}

/* Two scores, fl(gemm + bias) and fl(dot + bias), differ by the error of the sums and one rounding
 * each; two more roundings are for adding the bound to a score in float32; the last term is for
 * products that underflow. */
double screen_bound(double error, int64_t width, double product, double bias) {
  return error * product + 0x1.1p-22 * (1.01 * product + bias) + (double)(width + 8) * 0x1p-147;
}

void screen_exact(const float *row, const float *others, int64_t width, const int64_t *picks,
                  int64_t count, float *out) {
  for (int64_t i = 0; i < count; i += 4) {
    const float *rows[4];
    float scores[4];
    for (int64_t j = 0; j < 4; j++) {
      rows[j] = others + picks[i + j < count ? i + j : i] * width;
    }
    if (count - i >= 3) {
      dense_dot4(row, (const float *const *)rows, width, scores);
    } else {
      for (int64_t j = 0; j < count - i; j++) {
        scores[j] = dense_dot(row, rows[j], width);
      }
    }
    for (int64_t j = 0; j < 4 && i + j < count; j++) {
      out[i + j] = scores[j];
    }
  }
}

/* Tiles are large, so that the BLAS packs seldom, but every thread gets one. */
int64_t screen_share(int64_t queries) {
  const int64_t share = (queries + threads_count() - 1) / threads_count();
  return share < LEAST_QUERIES ? LEAST_QUERIES : (share < QUERIES ? share : QUERIES);
}

static Status make_scratch(ScreenRoom *room) {
  TRY(MEMORY_NEW(&room->scratch, room->threads, "screening threads"));
  for (int t = 0; t < room->threads; t++) {
    ScreenScratch *s = &room->scratch[t];
    TRY(MEMORY_NEW(&s->score, room->queries * BASES, "scores of a tile"));
    TRY(MEMORY_NEW(&s->hits, BASES, "hits of a row"));
    TRY(MEMORY_NEW(&s->pools, room->queries, "candidates of a tile"));
    TRY(MEMORY_NEW(&s->lists, room->queries * room->list, "candidates of a tile"));
    TRY(MEMORY_NEW(&s->keys, room->list, "candidates of a row"));
    TRY(MEMORY_NEW(&s->picks, room->list, "candidates of a row"));
    TRY(MEMORY_NEW(&s->exact, room->list, "candidates of a row"));
  }
  return OK;
}

void screen_room_clear(ScreenRoom *room) {
  for (int t = 0; room->scratch != NULL && t < room->threads; t++) {
    ScreenScratch *s = &room->scratch[t];
    MEMORY_FREE(s->score);
    MEMORY_FREE(s->hits);
    MEMORY_FREE(s->pools);
    MEMORY_FREE(s->lists);
    MEMORY_FREE(s->keys);
    MEMORY_FREE(s->picks);
    MEMORY_FREE(s->exact);
  }
  MEMORY_FREE(room->scratch);
  *room = (ScreenRoom){0};
}

Status screen_room_fit(ScreenRoom *room, int64_t queries, int64_t list) {
  if (room->threads == threads_count() && room->queries >= queries && room->list >= list) {
    return OK;
  }
  screen_room_clear(room);
  *room = (ScreenRoom){.threads = threads_count(), .queries = queries, .list = list};
  const Status status = make_scratch(room);
  if (status != OK) {
    screen_room_clear(room);
  }
  return status;
}
