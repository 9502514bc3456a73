#include "codes_source.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "shard.h"
#include "tensor.h"
#include "text.h"

/* The arrays of either layout. START is `indptr`, or `row`, which tells where rows start too. */
typedef enum Column { START, FEATURE, VALUE, SHAPE, COLUMNS } Column;

static const char *const CSR_NAMES[COLUMNS] = {"indptr", "indices", "data", "shape"};
static const char *const ENTRY_NAMES[COLUMNS] = {"row", "feature", "value", NULL};

struct CodesSource {
  Team *team;
  char *path;
  const char *folder;
  TensorFile *file;
  bool is_csr;
  TensorFile *unpacked[COLUMNS]; /* NULL: read in place */
  const Tensor *tensors[COLUMNS];
  int64_t rows, latents; /* codes_source_check */
  int64_t entries;
  /* Of the rows read last. */
  int64_t *start;   /* [rows_most + 1] */
  int64_t *integer; /* [PIECE] */
  uint32_t *id;     /* [entries_most] */
  float *value;     /* [entries_most] */
  int64_t rows_most, entries_most;
};

enum { PIECE = 65536 }; /* integers looked at together */

/* Opening. */

static const char *name_of(const CodesSource *source, Column column) {
  return source->is_csr ? CSR_NAMES[column] : ENTRY_NAMES[column];
}

static Status check_format(const CodesSource *source) {
  static const char FORMAT[] = "csr";
  const Tensor *format = tensor_find(source->file, "format");
  int64_t letters[3] = {0};
  char text[64];
  if (format == NULL || format->is_packed) { /* a packed one: the names tell csr from coo */
    return OK;
  }
  if (format->count == 3) {
    TRY(tensor_read_integer(source->file, format, 0, 3, letters));
  }
  for (int i = 0; i < 3; i++) {
    if (letters[i] != FORMAT[i]) {
      return RAISE(ERR_UNSUPPORTED,
                   "%s: its `format` (%s) is not csr: save it again as matrix.tocsr()",
                   source->path, tensor_describe(format, text));
    }
  }
  return OK;
}

static Status find_columns(CodesSource *source) {
  TRY(tensor_open(&source->file, source->path));
  source->is_csr = tensor_find(source->file, CSR_NAMES[START]) != NULL;
  for (int c = 0; c < COLUMNS; c++) {
    const char *name = name_of(source, (Column)c);
    source->tensors[c] = name != NULL ? tensor_find(source->file, name) : NULL;
    if (name != NULL && source->tensors[c] == NULL) {
      return RAISE(ERR_FORMAT,
                   "%s has no array '%s': sparse codes are a CSR matrix (indptr, indices, data, "
                   "shape: scipy.sparse.save_npz of matrix.tocsr()), or row, feature and value of "
                   "each entry",
                   source->path, name);
    }
  }
  return source->is_csr ? check_format(source) : OK;
}

static Status unpacked_path(const CodesSource *source, Column column, Text *path) {
  const char *name = strrchr(source->path, '/');
  return text_printf(path, "%s/%s.%s.unpacked", source->folder,
                     name != NULL ? name + 1 : source->path, name_of(source, column));
}

static Status open_unpacked(CodesSource *source, Column column, const char *path) {
  TRY(tensor_open(&source->unpacked[column], path));
  source->tensors[column] = tensor_at(source->unpacked[column], 0);
  return OK;
}

/* Rank 0 unpacks, all open; then the name can go. collective */
static Status unpack_to(CodesSource *source, Column column, const char *path) {
  Team *team = source->team;
  Status status = team_agree(
      team, team->rank == 0 ? tensor_unpack(source->file, source->tensors[column], path) : OK);
  if (status == OK) {
    status = team_agree(team, open_unpacked(source, column, path));
  }
  if (team->rank == 0) {
    unlink(path);
  }
  return status;
}

static Status unpack(CodesSource *source, Column column) {
  Text path = {0};
  if (source->tensors[column] == NULL || !source->tensors[column]->is_packed) {
    return OK;
  }
  Status status = team_agree(source->team, unpacked_path(source, column, &path));
  if (status == OK) {
    status = unpack_to(source, column, text_chars(&path));
  }
  text_clear(&path);
  return status;
}

static Status check_column(const CodesSource *source, Column column) {
  const Tensor *tensor = source->tensors[column];
  const bool is_real = column == VALUE;
  char text[64];
  if (tensor != NULL && (tensor->dims != 1 || (tensor->type <= TENSOR_BF16) != is_real)) {
    return RAISE(ERR_FORMAT, "%s: %s is %s, wanted are %s", source->path, name_of(source, column),
                 tensor_describe(tensor, text),
                 is_real ? "floating-point numbers [entries]" : "integers in one dimension");
  }
  return OK;
}

