#ifndef PACKED_H
#define PACKED_H

#include <stdbool.h>
#include <stdint.h>

#include "lowp.h"
#include "neighbours.h"
#include "screen.h"
#include "status.h"

/** Rows as a screen wants them, without those that take no part: in large dictionaries most rows are
 *  dead. Where few are, the rows stay where they are and the screen passes over them.
 *  ranks   all local */
typedef struct Packed {
  ScreenSide side;
  Neighbours lists; /* heaps of the side's rows; keys NULL where there are none */
  float *rows;      /* own memory: NULL where the rows stayed */
  uint32_t *ids;
  double *norm;
  Lowp lowp;
} Packed;

/** What is to be packed; all borrowed. */
typedef struct PackedRows {
  const float *rows; /* [count, width] */
  int64_t count, width, first_id;
  const uint8_t *is_left_out; /* [count] */
  const Neighbours *lists;    /* [count]; NULL for none */
  bool has_lowp, is_left;     /* in 8 bits; as queries */
} PackedRows;

/** fails   ERR_MEMORY; packed_clear() is safe after it */
Status packed_make(Packed *packed, const PackedRows *from) MUST_USE;
/** Bring the heaps back to where they came from. */
void packed_return(const Packed *packed, const PackedRows *from);
void packed_clear(Packed *packed);

#endif
