#ifndef WIRE_H
#define WIRE_H

#include <mpi.h>
#include <stdint.h>

#include "team.h"

/** Where exchange.c touches its callers' data, and MPI sees it; private to ranks. Pieces are cut already (piece.h). A
 *  simulation of many ranks puts another wire in this one's place, which moves sizes alone (tests/scaling). */

/** Bytes that this rank has taken from others so far; of a reduction the least that any way takes.  ranks local */
int64_t wire_bytes(void);

/** The same on all ranks: `bytes` of 8-byte values, in place.  ranks collective */
void wire_reduce(const Team *team, void *values, int bytes, MPI_Datatype type, MPI_Op op);
/** Send to one rank while receiving from another; MPI_PROC_NULL: none.  ranks `to` and `from` too */
void wire_pass(const Team *team, int to, const void *send, int send_bytes, int from, void *receive,
               int receive_bytes);
/** ranks collective */
void wire_broadcast(const Team *team, void *bytes, int count, int root);
/** On this rank; the places may overlap, and `bytes` may be 0.  ranks local */
void wire_copy(void *to, const void *from, int64_t bytes);

#endif
