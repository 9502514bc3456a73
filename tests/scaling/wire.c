/* The wire of the simulation: messages of the right sizes whose bytes nobody reads. They all lie in one buffer that the
 * simulated ranks share, so that 256 of them fit into memory. */
#include "wire.h"

#include <smpi/smpi.h>

enum { WIRE_TAG = 1, SHORT = 10240 };

/* Pieces are at most 1 GiB. */
static char *buffer(void) {
  static char *shared;
  if (shared == NULL) {
    shared = SMPI_SHARED_MALLOC((size_t)1 << 31);
  }
  return shared;
}

static void send_and_receive(const Team *team, int to, int sent, int from, int received) {
  char *at = buffer();
  MPI_Sendrecv(at, sent, MPI_BYTE, to, WIRE_TAG, at + ((size_t)1 << 30), received, MPI_BYTE, from,
               WIRE_TAG, team->comm, MPI_STATUS_IGNORE);
}

static int64_t g_bytes;

int64_t wire_bytes(void) {
  return g_bytes;
}

/* Open MPI's choices: recursive doubling of short vectors, of long ones a ring that first adds and then hands round. */
void wire_reduce(const Team *team, void *values, int bytes, MPI_Datatype type, MPI_Op op) {
  const int size = team->size;
  (void)values;
  (void)type;
  (void)op;
  g_bytes += 2 * (int64_t)bytes / size * (size - 1);
  if (bytes <= SHORT) {
    for (int distance = 1; distance < size; distance *= 2) {
      const int other = team->rank ^ distance;
      const int partner = other < size ? other : MPI_PROC_NULL;
      send_and_receive(team, partner, bytes, partner, bytes);
    }
    return;
  }
  const int part = bytes / size;
  for (int i = 0; i < 2 * (size - 1); i++) {
    send_and_receive(team, (team->rank + 1) % size, part, (team->rank + size - 1) % size, part);
  }
}

void wire_pass(const Team *team, int to, const void *send, int send_bytes, int from, void *receive,
               int receive_bytes) {
  (void)send;
  (void)receive;
  g_bytes += receive_bytes;
  send_and_receive(team, to, send_bytes, from, receive_bytes);
}

void wire_broadcast(const Team *team, void *bytes, int count, int root) {
  (void)bytes;
  g_bytes += root == team->rank ? 0 : count;
  MPI_Bcast(buffer(), count, MPI_BYTE, root, team->comm);
}

void wire_copy(void *to, const void *from, int64_t bytes) {
  (void)to;
  (void)from;
  (void)bytes;
}
