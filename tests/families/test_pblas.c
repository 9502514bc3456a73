/* A panel's neighbours against PBLAS: the whole matrix of cosines by psgemm_ on a block-cyclic grid, then its best. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "memory.h"
#include "neighbours.h"
#include "random.h"

enum {
  WIDTH = 192,
  MOST = 32,
  CHILDREN = 512,
  PARENTS = 1500,
  BLOCK_ROWS = 37,
  BLOCK_COLUMNS = 24
};

static const double TOLERANCE = 1e-6; /* two float32 sums of 192 products of unit rows */

/* ScaLAPACK has no header. */
void Cblacs_get(int context, int what, int *out);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
void Cblacs_gridexit(int context);
int numroc_(const int *n, const int *block, const int *process, const int *first,
            const int *processes);
void descinit_(int *descriptor, const int *m, const int *n, const int *block_m, const int *block_n,
               const int *first_row, const int *first_column, const int *context,
               const int *leading, int *info);
void psgemm_(const char *trans_a, const char *trans_b, const int *m, const int *n, const int *k,
             const float *alpha, const float *a, const int *ia, const int *ja,
             const int *descriptor_a, const float *b, const int *ib, const int *jb,
             const int *descriptor_b, const float *beta, float *c, const int *ic, const int *jc,
             const int *descriptor_c);

static Team team;

static void open_rows(Directions *out, const Team *ranks, int64_t latents, const char *name) {
  const uint64_t key = random_key(5, "test rows", name);
  CU_ASSERT_EQUAL(directions_open(out, ranks, latents, WIDTH), OK);
  for (int64_t i = 0; i < shard_count(out->own) * WIDTH; i++) {
    const int64_t at = out->own.first * WIDTH + i;
    const double sharp = 1.0 / sqrt((double)(1 + at % WIDTH));
    out->rows[i] = (float)(0.05 + sharp * random_normal(key, (uint64_t)at));
  }
  directions_judge(out, NULL, 0);
  CU_ASSERT_EQUAL(directions_unit(out, "test"), OK);
}

/* A matrix dealt block-cyclically over the grid, column-major as Fortran has it. */
typedef struct Grid {
  int context, rows, columns, row, column;
} Grid;

typedef struct Matrix {
  int m, n, block_m, block_n;
  int local_m, local_n;
  int descriptor[9];
  float *values;
} Matrix;

static void open_grid(Grid *grid) {
  grid->rows = team.size == 4 ? 2 : 1;
  grid->columns = team.size / grid->rows;
  Cblacs_get(-1, 0, &grid->context);
  Cblacs_gridinit(&grid->context, "Row", grid->rows, grid->columns);
  Cblacs_gridinfo(grid->context, &grid->rows, &grid->columns, &grid->row, &grid->column);
}

static void open_matrix(Matrix *matrix, const Grid *grid, int m, int n, int block_m, int block_n) {
  const int zero = 0;
  int info = 0;
  *matrix = (Matrix){.m = m, .n = n, .block_m = block_m, .block_n = block_n};
  matrix->local_m = numroc_(&m, &block_m, &grid->row, &zero, &grid->rows);
  matrix->local_n = numroc_(&n, &block_n, &grid->column, &zero, &grid->columns);
  const int leading = matrix->local_m > 0 ? matrix->local_m : 1;
  descinit_(matrix->descriptor, &m, &n, &block_m, &block_n, &zero, &zero, &grid->context, &leading,
            &info);
  CU_ASSERT_EQUAL(info, 0);
  CU_ASSERT_EQUAL(MEMORY_NEW(&matrix->values, (int64_t)leading * (matrix->local_n + 1), "test"),
                  OK);
}

/* Global index of local index `local`. */
static int global_of(int local, int block, int process, int processes) {
  return (local / block * processes + process) * block + local % block;
}

/* Column c of the matrix is row c of the dictionary. */
static void fill(Matrix *matrix, const Grid *grid, const Directions *whole) {
  for (int j = 0; j < matrix->local_n; j++) {
    const int64_t row = global_of(j, matrix->block_n, grid->column, grid->columns);
    for (int i = 0; i < matrix->local_m; i++) {
      const int64_t at = global_of(i, matrix->block_m, grid->row, grid->rows);
      matrix->values[(int64_t)j * matrix->local_m + i] = whole->rows[row * WIDTH + at];
    }
  }
}

