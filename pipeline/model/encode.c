#include "encode.h"

#include <math.h>

#include "deal.h"
#include "dense.h"
#include "exchange.h"
#include "fire.h"
#include "fixed.h"
#include "memory.h"
#include "threads.h"

/* A batch is taken in pieces of rows, so that hits need a bounded memory whatever a row's length:
 * the first is short, the next ones are fitted to what the rows before had. No result depends on
 * the pieces. */
enum { FIRST_ROWS = 32, GROWTH = 8, PIECE_HITS = 4 << 20, HELD_ROWS = 512, ROWS_A_UNIT = 64 };

struct Encode {
  Team *team;
  EncodeSetup setup;
  Codes *codes;
  Fire *fire;
  Deal *deal;
  int64_t piece;          /* rows of the next one */
  float *centred;         /* [batch, width] */
  int64_t *held;          /* [batch] held-out rows of a piece */
  double *scales;         /* [HELD_ROWS] */
  int64_t *sums;          /* [HELD_ROWS, width] */
  float *rows;            /* [threads, width] */
  double *errors;         /* [batch, 2] squared distances of held-out rows from x^ and the mean */
  int64_t error_count;    /* of this rank's rows of the batch */
  double error, variance; /* over held-out rows of all ranks so far */
};

static Status take(Encode *encode) {
  const EncodeSetup *setup = &encode->setup;
  const int64_t width = setup->sae->width;
  encode->piece = setup->sae->threshold == NULL ? setup->batch : FIRST_ROWS;
  TRY(fire_create(&encode->fire, setup->sae, encode->team, setup->batch, setup->k, setup->wide));
  TRY(deal_create(&encode->deal, encode->team, setup->batch));
  TRY(MEMORY_NEW(&encode->centred, setup->batch * width, "rows of a batch"));
  TRY(MEMORY_NEW(&encode->held, setup->batch, "held-out rows"));
  TRY(MEMORY_NEW(&encode->scales, HELD_ROWS, "scales of rows"));
  TRY(MEMORY_NEW(&encode->sums, HELD_ROWS * width, "sums of rows"));
  TRY(MEMORY_NEW(&encode->rows, threads_count() * width, "a row"));
  return MEMORY_NEW(&encode->errors, 2 * setup->batch, "errors of rows");
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
  fire_destroy(&encode->fire);
  deal_destroy(&encode->deal);
  codes_destroy(&encode->codes);
  MEMORY_FREE(encode->centred);
  MEMORY_FREE(encode->held);
  MEMORY_FREE(encode->scales);
  MEMORY_FREE(encode->sums);
  MEMORY_FREE(encode->rows);
  MEMORY_FREE(encode->errors);
  MEMORY_FREE(*encode_at);
}

typedef struct Work {
  Encode *encode;
  const EncodeBatch *batch;
  int64_t first;        /* row of the batch where the piece begins */
  const int64_t *which; /* [count] held-out rows of the piece, up to HELD_ROWS */
  int64_t count;
  int64_t own, own_count; /* of them this rank's */
} Work;

