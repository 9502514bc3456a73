#include "activations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "activations_plan.h"
#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "schema.h"

enum { MEDIAN_ROWS = 65536 };

static Status open_spools(Activations *activations) {
  const char *folder = activations->options.folder;
  TRY(spool_open(&activations->values, folder));
  TRY(spool_open(&activations->rows, folder));
  if (activations->team->rank == 0) {
    TRY(spool_open(&activations->tokens, folder));
    TRY(MEMORY_NEW(&activations->document_start, 1, "starts of documents"));
  }
  return OK;
}

Status activations_create(Activations **out, Team *team, const ActivationsOptions *options) {
  Activations *activations = NULL;
  *out = NULL;
  TRY_NEW(team, &activations, 1, "the rows' collection");
  *activations = (Activations){.team = team, .options = *options};
  const Status status = team_agree(team, open_spools(activations));
  if (status != OK) {
    activations_destroy(&activations);
  }
  *out = activations;
  return status;
}

void activations_destroy(Activations **activations) {
  Activations *a = *activations;
  if (a == NULL) {
    return;
  }
  spool_close(&a->values);
  spool_close(&a->rows);
  spool_close(&a->tokens);
  MEMORY_FREE(a->units);
  MEMORY_FREE(a->all);
  MEMORY_FREE(a->document_start);
  MEMORY_FREE(*activations);
}

int64_t activations_row_bytes(const ActivationsOptions *options) {
  return options->width * (options->is_bf16 ? (int64_t)sizeof(uint16_t) : (int64_t)sizeof(float));
}

/* Norms and means are those of the stored values: what every later stage reads. */
Status activations_store_row(const ActivationsOptions *options, float *values, void *stored,
                             ActivationsRow *row) {
  const int64_t width = options->width;
  if (options->is_bf16) {
    dense_to_bf16(values, width, stored);
    dense_from_bf16(stored, width, values);
  } else {
    memcpy(stored, values, (size_t)activations_row_bytes(options));
  }
  row->square = dense_square(values, width);
  if (!isfinite(row->square)) {
    return RAISE(ERR_NUMERIC, "the residual stream at token %u of document %u is not finite",
                 row->position, row->document);
  }
  float largest = 0.0F;
  for (int64_t i = 0; i < width; ++i) {
    const float size = fabsf(values[i]);
    largest = size > largest ? size : largest;
  }
  row->largest = largest;
  return OK;
}

Status activations_add(Activations *activations, const ActivationsUnit *unit) {
  Activations *a = activations;
  if (a->count == a->capacity) {
    const int64_t capacity = 2 * a->capacity + 64;
    TRY(MEMORY_RESIZE(&a->units, capacity, "records of the units"));
    a->capacity = capacity;
  }
  const UnitRecord *last = a->count > 0 ? &a->units[a->count - 1] : NULL;
  ASSERT(last == NULL || last->index < unit->index);
  TRY(spool_append(a->rows, unit->row, unit->rows * (int64_t)sizeof(*unit->row)));
  TRY(spool_append(a->values, unit->values, unit->rows * activations_row_bytes(&a->options)));
  a->units[a->count++] = (UnitRecord){.index = unit->index,
                                      .rows = unit->rows,
                                      .offset = last == NULL ? 0 : last->offset + last->rows,
                                      .left_out_first = unit->left_out_first,
                                      .left_out_special = unit->left_out_special};
  a->largest_unit = unit->rows > a->largest_unit ? unit->rows : a->largest_unit;
  return OK;
}

Status activations_add_tokens(Activations *activations, const int32_t *ids, int64_t count) {
  Activations *a = activations;
  if (count > (int64_t)SCHEMA_NO_ID - a->document_tokens) {
    return RAISE(ERR_DATA, "more than %u tokens in a document", SCHEMA_NO_ID);
  }
  a->document_tokens += count;
  return a->team->rank != 0 ? OK : spool_append(a->tokens, ids, count * (int64_t)sizeof(*ids));
}

Status activations_add_document(Activations *activations, const int32_t *ids, int64_t count) {
  Activations *a = activations;
  if (a->documents + 1 >= (int64_t)SCHEMA_NO_ID) {
    return RAISE(ERR_DATA, "more than %u documents", SCHEMA_NO_ID - 1);
  }
  TRY(activations_add_tokens(a, ids, count));
  if (a->team->rank == 0 && a->documents + 1 >= a->documents_capacity) {
    const int64_t capacity = 2 * a->documents_capacity + 1024;
    TRY(MEMORY_RESIZE(&a->document_start, capacity, "starts of documents"));
    a->documents_capacity = capacity;
  }
  if (a->team->rank == 0) {
    a->document_start[a->documents + 1] = a->document_start[a->documents] + a->document_tokens;
    ++a->documents;
  }
  a->document_tokens = 0;
  return OK;
}

Status activations_read_rows(Activations *activations, const UnitRecord *unit,
                             ActivationsRow *rows) {
  const int64_t size = (int64_t)sizeof(*rows);
  return spool_read(activations->rows, unit->offset * size, rows, unit->rows * size);
}

bool activations_keeps(const Activations *activations, const ActivationsRow *row) {
  return sqrt(row->square) <= activations->limit;
}

