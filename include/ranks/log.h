#ifndef LOG_H
#define LOG_H

#include "team.h"

/** Messages for people, on stderr; results go to stdout. A clean run prints no "error" and no
 *  "warning". Lines longer than 4,095 bytes are cut. */
typedef enum LogLevel { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG } LogLevel;

/** Say who speaks ("harvest") and how much. Without a call every rank says "cleave: ...".
 *  path    in      rank 0 appends its lines to this file as well; NULL for none
 *  ranks   local */
void log_open(const Team *team, const char *program, LogLevel most, const char *path);
/** Close the file; messages go on.
 *  ranks   local */
void log_close(void);

/** One line from rank 0 (the others say nothing): "harvest: ...", "harvest: warning: ...".
 *  ranks   local */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** One line from this rank: "harvest [3]: ...".
 *  ranks   local */
void log_here(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
