#include "encode.h"

#include <math.h>

#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "spool.h"

/* A firing as it waits in the temporary file. */
typedef struct Firing {
  uint32_t latent; /* from own.first */
  uint32_t row;
  uint32_t token;
  float value;
} Firing;

/* What this rank keeps of a batch, and where: counts of the rows, then ids, values, active. */
typedef struct Kept {
  int64_t offset;
  int64_t first_row, rows;
  int64_t first_entry, entries;
} Kept;

enum { CHUNK = 65536 }; /* firings read back at a time */

struct Encode {
  Team *team;
  EncodeSetup setup;
  SaePicks *picks;
  float *buffer;     /* [batch, width] the centred rows, then the reconstructed ones */
  float *difference; /* [width] */
  double *errors;    /* [slice, 2] squared distances of held-out rows from x^ and from the mean */
  Spool *rows, *firings;
  Kept *kept; /* [batches] */
  int64_t batches, kept_most;
  int64_t entries;           /* of all ranks so far */
  double error, variance;    /* over held-out rows of all ranks so far */
  int64_t *row_start;        /* [slice] */
  int32_t *counts;           /* [slice] */
  uint32_t *id;              /* [slice, wide] */
  float *value;              /* [slice, wide] */
  uint8_t *active;           /* [slice, wide] */
  int64_t *start, *held_out; /* [own + 1], [own] */
  uint32_t *row, *token;     /* [own firings] */
  float *activation;         /* [own firings] */
};

static Status take(Encode *encode) {
  const EncodeSetup *setup = &encode->setup;
  const int64_t width = setup->sae->width;
  const int64_t own = shard_count(setup->sae->own);
  /* Rank 0's slice is the largest. */
  const int64_t slice = shard_count(shard_of(setup->batch, 1, 0, encode->team->size));
  TRY(sae_picks_create(&encode->picks, setup->sae, encode->team, setup->batch, setup->k,
                       setup->wide));
  TRY(MEMORY_NEW(&encode->buffer, setup->batch * width, "rows of a batch"));
  TRY(MEMORY_NEW(&encode->difference, width, "a row"));
  TRY(MEMORY_NEW(&encode->errors, 2 * slice, "errors of rows"));
  TRY(MEMORY_NEW(&encode->row_start, slice, "places of rows"));
  TRY(MEMORY_NEW(&encode->counts, slice, "counts of codes"));
  TRY(MEMORY_NEW(&encode->id, slice * setup->wide, "ids of codes"));
  TRY(MEMORY_NEW(&encode->value, slice * setup->wide, "values of codes"));
  TRY(MEMORY_NEW(&encode->active, slice * setup->wide, "activity of codes"));
  TRY(MEMORY_NEW(&encode->start, own + 1, "counts of firings"));
  TRY(MEMORY_NEW(&encode->held_out, own, "counts of held-out firings"));
  TRY(spool_open(&encode->rows, setup->folder));
  return spool_open(&encode->firings, setup->folder);
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
  spool_close(&encode->rows);
  spool_close(&encode->firings);
  MEMORY_FREE(encode->buffer);
  MEMORY_FREE(encode->difference);
  MEMORY_FREE(encode->errors);
  MEMORY_FREE(encode->kept);
  MEMORY_FREE(encode->row_start);
  MEMORY_FREE(encode->counts);
  MEMORY_FREE(encode->id);
  MEMORY_FREE(encode->value);
  MEMORY_FREE(encode->active);
  MEMORY_FREE(encode->start);
  MEMORY_FREE(encode->held_out);
  MEMORY_FREE(encode->row);
  MEMORY_FREE(encode->token);
  MEMORY_FREE(encode->activation);
  MEMORY_FREE(*encode_at);
}

/* Codes by row: the cut left all keys of the rows that this rank owns here. */
static int64_t unpack_rows(Encode *encode) {
  const Cut *cut = encode->picks->cut;
  int64_t entries = 0;
  for (int64_t r = 0; r < shard_count(cut->slice); r++) {
    encode->counts[r] = (int32_t)cut->counts[r];
    for (int64_t i = 0; i < cut->counts[r]; i++) {
      const SelectKey key = cut->keys[r * cut->wide + i];
      encode->id[entries] = (uint32_t)select_id(key);
      encode->value[entries] = select_score(key);
      encode->active[entries++] = i < cut->k;
    }
  }
  return entries;
}

static Status spool_rows(Encode *encode, const Kept *kept) {
  TRY(spool_append(encode->rows, encode->counts, kept->rows * (int64_t)sizeof(*encode->counts)));
  TRY(spool_append(encode->rows, encode->id, kept->entries * (int64_t)sizeof(*encode->id)));
  TRY(spool_append(encode->rows, encode->value, kept->entries * (int64_t)sizeof(*encode->value)));
  return spool_append(encode->rows, encode->active, kept->entries);
}

static Status keep_rows(Encode *encode, const EncodeBatch *batch) {
  if (encode->batches == encode->kept_most) {
    const int64_t most = 2 * encode->kept_most + 16;
    TRY(MEMORY_RESIZE(&encode->kept, most, "places of codes"));
    encode->kept_most = most;
  }
  const Shard slice = encode->picks->cut->slice;
  Kept *kept = &encode->kept[encode->batches];
  *kept = (Kept){.offset = spool_length(encode->rows),
                 .first_row = batch->first + slice.first,
                 .rows = shard_count(slice),
                 .entries = unpack_rows(encode)};
  return spool_rows(encode, kept);
}

