#include "encode_rows.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "schema.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

static Status take_batch(EncodeRows *rows) {
  const int64_t values = rows->has_values ? ENCODE_ROWS_BATCH * rows->width : 0;
  TRY(memory_take(&rows->raw, values, rows->is_bf16 ? 2 : 4, "raw rows of a batch"));
  TRY(MEMORY_NEW(&rows->x, values, "rows of a batch"));
  TRY(MEMORY_NEW(&rows->token, ENCODE_ROWS_BATCH, "tokens of a batch"));
  TRY(MEMORY_NEW(&rows->document, ENCODE_ROWS_BATCH, "documents of a batch"));
  TRY(MEMORY_NEW(&rows->is_held_out, ENCODE_ROWS_BATCH, "held-out rows of a batch"));
  TRY(MEMORY_NEW(&rows->counts, rows->team->size, "counts of rows"));
  TRY(MEMORY_NEW(&rows->mean, rows->width, "mean row"));
  TRY(MEMORY_NEW(&rows->document_held_out, rows->documents, "held-out documents"));
  return MEMORY_NEW(&rows->token_rows, rows->vocabulary, "rows of each token");
}

static Status check_length(const EncodeRows *rows, const char *name, int64_t length) {
  if (length != rows->rows) {
    return RAISE(ERR_FORMAT, "%s: %s has %lld rows, /activation %lld", archive_path(rows->file),
                 name, (long long)length, (long long)rows->rows);
  }
  return OK;
}

/* Codes name rows by 32 bits. */
static Status check_count(const EncodeRows *rows) {
  if (rows->rows == 0) {
    return RAISE(ERR_DATA, "%s has no rows", archive_path(rows->file));
  }
  if (rows->rows >= UINT32_MAX) {
    return RAISE(ERR_UNSUPPORTED, "%s has %lld rows: codes are limited to 4294967294",
                 archive_path(rows->file), (long long)rows->rows);
  }
  if (rows->has_values && rows->width == 0) {
    return RAISE(ERR_DATA,
                 "%s has no activations, only codes made elsewhere: nothing to encode; give every "
                 "dictionary its `codes`, or import activations too",
                 archive_path(rows->file));
  }
  return OK;
}

/* Rows made elsewhere may come without tokens. */
static Status measure_tokens(EncodeRows *rows) {
  int64_t tokens, starts = 0;
  if (archive_has(rows->file, "/vocabulary_start")) {
    TRY(archive_shape(rows->file, "/vocabulary_start", ARCHIVE_I64, 1, &starts));
  }
  rows->vocabulary = starts > 0 ? starts - 1 : 0;
  rows->has_tokens = rows->vocabulary > 0;
  if (!rows->has_tokens) {
    return OK;
  }
  TRY(archive_shape(rows->file, "/token", ARCHIVE_U32, 1, &tokens));
  return team_agree(rows->team, check_length(rows, "/token", tokens));
}

static Status measure_file(EncodeRows *rows) {
  int64_t shape[2], documents;
  rows->is_bf16 = archive_is(rows->file, "/activation", ARCHIVE_BF16);
  TRY(archive_shape(rows->file, "/activation", rows->is_bf16 ? ARCHIVE_BF16 : ARCHIVE_F32, 2,
                    shape));
  rows->rows = shape[0];
  rows->width = shape[1];
  TRY_ALL(rows->team, check_count(rows));
  TRY(measure_tokens(rows));
  TRY(archive_shape(rows->file, "/document", ARCHIVE_U32, 1, &documents));
  TRY_ALL(rows->team, check_length(rows, "/document", documents));
  return archive_shape(rows->file, "/document_held_out", ARCHIVE_U8, 1, &rows->documents);
}

Status encode_rows_open(EncodeRows *rows, Team *team, const char *path, bool has_values) {
  *rows = (EncodeRows){.team = team, .has_values = has_values};
  TRY(archive_open(team, path, SCHEMA_ACTIVATIONS, "cleave-harvest", &rows->file));
  TRY(measure_file(rows));
  TRY_ALL(team, take_batch(rows));
  TRY(archive_read(rows->file, "/mean", 0, rows->width, rows->mean));
  return archive_read(rows->file, "/document_held_out", 0, rows->documents,
                      rows->document_held_out);
}

void encode_rows_close(EncodeRows *rows) {
  archive_close(&rows->file);
  memory_release(rows->raw);
  MEMORY_FREE(rows->x);
  MEMORY_FREE(rows->token);
  MEMORY_FREE(rows->document);
  MEMORY_FREE(rows->is_held_out);
  MEMORY_FREE(rows->counts);
  MEMORY_FREE(rows->mean);
  MEMORY_FREE(rows->document_held_out);
  MEMORY_FREE(rows->token_rows);
}

