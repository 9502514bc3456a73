#include "lowp.h"

#include <dnnl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "memory.h"
#include "random.h"
#include "threads.h"

enum { ROWS_A_UNIT = 256, ALIGN = 64 };

/* Left rows are moved into [1, 255]. Without VNNI the products of columns 2 i and 2 i + 1 are added
 * in 16 bits, which holds them if the right row's two integers sum to at most 128 in size: 255 * 128
 * < 2^15. Half a step of rounding each leaves 127 for the values themselves. */
enum { OFFSET = LOWP_GRID + 1 };
_Static_assert((2 * LOWP_GRID + 1) * 2 * LOWP_EVEN_GRID <= INT16_MAX, "a pair fits 16 bits");

/* None, with neighbours of right rows bound, or with any. */
typedef enum Products { CLOSED, PAIRED, FREE } Products;
static Products g_products;

bool lowp_is_open(void) {
  return g_products != CLOSED;
}

/* oneDNN's threads are OpenMP's; ours call it from several threads, each to compute alone. (The
 * prototype is of omp.h, which clang ships apart.) */
void omp_set_num_threads(int count);

static void compute_alone(void) {
  static _Thread_local bool is_alone;
  if (!is_alone) {
    omp_set_num_threads(1);
    is_alone = true;
  }
}

Status lowp_gemm(const Lowp *left, int64_t first_left, int64_t m, const Lowp *right,
                 int64_t first_right, int64_t n, int32_t *out) {
  ASSERT(left->is_left && !right->is_left && left->width == right->width);
  compute_alone();
  if (m == 0 || n == 0 || left->width == 0) {
    memset(out, 0, (size_t)(m * n) * sizeof(*out));
    return OK;
  }
  const dnnl_status_t status = dnnl_gemm_u8s8s32(
      'N', 'T', 'R', m, n, left->width, 1.0F, left->rows + first_left * left->stride, left->stride,
      0, (const int8_t *)(right->rows + first_right * right->stride), right->stride, 0, 0.0F, out,
      n, right->shift + first_right);
  ASSERT(status == dnnl_success || status == dnnl_out_of_memory);
  return status == dnnl_success ? OK
                                : RAISE(ERR_MEMORY,
                                        "oneDNN has no memory for a product of 8-bit "
                                        "rows; ask for fewer threads");
}

/* 2^-20 covers the sums and roots in double. */
static float rounded_up(double value) {
  const double more = value * (1.0 + 0x1p-20);
  const float near = (float)more;
  return (double)near < more ? nextafterf(near, INFINITY) : near;
}

static void fill_row(Lowp *lowp, const float *row, int64_t i) {
  const int grid = lowp->grid;
  const bool is_paired = g_products == PAIRED && !lowp->is_left && grid > LOWP_EVEN_GRID;
  const float largest =
      is_paired ? lanes()->largest_pair(row, lowp->width) : lanes()->largest(row, lowp->width);
  const bool is_kept = largest >= 0x1p-60F && largest <= 0x1p50F;
  const float scale = is_kept ? largest / (float)grid : 0.0F;
  LanesBytes sizes;
  lanes()->to_bytes(row, lowp->width, scale, is_kept ? (float)grid / largest : 0.0F,
                    lowp->is_left ? OFFSET : 0, lowp->rows + i * lowp->stride, &sizes);
  lowp->scale[i] = scale;
  lowp->error[i] = rounded_up(sqrt(sizes.lost));
  lowp->norm[i] = rounded_up((double)scale * sqrt((double)sizes.squares));
  lowp->shift[i] = lowp->is_left ? 0 : -OFFSET * sizes.sum;
}

typedef struct Fill {
  Lowp *lowp;
  const float *rows;
} Fill;

static Status fill_unit(int64_t unit, int thread, void *context) {
  const Fill *fill = context;
  (void)thread;
  const int64_t past = (unit + 1) * ROWS_A_UNIT;
  for (int64_t i = unit * ROWS_A_UNIT; i < past && i < fill->lowp->count; i++) {
    fill_row(fill->lowp, fill->rows + i * fill->lowp->width, i);
  }
  return OK;
}

void lowp_fill(Lowp *lowp, const float *rows, bool is_left) {
  ASSERT(lowp_is_open());
  Fill fill = {.lowp = lowp, .rows = rows};
  const int64_t units = (lowp->count + ROWS_A_UNIT - 1) / ROWS_A_UNIT;
  if (lowp->is_left != is_left) {
    lowp->is_left = is_left;
    lowp->grid = LOWP_GRID;
  }
  if (threads_run(units, fill_unit, &fill) != OK) { /* no threads to be had: alone */
    for (int64_t unit = 0; unit < units; unit++) {
      (void)!fill_unit(unit, 0, &fill);
    }
  }
}

Lowp lowp_part(const Lowp *lowp, int64_t first, int64_t count) {
  Lowp part = *lowp;
  part.count = count;
  part.rows += first * lowp->stride;
  part.scale += first;
  part.error += first;
  part.norm += first;
  part.shift += first;
  return part;
}

