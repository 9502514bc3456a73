#ifndef LOG_H
#define LOG_H

#include "team.h"

/** Messages for people, on stderr; results go to stdout. A clean run prints no "error" and no
 * "warning". */
typedef enum LogLevel { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG } LogLevel;

/** Say who speaks ("harvest") and how much; copies lines into `path` as well when it is not NULL
 * (rank 0). ranks   local */
void log_open(const Team *team, const char *program, LogLevel most, const char *path);
void log_close(void);

/** One line from rank 0 (the others say nothing): "harvest: ...".
 *  ranks   local */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** One line from this rank: "harvest [3]: ...". */
void log_here(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
