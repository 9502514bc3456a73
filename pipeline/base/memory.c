#include "memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 1 << 21 };

/* Stands in the 64 bytes before each block. */
typedef struct Header {
  void *raw; /* what the C library gave; NULL: mapped, from the page before the block on */
  size_t bytes;
  uint64_t mark; /* MARK_LIVE: tells a foreign pointer and a second release */
} Header;
_Static_assert(sizeof(Header) <= ALIGNMENT, "the header fits before the block");

static const uint64_t MARK_LIVE = UINT64_C(0x11feb10cb10c11fe);

/* From this size on calloc: its fresh pages are zero already and cost nothing until touched. Below,
 * the block ends where the allocation ends, so that AddressSanitizer sees the first byte beyond. */
static const size_t LARGE = (size_t)1 << 20;

/* Rows are read in no order (exact scoring, evidence): with small pages each costs a walk of the page
 * table. A kernel that has none to give ignores the wish; a page only half used is all it can cost. */
static const size_t VERY_LARGE = (size_t)4 * HUGE_PAGE;

static void ask_for_huge_pages(char *start, size_t bytes) {
  char *const first = start + (HUGE_PAGE - (uintptr_t)start % HUGE_PAGE) % HUGE_PAGE;
  const size_t whole = (size_t)(start + bytes - first) / HUGE_PAGE * HUGE_PAGE;
  (void)madvise(first, whole, MADV_HUGEPAGE);
}

static atomic_int_least64_t g_blocks, g_bytes, g_peak;

static Header *header_of(void *block) {
  Header *header = (Header *)(void *)((char *)block - ALIGNMENT);
  ASSERT(header->mark == MARK_LIVE);
  return header;
}

static void count_block(int64_t bytes) {
  atomic_fetch_add(&g_blocks, 1);
  const int64_t now = atomic_fetch_add(&g_bytes, bytes) + bytes;
  int64_t peak = atomic_load(&g_peak);
  while (now > peak && !atomic_compare_exchange_weak(&g_peak, &peak, now)) {
  }
}

static bool g_is_planning;

void memory_plan(bool is_planning) {
  g_is_planning = is_planning;
}

enum { PAGE = 4096 };

/* Beyond what the system has, too: pages that nobody touches are never had. The header's is. */
static char *map_block(size_t bytes) {
  char *const start = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return start == MAP_FAILED ? NULL : start + PAGE;
}

/* Where a zeroed block begins that has room for its header; *raw is what free() is to get. */
static char *take_raw(size_t bytes, void **raw) {
  if (bytes >= LARGE && g_is_planning) {
    *raw = NULL;
    return map_block(bytes);
  }
  if (bytes >= LARGE) {
    *raw = calloc(1, bytes + (size_t)2 * ALIGNMENT);
    const size_t gap = ALIGNMENT - (uintptr_t)*raw % ALIGNMENT;
    if (*raw == NULL) {
      return NULL;
    }
    if (bytes >= VERY_LARGE) {
      ask_for_huge_pages(*raw, bytes);
    }
    return (char *)*raw + gap % ALIGNMENT + ALIGNMENT;
  }
  /* At least one byte, so that the block's address lies inside the allocation (leak checkers). */
  const size_t whole = ALIGNMENT + (bytes > 0 ? bytes : 1);
  if (posix_memalign(raw, ALIGNMENT, whole) != 0) {
    return NULL;
  }
  memset(*raw, 0, whole);
  return (char *)*raw + ALIGNMENT;
}

Status memory_take(void **out, int64_t count, size_t size, const char *what) {
  *out = NULL;
  const size_t most = (size_t)PTRDIFF_MAX - (size_t)4 * ALIGNMENT;
  if (count < 0 || (size > 0 && (uint64_t)count > most / size)) {
    return RAISE(ERR_MEMORY, "%s: %lld items of %zu bytes are beyond any memory", what,
                 (long long)count, size);
  }
  const size_t bytes = (size_t)count * size;
  void *raw = NULL;
  char *start = take_raw(bytes, &raw);
  if (start == NULL) {
    return RAISE(ERR_MEMORY, "%s: %.3f GB could not be had, %.3f GB are in use on this rank", what,
                 (double)bytes * 1e-9, (double)memory_bytes() * 1e-9);
  }
  Header *header = (Header *)(void *)(start - ALIGNMENT);
  *header = (Header){.raw = raw, .bytes = bytes, .mark = MARK_LIVE};
  count_block((int64_t)bytes);
  *out = start;
  return OK;
}

Status memory_resize(void **block, int64_t count, size_t size, const char *what) {
  void *grown = NULL;
  TRY(memory_take(&grown, count, size, what));
  if (*block != NULL) {
    const size_t before = header_of(*block)->bytes;
    const size_t after = header_of(grown)->bytes;
    memcpy(grown, *block, before < after ? before : after);
    memory_release(*block);
  }
  *block = grown;
  return OK;
}

void memory_release(void *block) {
  if (block == NULL) {
    return;
  }
  Header *header = header_of(block);
  header->mark = 0;
  atomic_fetch_sub(&g_blocks, 1);
  atomic_fetch_sub(&g_bytes, (int64_t)header->bytes);
  if (header->raw == NULL) {
    munmap((char *)block - PAGE, header->bytes + PAGE);
    return;
  }
  free(header->raw);
}

Status memory_copy_text(char **out, const char *text) {
  const size_t length = strlen(text);
  TRY(MEMORY_NEW(out, (int64_t)length + 1, "a copy of a text"));
  memcpy(*out, text, length);
  return OK;
}

int64_t memory_blocks(void) {
  return atomic_load(&g_blocks);
}

int64_t memory_bytes(void) {
  return atomic_load(&g_bytes);
}

int64_t memory_peak(void) {
  return atomic_load(&g_peak);
}
