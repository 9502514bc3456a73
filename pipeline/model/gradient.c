#include "gradient.h"

#include <math.h>
#include <string.h>

#include "alike.h"
#include "dense.h"
#include "exchange.h"
#include "fixed.h"
#include "memory.h"
#include "threads.h"

enum { LATENTS_A_UNIT = 32 };

static int64_t units_of(const Gradient *g) {
  return (shard_count(g->sae->own) + LATENTS_A_UNIT - 1) / LATENTS_A_UNIT;
}

static int64_t unit_past(const Gradient *g, int64_t unit) {
  const int64_t past = (unit + 1) * LATENTS_A_UNIT;
  return past < shard_count(g->sae->own) ? past : shard_count(g->sae->own);
}

static Status make_buffers(Gradient *g) {
  const int64_t own = shard_count(g->sae->own);
  const int64_t width = g->sae->width;
  const int64_t threads = threads_count();
  TRY(MEMORY_NEW(&g->biases, own, "gradients of biases"));
  TRY(MEMORY_NEW(&g->squares, own, "norms of gradients"));
  TRY(MEMORY_NEW(&g->b_dec, width, "gradient of the decoder bias"));
  TRY(MEMORY_NEW(&g->rows, GRADIENT_ROWS * threads * width, "gradient rows"));
  TRY(MEMORY_NEW(&g->pieces, threads * width, "sums of threads"));
  return MEMORY_NEW(&g->whole, width + 1 + GRADIENT_RIDERS, "sums of ranks");
}

Status gradient_create(Gradient *gradient, const Sae *sae) {
  *gradient = (Gradient){.sae = sae};
  const Status status = make_buffers(gradient);
  if (status != OK) {
    gradient_clear(gradient);
  }
  return status;
}

void gradient_clear(Gradient *gradient) {
  MEMORY_FREE(gradient->biases);
  MEMORY_FREE(gradient->squares);
  MEMORY_FREE(gradient->b_dec);
  MEMORY_FREE(gradient->rows);
  MEMORY_FREE(gradient->pieces);
  MEMORY_FREE(gradient->whole);
}

bool gradient_is_active(const Gradient *g, int64_t latent) {
  for (int t = 0; t < g->count; t++) {
    const int64_t *start = g->terms[t].hits->latent_start;
    if (start[latent] < start[latent + 1]) {
      return true;
    }
  }
  return false;
}

/* The pull on a latent: that of its group. */
static const float *pull_of(const Gradient *g, const GradientTerm *term, int64_t latent) {
  int64_t group = 0;
  while (term->past != NULL && g->sae->own.first + latent >= term->past[group]) {
    group++;
  }
  return term->pull + group * term->hits->rows * g->sae->width;
}

/* slope = factor * pull_b . w_dec_i for the latent's hits, 0 where it would draw down what does not fire; returns their
 * sum in order. */
static float fill_slopes(const Gradient *g, const GradientTerm *term, int64_t latent, float sum) {
  const int64_t width = g->sae->width;
  const float *row = g->sae->w_dec + latent * width;
  const float *pull = pull_of(g, term, latent);
  const SaeHit *hits = term->hits->by_latent;
  const int64_t past = term->hits->latent_start[latent + 1];
  for (int64_t h = term->hits->latent_start[latent]; h < past; h += 4) {
    const float *pulls[4];
    float dots[4];
    for (int64_t j = 0; j < 4; j++) {
      pulls[j] = pull + hits[h + j < past ? h + j : h].row * width;
    }
    dense_dot4(row, pulls, width, dots);
    for (int64_t j = 0; j < 4 && h + j < past; j++) {
      const float slope = dots[j] * term->factor;
      term->slopes[h + j] = hits[h + j].value == 0.0F && slope > 0.0F ? 0.0F : slope;
      sum += term->slopes[h + j];
    }
  }
  return sum;
}

/* One term's part, hits in order; four at a time. */
static void add_term(const Gradient *g, const GradientTerm *term, int64_t latent, float *enc,
                     float *dec) {
  const int64_t width = g->sae->width;
  const float *pull = pull_of(g, term, latent);
  const SaeHit *hits = term->hits->by_latent;
  const int64_t past = term->hits->latent_start[latent + 1];
  int64_t h = term->hits->latent_start[latent];
  for (; h + 4 <= past; h += 4) {
    const float *centred[4], *pulls[4];
    float factors[4];
    for (int64_t j = 0; j < 4; j++) {
      centred[j] = g->centred + hits[h + j].row * width;
      pulls[j] = pull + hits[h + j].row * width;
      factors[j] = term->factor * hits[h + j].value;
    }
    dense_add4(enc, centred, width, term->slopes + h);
    dense_add4(dec, pulls, width, factors);
  }
  for (; h < past; h++) {
    dense_add(enc, g->centred + hits[h].row * width, width, term->slopes[h]);
    dense_add(dec, pull + hits[h].row * width, width, term->factor * hits[h].value);
  }
}

