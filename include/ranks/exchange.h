#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "team.h"

/** Data between ranks. Counts are int64 and messages are cut inside, far below MPI's 2^31. All
 *  buffers are borrowed; empty ones are fine. MPI failures are fatal (MPI_ERRORS_ARE_FATAL).
 *  ranks   all functions are collective */

/** Seconds that this rank has spent here so far, waiting for others included.
 *  ranks   local */
double exchange_seconds(void);
/** Bytes that this rank has taken from others so far, by these functions and team_broadcast(), but for counts and
 *  agreements of a few bytes; of a sum or maximum of n bytes, whose way is MPI's, the least that any way takes:
 *  2 n (ranks - 1) / ranks.
 *  ranks   local */
int64_t exchange_bytes(void);

/** Element-wise sum over ranks, in place, of 64-bit integers mod 2^64: associative, so the same
 *  bytes at any rank count.
 *  count   in      the same on all ranks */
void exchange_sum(Team *team, int64_t *values, int64_t count);
/** Element-wise maximum over ranks, in place (no nan: agree first).
 *  count   in      the same on all ranks */
void exchange_max(Team *team, double *values, int64_t count);
void exchange_max_integer(Team *team, int64_t *values, int64_t count);
/** Sum of all lower ranks' values (0 on rank 0).
 *  total   out     over all ranks */
int64_t exchange_offset(Team *team, int64_t mine, int64_t *total);

/** Every rank's items to all, in rank order.
 *  mine    in      [counts[rank]] items of `size` bytes; may lie at its own place in `all`
 *  counts  in      [team size], the same on all ranks
 *  all     out     [sum of counts] items */
void exchange_gather(Team *team, const void *mine, const int64_t *counts, size_t size, void *all);

/** The same with lists of any length, into new memory.
 *  mine    in      [count]; counts may differ between ranks and be 0
 *  all     out     [*total] in rank order; the caller's to MEMORY_FREE, NULL after a failure
 *  what    in      for the message
 *  fails   ERR_MEMORY */
Status exchange_collect(Team *team, const void *mine, int64_t count, size_t size, void **all,
                        int64_t *total, const char *what) MUST_USE;

/** Items from each rank to each.
 *  send     in     counts[0] items for rank 0, then counts[1] for rank 1, ...
 *  counts   in     [team size]
 *  receive  out    received[0] items of rank 0, then received[1] of rank 1, ...; no overlap with
 *                  `send`
 *  received in     [team size]: from exchange_counts() when it is not known */
void exchange_all_to_all(Team *team, const void *send, const int64_t *counts, void *receive,
                         const int64_t *received, size_t size);
/** Tell each rank how much will come: counts and received are [team size]. */
void exchange_counts(Team *team, const int64_t *counts, int64_t *received);

/** Pass `send` to the next rank of the ring (rank + 1) and receive from the previous one; sizes in
 *  bytes. The buffers do not overlap. */
void exchange_ring(Team *team, const void *send, int64_t send_bytes, void *receive,
                   int64_t receive_bytes);

#endif
