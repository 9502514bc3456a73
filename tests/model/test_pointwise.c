#include <math.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "pointwise.h"
#include "random.h"
#include "rope.h"

/* Against libm in double. */
enum { MOST = 200 };

static double relative(float value, double expected) {
  return fabs((double)value - expected) / (fabs(expected) + 1e-30);
}

static void softmax_of_any_length_equals_libm(void) {
  float values[MOST];
  for (int count = 1; count <= MOST; ++count) {
    double sum = 0.0, largest = -INFINITY, below[MOST], expected[MOST];
    for (int i = 0; i < count; ++i) {
      values[i] = (float)(8.0 * random_normal(5, (uint64_t)(i + 1000 * count)));
      largest = fmax(largest, (double)values[i]);
    }
    for (int i = 0; i < count; ++i) {
      below[i] = largest - (double)values[i];
      expected[i] = exp(-below[i]);
      sum += expected[i];
    }
    pointwise_softmax(values, count);
    for (int i = 0; i < count; ++i) {
      CU_ASSERT(relative(values[i], expected[i] / sum) < 1e-6 + 1.2e-7 * below[i]);
    }
  } /* the distance to the largest is itself rounded to float */
}

static void softmax_of_far_apart_scores_stays_finite(void) {
  float values[4] = {-1e30F, 3e38F, -INFINITY, 0.0F};
  pointwise_softmax(values, 4);
  CU_ASSERT_EQUAL(values[1], 1.0F);
  CU_ASSERT(values[0] > 1e-28F && values[0] < 2e-28F);
  CU_ASSERT_EQUAL(values[2], values[0]);
}

/* Whatever the pieces: the largest first, in the middle, last; one empty. */
static void mass_in_pieces_equals_libm(void) {
  float values[MOST];
  for (int cut = 0; cut <= MOST; ++cut) {
    double sum = 0.0;
    PointwiseMass mass = {0};
    for (int i = 0; i < MOST; ++i) {
      values[i] = -3000.0F + (float)(8.0 * random_normal(6, (uint64_t)(i + 1000 * cut)));
      values[i] += i == cut ? 40.0F : 0.0F;
      sum += exp((double)values[i] + 3000.0);
    }
    pointwise_mass_add(&mass, values, cut);
    pointwise_mass_add(&mass, values + cut, (MOST - cut) / 2);
    pointwise_mass_add(&mass, values + cut + (MOST - cut) / 2, MOST - cut - (MOST - cut) / 2);
    CU_ASSERT(fabs(pointwise_mass_log(&mass) + 3000.0 - log(sum)) < 1e-6 * (1.0 + log(sum)));
  }
}

static void gates_equal_libm(void) {
  for (int i = -3000; i <= 3000; ++i) {
    const float x = (float)i * 0.01F, up = 1.5F;
    float silu = x, gelu = x;
    pointwise_silu(&silu, &up, 1);
    pointwise_gelu(&gelu, &up, 1);
    const double u = sqrt(2.0 / acos(-1.0)) * ((double)x + 0.044715 * pow((double)x, 3.0));
    CU_ASSERT(relative(silu, (double)x / (1.0 + exp(-(double)x)) * 1.5) < 1e-6);
    CU_ASSERT(fabs((double)gelu - (double)x / (1.0 + exp(-2.0 * u)) * 1.5) <
              1e-6 * fabs((double)x) + 1e-30);
  }
  float far[2] = {-1000.0F, 1000.0F};
  const float one[2] = {1.0F, 1.0F};
  pointwise_silu(far, one, 2);
  CU_ASSERT(fabsf(far[0]) < 1e-24F);
  CU_ASSERT_EQUAL(far[1], 1000.0F);
}

static void long_rows_equal_short_ones(void) {
  float whole[MOST], part[MOST], up[MOST];
  for (int i = 0; i < MOST; ++i) {
    whole[i] = part[i] = (float)random_normal(6, (uint64_t)i);
    up[i] = (float)random_normal(7, (uint64_t)i);
  }
  pointwise_silu(whole, up, MOST);
  for (int i = 0; i < MOST; ++i) {
    pointwise_silu(part + i, up + i, 1);
  }
  CU_ASSERT(memcmp(whole, part, sizeof(whole)) == 0);
}

static void a_norm_makes_the_mean_square_one(void) {
  float x[MOST], ones[MOST], out[MOST];
  double square = 0.0;
  for (int i = 0; i < MOST; ++i) {
    x[i] = (float)(100.0 * random_normal(8, (uint64_t)i));
    ones[i] = 1.0F;
  }
  pointwise_norm(x, ones, MOST, 1e-6F, out);
  for (int i = 0; i < MOST; ++i) {
    square += (double)out[i] * (double)out[i];
  }
  CU_ASSERT(fabs(square / MOST - 1.0) < 1e-6);
  pointwise_norm(x, ones, MOST, 1e-6F, x);
  CU_ASSERT(memcmp(x, out, sizeof(x)) == 0);
}

/* Angles of positions up to 100,000 against libm. */
static void angles_equal_libm(void) {
  enum { POSITIONS = 100000, HALF = 12 };
  const double bases[] = {10000.0, 1e6, 500000.0};
  const float factors[HALF] = {1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8};
  for (int b = 0; b < 3; ++b) {
    Rope rope;
    CU_ASSERT_EQUAL(rope_init(&rope, POSITIONS, HALF, bases[b], 0.5, b == 2 ? factors : NULL), OK);
    double worst = 0.0;
    for (int64_t p = 0; p < POSITIONS; p += 997) {
      for (int i = 0; i < HALF; ++i) {
        const double stretch = b == 2 ? (double)factors[i] : 1.0;
        const double angle = (double)p * 0.5 / stretch * pow(bases[b], -(double)i / HALF);
        worst = fmax(worst, fabs((double)rope.cosine[p * HALF + i] - cos(angle)));
        worst = fmax(worst, fabs((double)rope.sine[p * HALF + i] - sin(angle)));
      }
    }
    CU_ASSERT(worst < 1e-7);
    rope_clear(&rope);
  }
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void rotation_leaves_what_it_does_not_turn(void) {
  Rope rope;
  float row[20];
  CU_ASSERT_EQUAL(rope_init(&rope, 8, 3, 10000.0, 1.0, NULL), OK);
  for (int i = 0; i < 20; ++i) {
    row[i] = (float)i;
  }
  rope_apply(&rope, 5, row, 2, 10); /* two heads of ten, six of which turn */
  for (int i = 0; i < 20; ++i) {
    CU_ASSERT((i % 10 < 6) == (row[i] != (float)i));
  }
  CU_ASSERT(relative(row[0], -3.0 * sin(5.0)) < 1e-6); /* 0 cos - 3 sin */
  CU_ASSERT(relative(row[3], 3.0 * cos(5.0)) < 1e-6);
  rope_clear(&rope);
}

static const CheckFact FACTS[] = {
    {"softmax of any length equals libm", softmax_of_any_length_equals_libm},
    {"softmax of far apart scores stays finite", softmax_of_far_apart_scores_stays_finite},
    {"the mass of scores in pieces equals libm", mass_in_pieces_equals_libm},
    {"gates equal libm", gates_equal_libm},
    {"long rows equal short ones bit by bit", long_rows_equal_short_ones},
    {"a norm makes the mean square one, also in place", a_norm_makes_the_mean_square_one},
    {"angles equal libm at far positions", angles_equal_libm},
    {"rotation leaves what it does not turn", rotation_leaves_what_it_does_not_turn},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "pointwise", FACTS);
}
