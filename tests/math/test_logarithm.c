#include <float.h>
#include <math.h>

#include "check.h"
#include "logarithm.h"
#include "random.h"

static double error_of(double x) {
  const long double exact = logl((long double)x);
  return (double)(fabsl((long double)logarithm(x) - exact) / fmaxl(1.0L, fabsl(exact)));
}

static void test_it_is_libms(void) {
  double worst = 0;
  for (uint64_t i = 0; i < 200000; ++i) {
    const double x = random_uniform(11, i) + 1e-9;
    worst = fmax(worst, error_of(x));
    worst = fmax(worst, error_of(1 / x));
    worst = fmax(worst, error_of(1 + 1e-6 * (x - 0.5)));
  }
  const double ends[] = {DBL_MIN, DBL_MAX, 0x1p-1074, 0.70710678118654752440, 1.4142135623730951};
  for (int i = 0; i < 5; ++i) {
    worst = fmax(worst, error_of(ends[i]));
  }
  CU_ASSERT(worst < 4e-16);
  CU_ASSERT(logarithm(1) == 0);
}

static const CheckFact FACTS[] = {{"it is the logarithm", test_it_is_libms}};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "logarithm", FACTS);
}
