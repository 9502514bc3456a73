#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bar.h"

enum { LOG_LINE_SIZE = 4096 };

static struct {
  char program[32];
  int rank;
  LogLevel most;
  FILE *copy;
  bool has_bar;
} log_state = {.program = "cleave", .rank = 0, .most = LOG_INFO};

/* A bar that wraps around could not be drawn over: it ends one column before the terminal does. */
static int bar_columns(void) {
  struct winsize window;
  const bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
  return (is_known ? window.ws_col : 80) - 1;
}

void bar_draw(const char *line) {
  if (line != NULL) {
    fprintf(stderr, "\r%.*s\033[K", bar_columns(), line);
  } else if (log_state.has_bar) {
    fputs("\r\033[K", stderr);
  }
  fflush(stderr);
  log_state.has_bar = line != NULL;
}

void log_open(const Team *team, const char *program, LogLevel most, const char *path) {
  log_close();
  snprintf(log_state.program, sizeof(log_state.program), "%s", program);
  log_state.rank = team->rank;
  log_state.most = most;
  if (path != NULL && team->rank == 0) {
    log_state.copy = fopen(path, "a");
    if (log_state.copy == NULL) {
      log_warning("%s: %s: messages are shown here only", path, strerror(errno));
    }
  }
}

void log_close(void) {
  bar_draw(NULL);
  if (log_state.copy != NULL) {
    fclose(log_state.copy);
    log_state.copy = NULL;
  }
}

static const char *level_word(LogLevel level) {
  switch (level) {
    case LOG_ERROR:
      return "error: ";
    case LOG_WARNING:
      return "warning: ";
    default:
      return "";
  }
}

/* One fprintf a line, so that lines of ranks that share a terminal stay whole. */
static void write_line(LogLevel level, const char *who, const char *format, va_list arguments) {
  if (level > log_state.most) {
    return;
  }
  char message[LOG_LINE_SIZE];
  vsnprintf(message, sizeof(message), format, arguments);
  bar_draw(NULL);
  fprintf(stderr, "%s%s: %s%s\n", log_state.program, who, level_word(level), message);
  if (log_state.copy != NULL) {
    fprintf(log_state.copy, "%s%s: %s%s\n", log_state.program, who, level_word(level), message);
    fflush(log_state.copy);
  }
}

#define WRITE_FROM_FIRST_RANK(level, format)      \
  do {                                            \
    if (log_state.rank == 0) {                    \
      va_list arguments;                          \
      va_start(arguments, format);                \
      write_line((level), "", format, arguments); \
      va_end(arguments);                          \
    }                                             \
  } while (0)

void log_info(const char *format, ...) {
  WRITE_FROM_FIRST_RANK(LOG_INFO, format);
}

void log_warning(const char *format, ...) {
  WRITE_FROM_FIRST_RANK(LOG_WARNING, format);
}

void log_debug(const char *format, ...) {
  WRITE_FROM_FIRST_RANK(LOG_DEBUG, format);
}

void log_here(LogLevel level, const char *format, ...) {
  char who[24];
  snprintf(who, sizeof(who), " [%d]", log_state.rank);
  va_list arguments;
  va_start(arguments, format);
  write_line(level, who, format, arguments);
  va_end(arguments);
}
