#ifndef ROLL_H
#define ROLL_H

#include <stdint.h>

#include "atlas.h"
#include "status.h"

/** The families of the headline: trees rooted in the smallest level, /family of families.h5. Held
 *  whole on each rank: about 60 bytes a family. */
typedef struct Roll {
  int64_t count, levels;
  uint32_t *root;      /* [count] */
  int64_t *size;       /* [count, levels] features of each level */
  double *mass;        /* [count] */
  double *coverage;    /* [count] nan: no children */
  double *purity;      /* [count] */
  uint8_t *replicated; /* [count] 0 no, 1 yes, 2 no twin */
  int64_t roots;       /* features of the smallest level */
  int64_t *of_root;    /* [roots] index of a root's family, -1: none */
  int64_t *order; /* [count] families by features, then mass, then root: the order of the table */
} Roll;

/** ranks   collective
 *  fails   ERR_FORMAT, ERR_MEMORY */
Status roll_open(Roll *roll, const Atlas *atlas) MUST_USE;
void roll_close(Roll *roll);
/** Features of a family in all levels.
 *  ranks   local */
int64_t roll_size(const Roll *roll, int64_t family);

#endif
