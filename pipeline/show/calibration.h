#ifndef CALIBRATION_H
#define CALIBRATION_H

#include "atlas.h"
#include "pen.h"

/** For the calibration panel: what chance would give, and what every count would be at the other 40
 *  link thresholds.
 *  ranks   collective */

/** Into a pair's object: null_histogram, sweep {linked, null, false_share, statuses}.
 *  object  in      "/pair/8k/1k", in neighbours.h5 and families.h5 alike */
Status calibration_write_pair(const Atlas *atlas, const char *object, Pen *pen) MUST_USE;
/** Into the run's object: thresholds, sweep_families, warnings. */
Status calibration_write_run(const Atlas *atlas, Pen *pen) MUST_USE;

#endif
