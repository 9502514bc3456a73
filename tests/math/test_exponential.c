#include <math.h>

#include "check.h"
#include "exponential.h"
#include "random.h"

static void test_it_is_libms(void) {
  double worst = 0;
  for (uint64_t i = 0; i < 200000; i++) {
    const double x = 1400.0 * (random_uniform(3, i) - 0.5);
    const double near = 2.0 * (random_uniform(4, i) - 0.5);
    worst = fmax(worst, (double)fabsl(exponential(x) / expl((long double)x) - 1.0L));
    worst = fmax(worst, (double)fabsl(exponential(near) / expl((long double)near) - 1.0L));
  }
  CU_ASSERT(worst < 4e-16);
  CU_ASSERT(exponential(0.0) == 1.0);
}

static void test_its_ends(void) {
  CU_ASSERT(exponential(-1e6) == 0.0 && exponential(-INFINITY) == 0.0);
  CU_ASSERT(isinf(exponential(701.0)) && isinf(exponential(INFINITY)));
  CU_ASSERT(isnan(exponential(NAN)) && isnan(hyperbolic_tangent(NAN)));
  CU_ASSERT(hyperbolic_tangent(INFINITY) == 1.0 && hyperbolic_tangent(-30.0) == -1.0);
}

static void test_tanh(void) {
  double worst = 0;
  for (uint64_t i = 0; i < 200000; i++) {
    const double x = 12.0 * (random_uniform(5, i) - 0.5);
    worst = fmax(worst, (double)fabsl(hyperbolic_tangent(x) - tanhl((long double)x)));
  }
  CU_ASSERT(worst < 4e-16);
  CU_ASSERT(hyperbolic_tangent(0.0) == 0.0);
}

static const CheckFact FACTS[] = {
    {"it is the exponential", test_it_is_libms}, {"its ends", test_its_ends}, {"tanh", test_tanh}};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "exponential", FACTS);
}
