#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdint.h>

#include "directions.h"
#include "shard.h"
#include "status.h"

/** The distribution of all cosines of a pair of dictionaries, from a keyed sample of its pairs, so that
 *  it is the same at any number of ranks and on any machine: SAMPLE_EACH random parents (with
 *  repeats) for each of up to SAMPLE_CHILDREN random children. Pairs with a dead row are left out. */
enum { SAMPLE_CHILDREN = 65536, SAMPLE_EACH = 64, SAMPLE_BINS = 200 };

typedef struct Sample {
  uint64_t key;
  int64_t pairs;                  /* counted */
  int64_t histogram[SAMPLE_BINS]; /* bins of 0.01 over [-1, 1] */
} Sample;

/** Count the pairs of the sample between own children and the parents that are here.
 *  ranks   local: the counts are this rank's
 *  child   in      a panel, or the whole
 *  parents in      latents of the parents' dictionary
 *  here    in      the parents in `rows` [here, width] and `is_left_out` [here]
 *  fails   ERR_MEMORY */
Status sample_add(Sample *sample, const Directions *child, int64_t parents, Shard here,
                  const float *rows, const uint8_t *is_left_out) MUST_USE;

#endif
