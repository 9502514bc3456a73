#include <string.h>

#include "memory.h"
#include "random.h"
#include "sae.h"
#include "threads.h"

enum { ROWS_A_UNIT = 64 };

static bool can_quantise(const Sae *sae) {
  return lowp_is_open() && sae->width <= LOWP_WIDEST;
}

static Status make_bytes(Sae *sae) {
  const int64_t own = shard_count(sae->own);
  TRY(MEMORY_NEW(&sae->bytes, 1, "an encoder in 8 bits"));
  SaeBytes *bytes = sae->bytes;
  TRY(rotate_create(&bytes->rotate, sae->width, random_key(1, "rotate", "")));
  TRY(MEMORY_NEW(&bytes->bias, own, "shifted biases"));
  TRY(MEMORY_NEW(&bytes->shift, sae->width, "a shift of rows"));
  return lowp_create(&bytes->w_enc, NULL, own, sae->width, false);
}

typedef struct Quantising {
  Sae *sae;
  float *turned; /* [threads, ROWS_A_UNIT, width] */
} Quantising;

/* In double: the rounding to float32 in the end is what the screen allows for. */
static float shifted_bias(const Sae *sae, int64_t latent) {
  const float *row = sae->w_enc + latent * sae->width;
  double sum = (double)sae->b_enc[latent];
  for (int64_t j = 0; sae->bytes->has_shift && j < sae->width; j++) {
    sum += (double)sae->bytes->shift[j] * (double)row[j];
  }
  return (float)sum;
}

static Status quantise_unit(int64_t unit, int thread, void *context) {
  const Quantising *q = context;
  const Sae *sae = q->sae;
  const int64_t own = shard_count(sae->own), first = unit * ROWS_A_UNIT;
  const int64_t count = own - first < ROWS_A_UNIT ? own - first : ROWS_A_UNIT;
  float *turned = q->turned + (int64_t)thread * ROWS_A_UNIT * sae->width;
  rotate_rows(&sae->bytes->rotate, sae->w_enc + first * sae->width, count, turned);
  Lowp part = lowp_part(&sae->bytes->w_enc, first, count);
  lowp_fill(&part, turned, false);
  for (int64_t i = first; i < first + count; i++) {
    sae->bytes->bias[i] = shifted_bias(sae, i);
  }
  return OK;
}

static Status quantise(Sae *sae) {
  Quantising q = {.sae = sae};
  const int64_t units = (shard_count(sae->own) + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  TRY(MEMORY_NEW(&q.turned, (int64_t)threads_count() * ROWS_A_UNIT * sae->width, "turned rows"));
  const Status status = threads_run(units, quantise_unit, &q);
  MEMORY_FREE(q.turned);
  return status;
}

Status sae_quantise(Sae *sae, const float *shift) {
  if (!can_quantise(sae)) {
    return OK;
  }
  if (sae->bytes == NULL) {
    TRY(make_bytes(sae)); /* what was taken goes with the dictionary */
  }
  sae->bytes->has_shift = shift != NULL;
  if (shift != NULL) {
    memcpy(sae->bytes->shift, shift, (size_t)sae->width * sizeof(*shift));
  } else {
    memset(sae->bytes->shift, 0, (size_t)sae->width * sizeof(*shift));
  }
  TRY(quantise(sae));
  return lowp_pack(&sae->bytes->w_enc);
}
