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
