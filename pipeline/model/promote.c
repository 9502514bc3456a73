#include "promote.h"

#include <float.h>

#include "dense.h"
#include "memory.h"
#include "screen.h"

enum { PANEL = 4096 }; /* directions at a time */

struct Promote {
  TransformerHead head;
  int64_t width, vocabulary;
  bool in_bytes;
  double *norm; /* [vocabulary] of the head's rows */
  Lowp lowp;    /* the head's rows */
  ScreenRoom room;
  /* of a panel */
  float *rows;          /* [PANEL, width] sign * norm * direction */
  double *row_norm;     /* [PANEL] */
  uint8_t *is_left_out; /* [PANEL] zero */
  Lowp row_lowp;
};

static Status take(Promote *promote) {
  const int64_t width = promote->width;
  TRY(MEMORY_NEW(&promote->norm, promote->vocabulary, "norms of the output head"));
  TRY(MEMORY_NEW(&promote->rows, PANEL * width, "directions"));
  TRY(MEMORY_NEW(&promote->row_norm, PANEL, "norms of directions"));
  TRY(MEMORY_NEW(&promote->is_left_out, PANEL, "directions without a row"));
  screen_norms(promote->head.rows, promote->vocabulary, width, promote->norm);
  promote->in_bytes = lowp_is_open();
  if (promote->in_bytes) {
    TRY(lowp_create(&promote->lowp, promote->head.rows, promote->vocabulary, width, false));
    TRY(lowp_pack(&promote->lowp));
    TRY(lowp_create(&promote->row_lowp, NULL, PANEL, width, true));
  }
  return OK;
}

Status promote_create(Promote **out, const Transformer *transformer) {
  TRY(MEMORY_NEW(out, 1, "promoted tokens"));
  **out = (Promote){.head = transformer_head(transformer),
                    .width = transformer_width(transformer),
                    .vocabulary = transformer_vocabulary(transformer)};
  const Status status = take(*out);
  if (status != OK) {
    promote_destroy(out);
  }
  return status;
}

void promote_destroy(Promote **promote) {
  if (*promote != NULL) {
    Promote *p = *promote;
    MEMORY_FREE(p->norm);
    lowp_clear(&p->lowp);
    lowp_clear(&p->row_lowp);
    screen_room_clear(&p->room);
    MEMORY_FREE(p->rows);
    MEMORY_FREE(p->row_norm);
    MEMORY_FREE(p->is_left_out);
  }
  MEMORY_FREE(*promote);
}

static void set_panel(Promote *promote, const float *direction, int64_t count, int sign) {
  const int64_t width = promote->width;
  for (int64_t i = 0; i < count; ++i) {
    float *row = promote->rows + i * width;
    for (int64_t j = 0; j < width; ++j) {
      row[j] = (float)sign * direction[i * width + j] * promote->head.norm[j];
    }
    promote->is_left_out[i] = dense_square(row, width) == 0;
  }
  screen_norms(promote->rows, count, width, promote->row_norm);
  if (promote->in_bytes) {
    promote->row_lowp.count = count;
    lowp_fill(&promote->row_lowp, promote->rows, true);
  }
}

static Status search(Promote *promote, int64_t count, int64_t most, SelectKey *keys,
                     int64_t *counts) {
  const ScreenJob job = {.query = {.rows = promote->rows,
                                   .norm = promote->row_norm,
                                   .count = count,
                                   .is_left_out = promote->is_left_out,
                                   .lowp = promote->in_bytes ? &promote->row_lowp : NULL},
                         .base = {.rows = promote->head.rows,
                                  .norm = promote->norm,
                                  .count = promote->vocabulary,
                                  .lowp = promote->in_bytes ? &promote->lowp : NULL},
                         .width = promote->width,
                         .k = most,
                         .floor = -FLT_MAX,
                         .keys = keys,
                         .counts = counts,
                         .room = &promote->room};
  return screen_run(&job);
}

static void take_best(SelectKey *keys, int64_t count, int sign, int64_t most, int64_t *token,
                      float *effect) {
  select_sort(keys, count);
  for (int64_t i = 0; i < most; ++i) {
    token[i] = i < count ? select_id(keys[i]) : PROMOTE_NONE;
    effect[i] = i < count ? (float)sign * select_score(keys[i]) : 0;
  }
}

static Status find(Promote *promote, const float *direction, int64_t count, int sign, int64_t most,
                   SelectKey *keys, int64_t *counts, int64_t *token, float *effect) {
  for (int64_t first = 0; first < count; first += PANEL) {
    const int64_t rows = count - first < PANEL ? count - first : PANEL;
    set_panel(promote, direction + first * promote->width, rows, sign);
    for (int64_t i = 0; i < rows; ++i) {
      counts[i] = 0;
    }
    TRY(search(promote, rows, most, keys, counts));
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t to = (first + i) * most;
      take_best(keys + i * most, counts[i], sign, most, token + to, effect + to);
    }
  }
  return OK;
}

Status promote_find(Promote *promote, const float *direction, int64_t count, int sign, int64_t most,
                    int64_t *token, float *effect) {
  SelectKey *keys = NULL;
  int64_t *counts = NULL;
  Status status = MEMORY_NEW(&keys, PANEL * most, "tokens of directions");
  if (status == OK) {
    status = MEMORY_NEW(&counts, PANEL, "tokens of directions");
  }
  if (status == OK) {
    status = find(promote, direction, count, sign, most, keys, counts, token, effect);
  }
  MEMORY_FREE(keys);
  MEMORY_FREE(counts);
  return status;
}
