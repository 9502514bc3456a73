/* All features on a text: model, then dictionary, as harvest and encode do it. */

#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "glyph.h"
#include "inspect.h"
#include "memory.h"
#include "workbench.h"

enum { AT_A_TOKEN = 3, HEAD = 10 };

/* One firing on the text. */
typedef struct Firing {
  int64_t token, latent;
  double value;
} Firing;

typedef struct Reading {
  Stage *stage;
  Team *team;
  const DossierView *view;
  int dictionary;
  Workbench bench;
  WorkbenchDictionary own;
  TransformerScratch *scratch;
  TokenizerIds ids; /* one token in front that is not the text's */
  float *rows;      /* [ids.count, width] */
  uint8_t *is_left_out;
  Firing *firings; /* of all ranks; by token, strongest first */
  int64_t count;
} Reading;

static Status run_model(Reading *reading) {
  const Workbench *bench = &reading->bench;
  TRY(transformer_scratch_create(&reading->scratch, bench->transformer, reading->ids.count));
  TRY(MEMORY_NEW(&reading->rows, reading->ids.count * bench->width, "residual stream"));
  TRY(MEMORY_NEW(&reading->is_left_out, reading->ids.count, "marks of tokens"));
  const TransformerUnit unit = {reading->ids.ids, &reading->ids.count, 1};
  TRY(transformer_run(reading->scratch, &unit, NULL, reading->rows));
  for (int64_t t = 0; t < reading->ids.count; ++t) {
    reading->is_left_out[t] =
        workbench_is_left_out(&reading->bench, t, reading->rows + t * bench->width);
  }
  return OK;
}

static Status encode(Reading *reading) {
  TRY(workbench_dictionary_open(&reading->own, &reading->bench, reading->dictionary));
  TRY(workbench_dictionary_load(&reading->own, &reading->bench, reading->ids.count));
  return codec_encode(reading->own.codec, reading->rows, reading->ids.count);
}

static int by_token(const void *left, const void *right) {
  const Firing *a = left;
  const Firing *b = right;
  if (a->token != b->token) {
    return a->token < b->token ? -1 : 1;
  }
  if (a->value != b->value) {
    return a->value > b->value ? -1 : 1;
  }
  return a->latent < b->latent ? -1 : (a->latent > b->latent ? 1 : 0);
}

/* This rank's firings on tokens that are not left out. */
static Status gather_own(const Reading *reading, Firing **own, int64_t *count) {
  const Fire *fire = reading->own.codec->fire;
  *count = 0;
  TRY(MEMORY_NEW(own, fire->start[fire->rows], "firings on the text"));
  for (int64_t t = 0; t < fire->rows; ++t) {
    for (int64_t i = fire->start[t]; i < fire->start[t + 1] && !reading->is_left_out[t]; ++i) {
      (*own)[(*count)++] = (Firing){
          .token = t, .latent = select_id(fire->keys[i]), .value = (double)fire->values[i]};
    }
  }
  return OK;
}

static Status gather(Reading *reading) {
  Firing *own = NULL;
  int64_t mine = 0;
  Status status = team_agree(reading->team, gather_own(reading, &own, &mine));
  if (status == OK) {
    status = exchange_collect(reading->team, own, mine, sizeof(*own), (void **)&reading->firings,
                              &reading->count, "firings on the text");
  }
  MEMORY_FREE(own);
  TRY(status);
  qsort(reading->firings, (size_t)reading->count, sizeof(Firing), by_token);
  return OK;
}

static Status name_latent(const Reading *reading, int64_t latent, Text *line) {
  const Atlas *atlas = reading->view->atlas;
  TRY(text_printf(line, "%s/%lld ", atlas->dictionaries[reading->dictionary].name,
                  (long long)latent));
  return names_of(reading->view->names, atlas, reading->dictionary, latent, line, NULL);
}

/* A line a token: what fires there most. */
static Status write_tokens(const Reading *reading, const Strip *strip, Text *line, Text *out) {
  int64_t at = 0;
  for (int64_t t = 0; t < reading->ids.count; ++t) {
    const StripCell *cell = &strip->cells[t];
    while (at < reading->count && reading->firings[at].token < t) {
      ++at;
    }
    TRY(glyph_append_line(line, text_chars(&strip->text) + cell->start, cell->length));
    for (int64_t pad = glyph_columns(text_chars(line), line->length); pad < 16; ++pad) {
      TRY(text_append(line, " ", 1));
    }
    for (int i = 0; i < AT_A_TOKEN && at + i < reading->count; ++i) {
      const Firing *firing = &reading->firings[at + i];
      if (firing->token != t) {
        break;
      }
      TRY(text_printf(line, "%s%.3g ", i == 0 ? "" : "   ", firing->value));
      TRY(name_latent(reading, firing->latent, line));
    }
    TRY(reading->is_left_out[t] ? text_printf(line, "(left out, as harvest does)") : OK);
    TRY(dossier_line(reading->view, line, out));
  }
  return OK;
}

