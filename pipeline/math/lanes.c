#include "lanes.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lanes_sets.h"

static const Lanes *chosen;

static bool is_supported(const Lanes *set) {
#if defined(__x86_64__)
  if (set == &LANES_AVX512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  }
  if (set == &LANES_AVX2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#endif
  return set == &LANES_PLAIN;
}

static const Lanes *const SETS[] = {
#if defined(__x86_64__)
    &LANES_AVX512, &LANES_AVX2,
#endif
    &LANES_PLAIN};

static const Lanes *widest(void) {
  for (size_t i = 0; i + 1 < sizeof(SETS) / sizeof(SETS[0]); i++) {
    if (is_supported(SETS[i])) {
      return SETS[i];
    }
  }
  return &LANES_PLAIN;
}

/* The set named by CLEAVE_LANES, else the widest. */
static const Lanes *wished(void) {
  const char *name = getenv("CLEAVE_LANES");
  for (size_t i = 0; name != NULL && i < sizeof(SETS) / sizeof(SETS[0]); i++) {
    if (strcmp(SETS[i]->name, name) == 0 && is_supported(SETS[i])) {
      return SETS[i];
    }
  }
  return widest();
}

/* Two threads that come here first both store the same pointer. */
const Lanes *lanes(void) {
  const Lanes *set = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
  if (set == NULL) {
    set = wished();
    __atomic_store_n(&chosen, set, __ATOMIC_RELAXED);
  }
  return set;
}

const char *lanes_widest(void) {
  return widest()->name;
}

bool lanes_use(const char *name) {
  for (size_t i = 0; i < sizeof(SETS) / sizeof(SETS[0]); i++) {
    if (strcmp(SETS[i]->name, name) == 0 && is_supported(SETS[i])) {
      __atomic_store_n(&chosen, SETS[i], __ATOMIC_RELAXED);
      return true;
    }
  }
  return false;
}