void gradient_form(const Gradient *g, int64_t latent, float *enc, float *dec) {
  const int64_t width = g->sae->width;
  memset(enc, 0, (size_t)width * sizeof(*enc));
  memset(dec, 0, (size_t)width * sizeof(*dec));
  for (int t = 0; t < g->count; t++) {
    add_term(g, &g->terms[t], latent, enc, dec);
  }
  const float *row = g->sae->w_dec + latent * width;
  dense_add(dec, row, width, -dense_dot(dec, row, width));
}

static Status measure_unit(int64_t unit, int thread, void *context) {
  Gradient *g = context;
  const int64_t width = g->sae->width;
  float *enc = g->rows + GRADIENT_ROWS * thread * width;
  float *dec = enc + width;
  for (int64_t latent = unit * LATENTS_A_UNIT; latent < unit_past(g, unit); latent++) {
    float bias = 0.0F;
    g->biases[latent] = 0.0F;
    g->squares[latent] = 0.0;
    if (gradient_is_active(g, latent)) {
      for (int t = 0; t < g->count; t++) {
        bias = fill_slopes(g, &g->terms[t], latent, bias);
      }
      gradient_form(g, latent, enc, dec);
      g->biases[latent] = bias;
      g->squares[latent] =
          dense_square(enc, width) + dense_square(dec, width) + (double)bias * (double)bias;
    }
  }
  return OK;
}

/* The encoder's part of b_dec's gradient, - sum_i bias_i w_enc_i. */
typedef struct Through {
  Gradient *g;
  double scale;
} Through;

static Status through_unit(int64_t unit, int thread, void *context) {
  const Through *through = context;
  Gradient *g = through->g;
  const int64_t width = g->sae->width;
  for (int64_t latent = unit * LATENTS_A_UNIT; latent < unit_past(g, unit); latent++) {
    if (g->biases[latent] != 0.0F) {
      fixed_add_row(g->pieces + thread * width, g->sae->w_enc + latent * width, width,
                    -(double)g->biases[latent], through->scale);
    }
  }
  return OK;
}

/* The largest of everything that is summed over ranks, so that all agree on the scales. */
typedef struct Largest {
  double square, through, broken, most;
} Largest;

static Largest find_largest(const Gradient *g) {
  Largest largest = {.most = g->most};
  for (int64_t i = 0; i < shard_count(g->sae->own); i++) {
    if (isfinite(g->squares[i])) {
      largest.square = fmax(largest.square, g->squares[i]);
      largest.through = fmax(largest.through, fabs((double)g->biases[i]) * g->sae->norm[i]);
    } else {
      largest.broken = 1.0;
    }
  }
  return largest;
}

static Status sum_own(Gradient *g, double square_scale, double through_scale) {
  const int64_t width = g->sae->width;
  Through through = {g, through_scale};
  memset(g->pieces, 0, (size_t)(threads_count() * width) * sizeof(*g->pieces));
  memset(g->whole, 0, (size_t)(width + 1) * sizeof(*g->whole));
  TRY(g->sae->subtract_b_dec ? threads_run(units_of(g), through_unit, &through) : OK);
  for (int64_t i = 0; i < threads_count() * width; i++) {
    g->whole[i % width] += g->pieces[i];
  }
  for (int64_t i = 0; i < shard_count(g->sae->own); i++) {
    g->whole[width] += fixed_of(g->squares[i], square_scale);
  }
  return OK;
}

void gradient_begin(Gradient *g, const float *pull, int64_t rows, float factor) {
  const int64_t width = g->sae->width;
  memset(g->b_dec, 0, (size_t)width * sizeof(*g->b_dec));
  alike_add(g->b_dec, pull, rows, width, factor);
}

Status gradient_measure(Gradient *g) {
  return threads_run(units_of(g), measure_unit, g);
}

Status gradient_agree(Gradient *g, Team *team) {
  const int64_t width = g->sae->width;
  Largest largest = find_largest(g);
  exchange_max(team, (double *)&largest, 4);
  g->most = largest.most;
  g->is_finite = largest.broken == 0.0;
  if (!g->is_finite) {
    return OK;
  }
  const double latents = (double)g->sae->latents;
  const double square_scale = fixed_scale(largest.square * latents);
  const double through_scale = fixed_scale(largest.through * latents);
  TRY_ALL(team, sum_own(g, square_scale, through_scale));
  memcpy(g->whole + width + 1, g->sums, sizeof(g->sums));
  exchange_sum(team, g->whole, width + 1 + GRADIENT_RIDERS);
  memcpy(g->sums, g->whole + width + 1, sizeof(g->sums));
  for (int64_t j = 0; j < width; j++) {
    g->b_dec[j] = (float)((double)g->b_dec[j] + fixed_to(g->whole[j], through_scale));
  }
  g->norm = sqrt(fixed_to(g->whole[width], square_scale) + dense_square(g->b_dec, width));
  return OK;
}
