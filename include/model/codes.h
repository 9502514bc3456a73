#ifndef CODES_H
#define CODES_H

#include <stdint.h>

#include "status.h"
#include "team.h"

/** The sparse codes of many rows, kept while they come in, batch by batch. How much there is shows
 *  only at the end, so they wait in temporary files: by row on the rank that brings the row, by
 *  feature on the rank that owns the latent (shard_of(latents, shard_latent_block(latents))).
 *  Memory: O(entries of a batch), and in the end this rank's own firings. All results have the same
 *  bits however rows and latents are dealt out. */
typedef struct Codes Codes;

/** ranks   collective
 *  folder  in      of the temporary files
 *  fails   ERR_MEMORY, ERR_FILE, ERR_SPACE */
Status codes_create(Codes **out, Team *team, int64_t latents, const char *folder) MUST_USE;
/** NULL is fine.
 *  ranks   local */
void codes_destroy(Codes **codes);

/** Rows of a batch that this rank brings. The rows of all batches, and within a batch those of all
 *  ranks, lie behind each other in the corpus: lower ranks bring the lower rows. */
typedef struct CodesBatch {
  int64_t first;              /* row of the corpus, below 2^32 - 1 */
  int64_t rows;               /* may be 0 */
  const int64_t *start;       /* [rows + 1] places in id, value and active; start[0] = 0 */
  const uint32_t *id;         /* in each row by descending value, ties by id: see codes_order */
  const float *value;         /* activations, > 0 */
  const uint8_t *active;      /* 0: kept by row, but no firing; NULL: all are active */
  const uint32_t *token;      /* [rows] below 2^31; NULL: unknown, all 0 */
  const uint8_t *is_held_out; /* [rows]; NULL: none */
} CodesBatch;

/** Bring codes from elsewhere into their order, in place, and check them.
 *  ranks   local
 *  place   in      where they come from, for the message
 *  first   in      row of the corpus of rows[0], for the message
 *  start   in      [rows + 1] ascending, start[0] = 0
 *  fails   ERR_DATA (an id out of range or twice in a row, a value not finite or not above 0: names
 *          the row), ERR_MEMORY */
Status codes_order(const char *place, int64_t first, int64_t rows, const int64_t *start,
                   int64_t latents, uint32_t *id, float *value) MUST_USE;

/** Keep a batch.
 *  ranks   collective; every rank brings its part of the same batch
 *  fails   ERR_MEMORY, ERR_SPACE, ERR_FILE */
Status codes_add(Codes *codes, const CodesBatch *batch) MUST_USE;

/** Rows, and entries of all rows, active or not, of all ranks so far.
 *  ranks   local, the same on all ranks */
int64_t codes_rows(const Codes *codes);
int64_t codes_entries(const Codes *codes);
/** Batches so far.
 *  ranks   local, the same on all ranks */
int64_t codes_parts(const Codes *codes);

/** The codes that this rank keeps of one batch; the arrays belong to codes and last until the next
 *  call. rows and entries may be 0. */
typedef struct CodesPart {
  int64_t first_row, rows;
  int64_t first_entry, entries; /* place among the entries of all rows */
  const int64_t *row_start;     /* [rows] place of each row's first entry */
  const uint32_t *id;           /* [entries] */
  const float *value;           /* [entries] */
  const uint8_t *active;        /* [entries] */
} CodesPart;

/** ranks   local
 *  fails   ERR_FILE, ERR_MEMORY */
Status codes_part(Codes *codes, int64_t index, CodesPart *part) MUST_USE;

/** The firings (active codes) of this rank's latents. */
typedef struct CodesFirings {
  int64_t count;           /* of all latents of this rank */
  int64_t before, total;   /* of lower ranks; of all ranks */
  const int64_t *start;    /* [own latents + 1] first firing of each */
  const int64_t *held_out; /* [own latents] firings on held-out rows */
  const uint32_t *row;     /* [count] ascending within a latent */
  const float *value;      /* [count] */
  const uint32_t *token;   /* [count] */
} CodesFirings;

/** Bring the firings into memory, once, after the last batch. The arrays last until
 *  codes_destroy().
 *  ranks   collective
 *  fails   ERR_MEMORY (12 bytes a firing), ERR_FILE */
Status codes_firings(Codes *codes, CodesFirings *out) MUST_USE;

#endif