static Status check_columns(CodesSource *source) {
  for (int c = 0; c < COLUMNS; c++) {
    TRY(check_column(source, (Column)c));
  }
  source->entries = source->tensors[VALUE]->count;
  if (source->tensors[FEATURE]->count != source->entries ||
      (!source->is_csr && source->tensors[START]->count != source->entries)) {
    return RAISE(ERR_FORMAT, "%s: '%s' and the others have not the same length: %lld and %lld",
                 source->path, name_of(source, VALUE), (long long)source->entries,
                 (long long)source->tensors[FEATURE]->count);
  }
  return MEMORY_NEW(&source->integer, PIECE, "numbers of codes");
}

static Status open_all(CodesSource *source, const char *path) {
  Team *team = source->team;
  TRY_ALL(team, memory_copy_text(&source->path, path));
  TRY_ALL(team, find_columns(source));
  for (int c = 0; c < COLUMNS; c++) {
    TRY(unpack(source, (Column)c));
  }
  return team_agree(team, check_columns(source));
}

Status codes_source_open(CodesSource **out, Team *team, const char *path, const char *folder) {
  CodesSource *source;
  *out = NULL;
  TRY_NEW(team, &source, 1, "sparse codes");
  *source = (CodesSource){.team = team, .folder = folder};
  const Status status = open_all(source, path);
  if (status != OK) {
    codes_source_close(&source);
  }
  *out = source;
  return status;
}

void codes_source_close(CodesSource **handle) {
  CodesSource *source = *handle;
  if (source == NULL) {
    return;
  }
  for (int c = 0; c < COLUMNS; c++) {
    tensor_close(&source->unpacked[c]);
  }
  tensor_close(&source->file);
  MEMORY_FREE(source->start);
  MEMORY_FREE(source->integer);
  MEMORY_FREE(source->id);
  MEMORY_FREE(source->value);
  MEMORY_FREE(source->path);
  MEMORY_FREE(*handle);
}

/* Reading. */

static Status read_integers(CodesSource *source, Column column, int64_t first, int64_t count,
                            int64_t *out) {
  TensorFile *unpacked = source->unpacked[column];
  return tensor_read_integer(unpacked != NULL ? unpacked : source->file, source->tensors[column],
                             first, count, out);
}

static Status check_shape(CodesSource *source) {
  int64_t shape[2] = {0};
  if (source->tensors[SHAPE]->count == 2) {
    TRY(read_integers(source, SHAPE, 0, 2, shape));
  }
  if (shape[0] != source->rows || shape[1] != source->latents) {
    return RAISE(ERR_DATA,
                 "%s: its shape is [%lld, %lld], but there are %lld rows and %lld latents",
                 source->path, (long long)shape[0], (long long)shape[1], (long long)source->rows,
                 (long long)source->latents);
  }
  if (source->tensors[START]->count != source->rows + 1) {
    return RAISE(ERR_DATA, "%s: indptr has %lld items, not rows + 1 = %lld", source->path,
                 (long long)source->tensors[START]->count, (long long)source->rows + 1);
  }
  return OK;
}

/* Places of the first entry of rows [first, first + count]. */
static Status check_starts(const CodesSource *source, int64_t first, int64_t count,
                           const int64_t *start) {
  const bool is_end = first + count == source->rows;
  if ((first == 0 && start[0] != 0) || (is_end && start[count] != source->entries)) {
    return RAISE(ERR_DATA, "%s: indptr goes from %lld to %lld, but there are %lld entries",
                 source->path, (long long)start[0], (long long)start[count],
                 (long long)source->entries);
  }
  for (int64_t i = 0; i < count; i++) {
    if (start[i] < 0 || start[i + 1] < start[i] || start[i + 1] > source->entries) {
      return RAISE(ERR_DATA, "%s: indptr does not ascend: row %lld goes from entry %lld to %lld",
                   source->path, (long long)(first + i), (long long)start[i],
                   (long long)start[i + 1]);
    }
    if (start[i + 1] - start[i] > source->latents) {
      return RAISE(ERR_DATA, "%s: row %lld has %lld entries, more than the %lld latents",
                   source->path, (long long)(first + i), (long long)(start[i + 1] - start[i]),
                   (long long)source->latents);
    }
  }
  return OK;
}

static Status check_row_piece(const CodesSource *source, int64_t first, int64_t count,
                              int64_t before) {
  const int64_t *row = source->integer;
  for (int64_t i = 0; i < count; i++) {
    if (row[i] < 0 || row[i] >= source->rows) {
      return RAISE(ERR_DATA, "%s: entry %lld is of row %lld, but there are %lld rows", source->path,
                   (long long)(first + i), (long long)row[i], (long long)source->rows);
    }
    if (row[i] < before) {
      return RAISE(ERR_DATA, "%s: entry %lld is of row %lld, the one before of %lld: sort by row",
                   source->path, (long long)(first + i), (long long)row[i], (long long)before);
    }
    before = row[i];
  }
  return OK;
}

