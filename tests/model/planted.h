#ifndef PLANTED_H
#define PLANTED_H

#include <stdint.h>

/** Rows for tests: sparse sums of known unit directions, `active` of `directions` a row,
 *  coefficients between 0.5 and 1.5, scaled to a mean square norm of `width`. */
typedef struct Planted {
  int64_t directions, width, active;
  uint64_t key;
  float *rows; /* [directions, width] the directions */
} Planted;

/** Rows that are sums of random unit directions. ranks local, like all here */
void planted_open(Planted *planted, int64_t directions, int64_t width, int64_t active,
                  uint64_t key);
void planted_close(Planted *planted);
/** Rows [first, first + count) of the endless data -> out [count, width]. */
void planted_fill(const Planted *planted, int64_t first, int64_t count, float *out);

#endif
