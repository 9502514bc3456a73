#include "train_rows.h"

#include <string.h>

#include "memory.h"
#include "schema.h"

enum { PIECE = 1 << 20 }; /* documents of rows read at a time */

static Status read_mean(TrainRows *rows, Team *team) {
  double *mean = NULL;
  Status status = team_agree(team, MEMORY_NEW(&mean, rows->width, "mean of the rows"));
  if (status == OK) {
    status = archive_read(rows->file, "/mean", 0, rows->width, mean);
  }
  for (int64_t j = 0; status == OK && j < rows->width; j++) {
    rows->mean[j] = (float)(mean[j] * rows->scale);
  }
  MEMORY_FREE(mean);
  return status;
}

Status train_rows_open(TrainRows *rows, Team *team, const char *path) {
  int64_t shape[2];
  int64_t width;
  *rows = (TrainRows){0};
  TRY(archive_open(team, path, SCHEMA_ACTIVATIONS, "cleave-harvest", &rows->file));
  rows->is_bf16 = archive_is(rows->file, "/activation", ARCHIVE_BF16);
  TRY(archive_shape(rows->file, "/activation", rows->is_bf16 ? ARCHIVE_BF16 : ARCHIVE_F32, 2,
                    shape));
  TRY(archive_shape(rows->file, "/mean", ARCHIVE_F64, 1, &width));
  rows->width = shape[1];
  if (width != rows->width) {
    return team_agree(team, RAISE(ERR_FORMAT, "%s: /mean has %lld values, rows have %lld", path,
                                  (long long)width, (long long)rows->width));
  }
  TRY(archive_get_real(rows->file, "/", "scale", &rows->scale));
  TRY(archive_get_integer(rows->file, "/", "layer", &rows->layer));
  TRY(archive_get_text(rows->file, "/", "model_hash", &rows->model_hash));
  TRY_NEW(team, &rows->mean, rows->width, "mean of the rows");
  return read_mean(rows, team);
}

void train_rows_close(TrainRows *rows) {
  archive_close(&rows->file);
  MEMORY_FREE(rows->mean);
  MEMORY_FREE(rows->model_hash);
  MEMORY_FREE(rows->run_row);
  MEMORY_FREE(rows->run_past);
}

/* Runs while they are collected, on rank 0. */
typedef struct Collection {
  TrainRows *rows;
  const uint8_t *held_out; /* [documents] */
  int64_t documents, capacity;
  bool is_open; /* the last run may go on */
} Collection;

static Status open_run(Collection *c, int64_t row) {
  TrainRows *rows = c->rows;
  if (rows->runs == c->capacity) {
    c->capacity = c->capacity == 0 ? 1024 : 2 * c->capacity;
    TRY(MEMORY_RESIZE(&rows->run_row, c->capacity, "runs of training rows"));
    TRY(MEMORY_RESIZE(&rows->run_past, c->capacity, "runs of training rows"));
  }
  rows->run_row[rows->runs] = row;
  rows->run_past[rows->runs] = rows->rows;
  rows->runs++;
  c->is_open = true;
  return OK;
}

static Status collect_piece(Collection *c, int64_t first, int64_t count, const uint32_t *document) {
  TrainRows *rows = c->rows;
  for (int64_t i = 0; i < count; i++) {
    if (document[i] >= c->documents) {
      return RAISE(ERR_FORMAT, "%s: row %lld is of document %u, but there are %lld",
                   archive_path(rows->file), (long long)(first + i), document[i],
                   (long long)c->documents);
    }
    if (c->held_out[document[i]]) {
      c->is_open = false;
      continue;
    }
    if (!c->is_open) {
      TRY(open_run(c, first + i));
    }
    rows->run_past[rows->runs - 1] = ++rows->rows;
  }
  return OK;
}

