#include "sae_file.h"

#include <math.h>

#include "dense.h"
#include "memory.h"
#include "shard.h"

enum { PIECE_BYTES = 64 << 20 };

static Status mark_rows(Archive *file, const float *rows, int64_t first, int64_t count,
                        int64_t width, uint8_t *is_zero) {
  for (int64_t i = 0; i < count; i++) {
    const double square = dense_square(rows + i * width, width);
    if (!isfinite(square)) {
      return RAISE(ERR_NUMERIC, "%s: decoder row %lld is not finite", archive_path(file),
                   (long long)(first + i));
    }
    is_zero[i] = square == 0.0;
  }
  return OK;
}

static Status mark_pieces(Archive *file, Shard own, int64_t width, uint8_t *is_zero, float *rows,
                          int64_t most) {
  for (int64_t first = own.first; first < own.past; first += most) {
    const int64_t count = own.past - first < most ? own.past - first : most;
    TRY(archive_read_here(file, "/w_dec", first, count, rows));
    TRY(mark_rows(file, rows, first, count, width, is_zero + first - own.first));
  }
  return OK;
}

Status sae_file_zero_rows(Archive *file, Team *team, int64_t latents, uint8_t *is_zero) {
  int64_t shape[2];
  float *rows = NULL;
  TRY(archive_shape(file, "/w_dec", ARCHIVE_F32, 2, shape));
  const int64_t width = shape[1];
  const int64_t most = PIECE_BYTES / (4 * (width + 1)) + 1;
  const Shard own = shard_of(latents, shard_latent_block(latents), team->rank, team->size);
  TRY_ALL(team, shape[0] == latents
                    ? OK
                    : RAISE(ERR_DATA, "%s has %lld latents, not %lld", archive_path(file),
                            (long long)shape[0], (long long)latents));
  TRY_NEW(team, &rows, most * width, "decoder rows");
  const Status status = team_agree(team, mark_pieces(file, own, width, is_zero, rows, most));
  MEMORY_FREE(rows);
  return status;
}