/* The text as a strip of one cell a token. */
static Status make_strip(const Reading *reading, Strip *strip) {
  Text piece = {0};
  TRY(MEMORY_RESIZE(&strip->cells, reading->ids.count, "cells of a strip"));
  Status status = OK;
  for (int64_t t = 0; status == OK && t < reading->ids.count; ++t) {
    StripCell *cell = &strip->cells[strip->count++];
    *cell = (StripCell){.start = strip->text.length, .has_row = !reading->is_left_out[t]};
    piece.length = 0;
    status = tokenizer_piece(reading->bench.tokenizer, reading->ids.ids[t], &piece);
    status =
        status == OK ? glyph_append_valid(&strip->text, text_chars(&piece), piece.length) : status;
    cell->length = strip->text.length - cell->start;
  }
  text_clear(&piece);
  return status;
}

/* A feature's strongest firing on the text. */
static int by_value(const void *left, const void *right) {
  const Firing *a = left;
  const Firing *b = right;
  if (a->value != b->value) {
    return a->value > b->value ? -1 : 1;
  }
  return by_token(left, right);
}

static Status write_feature(const Reading *reading, const Firing *best, Strip *strip, float *values,
                            Text *line, Text *out) {
  AtlasFeature feature;
  memset(values, 0, (size_t)strip->count * sizeof(*values));
  for (int64_t i = 0; i < reading->count; ++i) {
    if (reading->firings[i].latent == best->latent) {
      values[reading->firings[i].token] = (float)reading->firings[i].value;
    }
  }
  TRY(atlas_feature(reading->view->atlas, reading->dictionary, best->latent, &feature));
  const float most = (float)best->value > feature.maximum ? (float)best->value : feature.maximum;
  TRY(name_latent(reading, best->latent, line));
  TRY(dossier_line(reading->view, line, out));
  strip->centre = best->token;
  TRY(text_printf(out, "%*.3g  ", HEAD - 2, best->value));
  TRY(strip_draw(strip, values, most, reading->view->style, reading->view->columns - HEAD, out));
  return text_append(out, "\n", 1);
}

static Status write_features(Reading *reading, Strip *strip, int64_t most, Firing *sorted,
                             float *values, Text *line, Text *out) {
  memcpy(sorted, reading->firings, (size_t)reading->count * sizeof(*sorted));
  qsort(sorted, (size_t)reading->count, sizeof(*sorted), by_value);
  for (int64_t i = 0, shown = 0; i < reading->count && shown < most; ++i) {
    bool is_new = true;
    for (int64_t j = 0; j < i && is_new; ++j) {
      is_new = sorted[j].latent != sorted[i].latent;
    }
    if (is_new) {
      TRY(write_feature(reading, &sorted[i], strip, values, line, out));
      ++shown;
    }
  }
  return OK;
}

static Status write_all(Reading *reading, int64_t most, Text *out) {
  Strip strip = {0};
  Text line = {0};
  Firing *sorted = NULL;
  float *values = NULL;
  Status status = make_strip(reading, &strip);
  status = status == OK ? MEMORY_NEW(&sorted, reading->count, "firings by strength") : status;
  status = status == OK ? MEMORY_NEW(&values, strip.count, "values of a strip") : status;
  status = status == OK ? write_tokens(reading, &strip, &line, out) : status;
  status = status == OK ? text_append(out, "\n", 1) : status;
  status =
      status == OK ? write_features(reading, &strip, most, sorted, values, &line, out) : status;
  MEMORY_FREE(values);
  MEMORY_FREE(sorted);
  text_clear(&line);
  strip_clear(&strip);
  return status;
}

static Status read_text(Reading *reading, const char *text, int64_t most, Text *out) {
  int64_t front;
  TRY(workbench_open(&reading->bench, reading->stage));
  TRY_ALL(reading->team, workbench_tokens(&reading->bench, text, &reading->ids, &front));
  TRY(workbench_load(&reading->bench, false, reading->ids.count));
  TRY_ALL(reading->team, run_model(reading));
  TRY(encode(reading));
  TRY(gather(reading));
  TRY_ALL(reading->team, write_all(reading, most, out));
  return OK;
}

Status inspect_text(Stage *stage, const DossierView *view, int dictionary, const char *text,
                    int64_t most, Text *out) {
  Reading reading = {.stage = stage, .team = &stage->team, .view = view, .dictionary = dictionary};
  const Status status = read_text(&reading, text, most, out);
  MEMORY_FREE(reading.firings);
  MEMORY_FREE(reading.is_left_out);
  MEMORY_FREE(reading.rows);
  MEMORY_FREE(reading.ids.ids);
  transformer_scratch_destroy(&reading.scratch);
  workbench_dictionary_close(&reading.own);
  workbench_close(&reading.bench);
  return status;
}
