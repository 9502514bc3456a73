#ifndef ENCODE_H
#define ENCODE_H

#include <stdint.h>

#include "sae.h"
#include "status.h"
#include "team.h"

/** Sparse codes of many rows by one dictionary, batch by batch. How much comes out is known only
 *  at the end, so codes wait in temporary files: by row on the rank that owns the row within its
 *  batch, by feature on the rank that owns the latent. Memory: O(batch x (k + width)), and in
 *  the end this rank's own firings; never rows x latents. All results have the same bits at any
 *  number of ranks and threads. */
typedef struct Encode Encode;

typedef struct EncodeSetup {
  const Sae *sae;     /* kept until encode_destroy() */
  const float *mean;  /* [width] of the scaled rows: explained variance is relative to it; kept */
  int64_t batch;      /* most rows a batch; fixed by the program, never by ranks */
  int64_t k, wide;    /* the k best are active, the next wide - k are kept as inactive */
  const char *folder; /* of the temporary files */
} EncodeSetup;

/** ranks   collective
 *  fails   ERR_MEMORY, ERR_FILE */
Status encode_create(Encode **out, Team *team, const EncodeSetup *setup) MUST_USE;
/** NULL is fine.
 *  ranks   local */
void encode_destroy(Encode **encode);

typedef struct EncodeBatch {
  int64_t first;              /* row of the corpus; batches come in ascending order */
  int64_t rows;               /* 1 .. batch */
  const float *x;             /* [rows, width] scaled */
  const uint32_t *token;      /* [rows] */
  const uint8_t *is_held_out; /* [rows] */
} EncodeBatch;

/** Encode one batch, which every rank has as a whole.
 *  ranks   collective; batch and its arrays the same on all ranks
 *  fails   ERR_MEMORY, ERR_SPACE, ERR_FILE */
Status encode_batch(Encode *encode, const EncodeBatch *batch) MUST_USE;

/** 1 - sum |x - x^|^2 / sum |x - mean|^2 over the held-out rows so far; nan when there are none,
 *  or all of them equal the mean.
 *  ranks   local, the same on all ranks */
double encode_explained_variance(const Encode *encode);
/** Entries of all rows so far, active or not.
 *  ranks   local, the same on all ranks */
int64_t encode_entries(const Encode *encode);
int64_t encode_batches(const Encode *encode);

/** The codes that this rank keeps of one batch; the arrays belong to encode and last until the
 *  next call. rows and entries may be 0. */
typedef struct EncodePart {
  int64_t first_row, rows;
  int64_t first_entry, entries; /* place among the entries of all rows */
  const int64_t *row_start;     /* [rows] place of each row's first entry */
  const uint32_t *id;           /* [entries] */
  const float *value;           /* [entries] */
  const uint8_t *active;        /* [entries] */
} EncodePart;

/** ranks   local
 *  fails   ERR_FILE */
Status encode_part(Encode *encode, int64_t batch, EncodePart *part) MUST_USE;

/** The firings (active codes) of this rank's latents. */
typedef struct EncodeFirings {
  int64_t count;           /* of all latents of this rank */
  int64_t before, total;   /* of lower ranks; of all ranks */
  const int64_t *start;    /* [own latents + 1] first firing of each */
  const int64_t *held_out; /* [own latents] firings on held-out rows */
  const uint32_t *row;     /* [count] ascending within a latent */
  const float *value;      /* [count] */
  const uint32_t *token;   /* [count] */
} EncodeFirings;

/** Bring the firings into memory, after the last batch. The arrays last until encode_destroy().
 *  ranks   collective
 *  fails   ERR_MEMORY (12 bytes a firing), ERR_FILE */
Status encode_firings(Encode *encode, EncodeFirings *out) MUST_USE;

#endif
