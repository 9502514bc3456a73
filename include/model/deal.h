#ifndef DEAL_H
#define DEAL_H

#include <stdint.h>

#include "fire.h"
#include "shard.h"
#include "status.h"
#include "team.h"

/** The codes of a batch by row: every rank's hits of a row go to the rank that owns the row (rows
 *  are dealt one by one: shard_of(rows, 1)). Memory: O(hits of own latents + codes of own rows). */
typedef struct Deal {
  Shard slice;     /* rows of the batch that this rank owns */
  int64_t *start;  /* [slice + 1] first code of each */
  uint32_t *id;    /* [start[slice]] in each row by descending place: score of topk, activation */
  float *value;    /* [start[slice]] */
  uint8_t *active; /* [start[slice]] */
  double *sums;    /* [rows] of the active activations of a row, in order; the same on all ranks */
  /* Of deal_rows. */
  struct DealCode *codes; /* [codes of the slice] */
  int64_t codes_room;
  SelectKey *keys;            /* [codes of the slice] as received */
  float *values;              /* [codes of the slice] as received */
  int64_t *sent, *received;   /* [team size] counts */
  int32_t *hits, *slice_hits; /* [rows], [team size, slice] hits of rows, sent and received */
  double *slice_sums;         /* [slice] */
  int64_t *places;            /* [team size, slice] */
} Deal;

/** ranks   local
 *  rows_most in    of a batch
 *  fails   ERR_MEMORY */
Status deal_create(Deal **out, const Team *team, int64_t rows_most) MUST_USE;
void deal_destroy(Deal **deal);

/** Fill slice, start, id, value, active and sums from what fires.
 *  ranks   collective
 *  fails   ERR_MEMORY */
Status deal_rows(Deal *deal, Team *team, const Fire *fire) MUST_USE;

#endif
