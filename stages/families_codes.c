#include "families_codes.h"

#include <stdlib.h>

#include "memory.h"

/* A chunk has at least a row, and at most so many rows and entries; the ranks of a machine share
   the entries (600 MB). */
enum { ROWS = 1 << 20, ENTRIES = 1 << 26, ENTRIES_LEAST = 1 << 22 };

static Status check_start(const char *path, const char *name, const int64_t *start, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (start[i + 1] < start[i]) {
      return RAISE(ERR_FORMAT, "%s: %s descends: run cleave-encode again", path, name);
    }
  }
  return OK;
}

/* What was there is read again: never both at once. */
static Status make_room(FamiliesCodes *codes, int64_t entries) {
  if (entries > codes->room) {
    codes->room = 0;
    MEMORY_FREE(codes->id);
    MEMORY_FREE(codes->value);
    MEMORY_FREE(codes->active);
    TRY(MEMORY_NEW(&codes->id, entries, "codes of rows"));
    TRY(MEMORY_NEW(&codes->value, entries, "codes of rows"));
    TRY(MEMORY_NEW(&codes->active, entries, "codes of rows"));
    codes->room = entries;
  }
  return OK;
}

static int64_t entries_most(const FamiliesCodes *codes) {
  const char *wish = getenv("CLEAVE_CODES");
  const int64_t wished = wish != NULL ? strtoll(wish, NULL, 10) : 0;
  if (wished > 0) {
    return wished;
  }
  const int64_t share = ENTRIES / codes->run->team->node_size;
  return share > ENTRIES_LEAST ? share : ENTRIES_LEAST;
}

/* Where `rows` rows begin, and the last ends. */
static Status read_starts(const FamiliesCodes *codes, int64_t first, int64_t rows,
                          int64_t *starts) {
  TRY(archive_read_here(codes->file, "/row_start", first, rows + 1, starts));
  TRY(check_start(archive_path(codes->file), "/row_start", starts, rows));
  if (starts[0] < 0 || starts[rows] > codes->source.entries) {
    return RAISE(ERR_FORMAT, "%s: /row_start points outside /id: run cleave-encode again",
                 archive_path(codes->file));
  }
  return OK;
}

/* How many rows a chunk holds, and where they begin. */
static Status read_start(FamiliesCodes *codes, int64_t first, int64_t *rows) {
  const int64_t left = codes->source.rows - first, most = entries_most(codes);
  *rows = left < ROWS ? left : ROWS;
  TRY(read_starts(codes, first, *rows, codes->start));
  while (*rows > 1 && codes->start[*rows] - codes->start[0] > most) {
    --*rows;
  }
  return OK;
}

static Status read_entries(FamiliesCodes *codes, int64_t rows) {
  const int64_t from = codes->start[0], entries = codes->start[rows] - from;
  TRY(make_room(codes, entries));
  TRY(archive_read_here(codes->file, "/id", from, entries, codes->id));
  TRY(archive_read_here(codes->file, "/value", from, entries, codes->value));
  return archive_read_here(codes->file, "/active", from, entries, codes->active);
}

static Status read_documents(FamiliesCodes *codes, int64_t first, int64_t rows) {
  return archive_read_here(codes->run->activations, "/document", first, rows, codes->document);
}

static Status read_chunk(void *context, int64_t first, EvidenceChunk *chunk) {
  FamiliesCodes *codes = context;
  int64_t rows = codes->chunk.rows;
  if (rows == 0 || codes->chunk.first != first) {
    codes->chunk.rows = 0;
    TRY(read_start(codes, first, &rows));
    TRY(read_entries(codes, rows));
    TRY(read_documents(codes, first, rows));
  }
  codes->chunk = (EvidenceChunk){.first = first,
                                 .rows = rows,
                                 .document = codes->document,
                                 .start = codes->start,
                                 .id = codes->id,
                                 .value = codes->value,
                                 .active = codes->active};
  *chunk = codes->chunk;
  return OK;
}

static Status make_places(FamiliesCodes *codes, int64_t rows) {
  if (rows > codes->starts) {
    TRY(MEMORY_RESIZE(&codes->start, rows + 1, "first codes of rows"));
    codes->starts = rows;
  }
  if (rows > codes->gathered) {
    TRY(MEMORY_RESIZE(&codes->from, rows, "first codes of rows"));
    codes->gathered = rows;
  }
  return OK;
}

/* Rows that follow each other are read at once. */
static int64_t run_of(const uint32_t *row, int64_t first, int64_t count) {
  int64_t past = first + 1;
  while (past < count && row[past] == row[past - 1] + 1) {
    ++past;
  }
  return past;
}

