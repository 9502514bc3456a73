#include "evaluate_file.h"

#include <math.h>

#include "archive.h"
#include "memory.h"
#include "schema.h"
#include "shard.h"

enum { LATENTS = 4096 }; /* written at a time */

/* One end of some latents. */
typedef struct Block {
  int64_t *found;  /* [LATENTS, promoted] */
  uint32_t *token; /* [LATENTS, promoted] */
  float *effect;
} Block;

/* The delta method for a ratio of sums over contexts. */
void evaluate_recovered(EvaluateFigures *figures, const double *plain, const double *zero,
                        const double *rebuilt) {
  const int64_t contexts = figures->contexts;
  double sum = 0, gap = 0, whole = 0, square = 0;
  for (int64_t c = 0; c < contexts; ++c) {
    sum += rebuilt[c];
    gap += zero[c] - rebuilt[c];
    whole += zero[c] - plain[c];
  }
  figures->rebuilt = sum / (double)figures->tokens;
  figures->recovered = whole != 0 ? gap / whole : NAN;
  for (int64_t c = 0; c < contexts; ++c) {
    const double rest = zero[c] - rebuilt[c] - figures->recovered * (zero[c] - plain[c]);
    square += rest * rest;
  }
  const double n = (double)contexts;
  const double error = contexts > 1 ? sqrt(n / (n - 1) * square) / fabs(whole) : NAN;
  figures->recovered_low = figures->recovered - 1.96 * error;
  figures->recovered_high = figures->recovered + 1.96 * error;
}

static Status declare(Archive *out, int64_t latents, int64_t promoted) {
  const ArchiveDataset datasets[] = {
      {"/promoted_token",
       ARCHIVE_U32,
       2,
       {latents, promoted},
       "tokens that the feature's direction makes likelier, most first (4294967295: none)",
       "token"},
      {"/promoted_effect",
       ARCHIVE_F32,
       2,
       {latents, promoted},
       "its share in their logits before the final norm divides, per unit of activation",
       "logit"},
      {"/suppressed_token",
       ARCHIVE_U32,
       2,
       {latents, promoted},
       "tokens that it makes less likely, most first (4294967295: none)",
       "token"},
      {"/suppressed_effect", ARCHIVE_F32, 2, {latents, promoted}, "as promoted_effect", "logit"}};
  for (size_t i = 0; i < sizeof(datasets) / sizeof(datasets[0]); ++i) {
    TRY(archive_add(out, &datasets[i]));
  }
  return OK;
}

static Status set_figures(Archive *out, const EvaluateFigures *figures) {
  const struct {
    const char *key;
    double value;
  } reals[] = {{"loss_plain", figures->plain},
               {"loss_itself", figures->itself},
               {"loss_zero", figures->zero},
               {"loss_mean", figures->mean},
               {"loss_rebuilt", figures->rebuilt},
               {"recovered", figures->recovered},
               {"recovered_low", figures->recovered_low},
               {"recovered_high", figures->recovered_high}};
  for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); ++i) {
    TRY(archive_set_real(out, "/", reals[i].key, reals[i].value));
  }
  TRY(archive_set_integer(out, "/", "contexts", figures->contexts));
  TRY(archive_set_integer(out, "/", "tokens", figures->tokens));
  TRY(archive_set_integer(out, "/", "rows", figures->rows));
  return archive_set_integer(out, "/", "held_out", figures->is_held_out);
}

static Status set_origin(const EvaluateFile *file, Archive *out) {
  TRY(archive_note_text(out, "/", "stamp", file->stamp));
  TRY(archive_set_text(out, "/", "name", file->name));
  TRY(archive_set_text(out, "/", "dictionary", file->dictionary));
  TRY(archive_set_text(out, "/", "activations", file->activations));
  return archive_set_text(out, "/", "model_hash", file->model_hash);
}

static Status find(const EvaluateFile *file, const Sae *sae, Promote *promote, int64_t first,
                   int64_t count, int sign, Block *block) {
  const int64_t most = file->promoted;
  TRY(promote_find(promote, sae->w_dec + first * sae->width, count, sign, most, block->found,
                   block->effect));
  for (int64_t i = 0; i < count * most; ++i) {
    block->token[i] = block->found[i] == PROMOTE_NONE ? SCHEMA_NO_ID : (uint32_t)block->found[i];
  }
  return OK;
}

static Status write_end(const EvaluateFile *file, Archive *out, const Sae *sae, Promote *promote,
                        int sign, Block *block) {
  const char *token = sign > 0 ? "/promoted_token" : "/suppressed_token";
  const char *effect = sign > 0 ? "/promoted_effect" : "/suppressed_effect";
  const int64_t own = shard_count(sae->own);
  /* Rank 0 owns the most latents: all take part in its rounds. */
  const int64_t most =
      shard_count(shard_of(sae->latents, shard_latent_block(sae->latents), 0, file->team->size));
  for (int64_t first = 0; first < most; first += LATENTS) {
    const int64_t left = first < own ? own - first : 0;
    const int64_t count = left < LATENTS ? left : LATENTS;
    const int64_t from = count > 0 ? first : 0;
    TRY_ALL(file->team, find(file, sae, promote, from, count, sign, block));
    TRY(archive_write(out, token, sae->own.first + from, count, block->token));
    TRY(archive_write(out, effect, sae->own.first + from, count, block->effect));
  }
  return OK;
}

static Status take(Block *block, int64_t promoted) {
  TRY(MEMORY_NEW(&block->found, LATENTS * promoted, "promoted tokens"));
  TRY(MEMORY_NEW(&block->token, LATENTS * promoted, "promoted tokens"));
  return MEMORY_NEW(&block->effect, LATENTS * promoted, "promoted tokens");
}

static Status fill(const EvaluateFile *file, const EvaluateFigures *figures, const Sae *sae,
                   Promote *promote, Archive *out, Block *block) {
  TRY_ALL(file->team, take(block, file->promoted));
  TRY(set_origin(file, out));
  TRY(set_figures(out, figures));
  TRY(declare(out, sae->latents, file->promoted));
  TRY(archive_begin(out));
  TRY(write_end(file, out, sae, promote, 1, block));
  return write_end(file, out, sae, promote, -1, block);
}

Status evaluate_file_write(const EvaluateFile *file, const EvaluateFigures *figures, const Sae *sae,
                           Promote *promote) {
  Archive *out = NULL;
  Block block = {0};
  TRY(archive_create(file->team, file->path, SCHEMA_EVALUATION, &out));
  Status status = fill(file, figures, sae, promote, out, &block);
  MEMORY_FREE(block.found);
  MEMORY_FREE(block.token);
  MEMORY_FREE(block.effect);
  if (status == OK) {
    status = archive_finish(&out, NULL);
  }
  archive_abandon(&out);
  return status;
}
