#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/** All heap memory of cleave: 64-byte aligned, zeroed, counted. Thread-safe. */

/** Take `count` items of `size` bytes; count 0 gives a valid pointer to nothing. Use MEMORY_NEW.
 *  ranks   local
 *  what    in      a noun for the message: "rows of the batch"
 *  out     out     owned by the caller until memory_release(); NULL on failure
 *  fails   ERR_MEMORY (also when count * size overflows or count < 0) */
Status memory_take(void **out, int64_t count, size_t size, const char *what) MUST_USE;

/** `TRY(MEMORY_NEW(&pointer, count, "what it holds"));` */
#define MEMORY_NEW(pointer, count, what) \
  memory_take((void **)(pointer), (count), sizeof(**(pointer)), (what))

/** Resize a block (which may be NULL) to `count` items, keeping content; new bytes are zero.
 *  The old block stays valid, and *block unchanged, on failure.
 *  ranks   local */
Status memory_resize(void **block, int64_t count, size_t size, const char *what) MUST_USE;
#define MEMORY_RESIZE(pointer, count, what) \
  memory_resize((void **)(pointer), (count), sizeof(**(pointer)), (what))

/** Give a block back; NULL is fine. Use MEMORY_FREE, which also sets the pointer to NULL.
 *  ranks   local */
void memory_release(void *block);
#define MEMORY_FREE(pointer) (memory_release(pointer), (void)((pointer) = NULL))

/** A copy of a string, owned by the caller.
 *  ranks   local */
Status memory_copy_text(char **out, const char *text) MUST_USE;

/** From now on (until false) blocks of a megabyte or more are address space alone, counted like others:
 *  for plans of what may not fit. They can be touched as long as there is memory for what is.
 *  ranks   local */
void memory_plan(bool is_planning);

/** Blocks and bytes in use, and the most bytes that ever were in use, on this rank.
 *  ranks   local */
int64_t memory_blocks(void);
int64_t memory_bytes(void);
int64_t memory_peak(void);

#endif
