#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>

/** What a call came to. One list makes the enum, the sentences and the exit codes of all programs.
 *  Codes are part of the interface (job scripts read them): never renumber. */
#define STATUS_LIST(X)                                                  \
  X(OK, 0, "success")                                                   \
  X(ERR_USAGE, 2, "the command line is wrong")                          \
  X(ERR_CONFIG, 3, "the configuration is wrong")                        \
  X(ERR_MISSING, 4, "an input is missing")                              \
  X(ERR_FILE, 5, "a file cannot be read or written")                    \
  X(ERR_FORMAT, 6, "a file is damaged or not of the expected kind")     \
  X(ERR_UNSUPPORTED, 7, "the input is valid but not supported")         \
  X(ERR_STALE, 8, "the output exists and was made with other settings") \
  X(ERR_SPACE, 9, "the file system is full")                            \
  X(ERR_MEMORY, 10, "out of memory")                                    \
  X(ERR_NUMERIC, 11, "a number is not finite")                          \
  X(ERR_DATA, 12, "the data cannot support what was asked")             \
  X(ERR_FAULT, 13, "a fault was injected by TEAM_FAULT")                \
  X(ERR_BUSY, 14, "another run is at work here")                        \
  X(ERR_INTERRUPTED, 85, "stopped by a signal, the state is saved: run again to continue")

#define STATUS_ENUM(name, code, sentence) name = (code),
typedef enum Status { STATUS_LIST(STATUS_ENUM) } Status;
#undef STATUS_ENUM

#define MUST_USE __attribute__((warn_unused_result))

enum { STATUS_WHY_SIZE = 1024 };

/** Remember why and where a call failed (per thread). Use RAISE.
 *  ranks   local */
void status_raise(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/** Fail with a reason that names file, place and remedy: `return RAISE(ERR_FILE, "%s: ...", path);`
 */
#define RAISE(code, ...) (status_raise(__FILE__, __LINE__, __VA_ARGS__), (Status)(code))

/** Return early when a local call, or a collective call that fails on all ranks alike, fails. */
#define TRY(call)                      \
  do {                                 \
    const Status try_status_ = (call); \
    if (try_status_ != OK) {           \
      return try_status_;              \
    }                                  \
  } while (0)

/** The sentence of a code, and its name ("ERR_FILE").
 *  ranks   local */
const char *status_sentence(Status status);
const char *status_name(Status status);

/** Where and why the last RAISE of this thread failed: "gguf.c:120: model.gguf: ...". Never NULL.
 *  ranks   local */
const char *status_why(void);

/** The code of a failed write with this errno: ERR_SPACE on a full disk or quota, else ERR_FILE.
 *  ranks   local */
Status status_of_write(int why);

/** Adopt a reason that arrived from another thread or rank.
 *  ranks   local */
void status_set_why(const char *why);

/** A broken invariant is our own bug: print and abort (mpirun then ends all ranks). Always on. */
#define ASSERT(condition) \
  ((condition) ? (void)0 : status_assert_failed(#condition, __FILE__, __LINE__))
void status_assert_failed(const char *condition, const char *file, int line)
    __attribute__((noreturn, cold));

#endif
