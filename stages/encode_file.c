#include "encode_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "directions.h"
#include "exchange.h"
#include "gate.h"
#include "label.h"
#include "log.h"
#include "memory.h"
#include "random.h"
#include "schema.h"
#include "shard.h"
#include "tally.h"

enum { LATENTS = 16384 }; /* described and written at a time */

/* The file while it is written, and what is said of some latents. */
typedef struct Writer {
  const EncodeFile *file;
  Shard own;
  Archive *out;
  Codes *codes;
  CodesFirings firings;
  Tally *tally;
  Label *label;
  int64_t states[3];    /* latents of each DirectionState, all ranks */
  int64_t supported;    /* alive ones with enough firings, all ranks */
  int64_t *start;       /* [LATENTS] */
  int64_t *count;       /* [LATENTS] firings */
  double *sum, *square; /* [LATENTS] */
  float *maximum, *density;
  int64_t *top;    /* [LATENTS, examples] */
  int64_t *drawn;  /* [LATENTS, intervals, per_interval] */
  uint32_t *token; /* [LATENTS, LABEL_TOKENS] */
} Writer;

static int64_t drawn_of(const EncodeSettings *settings) {
  return settings->intervals * settings->per_interval;
}

static Status take(Writer *writer) {
  const EncodeFile *file = writer->file;
  const EncodeSettings *settings = file->settings;
  TRY(tally_create(&writer->tally, settings->examples, settings->intervals,
                   settings->per_interval));
  if (file->vocabulary > 0) {
    TRY(label_create(&writer->label, file->token_rows, file->vocabulary));
  }
  TRY(MEMORY_NEW(&writer->start, LATENTS, "places of firings"));
  TRY(MEMORY_NEW(&writer->count, LATENTS, "counts of firings"));
  TRY(MEMORY_NEW(&writer->sum, LATENTS, "sums of activations"));
  TRY(MEMORY_NEW(&writer->square, LATENTS, "sums of squares"));
  TRY(MEMORY_NEW(&writer->maximum, LATENTS, "maxima"));
  TRY(MEMORY_NEW(&writer->density, LATENTS, "densities"));
  TRY(MEMORY_NEW(&writer->top, LATENTS * settings->examples, "top examples"));
  TRY(MEMORY_NEW(&writer->drawn, LATENTS * drawn_of(settings), "examples"));
  return MEMORY_NEW(&writer->token, LATENTS * LABEL_TOKENS, "label tokens");
}

static void give_back(Writer *writer) {
  tally_destroy(&writer->tally);
  if (writer->label != NULL) {
    label_destroy(&writer->label);
  }
  MEMORY_FREE(writer->start);
  MEMORY_FREE(writer->count);
  MEMORY_FREE(writer->sum);
  MEMORY_FREE(writer->square);
  MEMORY_FREE(writer->maximum);
  MEMORY_FREE(writer->density);
  MEMORY_FREE(writer->top);
  MEMORY_FREE(writer->drawn);
  MEMORY_FREE(writer->token);
}

static Status declare(Writer *writer) {
  const EncodeSettings *settings = writer->file->settings;
  const int64_t rows = writer->file->rows;
  const int64_t latents = writer->file->latents;
  const int64_t entries = codes_entries(writer->codes);
  const int64_t firings = writer->firings.total;
  const ArchiveDataset datasets[] = {
      {"/row_start", ARCHIVE_I64, 1, {rows + 1}, "first entry of each row", "entries"},
      {"/id", ARCHIVE_U32, 1, {entries}, "latent, by descending value within a row", "latent"},
      {"/value", ARCHIVE_F32, 1, {entries}, "activation", "scaled"},
      {"/active", ARCHIVE_U8, 1, {entries}, "1: fires (of topk: among the k of the row)", "1"},
      {"/feature_start", ARCHIVE_I64, 1, {latents + 1}, "first firing of each feature", "firings"},
      {"/feature_row", ARCHIVE_U32, 1, {firings}, "rows where a feature fires, ascending", "row"},
      {"/feature_value", ARCHIVE_F32, 1, {firings}, "activation there", "scaled"},
      {"/firings", ARCHIVE_I64, 1, {latents}, "rows where the feature is active", "rows"},
      {"/firings_held_out", ARCHIVE_I64, 1, {latents}, "held-out ones among them", "rows"},
      {"/sum", ARCHIVE_F64, 1, {latents}, "sum of the activations", "scaled"},
      {"/sum_square", ARCHIVE_F64, 1, {latents}, "sum of their squares", "scaled^2"},
      {"/maximum", ARCHIVE_F32, 1, {latents}, "largest activation, 0 for none", "scaled"},
      {"/log10_density",
       ARCHIVE_F32,
       1,
       {latents},
       "decimal log of firings / rows, -inf: none",
       "1"},
      {"/top_row",
       ARCHIVE_I64,
       2,
       {latents, settings->examples},
       "rows of the largest activations, largest first (-1: none)",
       "row"},
      {"/label_token",
       ARCHIVE_U32,
       2,
       {latents, LABEL_TOKENS},
       "tokens most over-represented where the feature fires, best first (4294967295: none)",
       "token"},
      {"/interval_row",
       ARCHIVE_I64,
       3,
       {latents, settings->intervals, settings->per_interval},
       "rows drawn from equal intervals of (0, maximum], highest first (-1: none)",
       "row"}};
  for (size_t i = 0; i < sizeof(datasets) / sizeof(datasets[0]); i++) {
    TRY(archive_add(writer->out, &datasets[i]));
  }
  return OK;
}

