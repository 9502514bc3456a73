#include "piece.h"

#include "status.h"

enum { PIECE_DEFAULT = 1 << 30 };

static int piece_length = PIECE_DEFAULT;

int piece_next(int64_t left) {
  return left < piece_length ? (int)left : piece_length;
}

void piece_set(int64_t bytes) {
  ASSERT(bytes >= 0 && bytes <= PIECE_DEFAULT && bytes % 8 == 0);
  piece_length = bytes == 0 ? PIECE_DEFAULT : (int)bytes;
}
