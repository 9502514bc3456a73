#ifndef CLOCK_H
#define CLOCK_H

/** Seconds of a monotonic clock.
 *  ranks   local */
double clock_seconds(void);

/** UTC time as "2026-11-24T07:31:01Z" into `out` (at least 24 bytes); returned.
 *  ranks   local */
const char *clock_utc(char *out);

#endif
