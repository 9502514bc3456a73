#include "import_fold.h"

#include <math.h>
#include <stddef.h>

#include "dense.h"

bool import_has_gain(const Bundle *bundle) {
  return bundle->architecture == BUNDLE_GATED ||
         (bundle->architecture == BUNDLE_TOPK && !bundle->norm_counts);
}

/* e^x: argument reduced to |r| <= ln 2 / 2, then its series. libm's differs between processors. */
static double exponential(double x) {
  enum { TERMS = 18 };
  static const double LN2_HIGH = 0x1.62e42fee00000p-1; /* few bits: k times it is exact */
  static const double LN2_LOW = 0x1.a39ef35793c76p-33;
  if (fabs(x) > 700) {
    return x > 0 ? (double)INFINITY : 0;
  }
  const double k = rint(x / LN2_HIGH);
  const double r = (x - k * LN2_HIGH) - k * LN2_LOW;
  double sum = 1;
  for (int n = TERMS; n > 0; n--) {
    sum = 1 + sum * r / n;
  }
  return ldexp(sum, (int)k);
}

static void scale(float *row, int64_t width, double factor) {
  for (int64_t j = 0; j < width; j++) {
    row[j] = (float)((double)row[j] * factor);
  }
}

static void divide(float *row, int64_t width, double norm) {
  for (int64_t j = 0; j < width; j++) {
    row[j] = (float)((double)row[j] / norm);
  }
}

/* Activation = score, so the norm goes into it. */
static void fold_into_score(const Bundle *bundle, const FoldPiece *piece, int64_t i, double norm) {
  const double per_row = norm / bundle->input_scale;
  scale(piece->encoder + i * bundle->width, bundle->width, norm);
  piece->bias[i] = (float)((double)piece->bias[i] * per_row);
  if (piece->threshold != NULL) {
    const double own = piece->threshold[i] > 0 ? (double)piece->threshold[i] : 0;
    const double factor = bundle->norm_counts && norm > 0 ? 1 / bundle->input_scale : per_row;
    piece->threshold[i] = (float)(own * factor);
  }
}

/* Activation = gain (score + offset). */
static void fold_into_gain(const Bundle *bundle, const FoldPiece *piece, int64_t i, double norm) {
  const bool is_gated = bundle->architecture == BUNDLE_GATED;
  const double log_gain = is_gated ? (double)piece->gain[i] : 0;
  const double magnitude_bias = is_gated ? (double)piece->offset[i] : 0;
  const double gain = norm / bundle->input_scale * exponential(log_gain);
  const double offset =
      is_gated ? magnitude_bias * exponential(-log_gain) - (double)piece->bias[i] : 0;
  scale(piece->encoder + i * bundle->width, bundle->width, bundle->input_scale);
  piece->gain[i] = (float)gain;
  piece->offset[i] = (float)offset;
  if (is_gated && norm == 0) {
    scale(piece->encoder + i * bundle->width, bundle->width, 0);
    piece->bias[i] = piece->gain[i] = piece->offset[i] = 0;
  }
}

static bool is_finite(const Bundle *bundle, const FoldPiece *piece, int64_t i) {
  const float threshold = piece->threshold == NULL ? 0 : piece->threshold[i];
  const float gain = piece->gain == NULL ? 0 : piece->gain[i];
  const float offset = piece->gain == NULL ? 0 : piece->offset[i];
  return isfinite(dense_square(piece->encoder + i * bundle->width, bundle->width)) &&
         isfinite(dense_square(piece->decoder + i * bundle->width, bundle->width)) &&
         isfinite(piece->bias[i]) && isfinite(threshold) && isfinite(gain) && isfinite(offset);
}

Status import_fold(const Bundle *bundle, const FoldPiece *piece, int64_t *dead) {
  for (int64_t i = 0; i < piece->count; i++) {
    float *decoder = piece->decoder + i * bundle->width;
    const double norm = sqrt(dense_square(decoder, bundle->width));
    if (norm > 0) {
      divide(decoder, bundle->width, norm);
    } else {
      ++*dead;
    }
    if (import_has_gain(bundle)) {
      fold_into_gain(bundle, piece, i, norm);
    } else {
      fold_into_score(bundle, piece, i, norm);
    }
    if (!is_finite(bundle, piece, i)) {
      return RAISE(ERR_NUMERIC, "%s: latent %lld is beyond float32 once its norm is folded",
                   bundle_file(bundle, 0), (long long)(piece->first + i));
    }
  }
  return OK;
}
