#ifndef CUT_H
#define CUT_H

#include <stdint.h>

#include "select.h"
#include "shard.h"
#include "status.h"
#include "team.h"

/** Where the k best of a row end, over all ranks, exactly: each rank sends its own best keys of a
 *  row to the rank that owns the row (rows are dealt one by one: shard_of(rows, 1)), which sorts
 *  them and tells all where the cut is. 2 * rows * wide * 8 bytes per rank, whatever the rank
 *  count. */
typedef struct CutLine {
  SelectKey best; /* the k-th best key; 0: fewer than k, so every key is in */
  SelectKey next; /* the wide-th best key; 0: fewer */
  double sum;     /* of the k best scores, best first, in double */
} CutLine;

typedef struct Cut {
  int64_t k, wide; /* 1 <= k <= wide */
  int64_t rows;    /* of the last cut_agree */
  CutLine *lines;  /* [rows], the same on all ranks */
  Shard slice;     /* rows that this rank owns */
  SelectKey *keys; /* [slice, wide] the wide best of each, best first */
  int64_t *counts; /* [slice] how many there are */
  int64_t rows_most;
  int64_t *depths; /* [team size] keys a row that each rank sends: min(wide, its latents) */
  SelectKey *sent, *received;
  CutLine *own_lines; /* [slice] */
  int64_t *numbers;   /* [3, team size] */
} Cut;

/** Buffers for up to `rows_most` rows of keys of `latents` latents, dealt as in Sae.
 *  ranks   local
 *  fails   ERR_MEMORY */
Status cut_create(Cut **out, const Team *team, int64_t latents, int64_t rows_most, int64_t k,
                  int64_t wide) MUST_USE;
void cut_destroy(Cut **cut);

/** Fill lines, slice, keys and counts.
 *  ranks   collective
 *  fails   ERR_MEMORY (threads cannot be started)
 *  keys    in      [rows, stride] this rank's best keys of each row, in any order; stride >= its
 *                  depth
 *  counts  in      [rows] <= its depth */
Status cut_agree(Cut *cut, Team *team, const SelectKey *keys, const int64_t *counts, int64_t stride,
                 int64_t rows) MUST_USE;

#endif