/* The whole matrix on all ranks, row-major. */
static void gather(const Matrix *matrix, const Grid *grid, float *whole) {
  memset(whole, 0, (size_t)matrix->m * (size_t)matrix->n * sizeof(*whole));
  for (int j = 0; j < matrix->local_n; j++) {
    const int64_t column = global_of(j, matrix->block_n, grid->column, grid->columns);
    for (int i = 0; i < matrix->local_m; i++) {
      const int64_t row = global_of(i, matrix->block_m, grid->row, grid->rows);
      whole[row * matrix->n + column] = matrix->values[(int64_t)j * matrix->local_m + i];
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, whole, matrix->m * matrix->n, MPI_FLOAT, MPI_SUM, team.comm);
}

/* All cosines, [CHILDREN, PARENTS]. */
static void multiply(const Directions *child, const Directions *parent, float *cosines) {
  const int m = CHILDREN, n = PARENTS, k = WIDTH, one = 1;
  const float alpha = 1, beta = 0;
  Grid grid;
  Matrix a, b, c;
  open_grid(&grid);
  open_matrix(&a, &grid, k, m, BLOCK_COLUMNS, BLOCK_ROWS);
  open_matrix(&b, &grid, k, n, BLOCK_COLUMNS, BLOCK_ROWS);
  open_matrix(&c, &grid, m, n, BLOCK_ROWS, BLOCK_ROWS);
  fill(&a, &grid, child);
  fill(&b, &grid, parent);
  psgemm_("T", "N", &m, &n, &k, &alpha, a.values, &one, &one, a.descriptor, b.values, &one, &one,
          b.descriptor, &beta, c.values, &one, &one, c.descriptor);
  gather(&c, &grid, cosines);
  MEMORY_FREE(a.values);
  MEMORY_FREE(b.values);
  MEMORY_FREE(c.values);
  Cblacs_gridexit(grid.context);
}

/* Entries of a list that are not the matrix's best: other ids are allowed where the scores are one. */
static int64_t differences(const SelectKey *list, const float *cosines, int64_t count,
                           int64_t stride) {
  SelectKey best[MOST];
  int64_t kept = 0, wrong = 0;
  for (int64_t i = 0; i < count; i++) {
    select_offer(best, &kept, MOST, select_key(cosines[i * stride], i));
  }
  select_sort(best, kept);
  for (int64_t i = 0; i < MOST; i++) {
    const int64_t id = select_id(list[i]);
    const double wanted = (double)select_score(best[i]);
    wrong += id != select_id(best[i]) && fabs((double)cosines[id * stride] - wanted) > TOLERANCE;
    wrong += fabs((double)select_score(list[i]) - wanted) > TOLERANCE;
  }
  return wrong;
}

static void test_the_best_of_a_panel_are_those_of_the_whole_product(void) {
  CU_ASSERT_EQUAL(team_open(&team, NULL, NULL), OK);
  const Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  Directions child, parent, whole_child, whole_parent;
  Neighbours up, down;
  float *cosines = NULL;
  int64_t wrong = 0;
  open_rows(&child, &team, CHILDREN, "child");
  open_rows(&parent, &team, PARENTS, "parent");
  open_rows(&whole_child, &self, CHILDREN, "child");
  open_rows(&whole_parent, &self, PARENTS, "parent");
  CU_ASSERT_EQUAL(MEMORY_NEW(&cosines, (int64_t)CHILDREN * PARENTS, "test"), OK);
  multiply(&whole_child, &whole_parent, cosines);
  CU_ASSERT_EQUAL(neighbours_open(&up, shard_count(child.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_open(&down, shard_count(parent.own), MOST), OK);
  CU_ASSERT_EQUAL(neighbours_find(&team, &child, &parent, &up, &down, NULL), OK);
  for (int64_t i = 0; i < up.count; i++) {
    wrong += differences(up.keys + i * MOST, cosines + (child.own.first + i) * PARENTS, PARENTS, 1);
  }
  for (int64_t i = 0; i < down.count; i++) {
    wrong += differences(down.keys + i * MOST, cosines + parent.own.first + i, CHILDREN, PARENTS);
  }
  CU_ASSERT_EQUAL(wrong, 0);
  MEMORY_FREE(cosines);
  neighbours_clear(&up);
  neighbours_clear(&down);
  directions_clear(&child);
  directions_clear(&parent);
  directions_clear(&whole_child);
  directions_clear(&whole_parent);
  team_close(&team);
}

static const CheckFact FACTS[] = {
    {"the best of a panel are those of the whole product",
     test_the_best_of_a_panel_are_those_of_the_whole_product},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "pblas", FACTS);
}