static Status collect_all(Collection *c, int64_t total) {
  uint32_t *document = NULL;
  TRY(MEMORY_NEW(&document, PIECE, "documents of rows"));
  Status status = OK;
  for (int64_t first = 0; status == OK && first < total; first += PIECE) {
    const int64_t count = total - first < PIECE ? total - first : PIECE;
    status = archive_read_here(c->rows->file, "/document", first, count, document);
    if (status == OK) {
      status = collect_piece(c, first, count, document);
    }
  }
  MEMORY_FREE(document);
  return status;
}

/* Rank 0 alone reads the documents of all rows. */
static Status collect(TrainRows *rows, int64_t total, int64_t documents) {
  uint8_t *held_out = NULL;
  TRY(MEMORY_NEW(&held_out, documents, "held-out documents"));
  Collection c = {.rows = rows, .held_out = held_out, .documents = documents};
  Status status = archive_read_here(rows->file, "/document_held_out", 0, documents, held_out);
  if (status == OK) {
    status = collect_all(&c, total);
  }
  if (status == OK && rows->rows == 0) {
    status = RAISE(ERR_DATA, "%s has no rows to train on: lower harvest.held_out",
                   archive_path(rows->file));
  }
  MEMORY_FREE(held_out);
  return status;
}

static Status take_runs(TrainRows *rows) {
  TRY(MEMORY_RESIZE(&rows->run_row, rows->runs, "runs of training rows"));
  return MEMORY_RESIZE(&rows->run_past, rows->runs, "runs of training rows");
}

Status train_rows_find(TrainRows *rows, Team *team) {
  int64_t total;
  int64_t documents;
  TRY(archive_shape(rows->file, "/document", ARCHIVE_U32, 1, &total));
  TRY(archive_shape(rows->file, "/document_held_out", ARCHIVE_U8, 1, &documents));
  TRY_ALL(team, team->rank == 0 ? collect(rows, total, documents) : OK);
  team_broadcast(team, &rows->rows, (int64_t)sizeof(rows->rows), 0);
  team_broadcast(team, &rows->runs, (int64_t)sizeof(rows->runs), 0);
  TRY_ALL(team, take_runs(rows));
  const int64_t bytes = rows->runs * (int64_t)sizeof(*rows->run_row);
  team_broadcast(team, rows->run_row, bytes, 0);
  team_broadcast(team, rows->run_past, bytes, 0);
  return OK;
}

/* The run that holds a training row. */
static int64_t find_run(const TrainRows *rows, int64_t row) {
  int64_t low = 0;
  int64_t high = rows->runs - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (rows->run_past[middle] > row) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/* A piece of training rows that lie together in the file. */
typedef struct Piece {
  int64_t at, rows; /* in the file */
} Piece;

/* The piece of run `run` from training row `first` on, at most `most` rows. */
static Piece piece_of(const TrainRows *rows, int64_t run, int64_t first, int64_t most) {
  const int64_t before = run == 0 ? 0 : rows->run_past[run - 1];
  const int64_t left = rows->run_past[run] - first;
  return (Piece){rows->run_row[run] + (first - before), left < most ? left : most};
}

void train_rows_ahead(void *context, int64_t first, int64_t count) {
  const TrainRows *rows = context;
  int64_t done = 0;
  for (int64_t run = find_run(rows, first); done < count; run++) {
    const Piece piece = piece_of(rows, run, first + done, count - done);
    archive_ahead(rows->file, "/activation", piece.at, piece.rows);
    done += piece.rows;
  }
}

Status train_rows_read(void *context, int64_t first, int64_t count, void *out) {
  const TrainRows *rows = context;
  const int64_t row_bytes = rows->width * (rows->is_bf16 ? 2 : 4);
  unsigned char *to = out;
  int64_t done = 0;
  for (int64_t run = find_run(rows, first); done < count; run++) {
    const Piece piece = piece_of(rows, run, first + done, count - done);
    TRY(archive_read_here(rows->file, "/activation", piece.at, piece.rows, to + done * row_bytes));
    done += piece.rows;
  }
  return OK;
}
