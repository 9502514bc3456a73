#include "wire.h"

#include <string.h>

enum { WIRE_TAG = 1 };

static int64_t g_bytes;

int64_t wire_bytes(void) {
  return g_bytes;
}

void wire_reduce(const Team *team, void *values, int bytes, MPI_Datatype type, MPI_Op op) {
  g_bytes += 2 * (int64_t)bytes / team->size * (team->size - 1);
  MPI_Allreduce(MPI_IN_PLACE, values, bytes / 8, type, op, team->comm);
}

void wire_pass(const Team *team, int to, const void *send, int send_bytes, int from, void *receive,
               int receive_bytes) {
  g_bytes += receive_bytes;
  MPI_Sendrecv(send, send_bytes, MPI_BYTE, to, WIRE_TAG, receive, receive_bytes, MPI_BYTE, from,
               WIRE_TAG, team->comm, MPI_STATUS_IGNORE);
}

void wire_broadcast(const Team *team, void *bytes, int count, int root) {
  g_bytes += root == team->rank ? 0 : count;
  MPI_Bcast(bytes, count, MPI_BYTE, root, team->comm);
}

void wire_copy(void *to, const void *from, int64_t bytes) {
  if (bytes > 0) {
    memmove(to, from, (size_t)bytes);
  }
}
