#include "exchange.h"

#include <mpi.h>

#include "clock.h"
#include "memory.h"
#include "piece.h"
#include "wire.h"

static double g_seconds; /* main thread alone */

double exchange_seconds(void) {
  return g_seconds;
}

int64_t exchange_bytes(void) {
  return wire_bytes();
}

/* All reduced types are 8 bytes wide. */
static void reduce_in_place(const Team *team, void *values, int64_t count, MPI_Datatype type,
                            MPI_Op op) {
  const double begun = clock_seconds();
  char *at = values;
  int64_t left = count * 8;
  while (left > 0) {
    const int piece = piece_next(left);
    wire_reduce(team, at, piece, type, op);
    at += piece;
    left -= piece;
  }
  g_seconds += clock_seconds() - begun;
}

void exchange_sum(Team *team, int64_t *values, int64_t count) {
  reduce_in_place(team, values, count, MPI_INT64_T, MPI_SUM);
}

void exchange_max(Team *team, double *values, int64_t count) {
  reduce_in_place(team, values, count, MPI_DOUBLE, MPI_MAX);
}

void exchange_max_integer(Team *team, int64_t *values, int64_t count) {
  reduce_in_place(team, values, count, MPI_INT64_T, MPI_MAX);
}

int64_t exchange_offset(Team *team, int64_t mine, int64_t *total) {
  int64_t before = 0;
  MPI_Exscan(&mine, &before, 1, MPI_INT64_T, MPI_SUM, team->comm);
  MPI_Allreduce(&mine, total, 1, MPI_INT64_T, MPI_SUM, team->comm);
  return team->rank == 0 ? 0 : before; /* MPI leaves rank 0's result undefined */
}

Status exchange_collect(Team *team, const void *mine, int64_t count, size_t size, void **all,
                        int64_t *total, const char *what) {
  int64_t *counts = NULL;
  *all = NULL;
  TRY_NEW(team, &counts, team->size, "counts of ranks");
  counts[team->rank] = count;
  exchange_sum(team, counts, team->size);
  *total = 0;
  for (int rank = 0; rank < team->size; rank++) {
    *total += counts[rank];
  }
  const Status status = team_agree(team, memory_take(all, *total, size, what));
  if (status == OK) {
    exchange_gather(team, mine, counts, size, *all);
  } else {
    MEMORY_FREE(*all);
  }
  MEMORY_FREE(counts);
  return status;
}

/* Send to one rank while receiving from another, both cut. The two sides of a message see the same
 * length, so their pieces match; a side that is done first waits with MPI_PROC_NULL. */
static void pass_bytes(const Team *team, int to, const char *send, int64_t send_bytes, int from,
                       char *receive, int64_t receive_bytes) {
  const double begun = clock_seconds();
  while (send_bytes > 0 || receive_bytes > 0) {
    const int out = piece_next(send_bytes);
    const int in = piece_next(receive_bytes);
    wire_pass(team, out > 0 ? to : MPI_PROC_NULL, send, out, in > 0 ? from : MPI_PROC_NULL, receive,
              in);
    send += out;
    receive += in;
    send_bytes -= out;
    receive_bytes -= in;
  }
  g_seconds += clock_seconds() - begun;
}

static int64_t sum_before(const int64_t *counts, int rank) {
  int64_t sum = 0;
  for (int i = 0; i < rank; i++) {
    sum += counts[i];
  }
  return sum;
}

/* Where part `rank` begins, from where the one before it (or, of part 0, the last) began. */
typedef struct Place {
  int rank;
  int64_t offset; /* bytes */
} Place;

static Place place_before(const Team *team, Place place, const int64_t *counts, int64_t size,
                          int64_t all) {
  const bool is_first = place.rank == 0;
  const int before = is_first ? team->size - 1 : place.rank - 1;
  return (Place){before, (is_first ? all : place.offset) - counts[before] * size};
}

/* Parts go round: to the next rank always the one that came last. The counts are known to all, so no displacement of
 * MPI's (an int) is needed, and a part of any size can be cut. */
void exchange_gather(Team *team, const void *mine, const int64_t *counts, size_t size, void *all) {
  const int to = (team->rank + 1) % team->size, from = (team->rank + team->size - 1) % team->size;
  const int64_t item = (int64_t)size, bytes = sum_before(counts, team->size) * item;
  Place sent = {team->rank, sum_before(counts, team->rank) * item};
  wire_copy((char *)all + sent.offset, mine, counts[team->rank] * item);
  for (int step = 1; step < team->size; step++) {
    const Place taken = place_before(team, sent, counts, item, bytes);
    pass_bytes(team, to, (const char *)all + sent.offset, counts[sent.rank] * item, from,
               (char *)all + taken.offset, counts[taken.rank] * item);
    sent = taken;
  }
}

/* Pairwise: in step s everybody sends to the rank s ahead. MPI_Alltoallv's int displacements would
 * limit a rank's whole buffer to 2^31, and whether they suffice is not known to all ranks. */
void exchange_all_to_all(Team *team, const void *send, const int64_t *counts, void *receive,
                         const int64_t *received, size_t size) {
  const int64_t item = (int64_t)size;
  for (int step = 0; step < team->size; step++) {
    const int to = (team->rank + step) % team->size;
    const int from = (team->rank - step + team->size) % team->size;
    const char *source = (const char *)send + sum_before(counts, to) * item;
    char *target = (char *)receive + sum_before(received, from) * item;
    if (step == 0) {
      wire_copy(target, source, counts[to] * item);
      continue;
    }
    pass_bytes(team, to, source, counts[to] * item, from, target, received[from] * item);
  }
}

void exchange_counts(Team *team, const int64_t *counts, int64_t *received) {
  MPI_Alltoall(counts, 1, MPI_INT64_T, received, 1, MPI_INT64_T, team->comm);
}

void exchange_ring(Team *team, const void *send, int64_t send_bytes, void *receive,
                   int64_t receive_bytes) {
  if (team->size == 1) {
    wire_copy(receive, send, send_bytes);
    return;
  }
  const int to = (team->rank + 1) % team->size;
  const int from = (team->rank + team->size - 1) % team->size;
  pass_bytes(team, to, send, send_bytes, from, receive, receive_bytes);
}
