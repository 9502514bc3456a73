#include "codec.h"

#include "exchange.h"
#include "fixed.h"
#include "memory.h"

static Status take(Codec *codec, int64_t k) {
  const int64_t width = codec->sae->width;
  TRY(fire_create(&codec->fire, codec->sae, codec->team, codec->most, k, k));
  TRY(MEMORY_NEW(&codec->centred, codec->most * width, "rows for a dictionary"));
  TRY(MEMORY_NEW(&codec->which, codec->most, "rows for a dictionary"));
  TRY(MEMORY_NEW(&codec->scales, codec->most, "scales of rows"));
  return MEMORY_NEW(&codec->sums, codec->most * width, "sums of rows");
}

Status codec_create(Codec **out, Team *team, const Sae *sae, double scale, int64_t k,
                    int64_t most) {
  TRY(MEMORY_NEW(out, 1, "a dictionary at work"));
  **out = (Codec){.sae = sae, .team = team, .scale = scale, .most = most};
  const Status status = take(*out, k);
  if (status != OK) {
    codec_destroy(out);
    return status;
  }
  for (int64_t i = 0; i < most; ++i) {
    (*out)->which[i] = i;
  }
  return OK;
}

void codec_destroy(Codec **codec) {
  if (*codec != NULL) {
    fire_destroy(&(*codec)->fire);
    MEMORY_FREE((*codec)->centred);
    MEMORY_FREE((*codec)->which);
    MEMORY_FREE((*codec)->scales);
    MEMORY_FREE((*codec)->sums);
  }
  MEMORY_FREE(*codec);
}

Status codec_encode(Codec *codec, const float *rows, int64_t count) {
  ASSERT(count <= codec->most);
  for (int64_t i = 0; i < count * codec->sae->width; ++i) {
    codec->centred[i] = rows[i] * (float)codec->scale;
  }
  sae_centre(codec->sae, codec->centred, count, codec->centred);
  return fire_select(codec->team, codec->sae, codec->centred, count, codec->fire);
}

/* Decoder rows have unit norm at most: no partial sum exceeds the count of hits times the largest.
 * Both are the same at any number of ranks. */
static Status bound_sums(Codec *codec) {
  const Fire *fire = codec->fire;
  double *largest = codec->scales;
  int64_t *hits = NULL;
  TRY_NEW(codec->team, &hits, fire->rows, "hits of rows");
  for (int64_t row = 0; row < fire->rows; ++row) {
    largest[row] = 0;
    hits[row] = fire->start[row + 1] - fire->start[row];
    for (int64_t i = fire->start[row]; i < fire->start[row + 1]; ++i) {
      const double value = (double)fire->values[i];
      largest[row] = value > largest[row] ? value : largest[row];
    }
  }
  exchange_max(codec->team, largest, fire->rows);
  exchange_sum(codec->team, hits, fire->rows);
  for (int64_t row = 0; row < fire->rows; ++row) {
    codec->scales[row] = fixed_scale(1.001 * largest[row] * (double)hits[row]);
  }
  MEMORY_FREE(hits);
  return OK;
}

Status codec_decode(Codec *codec, float *out) {
  const Sae *sae = codec->sae;
  const int64_t rows = codec->fire->rows;
  TRY(bound_sums(codec));
  TRY(fire_rebuild(codec->team, sae, codec->fire, codec->which, rows, codec->scales, codec->sums));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < sae->width; ++j) {
      const double sum = fixed_to(codec->sums[row * sae->width + j], codec->scales[row]);
      out[row * sae->width + j] = (float)((sum + (double)sae->b_dec[j]) / codec->scale);
    }
  }
  return OK;
}
