#ifndef LANES_SETS_H
#define LANES_SETS_H

#include "lanes.h"

/* lanes_body.h compiled once for each kind of processor. */
extern const Lanes LANES_PLAIN, LANES_AVX2, LANES_AVX512;

#endif
