#include "encode.h"

#include <math.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"

struct Encode {
  Team *team;
  EncodeSetup setup;
  Codes *codes;
  SaePicks *picks;
  float *buffer;          /* [batch, width] the centred rows, then the reconstructed ones */
  float *difference;      /* [width] */
  double *errors;         /* [slice, 2] squared distances of held-out rows from x^ and the mean */
  double error, variance; /* over held-out rows of all ranks so far */
  int64_t *start;         /* [slice + 1] */
  uint32_t *id;           /* [slice, wide] */
  float *value;           /* [slice, wide] */
  uint8_t *active;        /* [slice, wide] */
};

static Status take(Encode *encode) {
  const EncodeSetup *setup = &encode->setup;
  const int64_t width = setup->sae->width;
  /* Rank 0's slice is the largest. */
  const int64_t slice = shard_count(shard_of(setup->batch, 1, 0, encode->team->size));
  TRY(sae_picks_create(&encode->picks, setup->sae, encode->team, setup->batch, setup->k,
                       setup->wide));
  TRY(MEMORY_NEW(&encode->buffer, setup->batch * width, "rows of a batch"));
  TRY(MEMORY_NEW(&encode->difference, width, "a row"));
  TRY(MEMORY_NEW(&encode->errors, 2 * slice, "errors of rows"));
  TRY(MEMORY_NEW(&encode->start, slice + 1, "places of rows"));
  TRY(MEMORY_NEW(&encode->id, slice * setup->wide, "ids of codes"));
  TRY(MEMORY_NEW(&encode->value, slice * setup->wide, "values of codes"));
  return MEMORY_NEW(&encode->active, slice * setup->wide, "activity of codes");
}

Status encode_create(Encode **out, Team *team, const EncodeSetup *setup) {
  Encode *encode = NULL;
  *out = NULL;
  Status status = MEMORY_NEW(&encode, 1, "an encoding");
  if (status == OK) {
    encode->team = team;
    encode->setup = *setup;
    status = take(encode);
  }
  status = team_agree(team, status);
  if (status == OK) {
    status = codes_create(&encode->codes, team, setup->sae->latents, setup->folder);
  }
  if (status != OK) {
    encode_destroy(&encode);
    return status;
  }
  *out = encode;
  return OK;
}

void encode_destroy(Encode **encode_at) {
  Encode *encode = *encode_at;
  if (encode == NULL) {
    return;
  }
  sae_picks_destroy(&encode->picks);
  codes_destroy(&encode->codes);
  MEMORY_FREE(encode->buffer);
  MEMORY_FREE(encode->difference);
  MEMORY_FREE(encode->errors);
  MEMORY_FREE(encode->start);
  MEMORY_FREE(encode->id);
  MEMORY_FREE(encode->value);
  MEMORY_FREE(encode->active);
  MEMORY_FREE(*encode_at);
}

/* The cut left all keys of the rows that this rank owns here. */
static void unpack_rows(Encode *encode) {
  const Cut *cut = encode->picks->cut;
  int64_t entries = 0;
  for (int64_t r = 0; r < shard_count(cut->slice); r++) {
    for (int64_t i = 0; i < cut->counts[r]; i++) {
      const SelectKey key = cut->keys[r * cut->wide + i];
      encode->id[entries] = (uint32_t)select_id(key);
      encode->value[entries] = select_score(key);
      encode->active[entries++] = i < cut->k;
    }
    encode->start[r + 1] = entries;
  }
}

static Status keep(Encode *encode, const EncodeBatch *batch) {
  const Shard slice = encode->picks->cut->slice;
  unpack_rows(encode);
  const CodesBatch codes = {.first = batch->first + slice.first,
                            .rows = shard_count(slice),
                            .start = encode->start,
                            .id = encode->id,
                            .value = encode->value,
                            .active = encode->active,
                            .token = batch->token + slice.first,
                            .is_held_out = batch->is_held_out + slice.first};
  return codes_add(encode->codes, &codes);
}

static double square_distance(const float *a, const float *b, int64_t width, float *difference) {
  for (int64_t j = 0; j < width; j++) {
    difference[j] = a[j] - b[j];
  }
  return dense_square(difference, width);
}

/* Distances of this rank's held-out rows, formed whole; their sum over rows and ranks is made in
 * fixed point, batch by batch. `buffer` holds x^. */
static void measure(Encode *encode, const EncodeBatch *batch) {
  const int64_t width = encode->setup.sae->width;
  const Shard slice = encode->picks->cut->slice;
  double *errors = encode->errors;
  int64_t count = 0;
  double most[2] = {0, 0};
  for (int64_t r = slice.first; r < slice.past; r++) {
    if (batch->is_held_out[r]) {
      const float *x = batch->x + r * width;
      double *pair = errors + 2 * count++;
      pair[0] = square_distance(x, encode->buffer + r * width, width, encode->difference);
      pair[1] = square_distance(x, encode->setup.mean, width, encode->difference);
      most[0] = pair[0] > most[0] ? pair[0] : most[0];
      most[1] = pair[1] > most[1] ? pair[1] : most[1];
    }
  }
  exchange_max(encode->team, most, 2);
  const double scale[2] = {fixed_scale(most[0] * (double)batch->rows),
                           fixed_scale(most[1] * (double)batch->rows)};
  int64_t sums[2] = {0, 0};
  for (int64_t i = 0; i < 2 * count; i++) {
    sums[i % 2] += fixed_of(errors[i], scale[i % 2]);
  }
  exchange_sum(encode->team, sums, 2);
  encode->error += fixed_to(sums[0], scale[0]);
  encode->variance += fixed_to(sums[1], scale[1]);
}

static bool has_held_out(const EncodeBatch *batch) {
  for (int64_t r = 0; r < batch->rows; r++) {
    if (batch->is_held_out[r]) {
      return true;
    }
  }
  return false;
}

Status encode_batch(Encode *encode, const EncodeBatch *batch) {
  const Sae *sae = encode->setup.sae;
  Team *team = encode->team;
  ASSERT(batch->rows > 0 && batch->rows <= encode->setup.batch);
  sae_centre(sae, batch->x, batch->rows, encode->buffer);
  TRY(sae_select(team, sae, encode->buffer, batch->rows, encode->picks));
  TRY(keep(encode, batch));
  if (has_held_out(batch)) {
    TRY(sae_decode(team, sae, encode->picks, encode->buffer));
    measure(encode, batch);
  }
  return OK;
}

double encode_explained_variance(const Encode *encode) {
  return encode->variance > 0 ? 1 - encode->error / encode->variance : (double)NAN;
}

Codes *encode_codes(Encode *encode) {
  return encode->codes;
}
