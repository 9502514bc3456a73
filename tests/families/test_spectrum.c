#include <math.h>
#include <stddef.h>

#include "check.h"
#include "memory.h"
#include "random.h"
#include "spectrum.h"

/* LAPACK of OpenBLAS. */
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
            double *work, const int *lwork, int *info, size_t jobz_length, size_t uplo_length);

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* Covariance of a few more random points than dimensions with a power-law spectrum. */
static double *covariance_of(int64_t width) {
  const int64_t points = width + 8;
  double *rows = NULL, *out = NULL;
  CU_ASSERT(MEMORY_NEW(&rows, points * width, "points") == OK);
  CU_ASSERT(MEMORY_NEW(&out, width * width, "covariance") == OK);
  for (int64_t i = 0; i < points * width; ++i) {
    rows[i] = random_normal(7, (uint64_t)i) / sqrt((double)(1 + i % width));
  }
  for (int64_t p = 0; p < points; ++p) {
    for (int64_t i = 0; i < width; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        out[i * width + j] += rows[p * width + i] * rows[p * width + j] / (double)points;
      }
    }
  }
  MEMORY_FREE(rows);
  return out;
}

static void lapack(const double *covariance, int width, double *values) {
  double *copy = NULL, *work = NULL;
  const int lwork = 64 * width;
  int info = 0;
  CU_ASSERT(MEMORY_NEW(&copy, (int64_t)width * width, "covariance") == OK);
  CU_ASSERT(MEMORY_NEW(&work, lwork, "room of dsyev") == OK);
  for (int64_t i = 0; i < (int64_t)width * width; ++i) {
    copy[i] = covariance[i];
  }
  dsyev_("N", "L", &width, copy, &width, values, work, &lwork, &info, 1, 1);
  CU_ASSERT(info == 0);
  MEMORY_FREE(copy);
  MEMORY_FREE(work);
}

/* To 1e-10 of the largest: the two methods round otherwise. */
static void compare(int64_t width) {
  double *covariance = covariance_of(width), *found = NULL, *wanted = NULL;
  CU_ASSERT(MEMORY_NEW(&found, width, "values") == OK);
  CU_ASSERT(MEMORY_NEW(&wanted, width, "values") == OK);
  CU_ASSERT(spectrum_of(ranks(), covariance, width, found) == OK);
  lapack(covariance, (int)width, wanted);
  double worst = 0;
  int64_t disorder = 0;
  for (int64_t i = 0; i < width; ++i) {
    worst = fmax(worst, fabs(found[i] - wanted[width - 1 - i]));
    disorder += i > 0 && found[i] > found[i - 1];
  }
  CU_ASSERT(worst <= 1e-10 * wanted[width - 1] && disorder == 0);
  MEMORY_FREE(covariance);
  MEMORY_FREE(found);
  MEMORY_FREE(wanted);
}

static void test_eigenvalues_agree_with_lapack(void) {
  compare(200); /* four blocks, the last one short */
  compare(128);
}

static void test_widths_smaller_than_a_block_are_fine(void) {
  compare(1);
  compare(2);
  compare(3);
  compare(63);
  compare(65);
}

static void test_diagonals_are_their_own_spectrum(void) {
  double covariance[9] = {2, 0, 0, 0, 5, 0, 0, 0, 3}, values[3];
  CU_ASSERT(spectrum_of(ranks(), covariance, 3, values) == OK);
  CU_ASSERT_DOUBLE_EQUAL(values[0], 5, 1e-14);
  CU_ASSERT_DOUBLE_EQUAL(values[1], 3, 1e-14);
  CU_ASSERT_DOUBLE_EQUAL(values[2], 2, 1e-14);
  const double nothing[4] = {0};
  CU_ASSERT(spectrum_of(ranks(), nothing, 2, values) == OK);
  CU_ASSERT(values[0] == 0 && values[1] == 0);
}

static void test_numbers_that_are_not_finite_are_refused(void) {
  double covariance[4] = {1, 0, 0, 1}, values[2];
  covariance[3] = NAN;
  CU_ASSERT(spectrum_of(ranks(), covariance, 2, values) == ERR_NUMERIC);
}

static const CheckFact FACTS[] = {
    {"eigenvalues agree with LAPACK", test_eigenvalues_agree_with_lapack},
    {"widths smaller than a block are fine", test_widths_smaller_than_a_block_are_fine},
    {"diagonals are their own spectrum", test_diagonals_are_their_own_spectrum},
    {"numbers that are not finite are refused", test_numbers_that_are_not_finite_are_refused},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "spectrum", FACTS);
}
