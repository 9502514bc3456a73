#ifndef PIECE_H
#define PIECE_H

#include <stdint.h>

/** How messages are cut: MPI counts are int, and Open MPI's own algorithms multiply them. Private
 *  to ranks. Lengths are bytes. */

/** Length of the next piece of `left` bytes: at most the piece length (1 GiB), a multiple of 8
 *  unless it is the last.
 *  ranks   local */
int piece_next(int64_t left);

/** Lower the piece length (a multiple of 8), the same on all ranks; 0 restores 1 GiB. For tests.
 *  ranks   local */
void piece_set(int64_t bytes);

#endif
