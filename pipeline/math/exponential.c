#include "exponential.h"

#include <math.h>

/* ln 2 in two parts: n times the first is exact for |n| < 2^11. */
static const double LOG2_E = 1.4426950408889634074;
static const double LN_2_HIGH = 0x1.62e42fefa38p-1, LN_2_LOW = 0x1.ef35793c7673p-45;

/* e^x = 2^n e^r, |r| <= ln 2 / 2, where 14 terms of the series are exact to 1e-18. */
double exponential(double x) {
  if (!(x >= -700.0)) {
    return x < 0.0 ? 0.0 : x; /* nan stays nan */
  }
  if (x > 700.0) {
    return INFINITY;
  }
  const double n = nearbyint(x * LOG2_E);
  const double r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
  double sum = 1.0;
  for (int term = 14; term >= 1; term--) {
    sum = 1.0 + sum * r / term;
  }
  return ldexp(sum, (int)n);
}

double hyperbolic_tangent(double x) {
  const double size = fabs(x);
  const double value = size > 20.0 ? 1.0 : 1.0 - 2.0 / (exponential(2.0 * size) + 1.0);
  return copysign(value, x);
}
