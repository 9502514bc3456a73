#include "adam.h"

#include <math.h>

static const double KEEP_FIRST = 0.9, KEEP_SECOND = 0.999, EPSILON = 6.25e-10;

static void advance(Adam *adam) {
  adam->step++;
  adam->first *= KEEP_FIRST;
  adam->second *= KEEP_SECOND;
}

void adam_open(Adam *adam, int64_t step) {
  *adam = (Adam){.first = 1.0, .second = 1.0};
  while (adam->step < step) {
    advance(adam);
  }
}

void adam_begin(Adam *adam, double rate, double clip) {
  advance(adam);
  adam->factors = (LanesAdam){.keep_first = (float)KEEP_FIRST,
                              .take_first = (float)(1.0 - KEEP_FIRST),
                              .keep_second = (float)KEEP_SECOND,
                              .take_second = (float)(1.0 - KEEP_SECOND),
                              .rate = (float)(rate / (1.0 - adam->first)),
                              .root = (float)(1.0 / sqrt(1.0 - adam->second)),
                              .epsilon = (float)EPSILON,
                              .clip = (float)clip};
}

void adam_update(const Adam *adam, float *weight, float *first, float *second,
                 const float *gradient, int64_t count) {
  lanes()->adam(&adam->factors, weight, first, second, gradient, count);
}

void adam_update_bf16(const Adam *adam, float *weight, uint16_t *first, uint16_t *second,
                      const float *gradient, int64_t count, uint64_t key, float *room) {
  const Lanes *set = lanes();
  float *wide_first = room, *wide_second = room + count;
  set->from_bf16(first, count, wide_first);
  set->from_bf16(second, count, wide_second);
  set->adam(&adam->factors, weight, wide_first, wide_second, gradient, count);
  set->to_bf16_at_random(wide_first, count, (uint32_t)key, first);
  set->to_bf16_at_random(wide_second, count, (uint32_t)(key >> 32), second);
}