/* By row. */

static Status write_part(Writer *writer, const CodesPart *part) {
  Archive *out = writer->out;
  TRY(archive_write(out, "/row_start", part->first_row, part->rows, part->row_start));
  TRY(archive_write(out, "/id", part->first_entry, part->entries, part->id));
  TRY(archive_write(out, "/value", part->first_entry, part->entries, part->value));
  return archive_write(out, "/active", part->first_entry, part->entries, part->active);
}

static Status write_rows(Writer *writer) {
  const int64_t entries = codes_entries(writer->codes);
  for (int64_t i = 0; i < codes_parts(writer->codes); i++) {
    CodesPart part;
    TRY_ALL(writer->file->team, codes_part(writer->codes, i, &part));
    TRY(write_part(writer, &part));
  }
  const int64_t last = writer->file->team->rank == 0;
  return archive_write(writer->out, "/row_start", writer->file->rows, last, &entries);
}

/* By feature. */

static void count_state(Writer *writer, int64_t latent) {
  const int64_t firings = writer->firings.start[latent + 1] - writer->firings.start[latent];
  const double square = writer->file->is_zero[latent] ? 0.0 : 1.0;
  const DirectionState state = directions_state(square, firings, writer->file->rows);
  writer->states[state]++;
  writer->supported += state == DIRECTION_ALIVE && firings >= ENCODE_FILE_FIRINGS;
}

static Status find_label(const Writer *writer, const uint32_t *token, const TallyList *list,
                         uint32_t *out) {
  if (writer->label != NULL) {
    return label_find(writer->label, token, list->value, list->count, out);
  }
  for (int i = 0; i < LABEL_TOKENS; i++) {
    out[i] = LABEL_NONE;
  }
  return OK;
}

/* Latent `latent` of this rank into place `at`. */
static Status describe(Writer *writer, int64_t latent, int64_t at) {
  const EncodeFile *file = writer->file;
  const CodesFirings *firings = &writer->firings;
  const int64_t start = firings->start[latent];
  const TallyList list = {.count = firings->start[latent + 1] - start,
                          .row = firings->row + start,
                          .value = firings->value + start};
  const TallySums sums = tally_sums(&list, file->rows);
  writer->start[at] = firings->before + start;
  writer->count[at] = list.count;
  writer->sum[at] = sums.sum;
  writer->square[at] = sums.sum_square;
  writer->maximum[at] = sums.maximum;
  writer->density[at] = sums.log10_density;
  tally_top(writer->tally, &list, writer->top + at * file->settings->examples);
  const uint64_t key = random_subkey(file->key, (uint64_t)(writer->own.first + latent));
  tally_intervals(writer->tally, &list, key, writer->drawn + at * drawn_of(file->settings));
  count_state(writer, latent);
  return find_label(writer, firings->token + start, &list, writer->token + at * LABEL_TOKENS);
}

static Status describe_all(Writer *writer, int64_t first, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    TRY(describe(writer, first + i, i));
  }
  return OK;
}

static Status write_block(Writer *writer, int64_t first, int64_t count) {
  Archive *out = writer->out;
  const int64_t place = writer->own.first + first;
  const int64_t *held_out = writer->firings.held_out + first;
  TRY(archive_write(out, "/feature_start", place, count, writer->start));
  TRY(archive_write(out, "/firings", place, count, writer->count));
  TRY(archive_write(out, "/firings_held_out", place, count, held_out));
  TRY(archive_write(out, "/sum", place, count, writer->sum));
  TRY(archive_write(out, "/sum_square", place, count, writer->square));
  TRY(archive_write(out, "/maximum", place, count, writer->maximum));
  TRY(archive_write(out, "/log10_density", place, count, writer->density));
  TRY(archive_write(out, "/top_row", place, count, writer->top));
  TRY(archive_write(out, "/interval_row", place, count, writer->drawn));
  return archive_write(out, "/label_token", place, count, writer->token);
}

