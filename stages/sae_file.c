#include "sae_file.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "memory.h"
#include "screen.h"
#include "shard.h"
#include "threads.h"

enum { PIECE_BYTES = 64 << 20, ROWS_A_UNIT = 64 };

#define UNIT_ERROR 2e-3 /* of a decoder row's squared norm: float32, folded from 16 bits */

/* Attributes and shapes. */

static Status check_vector(const SaeFile *sae, const char *name, int64_t wanted) {
  return archive_expect(sae->file, name, ARCHIVE_F32, 1, &wanted);
}

static Status check_shapes(SaeFile *sae) {
  int64_t decoder[2];
  TRY(archive_shape(sae->file, "/w_dec", ARCHIVE_F32, 2, decoder));
  TRY(archive_expect(sae->file, "/w_enc", ARCHIVE_F32, 2, decoder));
  sae->latents = decoder[0];
  sae->width = decoder[1];
  TRY(check_vector(sae, "/b_enc", sae->latents));
  TRY(check_vector(sae, "/b_dec", sae->width));
  if (sae->has_threshold) {
    TRY(check_vector(sae, "/threshold", sae->latents));
  }
  if (sae->has_gain) {
    TRY(check_vector(sae, "/gain", sae->latents));
    TRY(check_vector(sae, "/offset", sae->latents));
  }
  return OK;
}

static Status check_architecture(const SaeFile *sae, const char *architecture) {
  const char *path = archive_path(sae->file);
  const bool is_topk = strcmp(architecture, "topk") == 0;
  if (!is_topk && strcmp(architecture, "jumprelu") != 0 && strcmp(architecture, "relu") != 0 &&
      strcmp(architecture, "gated") != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: architecture %s: topk, jumprelu, relu and gated work", path,
                 architecture);
  }
  if (is_topk && (sae->k < 1 || sae->k > sae->latents)) {
    return RAISE(ERR_FORMAT, "%s: attribute k = %lld", path, (long long)sae->k);
  }
  if (!is_topk && sae->k != 0) {
    return RAISE(ERR_FORMAT, "%s: architecture %s has no k, but attribute k = %lld", path,
                 architecture, (long long)sae->k);
  }
  const bool is_jumprelu = strcmp(architecture, "jumprelu") == 0;
  if (is_jumprelu ? !sae->has_threshold : (is_topk && sae->has_threshold)) {
    return RAISE(ERR_FORMAT, "%s: architecture %s %s /threshold", path, architecture,
                 is_topk ? "with" : "without");
  }
  return OK;
}

Status sae_file_open(SaeFile *out, Team *team, Archive *file) {
  char *architecture = NULL;
  int64_t subtract = 0;
  *out = (SaeFile){.file = file,
                   .team = team,
                   .has_threshold = archive_has(file, "/threshold"),
                   .has_gain = archive_has(file, "/gain")};
  TRY(check_shapes(out));
  TRY(archive_get_integer(file, "/", "k", &out->k));
  TRY(archive_get_integer(file, "/", "subtract_b_dec", &subtract));
  TRY(archive_get_real(file, "/", "input_scale", &out->input_scale));
  TRY(archive_get_text(file, "/", "architecture", &architecture));
  out->subtract_b_dec = subtract != 0;
  const Status status = team_agree(team, check_architecture(out, architecture));
  MEMORY_FREE(architecture);
  return status;
}

/* Weights. */

static Status check_decoder(const SaeFile *file, const float *row, int64_t latent, double *square) {
  *square = dense_square(row, file->width);
  if (!isfinite(*square)) {
    return RAISE(ERR_NUMERIC, "%s: decoder row %lld is not finite", archive_path(file->file),
                 (long long)latent);
  }
  if (*square != 0.0 && fabs(*square - 1.0) > UNIT_ERROR) {
    return RAISE(ERR_FORMAT, "%s: decoder row %lld has norm %g: it must be 1, or 0",
                 archive_path(file->file), (long long)latent, sqrt(*square));
  }
  return OK;
}

typedef struct Checking {
  const SaeFile *file;
  Sae *sae;
} Checking;