static int64_t units_of(int64_t rows) {
  return (rows + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
}

static Status centre_unit(int64_t unit, int thread, void *context) {
  const Work *work = context;
  const Sae *sae = work->encode->setup.sae;
  const int64_t first = unit * ROWS_A_UNIT;
  const int64_t left = work->batch->rows - first;
  (void)thread;
  sae_centre(sae, work->batch->x + first * sae->width, left < ROWS_A_UNIT ? left : ROWS_A_UNIT,
             work->encode->centred + first * sae->width);
  return OK;
}

/* How well the held-out rows are rebuilt. */

static double square_distance(const float *a, const float *b, int64_t width, float *difference) {
  for (int64_t j = 0; j < width; j++) {
    difference[j] = a[j] - b[j];
  }
  return dense_square(difference, width);
}

/* Own held-out row `i`: x^ from its sums, and the two distances. */
static void measure_row(const Work *work, int64_t i, float *row, double *pair) {
  const Encode *encode = work->encode;
  const Sae *sae = encode->setup.sae;
  const int64_t *sums = encode->sums + i * sae->width;
  const float *x = work->batch->x + (work->first + work->which[i]) * sae->width;
  for (int64_t j = 0; j < sae->width; j++) {
    row[j] = (float)(fixed_to(sums[j], encode->scales[i]) + (double)sae->b_dec[j]);
  }
  pair[0] = square_distance(x, row, sae->width, row);
  pair[1] = square_distance(x, encode->setup.mean, sae->width, row);
}

static Status measure_unit(int64_t unit, int thread, void *context) {
  const Work *work = context;
  Encode *encode = work->encode;
  float *row = encode->rows + thread * encode->setup.sae->width;
  for (int64_t i = unit * ROWS_A_UNIT; i < (unit + 1) * ROWS_A_UNIT && i < work->own_count; i++) {
    measure_row(work, work->own + i, row, encode->errors + 2 * (encode->error_count + i));
  }
  return OK;
}

/* Rebuild some held-out rows, and measure those that this rank owns. No partial sum of a row is
 * larger than the sum of its activations: decoder rows have unit norm (1.001 covers their
 * rounding). */
static Status measure_some(Work *work) {
  Encode *encode = work->encode;
  const Deal *deal = encode->deal;
  work->own = 0;
  work->own_count = 0;
  for (int64_t i = 0; i < work->count; i++) {
    const int64_t row = work->which[i];
    encode->scales[i] = fixed_scale(1.001 * deal->sums[row]);
    work->own += row < deal->slice.first;
    work->own_count += row >= deal->slice.first && row < deal->slice.past;
  }
  TRY(fire_rebuild(encode->team, encode->setup.sae, encode->fire, work->which, work->count,
                   encode->scales, encode->sums));
  TRY_ALL(encode->team, threads_run(units_of(work->own_count), measure_unit, work));
  encode->error_count += work->own_count;
  return OK;
}

static Status measure_piece(Work *work, int64_t rows) {
  Encode *encode = work->encode;
  int64_t held = 0;
  for (int64_t r = 0; r < rows; r++) {
    if (work->batch->is_held_out[work->first + r]) {
      encode->held[held++] = r;
    }
  }
  for (int64_t first = 0; first < held; first += HELD_ROWS) {
    work->which = encode->held + first;
    work->count = held - first < HELD_ROWS ? held - first : HELD_ROWS;
    TRY(measure_some(work));
  }
  return OK;
}

/* The sum over the batch's held-out rows and ranks is made in fixed point. */
static void add_errors(Encode *encode, const EncodeBatch *batch) {
  const double *errors = encode->errors;
  double most[2] = {0, 0};
  for (int64_t i = 0; i < 2 * encode->error_count; i++) {
    most[i % 2] = errors[i] > most[i % 2] ? errors[i] : most[i % 2];
  }
  exchange_max(encode->team, most, 2);
  const double scale[2] = {fixed_scale(most[0] * (double)batch->rows),
                           fixed_scale(most[1] * (double)batch->rows)};
  int64_t sums[2] = {0, 0};
  for (int64_t i = 0; i < 2 * encode->error_count; i++) {
    sums[i % 2] += fixed_of(errors[i], scale[i % 2]);
  }
  exchange_sum(encode->team, sums, 2);
  encode->error += fixed_to(sums[0], scale[0]);
  encode->variance += fixed_to(sums[1], scale[1]);
}

/* Pieces. */

static Status keep_codes(Encode *encode, const EncodeBatch *batch, int64_t first) {
  const Deal *deal = encode->deal;
  const int64_t place = first + deal->slice.first;
  const CodesBatch codes = {.first = batch->first + place,
                            .rows = shard_count(deal->slice),
                            .start = deal->start,
                            .id = deal->id,
                            .value = deal->value,
                            .active = deal->active,
                            .token = batch->token + place,
                            .is_held_out = batch->is_held_out + place};
  return codes_add(encode->codes, &codes);
}

/* Asked after the first rows and after whole batches: other pieces depend on the number of ranks. */
static Status check_length(const Encode *encode) {
  const double rows = (double)codes_rows(encode->codes);
  const double mean = (double)codes_entries(encode->codes) / rows;
  if (encode->fire->cut == NULL && mean > ENCODE_HITS_MOST) {
    return RAISE(ERR_DATA,
                 "%.0f of %lld latents fire in a row, on average over the first %.0f rows: wrong "
                 "layer, scale, model variant, missing BOS or quantised model?",
                 mean, (long long)encode->setup.sae->latents, rows);
  }
  return OK;
}

/* Fit the next piece to the hits of this one, on the rank that had most. */
static void fit_piece(Encode *encode) {
  if (encode->fire->cut != NULL) {
    return;
  }
  const int64_t rows = encode->fire->rows;
  int64_t hits = encode->fire->start[rows];
  exchange_max_integer(encode->team, &hits, 1);
  const int64_t fit = PIECE_HITS / (hits / rows + 1);
  int64_t next = fit < GROWTH * encode->piece ? fit : GROWTH * encode->piece;
  next = next < FIRST_ROWS ? FIRST_ROWS : next;
  encode->piece = next < encode->setup.batch ? next : encode->setup.batch;
}

static Status encode_piece(Encode *encode, const EncodeBatch *batch, int64_t first, int64_t rows) {
  const Sae *sae = encode->setup.sae;
  Work work = {.encode = encode, .batch = batch, .first = first};
  TRY(fire_select(encode->team, sae, encode->centred + first * sae->width, rows, encode->fire));
  TRY(deal_rows(encode->deal, encode->team, encode->fire));
  TRY(keep_codes(encode, batch, first));
  if (codes_rows(encode->codes) <= FIRST_ROWS) {
    TRY_ALL(encode->team, check_length(encode));
  }
  fit_piece(encode);
  return measure_piece(&work, rows);
}

Status encode_batch(Encode *encode, const EncodeBatch *batch) {
  ASSERT(batch->rows > 0 && batch->rows <= encode->setup.batch);
  Work work = {.encode = encode, .batch = batch};
  TRY_ALL(encode->team, threads_run(units_of(batch->rows), centre_unit, &work));
  encode->error_count = 0;
  for (int64_t first = 0; first < batch->rows;) {
    const int64_t left = batch->rows - first;
    const int64_t rows = left < encode->piece ? left : encode->piece;
    TRY(encode_piece(encode, batch, first, rows));
    first += rows;
  }
  add_errors(encode, batch);
  return team_agree(encode->team, check_length(encode));
}

double encode_explained_variance(const Encode *encode) {
  return encode->variance > 0 ? 1 - encode->error / encode->variance : (double)NAN;
}

Codes *encode_codes(Encode *encode) {
  return encode->codes;
}
