#ifndef EVIDENCE_WALK_H
#define EVIDENCE_WALK_H

#include "evidence.h"

/** A walk through a source, chunk by chunk, with every chunk checked. */
typedef struct EvidenceWalk {
  const EvidenceSource *source;
  EvidenceChunk chunk;
  int64_t past;      /* first row after the chunk */
  uint32_t document; /* of the row before */
} EvidenceWalk;

/** The next chunk; no rows after the last.
 *  ranks   local
 *  fails   ERR_FORMAT: rows, documents or ids that cannot be; what the source fails with */
Status evidence_walk(EvidenceWalk *walk) MUST_USE;

/** Entries of a row of the chunk.
 *  ranks   local */
typedef struct EvidenceRow {
  int64_t first, past;
} EvidenceRow;
EvidenceRow evidence_row(const EvidenceChunk *chunk, int64_t row);

/** The places of a child's firings in the chunk: those at `next` and on with a row below the chunk's
 *  end.
 *  ranks   local
 *  next    in/out  [1] first firing that no chunk held so far
 *  fails   ERR_FORMAT: rows descend */
typedef struct EvidencePlaces {
  int64_t first, past; /* of children->row and ->value */
} EvidencePlaces;
Status evidence_places(const EvidenceWalk *walk, const EvidenceChildren *children, int64_t child,
                       int64_t *next, EvidencePlaces *places) MUST_USE;
/** After the last chunk: does every firing lie in a row of the corpus?
 *  ranks   local
 *  fails   ERR_FORMAT */
Status evidence_walked(const EvidenceChildren *children, const int64_t *next) MUST_USE;

#endif
