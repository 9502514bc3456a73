#ifndef CAPTURE_H
#define CAPTURE_H

/** What this rank writes to stderr between the two calls. ranks local */
void capture_begin(void);
/** The text, valid until the next capture; "" when nothing was written. */
const char *capture_end(void);

#endif
