#ifndef EVIDENCE_WALK_H
#define EVIDENCE_WALK_H

#include "evidence.h"

/** A walk through a source, chunk by chunk, with every chunk checked; long ones in windows of
 *  rows. */
typedef struct EvidenceWalk {
  const EvidenceSource *source;
  int64_t window;      /* most rows of a window; 0: a whole chunk */
  EvidenceChunk whole; /* as the source gave it */
  EvidenceChunk chunk; /* the window */
  int64_t past;        /* first row after it */
  int64_t longest;     /* entries of the longest row of the whole */
  uint32_t document;   /* of the row before the whole */
} EvidenceWalk;

/** The next window; no rows after the last.
 *  ranks   local
 *  fails   ERR_FORMAT: rows, documents or ids that cannot be; what the source fails with */
Status evidence_walk(EvidenceWalk *walk) MUST_USE;

/** Are all ids of a chunk parents?
 *  ranks   local
 *  fails   ERR_FORMAT */
Status evidence_check_ids(const EvidenceSource *source, const EvidenceChunk *chunk) MUST_USE;

/** Entries of a row of the chunk.
 *  ranks   local */
typedef struct EvidenceRow {
  int64_t first, past;
} EvidenceRow;
EvidenceRow evidence_row(const EvidenceChunk *chunk, int64_t row);

/** Rows of a child lie far from each other in a chunk: ask for those that come soon.
 *  ranks   local
 *  row     in      [left] rows of the chunk that the child is about to walk */
void evidence_fetch(const EvidenceChunk *chunk, const uint32_t *row, int64_t left);

/** The places of a child's firings in the chunk: those at `next` and on with a row below the
 *  chunk's end.
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
