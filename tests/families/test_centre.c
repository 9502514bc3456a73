/* Centred cosines from raw ones against rows that are centred. */
#include <math.h>
#include <string.h>

#include "centre.h"
#include "check.h"
#include "dense.h"
#include "memory.h"
#include "random.h"
#include "spread.h"

enum { WIDTH = 40, MOST = 6, CHILDREN = 210, PARENTS = 64 };

static Team team;

static void open_rows(Directions *out, const Team *ranks, int64_t latents, const char *name,
                      double mean) {
  const uint64_t key = random_key(7, "test rows", name);
  CU_ASSERT_EQUAL(directions_open(out, ranks, latents, WIDTH), OK);
  for (int64_t i = 0; i < shard_count(out->own) * WIDTH; i++) {
    const int64_t at = out->own.first * WIDTH + i;
    out->rows[i] = (float)(mean + random_normal(key, (uint64_t)at));
  }
  directions_judge(out, NULL, 0);
  CU_ASSERT_EQUAL(directions_unit(out, "test"), OK);
}

/* In double, from the rows themselves. */
static double naive(const float *child, const float *mean, const float *parent,
                    const float *other) {
  double product = 0, a = 0, b = 0;
  for (int64_t j = 0; j < WIDTH; j++) {
    const double c = (double)child[j] - (double)mean[j];
    const double p = (double)parent[j] - (double)other[j];
    product += c * p;
    a += c * c;
    b += p * p;
  }
  return product / sqrt(a * b);
}

typedef struct Fixture {
  Directions child, parent, whole; /* whole: all parents, on every rank */
  float mean[WIDTH], other[WIDTH];
  Neighbours up;
  CentreTerm *child_terms, *parent_terms;
  float *out; /* [own children, MOST] */
} Fixture;

static void open_fixture(Fixture *f, double mean) {
  const Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  open_rows(&f->child, &team, CHILDREN, "child", mean);
  open_rows(&f->parent, &team, PARENTS, "parent", mean);
  open_rows(&f->whole, &self, PARENTS, "parent", mean);
  CU_ASSERT_EQUAL(spread_mean(&team, &f->child, f->mean), OK);
  CU_ASSERT_EQUAL(spread_mean(&team, &f->parent, f->other), OK);
  const int64_t count = shard_count(f->child.own);
  CU_ASSERT_EQUAL(neighbours_open(&f->up, count, MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find(&team, &f->child, &f->parent, &f->up, NULL, NULL), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&f->child_terms, count, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&f->parent_terms, shard_count(f->parent.own), "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&f->out, count * MOST, "test"), OK);
}

static void score(Fixture *f) {
  CU_ASSERT_EQUAL(centre_terms(&f->child, f->mean, f->other, f->child_terms), OK);
  CU_ASSERT_EQUAL(centre_terms(&f->parent, f->other, f->mean, f->parent_terms), OK);
  const CentreJob job = {.lists = &f->up,
                         .child = f->child_terms,
                         .parent = f->parent_terms,
                         .parents = PARENTS,
                         .mean = f->mean,
                         .other = f->other,
                         .width = WIDTH};
  CU_ASSERT_EQUAL(centre_score(&team, &job, f->out), OK);
}

static void close_fixture(Fixture *f) {
  directions_clear(&f->child);
  directions_clear(&f->parent);
  directions_clear(&f->whole);
  neighbours_clear(&f->up);
  MEMORY_FREE(f->child_terms);
  MEMORY_FREE(f->parent_terms);
  MEMORY_FREE(f->out);
  team_close(&team);
}

static void test_they_equal_cosines_of_centred_rows(void) {
  Fixture f = {0};
  open_fixture(&f, 0.7);
  score(&f);
  double worst = 0;
  for (int64_t i = 0; i < f.up.count * MOST; i++) {
    const float *parent = f.whole.rows + select_id(f.up.keys[i]) * WIDTH;
    const double wanted = naive(f.child.rows + i / MOST * WIDTH, f.mean, parent, f.other);
    worst = fmax(worst, fabs((double)f.out[i] - wanted));
  }
  CU_ASSERT(worst < 2e-6);
  CU_ASSERT(f.up.count == 0 || worst > 0); /* they are not copies */
  close_fixture(&f);
}

static void test_no_parent_gives_nan_and_a_row_at_its_mean_zero(void) {
  Fixture f = {0};
  open_fixture(&f, 0.2);
  for (int64_t i = 0; i < f.up.count; i++) {
    f.up.counts[i] = i % (MOST + 1);
  }
  score(&f);
  int64_t wrong = 0;
  for (int64_t i = 0; i < f.up.count * MOST; i++) {
    wrong += (isnan(f.out[i]) != 0) != (i % MOST >= f.up.counts[i / MOST]);
  }
  CU_ASSERT_EQUAL(wrong, 0);
  for (int64_t i = 0; i < f.up.count; i++) {
    memcpy(f.child.rows + i * WIDTH, f.mean, sizeof(f.mean));
  }
  score(&f);
  for (int64_t i = 0; i < f.up.count * MOST; i++) {
    wrong += !isnan(f.out[i]) && f.out[i] != 0;
  }
  CU_ASSERT_EQUAL(wrong, 0);
  close_fixture(&f);
}

static const CheckFact FACTS[] = {
    {"they equal cosines of centred rows", test_they_equal_cosines_of_centred_rows},
    {"no parent gives nan and a row at its mean zero",
     test_no_parent_gives_nan_and_a_row_at_its_mean_zero},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "centre", FACTS);
}
