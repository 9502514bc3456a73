#include "evidence_walk.h"

enum { AHEAD = 2, LINES_MOST = 16, LINE_IDS = 16, LINE_BYTES = 64 };

static Status check_bounds(const EvidenceWalk *walk) {
  const EvidenceChunk *chunk = &walk->whole;
  if (chunk->first != walk->past || chunk->rows < 1 ||
      chunk->first + chunk->rows > walk->source->rows) {
    return RAISE(ERR_FORMAT, "%s: rows %lld to %lld of %lld after row %lld: codes out of order",
                 walk->source->place, (long long)chunk->first,
                 (long long)(chunk->first + chunk->rows), (long long)walk->source->rows,
                 (long long)walk->past);
  }
  return OK;
}

static Status check_rows(const EvidenceWalk *walk) {
  const EvidenceChunk *chunk = &walk->whole;
  uint32_t last = walk->document;
  for (int64_t row = 0; row < chunk->rows; ++row) {
    if (chunk->document[row] < last) {
      return RAISE(ERR_FORMAT,
                   "%s: row %lld: document %lld after %lld: rows must be in corpus order",
                   walk->source->place, (long long)(chunk->first + row),
                   (long long)chunk->document[row], (long long)last);
    }
    if (chunk->start[row + 1] < chunk->start[row]) {
      return RAISE(ERR_FORMAT, "%s: row %lld ends before it begins: run cleave-encode again",
                   walk->source->place, (long long)(chunk->first + row));
    }
    last = chunk->document[row];
  }
  return OK;
}

Status evidence_check_ids(const EvidenceSource *source, const EvidenceChunk *chunk) {
  const int64_t entries = chunk->start[chunk->rows] - chunk->start[0];
  uint32_t most = 0;
  for (int64_t e = 0; e < entries; ++e) {
    most = chunk->id[e] > most ? chunk->id[e] : most;
  }
  if (entries > 0 && most >= source->parents) {
    return RAISE(ERR_FORMAT, "%s: rows %lld and on: latent %lld of a dictionary of %lld",
                 source->place, (long long)chunk->first, (long long)most,
                 (long long)source->parents);
  }
  return OK;
}

static int64_t longest_row(const EvidenceChunk *chunk) {
  int64_t longest = 0;
  for (int64_t row = 0; row < chunk->rows; ++row) {
    const int64_t entries = chunk->start[row + 1] - chunk->start[row];
    longest = entries > longest ? entries : longest;
  }
  return longest;
}

static Status read_whole(EvidenceWalk *walk) {
  if (walk->whole.rows > 0) {
    walk->document = walk->whole.document[walk->whole.rows - 1];
  }
  TRY(walk->source->read(walk->source->context, walk->past, &walk->whole));
  TRY(check_bounds(walk));
  TRY(check_rows(walk));
  TRY(evidence_check_ids(walk->source, &walk->whole));
  walk->longest = longest_row(&walk->whole);
  return OK;
}

/* Rows [first, first + rows) of a chunk, counted from its first. */
static EvidenceChunk window_of(const EvidenceChunk *chunk, int64_t first, int64_t rows) {
  const int64_t skip = chunk->start[first] - chunk->start[0];
  return (EvidenceChunk){.first = chunk->first + first,
                         .rows = rows,
                         .document = chunk->document + first,
                         .start = chunk->start + first,
                         .id = chunk->id + skip,
                         .value = chunk->value + skip,
                         .active = chunk->active + skip};
}

Status evidence_walk(EvidenceWalk *walk) {
  walk->chunk.rows = 0;
  if (walk->past == walk->source->rows) {
    return OK;
  }
  if (walk->past == walk->whole.first + walk->whole.rows) {
    TRY(read_whole(walk));
  }
  const int64_t done = walk->past - walk->whole.first, left = walk->whole.rows - done;
  const int64_t rows = walk->window > 0 && walk->window < left ? walk->window : left;
  walk->chunk = window_of(&walk->whole, done, rows);
  walk->past += rows;
  return OK;
}

EvidenceRow evidence_row(const EvidenceChunk *chunk, int64_t row) {
  const int64_t *start = chunk->start + (row - chunk->first);
  return (EvidenceRow){start[0] - chunk->start[0], start[1] - chunk->start[0]};
}

void evidence_fetch(const EvidenceChunk *chunk, const uint32_t *row, int64_t left) {
  if (left > 2 * AHEAD) {
    __builtin_prefetch(chunk->start + (row[2 * AHEAD] - chunk->first));
  }
  if (left > AHEAD) {
    const EvidenceRow entries = evidence_row(chunk, row[AHEAD]);
    const int64_t most = entries.first + LINES_MOST * LINE_IDS;
    const int64_t past = entries.past < most ? entries.past : most;
    for (int64_t e = entries.first; e < past; e += LINE_IDS) {
      __builtin_prefetch(chunk->id + e);
    }
    for (int64_t e = entries.first; e < past; e += LINE_BYTES) {
      __builtin_prefetch(chunk->active + e);
    }
  }
}

Status evidence_places(const EvidenceWalk *walk, const EvidenceChildren *children, int64_t child,
                       int64_t *next, EvidencePlaces *places) {
  const int64_t past = children->start[child + 1] - children->start[0];
  int64_t least = walk->chunk.first;
  places->first = *next;
  for (; *next < past && children->row[*next] < walk->past; ++*next) {
    if (children->row[*next] < least) {
      return RAISE(ERR_FORMAT,
                   "%s: firing %lld: row %lld, but rows ascend: run cleave-encode again",
                   children->place, (long long)(children->start[0] + *next),
                   (long long)children->row[*next]);
    }
    least = (int64_t)children->row[*next] + 1;
  }
  places->past = *next;
  return OK;
}

Status evidence_walked(const EvidenceChildren *children, const int64_t *next) {
  for (int64_t child = 0; child < children->count; ++child) {
    if (next[child] != children->start[child + 1] - children->start[0]) {
      return RAISE(ERR_FORMAT, "%s: firing %lld lies outside the rows: run cleave-encode again",
                   children->place, (long long)(children->start[0] + next[child]));
    }
  }
  return OK;
}

Status evidence_fired(const EvidenceSource *source, Shard of, int64_t *narrow, int64_t *wide) {
  EvidenceWalk walk = {.source = source};
  for (int64_t i = 0; i < shard_count(of); ++i) {
    narrow[i] = wide[i] = 0;
  }
  for (;;) {
    TRY(evidence_walk(&walk));
    const EvidenceChunk *chunk = &walk.chunk;
    if (chunk->rows == 0) {
      return OK;
    }
    for (int64_t e = 0; e < chunk->start[chunk->rows] - chunk->start[0]; ++e) {
      const int64_t id = chunk->id[e];
      if (id >= of.first && id < of.past) {
        ++wide[id - of.first];
        narrow[id - of.first] += chunk->active[e] != 0;
      }
    }
  }
}
