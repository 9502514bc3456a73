#ifndef READ_TENSORS_H
#define READ_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "text.h"

/** What the fuzzers of tensor files share. ranks: all local. */

/** Write the bytes to a file, open it, read all that it claims to hold (and unpack what is packed): an error or
 *  finite numbers, never a crash, and all memory given back. */
void read_tensors(const uint8_t *bytes, size_t size);

/** A custom mutator's body: begins, and now and then begins again, with a good file; no corpus is needed. */
size_t mutate_tensors(uint8_t *bytes, size_t size, size_t limit, unsigned seed,
                      void (*write_good)(Text *file, unsigned seed));

#endif