void encode_rows_rewind(EncodeRows *rows) {
  memset(rows->token_rows, 0, (size_t)rows->vocabulary * sizeof(*rows->token_rows));
}

/* This rank's slice of a dataset, and then everybody's. */
static Status gather(EncodeRows *rows, const char *name, int64_t first, Shard slice,
                     size_t row_bytes, void *all) {
  char *own = (char *)all + (size_t)slice.first * row_bytes;
  TRY(archive_read(rows->file, name, first + slice.first, shard_count(slice), own));
  exchange_gather(rows->team, own, rows->counts, row_bytes, all);
  return OK;
}

typedef struct Scaling {
  const EncodeRows *rows;
  int64_t first, count;
  float scale;
} Scaling;

/* Every rank checks all rows, as it has them: so all find the same one. */
static Status scale_unit(int64_t unit, int thread, void *context) {
  const Scaling *scaling = context;
  const EncodeRows *rows = scaling->rows;
  const int64_t width = rows->width;
  (void)thread;
  for (int64_t r = unit * ROWS_A_UNIT; r < (unit + 1) * ROWS_A_UNIT && r < scaling->count; r++) {
    float *x = rows->x + r * width;
    if (rows->is_bf16) {
      dense_from_bf16((const uint16_t *)rows->raw + r * width, width, x);
    } else {
      memcpy(x, (const float *)rows->raw + r * width, (size_t)width * sizeof(*x));
    }
    for (int64_t j = 0; j < width; j++) {
      x[j] *= scaling->scale;
    }
    if (!isfinite(dense_square(x, width))) {
      return RAISE(ERR_NUMERIC, "%s: row %lld is not finite", archive_path(rows->file),
                   (long long)(scaling->first + r));
    }
  }
  return OK;
}

static Status scale_rows(const EncodeRows *rows, int64_t first, int64_t count, float scale) {
  Scaling scaling = {rows, first, count, scale};
  return threads_run((count + ROWS_A_UNIT - 1) / ROWS_A_UNIT, scale_unit, &scaling);
}

static Status check_ids(const EncodeRows *rows, int64_t first, int64_t count) {
  for (int64_t r = 0; r < count; r++) {
    if ((rows->has_tokens && rows->token[r] >= rows->vocabulary) ||
        rows->document[r] >= rows->documents) {
      return RAISE(ERR_FORMAT, "%s: row %lld names token %u of %lld and document %u of %lld",
                   archive_path(rows->file), (long long)(first + r), rows->token[r],
                   (long long)rows->vocabulary, rows->document[r], (long long)rows->documents);
    }
  }
  return OK;
}

static Status gather_batch(EncodeRows *rows, int64_t first, int64_t count) {
  const Team *team = rows->team;
  const Shard slice = shard_of(count, 1, team->rank, team->size);
  for (int r = 0; r < team->size; r++) {
    rows->counts[r] = shard_count(shard_of(count, 1, r, team->size));
  }
  const size_t row_bytes = (size_t)rows->width * (rows->is_bf16 ? 2 : 4);
  if (rows->has_values) {
    TRY(gather(rows, "/activation", first, slice, row_bytes, rows->raw));
  }
  if (rows->has_tokens) {
    TRY(gather(rows, "/token", first, slice, sizeof(*rows->token), rows->token));
  }
  return gather(rows, "/document", first, slice, sizeof(*rows->document), rows->document);
}

Status encode_rows_read(EncodeRows *rows, int64_t first, double scale, EncodeBatch *batch) {
  const int64_t left = rows->rows - first;
  const int64_t count = left < ENCODE_ROWS_BATCH ? left : ENCODE_ROWS_BATCH;
  TRY(gather_batch(rows, first, count));
  if (rows->has_values) {
    TRY_ALL(rows->team, scale_rows(rows, first, count, (float)scale));
  }
  TRY_ALL(rows->team, check_ids(rows, first, count));
  for (int64_t r = 0; r < count; r++) {
    rows->is_held_out[r] = rows->document_held_out[rows->document[r]] != 0;
    if (rows->has_tokens) {
      rows->token_rows[rows->token[r]]++;
    }
  }
  *batch = (EncodeBatch){.first = first,
                         .rows = count,
                         .x = rows->has_values ? rows->x : NULL,
                         .token = rows->token,
                         .is_held_out = rows->is_held_out};
  return OK;
}
