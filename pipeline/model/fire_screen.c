#include "fire_screen.h"

#include "memory.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

Status fire_rows_create(FireRows *rows, int64_t rows_most) {
  rows->most = rows_most;
  TRY(MEMORY_NEW(&rows->norms, rows_most, "norms of the batch"));
  return MEMORY_NEW(&rows->shifted_norms, rows_most, "norms of the batch");
}

void fire_rows_clear(FireRows *rows) {
  MEMORY_FREE(rows->norms);
  MEMORY_FREE(rows->shifted_norms);
  MEMORY_FREE(rows->scratch);
  lowp_clear(&rows->bytes);
}

/* Once the number of threads, and whether the dictionary is in 8 bits, are known. */
static Status make_bytes(FireRows *rows, const Sae *sae) {
  if (rows->threads != threads_count()) {
    MEMORY_FREE(rows->scratch);
    rows->threads = threads_count();
    TRY(MEMORY_NEW(&rows->scratch, 2 * (int64_t)rows->threads * ROWS_A_UNIT * sae->width,
                   "turned rows"));
  }
  if (rows->bytes.rows == NULL) {
    return lowp_create(&rows->bytes, NULL, rows->most, sae->width, true);
  }
  return OK;
}

typedef struct Setting {
  FireRows *rows;
  const Sae *sae;
  const float *centred;
  int64_t count;
} Setting;

/* Rows [first, first + count) without the shift, turned, in 8 bits. */
static void quantise(const Setting *setting, int64_t first, int64_t count, int thread) {
  const SaeBytes *bytes = setting->sae->bytes;
  const int64_t width = setting->sae->width;
  const float *from = setting->centred + first * width;
  float *shifted = setting->rows->scratch + 2 * (int64_t)thread * ROWS_A_UNIT * width;
  float *turned = shifted + ROWS_A_UNIT * width;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < width; j++) {
      shifted[i * width + j] = from[i * width + j] - bytes->shift[j];
    }
  }
  screen_norms(shifted, count, width, setting->rows->shifted_norms + first);
  rotate_rows(&bytes->rotate, shifted, count, turned);
  Lowp part = lowp_part(&setting->rows->bytes, first, count);
  lowp_fill(&part, turned, true);
}

static Status set_unit(int64_t unit, int thread, void *context) {
  const Setting *setting = context;
  const int64_t width = setting->sae->width, first = unit * ROWS_A_UNIT;
  const int64_t left = setting->count - first;
  const int64_t count = left < ROWS_A_UNIT ? left : ROWS_A_UNIT;
  screen_norms(setting->centred + first * width, count, width, setting->rows->norms + first);
  if (setting->sae->bytes != NULL) {
    quantise(setting, first, count, thread);
  }
  return OK;
}

Status fire_rows_set(FireRows *rows, const Sae *sae, const float *centred, int64_t count,
                     ScreenJob *job) {
  const SaeBytes *bytes = sae->bytes;
  Setting setting = {rows, sae, centred, count};
  TRY(bytes == NULL ? OK : make_bytes(rows, sae));
  TRY(threads_run((count + ROWS_A_UNIT - 1) / ROWS_A_UNIT, set_unit, &setting));
  job->width = sae->width;
  job->query = (ScreenSide){.rows = centred, .norm = rows->norms, .count = count};
  job->base = (ScreenSide){.rows = sae->w_enc,
                           .bias = sae->b_enc,
                           .norm = sae->norm,
                           .count = shard_count(sae->own),
                           .first_id = sae->own.first};
  if (bytes != NULL) {
    job->query.lowp = &rows->bytes;
    job->query.lowp_norm = rows->shifted_norms;
    job->base.lowp = &bytes->w_enc;
    job->base.lowp_bias = bytes->bias;
  }
  return OK;
}
