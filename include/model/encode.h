#ifndef ENCODE_H
#define ENCODE_H

#include <stdint.h>

#include "codes.h"
#include "sae.h"
#include "status.h"
#include "team.h"

/** Sparse codes of many rows by one dictionary, batch by batch, and how well they rebuild the
 *  held-out rows. Memory: O(batch x (width + k)); rows with thresholds, of any length, are taken in
 *  pieces of some millions of hits; never rows x latents. All results have the same bits at any
 *  number of ranks and threads. */
typedef struct Encode Encode;

typedef struct EncodeSetup {
  const Sae *sae;     /* kept until encode_destroy() */
  const float *mean;  /* [width] of the scaled rows: explained variance is relative to it; kept */
  int64_t batch;      /* most rows a batch; fixed by the program, never by ranks */
  int64_t k, wide;    /* topk: the k best are active, the next wide - k are kept as inactive */
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

/** A row with more hits than this, on average, is no sparse code: encoding stops. */
enum { ENCODE_HITS_MOST = 16384 };

/** Encode one batch, which every rank has as a whole.
 *  ranks   collective; batch and its arrays the same on all ranks
 *  fails   ERR_DATA (more than ENCODE_HITS_MOST hits a row so far), ERR_MEMORY, ERR_SPACE, ERR_FILE */
Status encode_batch(Encode *encode, const EncodeBatch *batch) MUST_USE;

/** 1 - sum |x - x^|^2 / sum |x - mean|^2 over the held-out rows so far; nan when there are none,
 *  or all of them equal the mean.
 *  ranks   local, the same on all ranks */
double encode_explained_variance(const Encode *encode);
/** All codes so far; they belong to encode.
 *  ranks   local */
Codes *encode_codes(Encode *encode);

#endif
