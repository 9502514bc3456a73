#include "lowp.h"

#include <dnnl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "lowp_tile.h"
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
static bool g_packs; /* in the order of lowp_tile.c */

bool lowp_is_open(void) {
  return g_products != CLOSED;
}

/* `shift` [n] is added to each row of products. */
static Status gemm(const uint8_t *left, int64_t m, const Lowp *right, int64_t first_right,
                   int64_t n, const int32_t *shift, int32_t *out) {
  const int32_t none = 0;
  lowp_compute_alone();
  const dnnl_status_t status = dnnl_gemm_u8s8s32(
      'N', 'T', shift == NULL ? 'F' : 'R', m, n, right->width, 1.0F, left, right->stride, 0,
      (const int8_t *)(right->rows + first_right * right->stride), right->stride, 0, 0.0F, out, n,
      shift == NULL ? &none : shift);
  ASSERT(status == dnnl_success || status == dnnl_out_of_memory);
  return status == dnnl_success ? OK
                                : RAISE(ERR_MEMORY,
                                        "oneDNN has no memory for a product of 8-bit "
                                        "rows; ask for fewer threads");
}

static bool is_empty(const Lowp *left, int64_t m, int64_t n, int32_t *out) {
  if (m > 0 && n > 0 && left->width > 0) {
    return false;
  }
  memset(out, 0, (size_t)(m * n) * sizeof(*out));
  return true;
}

Status lowp_gemm(const Lowp *left, int64_t first_left, int64_t m, const Lowp *right,
                 int64_t first_right, int64_t n, int32_t *out) {
  ASSERT(left->is_left && !right->is_left && left->width == right->width && right->tiles == NULL);
  return is_empty(left, m, n, out) ? OK
                                   : gemm(left->rows + first_left * left->stride, m, right,
                                          first_right, n, right->shift + first_right, out);
}

Status lowp_multiply(const Lowp *left, int64_t first_left, int64_t m, const Lowp *right,
                     int64_t first_right, int32_t *out) {
  const int64_t rest = right->count - first_right;
  const int64_t n = rest < LOWP_TILE ? rest : LOWP_TILE;
  const uint8_t *rows = left->rows + first_left * left->stride;
  ASSERT(left->is_left && !right->is_left && left->width == right->width);
  ASSERT(first_right % LOWP_TILE == 0);
  if (is_empty(left, m, n, out)) {
    return OK;
  }
  return right->tiles != NULL && n == LOWP_TILE
             ? lowp_tiles_multiply(right->tiles, rows, m, right->rows + first_right * right->stride,
                                   out)
             : gemm(rows, m, right, first_right, n, NULL, out);
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
  memset(lowp->rows + i * lowp->stride + lowp->width, 0, (size_t)(lowp->stride - lowp->width));
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
  lowp->tiles = NULL;
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
  part.tiles = NULL;
  return part;
}

typedef struct Packing {
  Lowp *lowp;
  const LowpTiles *tiles;
  uint8_t *rows; /* [threads, LOWP_TILE, stride] */
} Packing;

static Status pack_tile(int64_t unit, int thread, void *context) {
  const Packing *packing = context;
  const int64_t bytes = LOWP_TILE * packing->lowp->stride;
  uint8_t *rows = packing->rows + thread * bytes, *tile = packing->lowp->rows + unit * bytes;
  memcpy(rows, tile, (size_t)bytes);
  return lowp_tiles_pack(packing->tiles, rows, tile);
}

