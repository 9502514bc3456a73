#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char g_why[STATUS_WHY_SIZE];

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

void status_raise(const char *file, int line, const char *format, ...) {
  const int before = errno; /* RAISE's code may depend on it */
  /* Formatted aside: an argument may be status_why() itself. */
  char why[STATUS_WHY_SIZE];
  const int used = snprintf(why, sizeof(why), "%s:%d: ", base_name(file), line);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why + used, sizeof(why) - (size_t)used, format, arguments);
  va_end(arguments);
  status_set_why(why);
  errno = before;
}

const char *status_why(void) {
  return g_why;
}

void status_set_why(const char *why) {
  if (why == g_why) {
    return;
  }
  const size_t length = strnlen(why, sizeof(g_why) - 1);
  memcpy(g_why, why, length);
  g_why[length] = '\0';
}

Status status_of_write(int why) {
  return why == ENOSPC || why == EDQUOT ? ERR_SPACE : ERR_FILE;
}

const char *status_sentence(Status status) {
  switch (status) {
#define STATUS_CASE(name, code, sentence) \
  case name:                              \
    return sentence;
    STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
  }
  return "unknown status";
}

const char *status_name(Status status) {
  switch (status) {
#define STATUS_CASE(name, code, sentence) \
  case name:                              \
    return #name;
    STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
  }
  return "UNKNOWN";
}

void status_assert_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "cleave: internal error, please report it: %s:%d: %s does not hold\n",
          base_name(file), line, condition);
  fflush(NULL);
  abort();
}