/* Codes by feature: the selection left the hits of this rank's latents here. */
static Status keep_firings(Encode *encode, const EncodeBatch *batch) {
  const SaePicks *picks = encode->picks;
  const int64_t own = shard_count(encode->setup.sae->own);
  for (int64_t i = 0; i < picks->hits.latent_start[own]; i++) {
    const SaeHit *hit = &picks->hits.by_latent[i];
    if (hit->active) {
      const Firing firing = {.latent = (uint32_t)hit->latent,
                             .row = (uint32_t)(batch->first + hit->row),
                             .token = batch->token[hit->row],
                             .value = hit->value};
      TRY(spool_append(encode->firings, &firing, (int64_t)sizeof(firing)));
      encode->start[hit->latent + 1]++;
      encode->held_out[hit->latent] += batch->is_held_out[hit->row];
    }
  }
  return OK;
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

static Status keep(Encode *encode, const EncodeBatch *batch) {
  TRY(keep_rows(encode, batch));
  return keep_firings(encode, batch);
}

Status encode_batch(Encode *encode, const EncodeBatch *batch) {
  const Sae *sae = encode->setup.sae;
  Team *team = encode->team;
  ASSERT(batch->rows > 0 && batch->rows <= encode->setup.batch);
  sae_centre(sae, batch->x, batch->rows, encode->buffer);
  TRY(sae_select(team, sae, encode->buffer, batch->rows, encode->picks));
  TRY_ALL(team, keep(encode, batch));
  Kept *kept = &encode->kept[encode->batches++];
  int64_t total = 0;
  kept->first_entry = encode->entries + exchange_offset(team, kept->entries, &total);
  encode->entries += total;
  if (has_held_out(batch)) {
    TRY(sae_decode(team, sae, encode->picks, encode->buffer));
    measure(encode, batch);
  }
  return OK;
}

double encode_explained_variance(const Encode *encode) {
  return encode->variance > 0 ? 1 - encode->error / encode->variance : (double)NAN;
}

int64_t encode_entries(const Encode *encode) {
  return encode->entries;
}

int64_t encode_batches(const Encode *encode) {
  return encode->batches;
}

static Status read_next(Spool *spool, int64_t *offset, void *bytes, int64_t length) {
  TRY(spool_read(spool, *offset, bytes, length));
  *offset += length;
  return OK;
}

Status encode_part(Encode *encode, int64_t batch, EncodePart *part) {
  ASSERT(batch >= 0 && batch < encode->batches);
  const Kept *kept = &encode->kept[batch];
  const int64_t entries = kept->entries;
  int64_t offset = kept->offset;
  TRY(read_next(encode->rows, &offset, encode->counts,
                kept->rows * (int64_t)sizeof(*encode->counts)));
  TRY(read_next(encode->rows, &offset, encode->id, entries * (int64_t)sizeof(*encode->id)));
  TRY(read_next(encode->rows, &offset, encode->value, entries * (int64_t)sizeof(*encode->value)));
  TRY(read_next(encode->rows, &offset, encode->active, entries));
  int64_t place = kept->first_entry;
  for (int64_t r = 0; r < kept->rows; r++) {
    encode->row_start[r] = place;
    place += encode->counts[r];
  }
  *part = (EncodePart){.first_row = kept->first_row,
                       .rows = kept->rows,
                       .first_entry = kept->first_entry,
                       .entries = entries,
                       .row_start = encode->row_start,
                       .id = encode->id,
                       .value = encode->value,
                       .active = encode->active};
  return OK;
}

static int64_t firing_count(const Encode *encode) {
  return spool_length(encode->firings) / (int64_t)sizeof(Firing);
}

/* Each firing to its place. start[i + 1] is where latent i's next firing goes, and in the end where
 * latent i + 1 begins. */
static Status place_firings(Encode *encode, Firing *chunk) {
  const int64_t total = firing_count(encode);
  for (int64_t first = 0; first < total; first += CHUNK) {
    const int64_t count = total - first < CHUNK ? total - first : CHUNK;
    TRY(spool_read(encode->firings, first * (int64_t)sizeof(*chunk), chunk,
                   count * (int64_t)sizeof(*chunk)));
    for (int64_t i = 0; i < count; i++) {
      const int64_t place = encode->start[chunk[i].latent + 1]++;
      encode->row[place] = chunk[i].row;
      encode->token[place] = chunk[i].token;
      encode->activation[place] = chunk[i].value;
    }
  }
  return OK;
}

static Status sort_firings(Encode *encode) {
  const int64_t own = shard_count(encode->setup.sae->own);
  const int64_t total = firing_count(encode);
  Firing *chunk = NULL;
  TRY(MEMORY_NEW(&encode->row, total, "rows of firings"));
  TRY(MEMORY_NEW(&encode->token, total, "tokens of firings"));
  TRY(MEMORY_NEW(&encode->activation, total, "activations of firings"));
  TRY(MEMORY_NEW(&chunk, CHUNK, "firings"));
  int64_t before = 0;
  for (int64_t i = 1; i <= own; i++) {
    const int64_t count = encode->start[i];
    encode->start[i] = before;
    before += count;
  }
  const Status status = place_firings(encode, chunk);
  MEMORY_FREE(chunk);
  return status;
}

Status encode_firings(Encode *encode, EncodeFirings *out) {
  ASSERT(encode->row == NULL);
  TRY_ALL(encode->team, sort_firings(encode));
  *out = (EncodeFirings){.count = firing_count(encode),
                         .start = encode->start,
                         .held_out = encode->held_out,
                         .row = encode->row,
                         .value = encode->activation,
                         .token = encode->token};
  out->before = exchange_offset(encode->team, out->count, &out->total);
  return OK;
}
