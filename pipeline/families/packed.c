#include "packed.h"

#include <string.h>

#include "memory.h"

/* Rows are copied where at least one in so many is left out. */
enum { SHARE = 8 };

static int64_t count_kept(const PackedRows *from) {
  int64_t kept = 0;
  for (int64_t i = 0; i < from->count; i++) {
    kept += !from->is_left_out[i];
  }
  return kept;
}

/* The `to`-th list of one and the `from`-th of the other. */
static void copy_list(const Neighbours *to, int64_t to_row, const Neighbours *from,
                      int64_t from_row) {
  const size_t bytes = (size_t)from->most * sizeof(*from->keys);
  memcpy(to->keys + to_row * from->most, from->keys + from_row * from->most, bytes);
  to->counts[to_row] = from->counts[from_row];
}

static Status take_copies(Packed *packed, const PackedRows *from, int64_t kept) {
  TRY(MEMORY_NEW(&packed->rows, kept * from->width, "packed rows"));
  TRY(MEMORY_NEW(&packed->ids, kept, "ids of packed rows"));
  return from->lists == NULL ? OK : neighbours_open(&packed->lists, kept, from->lists->most);
}

static void copy_rows(Packed *packed, const PackedRows *from) {
  int64_t at = 0;
  for (int64_t i = 0; i < from->count; i++) {
    if (!from->is_left_out[i]) {
      memcpy(packed->rows + at * from->width, from->rows + i * from->width,
             (size_t)from->width * sizeof(*from->rows));
      packed->ids[at] = (uint32_t)(from->first_id + i);
      if (from->lists != NULL) {
        copy_list(&packed->lists, at, from->lists, i);
      }
      at++;
    }
  }
}

static Status choose_rows(Packed *packed, const PackedRows *from) {
  const int64_t kept = count_kept(from);
  packed->side = (ScreenSide){.rows = from->rows,
                              .count = from->count,
                              .first_id = from->first_id,
                              .is_left_out = kept < from->count ? from->is_left_out : NULL};
  if ((from->count - kept) * SHARE < from->count || kept == from->count) {
    packed->lists = from->lists == NULL ? (Neighbours){0} : *from->lists;
    return OK;
  }
  TRY(take_copies(packed, from, kept));
  copy_rows(packed, from);
  packed->side = (ScreenSide){.rows = packed->rows, .count = kept, .ids = packed->ids};
  return OK;
}

Status packed_make(Packed *packed, const PackedRows *from) {
  *packed = (Packed){0};
  TRY(choose_rows(packed, from));
  const int64_t count = packed->side.count;
  TRY(MEMORY_NEW(&packed->norm, count, "norms of rows"));
  screen_norms(packed->side.rows, count, from->width, packed->norm);
  packed->side.norm = packed->norm;
  if (from->has_lowp) {
    TRY(lowp_create(&packed->lowp, packed->side.rows, count, from->width, from->is_left));
    packed->side.lowp = &packed->lowp;
    if (!from->is_left) {
      TRY(lowp_pack(&packed->lowp));
    }
  }
  return OK;
}

void packed_return(const Packed *packed, const PackedRows *from) {
  for (int64_t i = 0; packed->rows != NULL && from->lists != NULL && i < packed->side.count; i++) {
    copy_list(from->lists, packed->ids[i] - from->first_id, &packed->lists, i);
  }
}

void packed_clear(Packed *packed) {
  if (packed->rows != NULL) {
    neighbours_clear(&packed->lists);
  }
  MEMORY_FREE(packed->rows);
  MEMORY_FREE(packed->ids);
  MEMORY_FREE(packed->norm);
  lowp_clear(&packed->lowp);
}
