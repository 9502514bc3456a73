#include "null.h"

#include <math.h>

/** Why no Gaussian or incomplete beta function: libm's results differ between CPUs, and the
 *  threshold of a link may hang on this number. */

enum { STEPS = 2048, HALVINGS = 60 };

static double power(double base, int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) {
      result *= base;
    }
    base *= base;
  }
  return result;
}

/** (1 - t^2)^(twice / 2). */
static double density(double t, int64_t twice) {
  const double u = (1 - t) * (1 + t);
  const double whole = power(u, twice / 2);
  return twice % 2 == 0 ? whole : whole * sqrt(u);
}

/** Integral of the density from t to where it is below 1e-31 of its maximum, by Simpson's rule. */
static double tail(double t, int64_t twice) {
  const double reach = twice > 144 ? 12 / sqrt((double)twice) : 1;
  if (t >= reach) {
    return 0;
  }
  const double step = (reach - t) / STEPS;
  double sum = density(t, twice) + density(reach, twice);
  for (int i = 1; i < STEPS; i++) {
    sum += (i % 2 == 1 ? 4 : 2) * density(t + i * step, twice);
  }
  return sum * step / 3;
}

double null_quantile(int64_t dimension, int64_t parents, double share) {
  if (parents < 1) {
    return (double)NAN;
  }
  const int64_t twice = dimension > 3 ? dimension - 3 : 0;
  const double whole = 2 * tail(0, twice);
  double low = -1;
  double high = 1;
  for (int i = 0; i < HALVINGS; i++) {
    const double middle = (low + high) / 2;
    const double beyond = tail(fabs(middle), twice) / whole;
    const double below = middle < 0 ? beyond : 1 - beyond;
    if (power(below, parents) < share) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2;
}

int64_t null_dimension(double child, double parent) {
  return (int64_t)floor((child < parent ? child : parent) + 0.5);
}
