#ifndef FAMILIES_CODES_H
#define FAMILIES_CODES_H

#include <stdint.h>

#include "evidence.h"
#include "families_run.h"

/** Codes of a dictionary for evidence.h, read a part at a time, by each rank for itself. */

/** By row: the chunks of an EvidenceSource. A chunk that is asked for again is not read again, so a
 *  corpus of one chunk is read once. CLEAVE_CODES in the environment: at most so many codes in a
 *  chunk (for tests). */
typedef struct FamiliesCodes {
  EvidenceSource source; /* its context is this struct: do not move it */
  const FamiliesRun *run;
  Archive *file;
  EvidenceChunk chunk; /* the last one read */
  int64_t *start;
  uint32_t *id, *document;
  float *value;
  uint8_t *active;
  int64_t room;     /* entries */
  int64_t *from;    /* [gathered] first entries of rows that were gathered */
  int64_t starts;   /* rows that start has room for */
  int64_t gathered; /* rows that from has room for */
} FamiliesCodes;

/** ranks   collective
 *  fails   ERR_FORMAT, ERR_MEMORY; families_codes_close() is safe after both */
Status families_codes_open(FamiliesCodes *codes, const FamiliesRun *run,
                           const FamiliesDictionary *one) MUST_USE;
/** ranks local; safe on a zeroed struct */
void families_codes_close(FamiliesCodes *codes);

/** By feature: the firings of some of this rank's features. */
typedef struct FamiliesFirings {
  EvidenceChildren children; /* of the arrays below */
  int64_t *start;
  uint32_t *row;
  float *value;
  int64_t room_features, room; /* sizes */
} FamiliesFirings;

/** ranks   local
 *  of      in      ids of features
 *  fails   ERR_FORMAT, ERR_FILE, ERR_MEMORY; families_firings_close() is safe after all */
Status families_firings_read(FamiliesFirings *firings, const FamiliesDictionary *one,
                             Shard of) MUST_USE;
/** ranks local; safe on a zeroed struct */
void families_firings_close(FamiliesFirings *firings);

#endif
