#include <float.h>
#include <math.h>

#include "dense.h"
#include "memory.h"
#include "screen_parts.h"

/* How far a pair's exact score e = fl(fl_dot(x, w) + b) can be from the screened one.
 *
 * In 8 bits, with x' and w' the rows that were quantised (rotated or not), x^ and w^ their values
 * in 8 bits, u = 2^-24, and norms rounded up:
 *   |x' w' - x^ w^|     <= |x| error_w + error_x |w^|               known, Cauchy-Schwarz
 *   |x w - x' w'|       <= 14 u |x||w|                              a rotation of both: 6 additions
 *                                                                   a row in turn, and one to spare
 *   |fl_dot - x w|      <= (width / 64 + 8) u |x||w|                64 lanes of fma, then 6 sums
 *   |fl(x^ w^) - x^ w^| <= 4 u |x^||w^|, likewise adding the bound  the integer product is exact
 * and |w| <= |w^| + error_w. All but the first go into one factor ROUNDINGS + width / 16 of
 * u (|x| + error_x)(|w^| + error_w), which leaves something for the bound's own arithmetic. In
 * float32 the GEMM's error takes the place of the first three.
 *
 * Where x' is fl(x - shift) and shift . w is in the bias, subtracting costs u |x - shift| |w|, and
 * the product (width / 64 + 8) u |shift||w|, |shift| <= |x| + |x - shift|: so the factor is of |x| +
 * |x - shift| + error_x then, and it is always.
 *
 * The bias adds roundings of |b| u in the exact score and in the screened one: a bias that is 4 |b|
 * u too large covers them upwards. Underflow is covered by `tiny`. */
enum { ROUNDINGS = 40 };
static const double U = 0x1p-24;
static const double SLACK = 1.0 + 0x1p-18; /* the roundings of size * size + error * error */

static float round_up(double value) {
  const float near = (float)value;
  return (double)near < value ? nextafterf(near, INFINITY) : near;
}

static float round_down(double value) {
  const float near = (float)value;
  return (double)near > value ? nextafterf(near, -INFINITY) : near;
}

/* b, if a is a NaN. */
static float larger(float a, float b) {
  return a > b ? a : b;
}

void screen_norms(const float *rows, int64_t count, int64_t width, double *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = sqrt(dense_square(rows + i * width, width)) * (1.0 + 0x1p-40);
  }
}

float screen_least(const Screen *screen, double score) {
  return round_down(score - screen->tiny);
}

static LanesRow row_in_bytes(const ScreenSide *side, int64_t width, int64_t query) {
  const double norm = side->lowp_norm == NULL ? side->norm[query] : side->lowp_norm[query];
  const double error = (double)side->lowp->error[query];
  const double roundings = ROUNDINGS + (double)width / 16;
  const double rounding = roundings * U * (side->norm[query] + norm + error);
  return (LanesRow){.scale = side->lowp->scale[query],
                    .size = round_up(SLACK * (error + rounding)),
                    .error = round_up(SLACK * (norm + rounding))};
}

LanesRow screen_row_of(const Screen *screen, int64_t query) {
  const ScreenJob *job = screen->job;
  if (job->query.lowp != NULL) {
    return row_in_bytes(&job->query, job->width, query);
  }
  const double each = dense_gemm_error(job->width) + ROUNDINGS * U;
  return (LanesRow){.scale = 1.0F, .size = round_up(SLACK * each * job->query.norm[query])};
}

LanesColumns screen_columns_of(const Screen *screen, int64_t base) {
  const Columns *c = &screen->columns;
  return (LanesColumns){.scale = c->scale == NULL ? NULL : c->scale + base,
                        .shift = c->scale == NULL ? NULL : screen->job->base.lowp->shift + base,
                        .size = c->scale == NULL ? c->size + base : NULL,
                        .bias = c->bias == NULL ? NULL : c->bias + base};
}

LanesRow screen_scan_row(const Screen *screen, const LanesRow *row, int64_t base) {
  const Columns *c = &screen->columns;
  LanesRow flat = *row;
  if (c->scale != NULL) {
    const float most =
        row->size * c->most_size[base / TILE] + row->error * c->most_error[base / TILE];
    flat.size = isnan(most) ? INFINITY : most; /* 0 * infinity: others have a bound */
    flat.error = 0.0F;
  }
  return flat;
}

double screen_bias(const ScreenSide *base, int64_t index) {
  const bool is_shifted = base->lowp != NULL && base->lowp_bias != NULL;
  const float *bias = is_shifted ? base->lowp_bias : base->bias;
  return bias == NULL ? 0.0 : (double)bias[index];
}

static void set_column(Screen *screen, int64_t i) {
  const ScreenSide *side = &screen->job->base;
  Columns *c = &screen->columns;
  const bool is_out = !screen_takes_part(side, i);
  const float size = side->lowp != NULL ? side->lowp->norm[i] : round_up(side->norm[i]);
  c->size[i] = is_out ? NAN : size;
  if (side->lowp != NULL) {
    const float error = side->lowp->error[i];
    c->scale[i] = is_out ? NAN : side->lowp->scale[i];
    c->error[i] = error;
    c->most_size[i / TILE] = is_out ? c->most_size[i / TILE] : larger(size, c->most_size[i / TILE]);
    c->most_error[i / TILE] =
        is_out ? c->most_error[i / TILE] : larger(error, c->most_error[i / TILE]);
  }
  c->has_infinite = c->has_infinite || !(size <= FLT_MAX);
  if (c->bias != NULL) {
    const double own = side->bias == NULL ? 0.0 : (double)side->bias[i];
    const double slack = 4.0 * U * (fabs(own) + fabs(screen_bias(side, i)));
    c->bias[i] = round_up(screen_bias(side, i) + slack);
  }
}

Status screen_columns_create(Screen *screen) {
  const ScreenSide *base = &screen->job->base;
  Columns *c = &screen->columns;
  TRY(MEMORY_NEW(&c->size, base->count, "bounds of rows"));
  if (base->lowp != NULL) {
    TRY(MEMORY_NEW(&c->scale, base->count, "bounds of rows"));
    TRY(MEMORY_NEW(&c->error, base->count, "bounds of rows"));
    TRY(MEMORY_NEW(&c->most_size, screen->tiles, "bounds of tiles"));
    TRY(MEMORY_NEW(&c->most_error, screen->tiles, "bounds of tiles"));
  }
  if (base->bias != NULL || (base->lowp != NULL && base->lowp_bias != NULL)) {
    TRY(MEMORY_NEW(&c->bias, base->count, "bounds of rows"));
  }
  for (int64_t i = 0; i < base->count; i++) {
    set_column(screen, i);
  }
  return OK;
}

void screen_columns_clear(Columns *columns) {
  MEMORY_FREE(columns->size);
  MEMORY_FREE(columns->scale);
  MEMORY_FREE(columns->error);
  MEMORY_FREE(columns->bias);
  MEMORY_FREE(columns->most_size);
  MEMORY_FREE(columns->most_error);
}