Status lowp_pack(Lowp *lowp) {
  Packing packing = {.lowp = lowp};
  ASSERT(!lowp->is_left);
  packing.tiles = g_packs && lowp->count >= LOWP_TILE ? lowp_tiles_of(lowp->stride) : NULL;
  if (packing.tiles == NULL) {
    return OK;
  }
  TRY(MEMORY_NEW(&packing.rows, threads_count() * LOWP_TILE * lowp->stride, "rows to be packed"));
  const Status status = threads_run(lowp->count / LOWP_TILE, pack_tile, &packing);
  MEMORY_FREE(packing.rows);
  lowp->tiles = packing.tiles;
  return status;
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

typedef struct Trial {
  int64_t m, n, width;
  bool is_packed;
  float *left_rows, *right_rows;
  Lowp left, right;
  int32_t *out;
  uint64_t *weights, *sum; /* [m] at random; [width] of the left rows so weighted */
} Trial;

static Status make_trial(Trial *t) {
  TRY(MEMORY_NEW(&t->left_rows, t->m * t->width, "rows of a trial"));
  TRY(MEMORY_NEW(&t->right_rows, t->n * t->width, "rows of a trial"));
  TRY(MEMORY_NEW(&t->out, t->m * t->n, "products of a trial"));
  TRY(MEMORY_NEW(&t->weights, t->m, "weights of a trial"));
  TRY(MEMORY_NEW(&t->sum, t->width, "sums of a trial"));
  trial_rows(t->left_rows, t->m, t->width, left_trial);
  trial_rows(t->right_rows, t->n, t->width, right_trial);
  TRY(lowp_create(&t->left, t->left_rows, t->m, t->width, true));
  TRY(lowp_create(&t->right, t->right_rows, t->n, t->width, false));
  if (!t->is_packed) {
    return lowp_gemm(&t->left, 0, t->m, &t->right, 0, t->n, t->out);
  }
  TRY(lowp_pack(&t->right));
  TRY(lowp_multiply(&t->left, 0, t->m, &t->right, 0, t->out));
  for (int64_t i = 0; i < t->m * t->n; i++) {
    t->out[i] += t->right.shift[i % t->n];
  }
  return OK;
}

/* Freivalds' check, modulo 2^64: the left rows' weighted sum, multiplied, is the weighted sum of the products. Of the
 * trial's integers, which 8 bits hold as they are, it misses a wrong column at most once in 2^32 times. */
static bool is_product(Trial *t) {
  for (int64_t i = 0; i < t->m; i++) {
    t->weights[i] = random_bits(19, (uint64_t)i);
    for (int64_t j = 0; j < t->width; j++) {
      t->sum[j] += t->weights[i] * (uint64_t)(int64_t)t->left_rows[i * t->width + j];
    }
  }
  for (int64_t n = 0; n < t->n; n++) {
    uint64_t expected = 0, found = 0;
    for (int64_t j = 0; j < t->width; j++) {
      expected += t->sum[j] * (uint64_t)(int64_t)t->right_rows[n * t->width + j];
    }
    for (int64_t i = 0; i < t->m; i++) {
      found += t->weights[i] * (uint64_t)(int64_t)t->out[i * t->n + n];
    }
    if (found != expected) {
      return false;
    }
  }
  return true;
}

static bool is_right_at(int64_t m, int64_t n, int64_t width, bool is_packed) {
  Trial t = {.m = m, .n = n, .width = width, .is_packed = is_packed};
  const bool is_right = make_trial(&t) == OK && is_product(&t);
  lowp_clear(&t.left);
  lowp_clear(&t.right);
  MEMORY_FREE(t.left_rows);
  MEMORY_FREE(t.right_rows);
  MEMORY_FREE(t.out);
  MEMORY_FREE(t.weights);
  MEMORY_FREE(t.sum);
  return is_right;
}

static bool is_right(void) {
  return is_right_at(37, 53, 70, false) && is_right_at(1, 11, 3, false) &&
         is_right_at(6, 1, 68, false) && is_right_at(128, 256, 192, false);
}

/* All numbers of rows that a product is made for, and as many columns as make sums of 24 bits and more. */
static bool is_right_packed(void) {
  return is_right_at(511, LOWP_TILE, 70, true) && is_right_at(7, LOWP_TILE, 1100, true);
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
  g_packs = lowp_is_open(); /* as long as the trial goes */
  g_packs = lowp_is_open() && is_right_packed();
  static const char *const said[] = {
      [FREE] = "8-bit integers, then exact scores of what may count",
      [PAIRED] = "8-bit integers summed in 16 bits, then exact scores of what may count",
      [CLOSED] = "float32, since this CPU's 8-bit products are not exact"};
  *why = said[g_products];
  return lowp_is_open();
}
