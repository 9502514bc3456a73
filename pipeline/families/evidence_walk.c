#include "evidence_walk.h"

static Status check_bounds(const EvidenceWalk *walk) {
  const EvidenceChunk *chunk = &walk->chunk;
  if (chunk->first != walk->past || chunk->rows < 1 ||
      chunk->first + chunk->rows > walk->source->rows) {
    return RAISE(ERR_FORMAT, "rows %lld to %lld of %lld after row %lld: codes out of order",
                 (long long)chunk->first, (long long)(chunk->first + chunk->rows),
                 (long long)walk->source->rows, (long long)walk->past);
  }
  return OK;
}

static Status check_rows(const EvidenceWalk *walk) {
  const EvidenceChunk *chunk = &walk->chunk;
  uint32_t last = walk->document;
  for (int64_t row = 0; row < chunk->rows; ++row) {
    if (chunk->document[row] < last) {
      return RAISE(ERR_FORMAT, "row %lld: document %lld after %lld: rows must be in corpus order",
                   (long long)(chunk->first + row), (long long)chunk->document[row],
                   (long long)last);
    }
    if (chunk->start[row + 1] < chunk->start[row]) {
      return RAISE(ERR_FORMAT, "row %lld ends before it begins: run cleave-encode again",
                   (long long)(chunk->first + row));
    }
    last = chunk->document[row];
  }
  return OK;
}

static Status check_ids(const EvidenceWalk *walk) {
  const EvidenceChunk *chunk = &walk->chunk;
  const int64_t entries = chunk->start[chunk->rows] - chunk->start[0];
  uint32_t most = 0;
  for (int64_t e = 0; e < entries; ++e) {
    most = chunk->id[e] > most ? chunk->id[e] : most;
  }
  if (entries > 0 && most >= walk->source->parents) {
    return RAISE(ERR_FORMAT, "rows %lld and on: latent %lld of a dictionary of %lld",
                 (long long)chunk->first, (long long)most, (long long)walk->source->parents);
  }
  return OK;
}

Status evidence_walk(EvidenceWalk *walk) {
  if (walk->chunk.rows > 0) {
    walk->document = walk->chunk.document[walk->chunk.rows - 1];
  }
  walk->chunk.rows = 0;
  if (walk->past == walk->source->rows) {
    return OK;
  }
  TRY(walk->source->read(walk->source->context, walk->past, &walk->chunk));
  TRY(check_bounds(walk));
  TRY(check_rows(walk));
  TRY(check_ids(walk));
  walk->past += walk->chunk.rows;
  return OK;
}

EvidenceRow evidence_row(const EvidenceChunk *chunk, int64_t row) {
  const int64_t *start = chunk->start + (row - chunk->first);
  return (EvidenceRow){start[0] - chunk->start[0], start[1] - chunk->start[0]};
}

Status evidence_places(const EvidenceWalk *walk, const EvidenceChildren *children, int64_t child,
                       int64_t *next, EvidencePlaces *places) {
  const int64_t past = children->start[child + 1] - children->start[0];
  int64_t least = walk->chunk.first;
  places->first = *next;
  for (; *next < past && children->row[*next] < walk->past; ++*next) {
    if (children->row[*next] < least) {
      return RAISE(ERR_FORMAT, "firing %lld: row %lld, but rows ascend: run cleave-encode again",
                   (long long)(children->start[0] + *next), (long long)children->row[*next]);
    }
    least = (int64_t)children->row[*next] + 1;
  }
  places->past = *next;
  return OK;
}

Status evidence_walked(const EvidenceChildren *children, const int64_t *next) {
  for (int64_t child = 0; child < children->count; ++child) {
    if (next[child] != children->start[child + 1] - children->start[0]) {
      return RAISE(ERR_FORMAT, "firing %lld lies outside the rows: run cleave-encode again",
                   (long long)(children->start[0] + next[child]));
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
