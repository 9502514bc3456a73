#include <string.h>

#include "check.h"
#include "clock.h"

static void test_time_never_runs_back(void) {
  double last = clock_seconds();
  for (int i = 0; i < 100000; ++i) {
    const double now = clock_seconds();
    CU_ASSERT_TRUE(now >= last);
    last = now;
  }
}

static void test_utc_has_its_form(void) {
  char out[24];
  CU_ASSERT_PTR_EQUAL(clock_utc(out), out);
  CU_ASSERT_EQUAL(strlen(out), 20);
  CU_ASSERT_EQUAL(out[10], 'T');
  CU_ASSERT_EQUAL(out[19], 'Z');
  CU_ASSERT_TRUE(strcmp(out, "2020-01-01T00:00:00Z") > 0);
}

static const CheckFact FACTS[] = {
    {"time never runs back", test_time_never_runs_back},
    {"UTC has its form", test_utc_has_its_form},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "clock", FACTS);
}
