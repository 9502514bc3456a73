#include "logarithm.h"

#include <math.h>

static const double LN_2 = 0.69314718055994530942;

/* ln m = 2 artanh((m - 1) / (m + 1)), with m in [1 / sqrt 2, sqrt 2), where 12 terms are exact to 1e-19. */
double logarithm(double x) {
  int exponent = 0;
  double m = frexp(x, &exponent), sum = 0;
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1);
  for (int term = 11; term >= 0; --term) {
    sum = sum * s * s + 1.0 / (2 * term + 1);
  }
  return exponent * LN_2 + 2 * s * sum;
}
