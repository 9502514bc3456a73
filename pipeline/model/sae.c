#include "sae.h"

#include "memory.h"
#include "screen.h"

static Status make_parts(Sae *sae) {
  const int64_t own = shard_count(sae->own);
  TRY(MEMORY_NEW(&sae->w_enc, own * sae->width, "encoder rows"));
  TRY(MEMORY_NEW(&sae->w_dec, own * sae->width, "decoder rows"));
  TRY(MEMORY_NEW(&sae->b_enc, own, "encoder biases"));
  TRY(MEMORY_NEW(&sae->b_dec, sae->width, "decoder bias"));
  return MEMORY_NEW(&sae->norm, own, "encoder norms");
}

Status sae_create(Sae **out, const Team *team, int64_t latents, int64_t width) {
  ASSERT(latents > 0 && width > 0);
  TRY(MEMORY_NEW(out, 1, "dictionary"));
  **out = (Sae){.latents = latents,
                .width = width,
                .own = shard_of(latents, shard_latent_block(latents), team->rank, team->size),
                .subtract_b_dec = true};
  const Status status = make_parts(*out);
  if (status != OK) {
    sae_destroy(out);
  }
  return status;
}

static void clear_bytes(SaeBytes *bytes) {
  if (bytes != NULL) {
    rotate_clear(&bytes->rotate);
    lowp_clear(&bytes->w_enc);
    MEMORY_FREE(bytes->bias);
    MEMORY_FREE(bytes->shift);
  }
}

void sae_destroy(Sae **sae) {
  if (*sae != NULL) {
    MEMORY_FREE((*sae)->w_enc);
    MEMORY_FREE((*sae)->w_dec);
    MEMORY_FREE((*sae)->b_enc);
    MEMORY_FREE((*sae)->b_dec);
    MEMORY_FREE((*sae)->norm);
    MEMORY_FREE((*sae)->threshold);
    MEMORY_FREE((*sae)->gain);
    MEMORY_FREE((*sae)->offset);
    clear_bytes((*sae)->bytes);
    MEMORY_FREE((*sae)->bytes);
  }
  MEMORY_FREE(*sae);
}

Status sae_take_threshold(Sae *sae) {
  return MEMORY_NEW(&sae->threshold, shard_count(sae->own), "thresholds");
}

Status sae_take_gain(Sae *sae) {
  TRY(MEMORY_NEW(&sae->gain, shard_count(sae->own), "gains"));
  return MEMORY_NEW(&sae->offset, shard_count(sae->own), "offsets");
}

void sae_measure(Sae *sae) {
  screen_norms(sae->w_enc, shard_count(sae->own), sae->width, sae->norm);
}

void sae_centre(const Sae *sae, const float *rows, int64_t count, float *out) {
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < sae->width; j++) {
      const float bias = sae->subtract_b_dec ? sae->b_dec[j] : 0.0F;
      out[i * sae->width + j] = rows[i * sae->width + j] - bias;
    }
  }
}