/* Where a run of rows begins in the file, and, behind those before it, in memory. */
static Status place_run(FamiliesCodes *codes, const uint32_t *row, int64_t first, int64_t past) {
  const int64_t before = codes->start[first];
  TRY(read_starts(codes, row[first], past - first, codes->start + first));
  for (int64_t i = first; i < past; ++i) {
    codes->from[i] = codes->start[i];
  }
  for (int64_t i = past; i >= first; --i) {
    codes->start[i] += before - codes->from[first];
  }
  return OK;
}

static Status gather_chunk(void *context, const uint32_t *row, int64_t count,
                           EvidenceChunk *chunk) {
  FamiliesCodes *codes = context;
  codes->chunk.rows = 0; /* it is written over */
  TRY(make_places(codes, count));
  codes->start[0] = 0;
  for (int64_t i = 0; i < count;) {
    const int64_t past = run_of(row, i, count);
    TRY(place_run(codes, row, i, past));
    i = past;
  }
  TRY(make_room(codes, codes->start[count]));
  for (int64_t i = 0; i < count;) {
    const int64_t past = run_of(row, i, count), at = codes->start[i];
    const int64_t entries = codes->start[past] - at;
    if (entries > 0) {
      TRY(archive_read_here(codes->file, "/id", codes->from[i], entries, codes->id + at));
      TRY(archive_read_here(codes->file, "/active", codes->from[i], entries, codes->active + at));
    }
    i = past;
  }
  *chunk = (EvidenceChunk){
      .rows = count, .start = codes->start, .id = codes->id, .active = codes->active};
  return OK;
}

static Status take_rows(FamiliesCodes *codes) {
  const int64_t rows = codes->source.rows < ROWS ? codes->source.rows : ROWS;
  codes->starts = rows;
  TRY(MEMORY_NEW(&codes->start, rows + 1, "first codes of rows"));
  return MEMORY_NEW(&codes->document, rows, "documents of rows");
}

Status families_codes_open(FamiliesCodes *codes, const FamiliesRun *run,
                           const FamiliesDictionary *one) {
  int64_t entries = 0;
  *codes = (FamiliesCodes){.run = run, .file = one->codes};
  TRY(archive_shape(one->codes, "/id", ARCHIVE_U32, 1, &entries));
  codes->source = (EvidenceSource){.rows = run->rows,
                                   .entries = entries,
                                   .parents = one->latents,
                                   .room = entries_most(codes),
                                   .read = read_chunk,
                                   .gather = gather_chunk,
                                   .context = codes,
                                   .place = archive_path(one->codes)};
  return team_agree(run->team, take_rows(codes));
}

void families_codes_close(FamiliesCodes *codes) {
  MEMORY_FREE(codes->start);
  MEMORY_FREE(codes->from);
  MEMORY_FREE(codes->id);
  MEMORY_FREE(codes->document);
  MEMORY_FREE(codes->value);
  MEMORY_FREE(codes->active);
}

static Status make_firings_room(FamiliesFirings *firings, int64_t count) {
  if (count > firings->room) {
    firings->room = 0;
    MEMORY_FREE(firings->row);
    MEMORY_FREE(firings->value);
    TRY(MEMORY_NEW(&firings->row, count, "rows of features"));
    TRY(MEMORY_NEW(&firings->value, count, "activations of features"));
    firings->room = count;
  }
  return OK;
}

static Status read_firings_start(FamiliesFirings *firings, const FamiliesDictionary *one,
                                 Shard of) {
  const int64_t features = shard_count(of);
  if (features + 1 > firings->room_features) {
    TRY(MEMORY_RESIZE(&firings->start, features + 1, "first firings of features"));
    firings->room_features = features + 1;
  }
  if (features == 0) {
    firings->start[0] = 0;
    return OK;
  }
  TRY(archive_read_here(one->codes, "/feature_start", of.first, features + 1, firings->start));
  return check_start(archive_path(one->codes), "/feature_start", firings->start, features);
}

Status families_firings_read(FamiliesFirings *firings, const FamiliesDictionary *one, Shard of) {
  TRY(read_firings_start(firings, one, of));
  const int64_t from = firings->start[0], count = firings->start[shard_count(of)] - from;
  TRY(make_firings_room(firings, count));
  if (count > 0) {
    TRY(archive_read_here(one->codes, "/feature_row", from, count, firings->row));
    TRY(archive_read_here(one->codes, "/feature_value", from, count, firings->value));
  }
  firings->children = (EvidenceChildren){.count = shard_count(of),
                                         .start = firings->start,
                                         .row = firings->row,
                                         .value = firings->value,
                                         .place = archive_path(one->codes)};
  return OK;
}

void families_firings_close(FamiliesFirings *firings) {
  MEMORY_FREE(firings->start);
  MEMORY_FREE(firings->row);
  MEMORY_FREE(firings->value);
}
