#include "spectrum.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "memory.h"

/* ScaLAPACK and the BLACS have no headers of their own: 32-bit integers, and behind the arguments
   the lengths of texts. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridinfo(int context, int *rows, int *columns, int *row, int *column);
void Cblacs_gridexit(int context);
int numroc_(const int *n, const int *block, const int *process, const int *source,
            const int *processes);
void descinit_(int *descriptor, const int *m, const int *n, const int *row_block,
               const int *column_block, const int *row_source, const int *column_source,
               const int *context, const int *stride, int *info);
void pdsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *ia,
              const int *ja, const int *a_descriptor, double *w, double *z, const int *iz,
              const int *jz, const int *z_descriptor, double *work, const int *lwork, int *iwork,
              const int *liwork, int *info, size_t jobz_length, size_t uplo_length);

enum { BLOCK = 64, DESCRIPTOR = 9 };

/* This rank's part of the matrix. pdsyevd makes the vectors too: it knows no other way. */
typedef struct Grid {
  int context, rows, columns, row, column; /* row -1: outside the grid */
  int width;
  int local_rows, local_columns;
  int descriptor[DESCRIPTOR];
  double *matrix, *vectors; /* [local_columns, local_rows]: column-major */
  double *work;
  int *integers;
} Grid;

/* As square as the ranks allow, and no side longer than there are blocks. */
static void choose_grid(Grid *grid, int ranks) {
  const int blocks = (grid->width + BLOCK - 1) / BLOCK;
  grid->rows = 1;
  while ((grid->rows + 1) * (grid->rows + 1) <= ranks && grid->rows < blocks) {
    ++grid->rows;
  }
  grid->columns = ranks / grid->rows < blocks ? ranks / grid->rows : blocks;
}

static void fill(Grid *grid, const double *covariance) {
  for (int j = 0; j < grid->local_columns; ++j) {
    const int64_t column = (int64_t)(j / BLOCK * grid->columns + grid->column) * BLOCK + j % BLOCK;
    for (int i = 0; i < grid->local_rows; ++i) {
      const int64_t row = (int64_t)(i / BLOCK * grid->rows + grid->row) * BLOCK + i % BLOCK;
      grid->matrix[(int64_t)j * grid->local_rows + i] = covariance[row * grid->width + column];
    }
  }
}

static Status take_matrix(Grid *grid, const double *covariance) {
  const int block = BLOCK, source = 0;
  int info = 0;
  grid->local_rows = numroc_(&grid->width, &block, &grid->row, &source, &grid->rows);
  grid->local_columns = numroc_(&grid->width, &block, &grid->column, &source, &grid->columns);
  const int stride = grid->local_rows > 1 ? grid->local_rows : 1;
  descinit_(grid->descriptor, &grid->width, &grid->width, &block, &block, &source, &source,
            &grid->context, &stride, &info);
  ASSERT(info == 0);
  const int64_t cells = (int64_t)grid->local_rows * grid->local_columns;
  TRY(MEMORY_NEW(&grid->matrix, cells, "part of a covariance"));
  TRY(MEMORY_NEW(&grid->vectors, cells, "part of its eigenvectors"));
  fill(grid, covariance);
  return OK;
}

static int solve(Grid *grid, double *values, int lwork, int liwork) {
  const int one = 1;
  int info = 0;
  pdsyevd_("V", "L", &grid->width, grid->matrix, &one, &one, grid->descriptor, values,
           grid->vectors, &one, &one, grid->descriptor, grid->work, &lwork, grid->integers, &liwork,
           &info, 1, 1);
  return info;
}

static Status take_work(Grid *grid, int64_t work, int64_t integers) {
  TRY(MEMORY_RESIZE(&grid->work, work, "room of pdsyevd"));
  return MEMORY_RESIZE(&grid->integers, integers, "room of pdsyevd");
}

static Status prepare(Grid *grid, const double *covariance) {
  for (int64_t i = 0; i < (int64_t)grid->width * grid->width; ++i) {
    if (!isfinite(covariance[i])) {
      return RAISE(ERR_NUMERIC, "the covariance is not finite at (%lld, %lld)",
                   (long long)(i / grid->width), (long long)(i % grid->width));
    }
  }
  if (grid->row < 0) {
    return OK;
  }
  TRY(take_matrix(grid, covariance));
  return take_work(grid, 1, 1);
}

static Status check(int info, int width) {
  if (info != 0) {
    return RAISE(ERR_NUMERIC, "pdsyevd ended with %d at a covariance of width %d", info, width);
  }
  return OK;
}

static void turn_round(double *values, int64_t width) {
  for (int64_t i = 0; 2 * i + 1 < width; ++i) {
    const double least = values[i];
    values[i] = values[width - 1 - i];
    values[width - 1 - i] = least;
  }
}

/* The first call asks how much room is needed. The ranks of the grid talk to each other in both. */
static Status run(Team *team, Grid *grid, const double *covariance, double *values) {
  const bool is_inside = grid->row >= 0;
  TRY_ALL(team, prepare(grid, covariance));
  int info = is_inside ? solve(grid, values, -1, -1) : 0;
  /* pdsyevd forgets a block's room of pdormtr where the matrix is narrower than a block. */
  const int more = BLOCK * (2 * BLOCK + grid->local_rows + grid->local_columns);
  const int work = is_inside && info == 0 ? (int)grid->work[0] + more : 1;
  const int integers = is_inside && info == 0 ? grid->integers[0] : 1;
  TRY_ALL(team, check(info, grid->width));
  TRY_ALL(team, take_work(grid, work, integers));
  info = is_inside ? solve(grid, values, work, integers) : 0;
  TRY_ALL(team, check(info, grid->width));
  turn_round(values, grid->width);
  team_broadcast(team, values, grid->width * (int64_t)sizeof *values, 0);
  return OK;
}

Status spectrum_of(Team *team, const double *covariance, int64_t width, double *values) {
  ASSERT(width >= 1 && width <= SPECTRUM_WIDEST);
  Grid grid = {.width = (int)width};
  const int handle = Csys2blacs_handle(team->comm);
  memset(values, 0, (size_t)width * sizeof *values);
  choose_grid(&grid, team->size);
  grid.context = handle;
  Cblacs_gridinit(&grid.context, "Row", grid.rows, grid.columns);
  grid.row = grid.column = -1;
  if (team->rank < grid.rows * grid.columns) {
    Cblacs_gridinfo(grid.context, &grid.rows, &grid.columns, &grid.row, &grid.column);
  }
  const Status status = run(team, &grid, covariance, values);
  if (grid.row >= 0) {
    Cblacs_gridexit(grid.context);
  }
  Cfree_blacs_system_handle(handle);
  MEMORY_FREE(grid.matrix);
  MEMORY_FREE(grid.vectors);
  MEMORY_FREE(grid.work);
  MEMORY_FREE(grid.integers);
  return status;
}