static int compare_units(const void *left, const void *right) {
  const UnitRecord *a = left, *b = right;
  return (a->index > b->index) - (a->index < b->index);
}

/* The records of all units by index, each with the number of candidates (or kept rows) before it.
 * collective */
static Status gather_units(Activations *activations, bool of_kept) {
  Activations *a = activations;
  MEMORY_FREE(a->all);
  TRY(exchange_collect(a->team, a->units, a->count, sizeof(*a->units), (void **)&a->all,
                       &a->all_count, "units of all ranks"));
  qsort(a->all, (size_t)a->all_count, sizeof(*a->all), compare_units);
  int64_t first = 0, own = 0;
  for (int64_t i = 0; i < a->all_count; ++i) {
    a->all[i].first = first;
    first += of_kept ? a->all[i].kept : a->all[i].rows;
    if (own < a->count && a->units[own].index == a->all[i].index) {
      a->units[own++].first = a->all[i].first;
    }
  }
  return OK;
}

/* Norms of this rank's rows among the first `window` candidates of all: [*count] into *norms. */
static Status read_norms(Activations *activations, int64_t window, double **norms, int64_t *count) {
  Activations *a = activations;
  ActivationsRow *rows = NULL;
  *count = 0;
  TRY(MEMORY_NEW(norms, window, "norms of the first rows"));
  TRY(MEMORY_NEW(&rows, a->largest_unit, "rows of a unit"));
  Status status = OK;
  for (int64_t u = 0; u < a->count && status == OK && a->units[u].first < window; ++u) {
    status = activations_read_rows(a, &a->units[u], rows);
    for (int64_t i = 0; i < a->units[u].rows && status == OK; ++i) {
      if (a->units[u].first + i < window) {
        (*norms)[(*count)++] = sqrt(rows[i].square);
      }
    }
  }
  MEMORY_FREE(rows);
  return status;
}

static int compare_reals(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static int64_t median_window(const Activations *activations) {
  const int64_t most = activations->options.most_rows;
  return most > 0 && most < MEDIAN_ROWS ? most : MEDIAN_ROWS;
}

/* collective; needs at least the window's candidates, or all there will be */
static Status settle(Activations *activations) {
  Activations *a = activations;
  double *mine = NULL, *all = NULL;
  int64_t count = 0, total = 0;
  TRY(gather_units(a, false));
  Status status = team_agree(a->team, read_norms(a, median_window(a), &mine, &count));
  if (status == OK) {
    status = exchange_collect(a->team, mine, count, sizeof(*mine), (void **)&all, &total,
                              "items of all ranks");
  }
  if (status == OK && total > 0) {
    qsort(all, (size_t)total, sizeof(*all), compare_reals);
    a->median = (all[(total - 1) / 2] + all[total / 2]) / 2.0;
  }
  a->limit = a->options.norm_limit > 0.0 ? a->options.norm_limit * a->median : INFINITY;
  a->is_settled = status == OK;
  MEMORY_FREE(mine);
  MEMORY_FREE(all);
  return status;
}

/* Count what is kept of the units added since the last time. local */
static Status count_kept(Activations *activations) {
  Activations *a = activations;
  ActivationsRow *rows = NULL;
  TRY(MEMORY_NEW(&rows, a->largest_unit, "rows of a unit"));
  Status status = OK;
  for (; a->counted < a->count && status == OK; ++a->counted) {
    UnitRecord *unit = &a->units[a->counted];
    status = activations_read_rows(a, unit, rows);
    for (int64_t i = 0; i < unit->rows && status == OK; ++i) {
      unit->kept += activations_keeps(a, &rows[i]) ? 1 : 0;
    }
    a->kept += unit->kept;
  }
  MEMORY_FREE(rows);
  return status;
}

static int64_t candidates(const Activations *activations) {
  if (activations->count == 0) {
    return 0;
  }
  const UnitRecord *last = &activations->units[activations->count - 1];
  return last->offset + last->rows;
}

Status activations_is_full(Activations *activations, bool *is_full, int64_t *kept) {
  Activations *a = activations;
  *is_full = false;
  *kept = -1;
  if (a->options.most_rows == 0) {
    return OK;
  }
  if (!a->is_settled) {
    int64_t so_far = candidates(a);
    exchange_sum(a->team, &so_far, 1);
    if (so_far < median_window(a)) {
      return OK;
    }
    TRY(settle(a));
  }
  TRY_ALL(a->team, count_kept(a));
  *kept = a->kept;
  exchange_sum(a->team, kept, 1);
  *is_full = *kept >= a->options.most_rows;
  return OK;
}

Status activations_place(Activations *activations, int64_t *total, bool *is_cut) {
  Activations *a = activations;
  if (!a->is_settled) {
    TRY(settle(a));
  }
  TRY_ALL(a->team, count_kept(a));
  TRY(gather_units(a, true));
  *total = 0;
  for (int64_t i = 0; i < a->all_count; ++i) {
    *total += a->all[i].kept;
  }
  *is_cut = a->options.most_rows > 0 && *total >= a->options.most_rows;
  *total = *is_cut ? a->options.most_rows : *total;
  return OK;
}