static Status write_features(Writer *writer) {
  const CodesFirings *firings = &writer->firings;
  const int64_t latents = writer->file->latents;
  const int64_t own = shard_count(writer->own);
  Team *team = writer->file->team;
  /* Rank 0 owns the most latents: all take part in its rounds. */
  const int64_t most = shard_count(directions_shard(latents, 0, team->size));
  for (int64_t first = 0; first < most; first += LATENTS) {
    const int64_t left = first < own ? own - first : 0;
    const int64_t count = left < LATENTS ? left : LATENTS;
    TRY_ALL(team, describe_all(writer, first, count));
    TRY(write_block(writer, left > 0 ? first : 0, count));
  }
  const int64_t last = team->rank == 0;
  TRY(archive_write(writer->out, "/feature_start", latents, last, &firings->total));
  TRY(archive_write(writer->out, "/feature_row", firings->before, firings->count, firings->row));
  return archive_write(writer->out, "/feature_value", firings->before, firings->count,
                       firings->value);
}

/* Attributes. */

static Status set_origin(const Writer *writer) {
  const EncodeFile *file = writer->file;
  TRY(archive_note_text(writer->out, "/", "stamp", file->stamp));
  TRY(archive_set_text(writer->out, "/", "name", file->name));
  TRY(archive_set_text(writer->out, "/", "dictionary", file->dictionary));
  TRY(archive_set_text(writer->out, "/", "activations", file->activations));
  TRY(archive_set_integer(writer->out, "/", "rows", file->rows));
  return archive_set_integer(writer->out, "/", "k", file->k);
}

static Status set_gate(const Writer *writer, double l0) {
  const EncodeFile *file = writer->file;
  const Gate gate = {.is_import = file->is_import,
                     .l0 = l0,
                     .stated_l0 = file->stated_l0,
                     .explained_variance = file->explained_variance};
  Text sentence = {0};
  Status status = team_agree(file->team, gate_judge(&gate, &sentence));
  if (status == OK && sentence.length > 0) {
    log_warning("%s: %s", file->name, text_chars(&sentence));
  }
  if (status == OK) {
    status = archive_set_text(writer->out, "/", "gate", text_chars(&sentence));
  }
  text_clear(&sentence);
  TRY(status);
  return archive_set_text(writer->out, "/", "l0_class", gate_class(l0));
}

/* A note, not content: its last digits depend on the number of ranks. */
static Status note_pca(const Writer *writer, double l0) {
  const EncodePca *pca = writer->file->pca;
  char text[32] = "";
  const double value = pca == NULL ? (double)NAN : encode_pca_explained(pca, llround(l0));
  if (isfinite(value)) {
    snprintf(text, sizeof(text), "%.4f", value);
  }
  return archive_note_text(writer->out, "/", "pca_explained_variance", text);
}

static Status set_summary(Writer *writer) {
  Archive *out = writer->out;
  const double latents = (double)writer->file->latents;
  exchange_sum(writer->file->team, writer->states, 3);
  exchange_sum(writer->file->team, &writer->supported, 1);
  const double alive = (double)writer->states[DIRECTION_ALIVE];
  const double share_30 = alive > 0 ? (double)writer->supported / alive : (double)NAN;
  const double rows = (double)writer->file->rows;
  const double l0 = (double)writer->firings.total / rows;
  TRY(archive_set_real(out, "/", "l0", l0));
  TRY(set_gate(writer, l0));
  TRY(archive_set_real(out, "/", "dead_share", (double)writer->states[DIRECTION_DEAD] / latents));
  TRY(archive_set_real(out, "/", "unseen_share",
                       (double)writer->states[DIRECTION_UNSEEN] / latents));
  TRY(archive_set_real(out, "/", "explained_variance", writer->file->explained_variance));
  TRY(archive_set_real(out, "/", "share_30", share_30));
  TRY(note_pca(writer, l0));
  const bool is_thin = !(share_30 >= ENCODE_FILE_SHARE);
  return archive_set_text(out, "/", "warning", is_thin ? "too little text" : "");
}

static Status fill(Writer *writer) {
  TRY_ALL(writer->file->team, take(writer));
  TRY(codes_firings(writer->codes, &writer->firings));
  TRY(archive_create(writer->file->team, writer->file->path, SCHEMA_CODES, &writer->out));
  TRY(set_origin(writer));
  TRY(declare(writer));
  TRY(archive_begin(writer->out));
  TRY(write_rows(writer));
  TRY(write_features(writer));
  return set_summary(writer);
}

Status encode_file_write(const EncodeFile *file, Codes *codes) {
  const Team *team = file->team;
  Writer writer = {
      .file = file, .codes = codes, .own = directions_shard(file->latents, team->rank, team->size)};
  const Status status = fill(&writer);
  give_back(&writer);
  if (status != OK) {
    archive_abandon(&writer.out);
    return status;
  }
  return archive_finish(&writer.out, NULL);
}
