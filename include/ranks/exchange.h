#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "team.h"

/** Data between ranks. Counts are int64 and cut below 2^31 elements inside. All buffers are
 * borrowed; empty ones are fine. ranks: all collective. MPI failures are fatal
 * (MPI_ERRORS_ARE_FATAL). */

/** Element-wise sum over ranks, in place, of 64-bit integers: associative, so the same bytes at any
 * rank count. */
void exchange_sum(Team *team, int64_t *values, int64_t count);
/** Element-wise maximum over ranks, in place (no nan: agree first). */
void exchange_max(Team *team, double *values, int64_t count);
void exchange_max_integer(Team *team, int64_t *values, int64_t count);
/** Sum of all lower ranks' values (0 on rank 0), and the total over all ranks. */
int64_t exchange_offset(Team *team, int64_t mine, int64_t *total);

/** Every rank's `mine` ([count] items of `size` bytes) to all, in rank order. counts: [team size],
 * known to all. all     out     [sum of counts] items */
void exchange_gather(Team *team, const void *mine, const int64_t *counts, size_t size, void *all);

/** counts[r] items go to rank r from `send` (in rank order); `receive` gets received[r] items from
 * rank r. Both count arrays are [team size]. Fill `received` by exchange_counts() first when it is
 * not known. */
void exchange_all_to_all(Team *team, const void *send, const int64_t *counts, void *receive,
                         const int64_t *received, size_t size);
void exchange_counts(Team *team, const int64_t *counts, int64_t *received);

/** Pass `send` to the next rank of the ring (rank+1) and receive from the previous; sizes in bytes.
 */
void exchange_ring(Team *team, const void *send, int64_t send_bytes, void *receive,
                   int64_t receive_bytes);

#endif
