#include <math.h>
#include <string.h>

#include "activations_plan.h"
#include "archive.h"
#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "log.h"
#include "memory.h"
#include "random.h"
#include "schema.h"
#include "text.h"

enum { RUN_BYTES = 16 << 20, TOKENS_AT_ONCE = 1 << 20 };

/* The file as it will be, and the buffers of one run: consecutive own units, written at once. */
typedef struct Sheet {
  Activations *activations;
  const ActivationsFile *file;
  Archive *archive;
  int64_t rows;      /* of the file */
  int64_t documents; /* in it */
  int64_t tokens;    /* of them */
  int64_t held_out, trained;
  bool is_cut;
  double largest, largest_square; /* over training rows: bounds of the sums */
  double unit, square_unit;       /* of the fixed-point sums */
  int64_t *sums;                  /* [width + 1] values, then squares, of training rows */
  int64_t room;                   /* rows of the buffers */
  ActivationsRow *candidates;     /* [room] */
  uint8_t *values;                /* [room] stored rows */
  uint32_t *columns;              /* [3, room] token, document, position */
  float *widened;                 /* [width] */
  int64_t first, count;           /* rows of the run in hand */
  int64_t unit_at;                /* own unit where the next run begins */
  int64_t *vocabulary_start;      /* [vocabulary + 1] */
  int64_t vocabulary;
  Text pieces;
} Sheet;

static bool is_held_out(const Sheet *sheet, int64_t document) {
  const uint64_t key = random_key(sheet->file->seed, "held out", "");
  return random_uniform(key, (uint64_t)document) < sheet->file->held_out;
}

/* Rows of an own unit that come into the file. */
static int64_t taken_of(const Sheet *sheet, const UnitRecord *unit) {
  const int64_t left = sheet->rows - unit->first;
  return left <= 0 ? 0 : (left < unit->kept ? left : unit->kept);
}

/* Own units [from, *past) that fit into the buffers and are consecutive. */
static void next_run(const Sheet *sheet, int64_t from, int64_t *past) {
  const Activations *a = sheet->activations;
  int64_t rows = 0;
  for (*past = from; *past < a->count; ++*past) {
    const UnitRecord *unit = &a->units[*past];
    rows += unit->rows;
    if (*past > from && (unit->index != unit[-1].index + 1 || rows > sheet->room)) {
      return;
    }
  }
}

static int64_t count_runs(const Sheet *sheet) {
  int64_t runs = 0;
  for (int64_t at = 0; at < sheet->activations->count; ++runs) {
    next_run(sheet, at, &at);
  }
  return runs;
}

static Status take_buffers(Sheet *sheet) {
  const Activations *a = sheet->activations;
  const int64_t bytes = activations_row_bytes(&a->options);
  const int64_t room = RUN_BYTES / (bytes > 0 ? bytes : (int64_t)sizeof(uint32_t));
  sheet->room = room > a->largest_unit ? room : a->largest_unit;
  TRY(MEMORY_NEW(&sheet->candidates, sheet->room, "rows of a run"));
  TRY(MEMORY_NEW(&sheet->values, sheet->room * bytes, "values of a run"));
  TRY(MEMORY_NEW(&sheet->columns, 3 * sheet->room, "tokens and places of a run"));
  TRY(MEMORY_NEW(&sheet->widened, a->options.width, "a row"));
  return MEMORY_NEW(&sheet->sums, a->options.width + 1, "sums of the rows");
}

static void free_buffers(Sheet *sheet) {
  MEMORY_FREE(sheet->candidates);
  MEMORY_FREE(sheet->values);
  MEMORY_FREE(sheet->columns);
  MEMORY_FREE(sheet->widened);
  MEMORY_FREE(sheet->sums);
  MEMORY_FREE(sheet->vocabulary_start);
  text_clear(&sheet->pieces);
}

typedef struct Survey {
  double largest[2];     /* value, square */
  int64_t last_document; /* -1: no row */
  int64_t held_out, trained;
} Survey;

static void survey_row(const Sheet *sheet, const ActivationsRow *row, Survey *survey) {
  survey->last_document = row->document;
  if (is_held_out(sheet, row->document)) {
    ++survey->held_out;
    return;
  }
  ++survey->trained;
  survey->largest[0] = fmax(survey->largest[0], (double)row->largest);
  survey->largest[1] = fmax(survey->largest[1], row->square);
}

/* Look at all own rows that come into the file. local */
static Status survey_rows(Sheet *sheet, Survey *survey) {
  Activations *a = sheet->activations;
  for (int64_t u = 0; u < a->count; ++u) {
    int64_t left = taken_of(sheet, &a->units[u]);
    TRY(activations_read_rows(a, &a->units[u], sheet->candidates));
    for (int64_t i = 0; left > 0; ++i) {
      if (activations_keeps(a, &sheet->candidates[i])) {
        survey_row(sheet, &sheet->candidates[i], survey);
        --left;
      }
    }
  }
  return OK;
}

