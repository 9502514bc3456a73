#ifndef TEAM_H
#define TEAM_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "status.h"

/** The ranks that work together. */
typedef struct Team {
  MPI_Comm comm; /* a duplicate, used by collective calls alone */
  int rank;      /* 0 .. size-1 */
  int size;
  int node_size; /* ranks on this rank's machine */
  bool is_quiet; /* team_agree prints nothing: another team will agree on it */
} Team;

/** Start MPI (funnelled threads) and make the team of all ranks. Installs no signal handlers. Where
 *  MPI runs already (the test runner) it is used, and team_close leaves it running.
 *  argc, argv      may be NULL
 *  ranks   collective
 *  fails   ERR_UNSUPPORTED: the MPI library has no MPI_THREAD_FUNNELED */
Status team_open(Team *team, int *argc, char ***argv) MUST_USE;
/** Free the team; end MPI if team_open started it.
 *  ranks   collective */
void team_close(Team *team);

/** Make one status of all ranks' statuses: OK only if every rank brings OK; else, on all ranks, the
 *  code and reason of the failing rank with the highest code (ties: lowest rank). Rank 0 prints ONE
 *  line to stderr:
 *    cleave: SENTENCE (rank r, k of n ranks failed): FILE:LINE: WHY
 *  When all ranks fail alike (same code and reason) the part in brackets is left out.
 *  The fault switch (build option CLEAVE_FAULTS, environment TEAM_FAULT=rank:nth) makes rank `rank`
 *  fail its nth call (1-based) with ERR_FAULT.
 *  ranks   collective
 *  fails   as said; the same on every rank */
Status team_agree(Team *team, Status mine) MUST_USE;

/** Inside a collective function: run a LOCAL call on every rank; all return early if any fails. */
#define TRY_ALL(team, call)                                \
  do {                                                     \
    const Status try_status_ = team_agree((team), (call)); \
    if (try_status_ != OK) {                               \
      return try_status_;                                  \
    }                                                      \
  } while (0)

/** Inside a collective function: run a LOCAL call that fills *pointer with memory, on every rank; where any rank
 *  fails, all give theirs back and return. TRY_NEW: MEMORY_NEW in this manner. */
#define TRY_OWN(team, pointer, call)                       \
  do {                                                     \
    const Status try_status_ = team_agree((team), (call)); \
    if (try_status_ != OK) {                               \
      MEMORY_FREE(*(pointer));                             \
      return try_status_;                                  \
    }                                                      \
  } while (0)
#define TRY_NEW(team, pointer, count, what) \
  TRY_OWN((team), (pointer), MEMORY_NEW((pointer), (count), (what)))

/** Report a failure that all ranks hold alike without an agreement (wrong arguments, say): rank 0
 *  prints "cleave: SENTENCE: FILE:LINE: WHY".
 *  ranks   local, but call it on all ranks or on rank 0 */
void team_report(const Team *team, Status status);

/** How often team_agree was called so far (the fault tests count from there).
 *  ranks   local */
int64_t team_agreements(void);

/** `count` bytes to all ranks from rank `root`.
 *  ranks   collective */
void team_broadcast(Team *team, void *bytes, int64_t count, int root);
/** Wait for all.
 *  ranks   collective */
void team_barrier(Team *team);
/** True on all ranks if true on any (signal flags).
 *  ranks   collective */
bool team_any(Team *team, bool mine);

#endif