static Status make_rows(Lowp *lowp) {
  TRY(MEMORY_NEW(&lowp->rows, lowp->count * lowp->stride, "rows in 8 bits"));
  TRY(MEMORY_NEW(&lowp->scale, lowp->count, "scales of rows in 8 bits"));
  TRY(MEMORY_NEW(&lowp->error, lowp->count, "errors of rows in 8 bits"));
  TRY(MEMORY_NEW(&lowp->norm, lowp->count, "norms of rows in 8 bits"));
  return MEMORY_NEW(&lowp->shift, lowp->count, "sums of rows in 8 bits");
}

Status lowp_create(Lowp *out, const float *rows, int64_t count, int64_t width, bool is_left) {
  ASSERT(lowp_is_open() && width <= LOWP_WIDEST);
  *out = (Lowp){.count = count,
                .width = width,
                .stride = (width + ALIGN - 1) / ALIGN * ALIGN,
                .is_left = is_left,
                .grid = LOWP_GRID};
  TRY(make_rows(out));
  if (rows != NULL) {
    lowp_fill(out, rows, is_left);
  }
  return OK;
}

void lowp_clear(Lowp *lowp) {
  MEMORY_FREE(lowp->rows);
  MEMORY_FREE(lowp->scale);
  MEMORY_FREE(lowp->error);
  MEMORY_FREE(lowp->norm);
  MEMORY_FREE(lowp->shift);
  *lowp = (Lowp){0};
}

/* Trial rows hold both ends of the grid in patterns that make sums of neighbouring products as large
 * as they can be, of one sign or of both. */
static float left_trial(int64_t row, int64_t column) {
  const uint64_t bits = random_bits(17, (uint64_t)(row * LOWP_WIDEST + column));
  const bool is_negative =
      row % 4 == 1 || (row % 4 == 2 && column % 2 == 1) || (row % 4 == 3 && bits % 2 == 1);
  return is_negative ? -LOWP_GRID : LOWP_GRID;
}

/* If neighbours are bound: as large as that allows, in shares that would be too large for any other
 * two of four columns. */
static float right_trial(int64_t row, int64_t column) {
  static const float shares[][4] = {
      {127, 0, 127, 0}, {0, 127, 127, 0}, {127, 0, 0, 127}, {63, 64, 64, 63}, {127, -127, 127, 0}};
  enum { SHARES = sizeof(shares) / sizeof(shares[0]) };
  const float value = shares[row / 2 % SHARES][column % 4];
  return g_products == FREE ? left_trial(row, column) : (row % 2 == 0 ? value : -value);
}

static void trial_rows(float *rows, int64_t count, int64_t width,
                       float (*value)(int64_t row, int64_t column)) {
  for (int64_t i = 0; i < count * width; i++) {
    rows[i] = value(i / width, i % width);
  }
}

/* The same product by a plain loop; the rows are integers that 8 bits hold as they are. */
static bool is_product(const int32_t *out, const float *left, int64_t m, const float *right,
                       int64_t n, int64_t width) {
  for (int64_t i = 0; i < m * n; i++) {
    int32_t sum = 0;
    for (int64_t j = 0; j < width; j++) {
      sum += (int32_t)left[i / n * width + j] * (int32_t)right[i % n * width + j];
    }
    if (sum != out[i]) {
      return false;
    }
  }
  return true;
}

typedef struct Trial {
  int64_t m, n, width;
  float *left_rows, *right_rows;
  Lowp left, right;
  int32_t *out;
} Trial;

static Status make_trial(Trial *t) {
  TRY(MEMORY_NEW(&t->left_rows, t->m * t->width, "rows of a trial"));
  TRY(MEMORY_NEW(&t->right_rows, t->n * t->width, "rows of a trial"));
  TRY(MEMORY_NEW(&t->out, t->m * t->n, "products of a trial"));
  trial_rows(t->left_rows, t->m, t->width, left_trial);
  trial_rows(t->right_rows, t->n, t->width, right_trial);
  TRY(lowp_create(&t->left, t->left_rows, t->m, t->width, true));
  TRY(lowp_create(&t->right, t->right_rows, t->n, t->width, false));
  return lowp_gemm(&t->left, 0, t->m, &t->right, 0, t->n, t->out);
}

static bool is_right_at(int64_t m, int64_t n, int64_t width) {
  Trial t = {.m = m, .n = n, .width = width};
  const bool is_right =
      make_trial(&t) == OK && is_product(t.out, t.left_rows, m, t.right_rows, n, width);
  lowp_clear(&t.left);
  lowp_clear(&t.right);
  MEMORY_FREE(t.left_rows);
  MEMORY_FREE(t.right_rows);
  MEMORY_FREE(t.out);
  return is_right;
}

static bool is_right(void) {
  return is_right_at(37, 53, 70) && is_right_at(1, 11, 3) && is_right_at(6, 1, 68) &&
         is_right_at(128, 256, 192);
}

bool lowp_open(const char **why) {
  const char *wish = getenv("CLEAVE_LOWP");
  if (wish != NULL && strcmp(wish, "off") == 0) {
    g_products = CLOSED;
    *why = "float32, since CLEAVE_LOWP=off";
    return false;
  }
  for (g_products = FREE; g_products != CLOSED && !is_right(); g_products--) {
  }
  static const char *const said[] = {
      [FREE] = "8-bit integers, then exact scores of what may count",
      [PAIRED] = "8-bit integers summed in 16 bits, then exact scores of what may count",
      [CLOSED] = "float32, since this CPU's 8-bit products are not exact"};
  *why = said[g_products];
  return lowp_is_open();
}