/* A file that was cut ends with the document of its last row; another one holds all documents.
 * collective */
static void count_documents(Sheet *sheet, int64_t last_document) {
  Activations *a = sheet->activations;
  exchange_max_integer(a->team, &last_document, 1);
  int64_t counts[2] = {0};
  if (a->team->rank == 0) {
    counts[0] = sheet->is_cut ? last_document + 1 : a->documents;
    counts[1] = a->document_start[counts[0]];
  }
  team_broadcast(a->team, counts, (int64_t)sizeof(counts), 0);
  sheet->documents = counts[0];
  sheet->tokens = counts[1];
}

static Status survey_all(Sheet *sheet) {
  Activations *a = sheet->activations;
  Survey survey = {.last_document = -1};
  TRY_ALL(a->team, survey_rows(sheet, &survey));
  int64_t counts[2] = {survey.held_out, survey.trained};
  exchange_sum(a->team, counts, 2);
  exchange_max(a->team, survey.largest, 2);
  sheet->held_out = counts[0];
  sheet->trained = counts[1];
  if (sheet->rows == 0) {
    return team_agree(a->team, RAISE(ERR_DATA,
                                     "no row was stored: the text is empty, or shorter "
                                     "than what is left out"));
  }
  if (sheet->trained == 0 && a->options.width > 0) {
    return team_agree(a->team, RAISE(ERR_DATA,
                                     "no row to train on: all documents are held out; "
                                     "give more documents or a lower harvest.held_out"));
  }
  sheet->unit = fixed_scale(survey.largest[0] * (double)sheet->trained);
  sheet->square_unit = fixed_scale(survey.largest[1] * (double)sheet->trained);
  count_documents(sheet, survey.last_document);
  return OK;
}

/* Bytes of all tokens. local */
static Status read_vocabulary(Sheet *sheet) {
  const Tokenizer *tokenizer = sheet->file->tokenizer;
  sheet->vocabulary = tokenizer != NULL ? tokenizer_size(tokenizer) : sheet->file->vocabulary;
  TRY(MEMORY_NEW(&sheet->vocabulary_start, sheet->vocabulary + 1, "starts of the tokens' bytes"));
  for (int64_t id = 0; id < sheet->vocabulary; ++id) {
    TRY(tokenizer != NULL ? tokenizer_piece(tokenizer, (int32_t)id, &sheet->pieces)
                          : text_printf(&sheet->pieces, " #%lld", (long long)id));
    sheet->vocabulary_start[id + 1] = sheet->pieces.length;
  }
  return OK;
}

static Status declare(Sheet *sheet) {
  const ActivationsOptions *options = &sheet->activations->options;
  const ArchiveType type = options->is_bf16 ? ARCHIVE_BF16 : ARCHIVE_F32;
  const int64_t rows = sheet->rows, width = options->width;
  const ArchiveDataset datasets[] = {
      {"/activation", type, 2, {rows, width}, "residual stream after the layer", "raw"},
      {"/document", ARCHIVE_U32, 1, {rows}, "document of the row", "id"},
      {"/position", ARCHIVE_U32, 1, {rows}, "index of the row's token in its document", "tokens"},
      {"/document_start",
       ARCHIVE_I64,
       1,
       {sheet->documents + 1},
       "first token of each document in /text_token",
       "tokens"},
      {"/document_held_out", ARCHIVE_U8, 1, {sheet->documents}, "1: kept from training", "1"},
      {"/text_token", ARCHIVE_U32, 1, {sheet->tokens}, "tokens of all documents", "id"},
      {"/vocabulary_start",
       ARCHIVE_I64,
       1,
       {sheet->vocabulary + 1},
       "first byte of each token in /vocabulary_byte",
       "bytes"},
      {"/vocabulary_byte", ARCHIVE_U8, 1, {sheet->pieces.length}, "bytes of the tokens", "1"},
      {"/mean", ARCHIVE_F64, 1, {width}, "mean of the training rows", "raw"},
  };
  const ArchiveDataset token = {"/token", ARCHIVE_U32, 1, {rows}, "token of the row", "id"};
  if (sheet->vocabulary > 0) {
    TRY(archive_add(sheet->archive, &token));
  }
  for (size_t i = 0; i < sizeof(datasets) / sizeof(datasets[0]); ++i) {
    TRY(archive_add(sheet->archive, &datasets[i]));
  }
  return archive_begin(sheet->archive);
}

