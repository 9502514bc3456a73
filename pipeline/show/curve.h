#ifndef CURVE_H
#define CURVE_H

#include "pen.h"
#include "status.h"

/** training/NAME.csv as a curve of at most CURVE_POINTS points, evenly spread, the last line among them:
 *  the key "training" with {"rows":[...],"explained_variance":[...],"dead":[...],"loss":[...]}; nothing
 *  where it holds no line.
 *  ranks   local
 *  fails   ERR_FILE, ERR_FORMAT (a line or a column is not as cleave-train writes it), ERR_MEMORY */
enum { CURVE_POINTS = 200 };
Status curve_write(const char *path, Pen *pen) MUST_USE;

#endif
