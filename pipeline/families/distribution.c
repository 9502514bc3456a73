#include "distribution.h"

#include <math.h>
#include <string.h>

#include "exchange.h"

const double DISTRIBUTION_CUT[DISTRIBUTION_CUTS] = {0.40, 0.50, 0.70};

/** Integers in the order of the floats. */
static uint32_t image_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

static float value_of(uint32_t image) {
  const uint32_t bits = (image & 0x80000000u) != 0 ? image & 0x7fffffffu : ~image;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

/** One byte of its image a round. */
float distribution_value(Team *team, const float *values, int64_t count, int64_t place) {
  uint32_t image = 0;
  uint32_t known = 0; /* mask of the bytes found */
  for (int shift = 24; shift >= 0; shift -= 8) {
    int64_t counts[256] = {0};
    for (int64_t i = 0; i < count; i++) {
      const uint32_t one = image_of(values[i]);
      counts[(one >> shift) & 255u] += (one & known) == image;
    }
    exchange_sum(team, counts, 256);
    uint32_t byte = 0;
    for (; byte < 255 && place >= counts[byte]; byte++) {
      place -= counts[byte];
    }
    image |= byte << shift;
    known |= 255u << shift;
  }
  return value_of(image);
}

static double median_of(Team *team, const float *values, int64_t count, int64_t total) {
  const double low = (double)distribution_value(team, values, count, (total - 1) / 2);
  const double high = (double)distribution_value(team, values, count, total / 2);
  return (low + high) / 2;
}

static int64_t bin_of(float value) {
  const double place = (double)value * DISTRIBUTION_BINS;
  if (place < 0) {
    return 0;
  }
  return place < DISTRIBUTION_BINS ? (int64_t)place : DISTRIBUTION_BINS - 1;
}

void distribution_of(Team *team, const float *values, int64_t count, Distribution *out) {
  memset(out, 0, sizeof(*out));
  int64_t reached[DISTRIBUTION_CUTS] = {0};
  for (int64_t i = 0; i < count; i++) {
    out->histogram[bin_of(values[i])]++;
    for (int c = 0; c < DISTRIBUTION_CUTS; c++) {
      reached[c] += (double)values[i] >= DISTRIBUTION_CUT[c];
    }
  }
  out->count = count;
  exchange_sum(team, &out->count, 1);
  exchange_sum(team, out->histogram, DISTRIBUTION_BINS);
  exchange_sum(team, reached, DISTRIBUTION_CUTS);
  const bool is_empty = out->count == 0;
  out->median = is_empty ? (double)NAN : median_of(team, values, count, out->count);
  for (int c = 0; c < DISTRIBUTION_CUTS; c++) {
    out->share[c] = is_empty ? (double)NAN : (double)reached[c] / (double)out->count;
  }
}