/* Put one kept candidate behind the run's rows, and into the sums unless it is held out. */
static void put_row(Sheet *sheet, const ActivationsRow *row, const uint8_t *stored) {
  const ActivationsOptions *options = &sheet->activations->options;
  const int64_t at = sheet->count++, bytes = activations_row_bytes(options);
  sheet->columns[at] = row->token;
  sheet->columns[sheet->room + at] = row->document;
  sheet->columns[2 * sheet->room + at] = row->position;
  memmove(sheet->values + at * bytes, stored, (size_t)bytes);
  if (is_held_out(sheet, row->document)) {
    return;
  }
  if (options->is_bf16) {
    dense_from_bf16((const uint16_t *)(const void *)(sheet->values + at * bytes), options->width,
                    sheet->widened);
  } else {
    memcpy(sheet->widened, sheet->values + at * bytes, (size_t)bytes);
  }
  fixed_add_row(sheet->sums, sheet->widened, options->width, 1.0, sheet->unit);
  sheet->sums[options->width] += fixed_of(row->square, sheet->square_unit);
}

/* The next run's rows into the buffers: candidates are read behind the rows already there and moved
 * down. local */
static Status load_run(Sheet *sheet) {
  Activations *a = sheet->activations;
  const int64_t bytes = activations_row_bytes(&a->options);
  int64_t past = sheet->unit_at;
  next_run(sheet, sheet->unit_at, &past);
  sheet->count = 0;
  sheet->first = past > sheet->unit_at ? a->units[sheet->unit_at].first : 0;
  for (; sheet->unit_at < past; ++sheet->unit_at) {
    const UnitRecord *unit = &a->units[sheet->unit_at];
    int64_t left = taken_of(sheet, unit);
    uint8_t *stored = sheet->values + sheet->count * bytes;
    TRY(activations_read_rows(a, unit, sheet->candidates));
    TRY(spool_read(a->values, unit->offset * bytes, stored, unit->rows * bytes));
    for (int64_t i = 0; left > 0; ++i) {
      if (activations_keeps(a, &sheet->candidates[i])) {
        put_row(sheet, &sheet->candidates[i], stored + i * bytes);
        --left;
      }
    }
  }
  return OK;
}

static Status write_run(Sheet *sheet) {
  const int64_t first = sheet->count > 0 ? sheet->first : 0, count = sheet->count;
  TRY(archive_write(sheet->archive, "/activation", first, count, sheet->values));
  if (sheet->vocabulary > 0) {
    TRY(archive_write(sheet->archive, "/token", first, count, sheet->columns));
  }
  TRY(archive_write(sheet->archive, "/document", first, count, sheet->columns + sheet->room));
  return archive_write(sheet->archive, "/position", first, count, sheet->columns + 2 * sheet->room);
}

static Status write_rows(Sheet *sheet) {
  Team *team = sheet->activations->team;
  int64_t runs = count_runs(sheet);
  exchange_max_integer(team, &runs, 1);
  for (int64_t i = 0; i < runs; ++i) {
    TRY_ALL(team, load_run(sheet));
    TRY(write_run(sheet));
  }
  return OK;
}

/* Rank 0 has the documents and writes them. */
static Status write_tokens(Sheet *sheet, uint32_t *tokens) {
  Activations *a = sheet->activations;
  const int64_t size = (int64_t)sizeof(*tokens);
  for (int64_t first = 0; first < sheet->tokens; first += TOKENS_AT_ONCE) {
    const int64_t left = sheet->tokens - first;
    const int64_t count = left < TOKENS_AT_ONCE ? left : TOKENS_AT_ONCE;
    const bool mine = a->team->rank == 0;
    TRY_ALL(a->team, mine ? spool_read(a->tokens, first * size, tokens, count * size) : OK);
    TRY(archive_write(sheet->archive, "/text_token", mine ? first : 0, mine ? count : 0, tokens));
  }
  return OK;
}

static Status write_documents(Sheet *sheet, uint8_t *held_out) {
  Activations *a = sheet->activations;
  const bool mine = a->team->rank == 0;
  for (int64_t i = 0; i < sheet->documents && mine; ++i) {
    held_out[i] = is_held_out(sheet, i) ? 1 : 0;
  }
  TRY(archive_write(sheet->archive, "/document_start", 0, mine ? sheet->documents + 1 : 0,
                    a->document_start));
  return archive_write(sheet->archive, "/document_held_out", 0, mine ? sheet->documents : 0,
                       held_out);
}

