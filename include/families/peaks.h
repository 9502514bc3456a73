#ifndef PEAKS_H
#define PEAKS_H

#include <stdint.h>

#include "status.h"

/** Groups of alike features without a count of groups or a threshold on their size: every feature
 *  points to its nearest one of more mass, if that is near enough, and what ends at the same feature
 *  is a group (density peaks: Rodriguez & Laio, Science 344, 2014). A light feature between two
 *  dense regions belongs to one of them; single linkage would join both. ranks: all local. */
typedef struct Peak {
  double mass;
  uint32_t id;
  uint32_t next; /* id of the feature that it points to; its own id for the head of a group */
} Peak;

/** Is `left` the heavier one? Ties go to the lower id, so that pointers to heavier features cannot
 *  make a circle. */
int peaks_compare(const Peak *left, const Peak *right);

/** Make every `next` the head of its group.
 *  peaks   in/out  [count] by ascending id
 *  needs   every `next` is the peak's own id or that of a heavier one in the list
 *  fails   ERR_FORMAT when it is not: a circle, or an id that is not listed */
Status peaks_climb(Peak *peaks, int64_t count) MUST_USE;

#endif