static Status check_latent(const Checking *checking, int64_t i) {
  const SaeFile *file = checking->file;
  const Sae *sae = checking->sae;
  const int64_t latent = sae->own.first + i;
  double square = 0;
  const float gain = sae->gain == NULL ? 1.0F : sae->gain[i];
  const float offset = sae->offset == NULL ? 0.0F : sae->offset[i];
  if (!isfinite(sae->norm[i]) || !isfinite(sae->b_enc[i]) || !isfinite(gain) || !isfinite(offset) ||
      (sae->threshold != NULL && isnan(sae->threshold[i]))) {
    return RAISE(ERR_NUMERIC, "%s: latent %lld is not finite", archive_path(file->file),
                 (long long)latent);
  }
  return check_decoder(file, sae->w_dec + i * sae->width, latent, &square);
}

static Status check_unit(int64_t unit, int thread, void *context) {
  const Checking *checking = context;
  Sae *sae = checking->sae;
  const int64_t own = shard_count(sae->own);
  const int64_t first = unit * ROWS_A_UNIT;
  const int64_t past = first + ROWS_A_UNIT < own ? first + ROWS_A_UNIT : own;
  (void)thread;
  screen_norms(sae->w_enc + first * sae->width, past - first, sae->width, sae->norm + first);
  for (int64_t i = first; i < past; i++) {
    TRY(check_latent(checking, i));
  }
  return OK;
}

static Status check_weights(const SaeFile *file, Sae *sae) {
  Checking checking = {file, sae};
  for (int64_t j = 0; j < sae->width; j++) {
    if (!isfinite(sae->b_dec[j])) {
      return RAISE(ERR_NUMERIC, "%s: /b_dec is not finite", archive_path(file->file));
    }
  }
  return threads_run((shard_count(sae->own) + ROWS_A_UNIT - 1) / ROWS_A_UNIT, check_unit,
                     &checking);
}

static Status make(const SaeFile *file, Sae **out) {
  TRY(sae_create(out, file->team, file->latents, file->width));
  Sae *sae = *out;
  sae->subtract_b_dec = file->subtract_b_dec;
  TRY(file->k == 0 ? sae_take_threshold(sae) : OK);
  return file->has_gain ? sae_take_gain(sae) : OK;
}

static Status read_weights(const SaeFile *file, Sae *sae) {
  Archive *from = file->file;
  const int64_t first = sae->own.first;
  const int64_t own = shard_count(sae->own);
  TRY(archive_read(from, "/w_enc", first, own, sae->w_enc));
  TRY(archive_read(from, "/w_dec", first, own, sae->w_dec));
  TRY(archive_read(from, "/b_enc", first, own, sae->b_enc));
  TRY(archive_read(from, "/b_dec", 0, sae->width, sae->b_dec));
  if (file->has_threshold) {
    TRY(archive_read(from, "/threshold", first, own, sae->threshold));
  }
  if (file->has_gain) {
    TRY(archive_read(from, "/gain", first, own, sae->gain));
    TRY(archive_read(from, "/offset", first, own, sae->offset));
  }
  return team_agree(file->team, check_weights(file, sae));
}

Status sae_file_read(const SaeFile *file, Sae **out) {
  *out = NULL;
  Status status = team_agree(file->team, make(file, out));
  if (status == OK) {
    status = read_weights(file, *out);
  }
  if (status != OK) {
    sae_destroy(out);
  }
  return status;
}

/* Zero rows. */

static Status mark_pieces(const SaeFile *file, Shard own, uint8_t *is_zero, float *rows,
                          int64_t most) {
  for (int64_t first = own.first; first < own.past; first += most) {
    const int64_t count = own.past - first < most ? own.past - first : most;
    TRY(archive_read_here(file->file, "/w_dec", first, count, rows));
    for (int64_t i = 0; i < count; i++) {
      double square = 0;
      TRY(check_decoder(file, rows + i * file->width, first + i, &square));
      is_zero[first - own.first + i] = square == 0.0;
    }
  }
  return OK;
}

Status sae_file_zero_rows(const SaeFile *file, uint8_t *is_zero) {
  Team *team = file->team;
  float *rows = NULL;
  const int64_t most = PIECE_BYTES / (4 * (file->width + 1)) + 1;
  const Shard own =
      shard_of(file->latents, shard_latent_block(file->latents), team->rank, team->size);
  TRY_NEW(team, &rows, most * file->width, "decoder rows");
  const Status status = team_agree(team, mark_pieces(file, own, is_zero, rows, most));
  MEMORY_FREE(rows);
  return status;
}