static Status write_texts(Sheet *sheet) {
  Team *team = sheet->activations->team;
  const bool mine = team->rank == 0;
  uint32_t *tokens = NULL;
  uint8_t *held_out = NULL;
  Status status = MEMORY_NEW(&tokens, mine ? TOKENS_AT_ONCE : 0, "tokens of the text");
  if (status == OK) {
    status = MEMORY_NEW(&held_out, mine ? sheet->documents : 0, "held-out documents");
  }
  status = team_agree(team, status);
  if (status == OK) {
    status = write_tokens(sheet, tokens);
  }
  if (status == OK) {
    status = write_documents(sheet, held_out);
  }
  MEMORY_FREE(tokens);
  MEMORY_FREE(held_out);
  TRY(status);
  TRY(archive_write(sheet->archive, "/vocabulary_start", 0, mine ? sheet->vocabulary + 1 : 0,
                    sheet->vocabulary_start));
  return archive_write(sheet->archive, "/vocabulary_byte", 0, mine ? sheet->pieces.length : 0,
                       text_chars(&sheet->pieces));
}

/* Mean and scale of the training rows, from the sums over ranks. */
static Status write_statistics(Sheet *sheet) {
  const Activations *a = sheet->activations;
  const int64_t width = a->options.width;
  const double trained = sheet->trained > 0 ? (double)sheet->trained : 1.0;
  double *mean = NULL;
  exchange_sum(a->team, sheet->sums, width + 1);
  TRY_NEW(a->team, &mean, width, "the mean of the rows");
  for (int64_t i = 0; i < width; ++i) {
    mean[i] = fixed_to(sheet->sums[i], sheet->unit) / trained;
  }
  const double square = fixed_to(sheet->sums[width], sheet->square_unit) / trained;
  const Status status =
      archive_write(sheet->archive, "/mean", 0, a->team->rank == 0 ? width : 0, mean);
  MEMORY_FREE(mean);
  TRY(status);
  return archive_set_real(sheet->archive, "/", "scale",
                          square > 0.0 ? sqrt((double)width / square) : 1.0);
}

/* Positions without a row, in the units up to the one that holds the last row. */
static Status write_left_out(Sheet *sheet) {
  const Activations *a = sheet->activations;
  int64_t first = 0, special = 0, norm = 0;
  for (int64_t i = 0; i < a->all_count; ++i) {
    if (!sheet->is_cut || a->all[i].first < sheet->rows) {
      first += a->all[i].left_out_first;
      special += a->all[i].left_out_special;
      norm += a->all[i].rows - a->all[i].kept;
    }
  }
  char rows[32], norms[32];
  log_info(
      "%s rows of %lld documents stored (%lld rows held out); left out: %lld first positions, "
      "%lld special tokens, %s rows above %g median norms",
      text_of_count(sheet->rows, rows), (long long)sheet->documents, (long long)sheet->held_out,
      (long long)first, (long long)special, text_of_count(norm, norms), a->options.norm_limit);
  TRY(archive_set_integer(sheet->archive, "/", "left_out_first", first));
  TRY(archive_set_integer(sheet->archive, "/", "left_out_special", special));
  return archive_set_integer(sheet->archive, "/", "left_out_norm", norm);
}

static Status write_attributes(Sheet *sheet) {
  const ActivationsFile *file = sheet->file;
  TRY(archive_note_text(sheet->archive, "/", "stamp", file->stamp));
  TRY(archive_set_integer(sheet->archive, "/", "layer", file->layer));
  TRY(archive_set_integer(sheet->archive, "/", "context", file->context));
  TRY(archive_set_integer(sheet->archive, "/", "document_rows", file->document_rows));
  TRY(archive_set_text(sheet->archive, "/", "model", file->model));
  TRY(archive_set_text(sheet->archive, "/", "model_hash", file->model_hash));
  TRY(archive_set_integer(sheet->archive, "/", "rows_held_out", sheet->held_out));
  TRY(archive_set_real(sheet->archive, "/", "median_norm", sheet->activations->median));
  return write_left_out(sheet);
}

static Status write_file(Sheet *sheet) {
  Team *team = sheet->activations->team;
  TRY(archive_create(team, sheet->file->path, SCHEMA_ACTIVATIONS, &sheet->archive));
  TRY(declare(sheet));
  TRY(write_rows(sheet));
  TRY(write_statistics(sheet));
  TRY(write_texts(sheet));
  TRY(write_attributes(sheet));
  return archive_finish(&sheet->archive, NULL);
}

static Status write_sheet(Sheet *sheet) {
  Team *team = sheet->activations->team;
  TRY(activations_place(sheet->activations, &sheet->rows, &sheet->is_cut));
  TRY_ALL(team, take_buffers(sheet));
  TRY(survey_all(sheet));
  TRY_ALL(team, read_vocabulary(sheet));
  return write_file(sheet);
}

Status activations_write(Activations *activations, const ActivationsFile *file) {
  Sheet sheet = {.activations = activations, .file = file};
  const Status status = write_sheet(&sheet);
  archive_abandon(&sheet.archive);
  free_buffers(&sheet);
  return status;
}