/* This rank's part of all entries, and the one before it. */
static Status check_rows(CodesSource *source) {
  const Shard own = shard_of(source->entries, PIECE, source->team->rank, source->team->size);
  int64_t before = 0;
  if (own.first > 0 && own.first < own.past) {
    TRY(read_integers(source, START, own.first - 1, 1, &before));
  }
  for (int64_t at = own.first; at < own.past; at += PIECE) {
    const int64_t count = own.past - at < PIECE ? own.past - at : PIECE;
    TRY(read_integers(source, START, at, count, source->integer));
    TRY(check_row_piece(source, at, count, before));
    before = source->integer[count - 1];
  }
  return OK;
}

/* Of a CSR matrix the places are checked when they are read. */
Status codes_source_check(CodesSource *source, int64_t rows, int64_t latents) {
  source->rows = rows;
  source->latents = latents;
  return team_agree(source->team, source->is_csr ? check_shape(source) : check_rows(source));
}

static Status fit_rows(CodesSource *source, int64_t rows) {
  if (source->start == NULL || rows > source->rows_most) {
    TRY(MEMORY_RESIZE(&source->start, rows + 1, "places of codes"));
    source->rows_most = rows;
  }
  return OK;
}

static Status fit_entries(CodesSource *source, int64_t entries) {
  if (source->id == NULL || entries > source->entries_most) {
    const int64_t most = entries + entries / 4;
    TRY(MEMORY_RESIZE(&source->id, most, "ids of codes"));
    TRY(MEMORY_RESIZE(&source->value, most, "values of codes"));
    source->entries_most = most;
  }
  return OK;
}

/* The first entry of a row that is not below `row`. */
static Status find_row(CodesSource *source, int64_t row, int64_t *entry) {
  int64_t first = 0, past = source->entries;
  while (first < past) {
    const int64_t middle = first + (past - first) / 2;
    int64_t found;
    TRY(read_integers(source, START, middle, 1, &found));
    first = found < row ? middle + 1 : first;
    past = found < row ? past : middle;
  }
  *entry = first;
  return OK;
}

/* start[r + 1] counts the entries of row first + r, and in the end is where they end. */
static Status count_rows(CodesSource *source, int64_t first, int64_t rows) {
  int64_t *start = source->start, from, past;
  TRY(find_row(source, first, &from));
  TRY(find_row(source, first + rows, &past));
  memset(start, 0, (size_t)(rows + 1) * sizeof(*start));
  for (int64_t at = from; at < past; at += PIECE) {
    const int64_t count = past - at < PIECE ? past - at : PIECE;
    TRY(read_integers(source, START, at, count, source->integer));
    for (int64_t i = 0; i < count; i++) {
      const int64_t row = source->integer[i] - first;
      if (row < 0 || row >= rows) {
        return RAISE(ERR_FILE, "%s: was changed while it was read", source->path);
      }
      start[row + 1]++;
    }
  }
  start[0] = from;
  for (int64_t r = 0; r < rows; r++) {
    start[r + 1] += start[r];
  }
  return OK;
}

static Status read_ids(CodesSource *source, int64_t from, int64_t count) {
  for (int64_t done = 0; done < count; done += PIECE) {
    const int64_t now = count - done < PIECE ? count - done : PIECE;
    TRY(read_integers(source, FEATURE, from + done, now, source->integer));
    for (int64_t i = 0; i < now; i++) {
      const int64_t id = source->integer[i];
      if (id < 0 || id >= source->latents) {
        return RAISE(ERR_DATA, "%s: entry %lld: latent %lld of %lld", source->path,
                     (long long)(from + done + i), (long long)id, (long long)source->latents);
      }
      source->id[done + i] = (uint32_t)id;
    }
  }
  return OK;
}

static Status read_entries(CodesSource *source, int64_t from, int64_t count) {
  TensorFile *unpacked = source->unpacked[VALUE];
  TRY(fit_entries(source, count));
  TRY(read_ids(source, from, count));
  return tensor_read_real(unpacked != NULL ? unpacked : source->file, source->tensors[VALUE], from,
                          count, source->value);
}

Status codes_source_read(CodesSource *source, int64_t first, int64_t rows, CodesSlice *out) {
  ASSERT(first >= 0 && rows >= 0 && first + rows <= source->rows);
  TRY(fit_rows(source, rows));
  if (source->is_csr) {
    TRY(read_integers(source, START, first, rows + 1, source->start));
  } else {
    TRY(count_rows(source, first, rows));
  }
  TRY(check_starts(source, first, rows, source->start));
  const int64_t from = source->start[0];
  for (int64_t r = 0; r <= rows; r++) {
    source->start[r] -= from;
  }
  TRY(read_entries(source, from, source->start[rows]));
  *out = (CodesSlice){source->start, source->id, source->value};
  return OK;
}
