#include "lowp_tile.h"

#include <dnnl.h>
#include <pthread.h>
#include <stdbool.h>

#include "lowp.h"
#include "memory.h"

/* A product is made for one number of left rows: 256, 128, .. 1 make up any other. */
enum { SIZES = 9 };

struct LowpTiles {
  int64_t stride;
  dnnl_memory_desc_t plain, packed; /* of a tile */
  dnnl_memory_desc_t left[SIZES], out[SIZES], room[SIZES];
  dnnl_primitive_t pack, product[SIZES]; /* of 2^i left rows */
};

enum { MADE_MOST = 16 }; /* a process works on rows of one width, or of a few */
static struct {
  pthread_mutex_t lock;
  dnnl_engine_t engine;
  LowpTiles tiles[MADE_MOST];
  int count;
} g_made = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* (The prototype is of omp.h, which clang ships apart.) */
void omp_set_num_threads(int count);

void lowp_compute_alone(void) {
  static _Thread_local bool is_alone;
  if (!is_alone) {
    omp_set_num_threads(1);
    is_alone = true;
  }
}

static bool done(dnnl_status_t status) {
  return status == dnnl_success;
}

static bool describe(dnnl_memory_desc_t *out, int64_t rows, int64_t columns, dnnl_data_type_t type,
                     dnnl_format_tag_t order) {
  const dnnl_dims_t sizes = {rows, columns};
  return done(dnnl_memory_desc_init_by_tag(out, 2, sizes, type, order));
}

/* Threads run a product at once, so what it needs besides its operands is the caller's. */
static bool find_product(const dnnl_matmul_desc_t *wish, dnnl_primitive_desc_t *out) {
  dnnl_primitive_attr_t own_room = NULL;
  const bool is_found =
      done(dnnl_primitive_attr_create(&own_room)) &&
      done(dnnl_primitive_attr_set_scratchpad_mode(own_room, dnnl_scratchpad_mode_user)) &&
      done(dnnl_primitive_desc_create(out, wish, own_room, g_made.engine, NULL));
  dnnl_primitive_attr_destroy(own_room);
  return is_found;
}

/* All sizes must want the same order, of as many bytes as rows in a row have, and one that is not
 * just that. */
static bool takes_order(LowpTiles *tiles, int i, const dnnl_memory_desc_t *order) {
  if (i == 0) {
    tiles->packed = *order;
  }
  return order->format_kind == dnnl_blocked && order->format_desc.blocking.inner_nblks > 0 &&
         dnnl_memory_desc_get_size(order) == (size_t)(LOWP_TILE * tiles->stride) &&
         dnnl_memory_desc_equal(order, &tiles->packed) != 0;
}

static bool make_product(LowpTiles *tiles, int i) {
  dnnl_memory_desc_t any;
  dnnl_matmul_desc_t wish;
  dnnl_primitive_desc_t product = NULL;
  const bool is_made =
      describe(&tiles->left[i], 1 << i, tiles->stride, dnnl_u8, dnnl_ab) &&
      describe(&any, tiles->stride, LOWP_TILE, dnnl_s8, dnnl_format_tag_any) &&
      describe(&tiles->out[i], 1 << i, LOWP_TILE, dnnl_s32, dnnl_ab) &&
      done(dnnl_matmul_desc_init(&wish, &tiles->left[i], &any, NULL, &tiles->out[i])) &&
      find_product(&wish, &product) &&
      takes_order(tiles, i, dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0)) &&
      done(dnnl_primitive_create(&tiles->product[i], product));
  if (is_made) {
    tiles->room[i] = *dnnl_primitive_desc_query_md(product, dnnl_query_scratchpad_md, 0);
  }
  dnnl_primitive_desc_destroy(product);
  return is_made;
}

static bool make_pack(LowpTiles *tiles) {
  dnnl_primitive_desc_t pack = NULL;
  const bool is_made =
      describe(&tiles->plain, tiles->stride, LOWP_TILE, dnnl_s8, dnnl_ba) &&
      done(dnnl_reorder_primitive_desc_create(&pack, &tiles->plain, g_made.engine, &tiles->packed,
                                              g_made.engine, NULL)) &&
      done(dnnl_primitive_create(&tiles->pack, pack));
  dnnl_primitive_desc_destroy(pack);
  return is_made;
}

static bool make_all(LowpTiles *tiles) {
  for (int i = 0; i < SIZES; i++) {
    if (!make_product(tiles, i)) {
      return false;
    }
  }
  return make_pack(tiles);
}

static void unmake(LowpTiles *tiles) {
  for (int i = 0; i < SIZES; i++) {
    dnnl_primitive_destroy(tiles->product[i]);
  }
  dnnl_primitive_destroy(tiles->pack);
  *tiles = (LowpTiles){0};
}

static const LowpTiles *make(int64_t stride) {
  if (g_made.count == MADE_MOST ||
      (g_made.engine == NULL && !done(dnnl_engine_create(&g_made.engine, dnnl_cpu, 0)))) {
    return NULL;
  }
  LowpTiles *tiles = &g_made.tiles[g_made.count];
  tiles->stride = stride;
  if (!make_all(tiles)) {
    unmake(tiles);
    return NULL;
  }
  g_made.count++;
  return tiles;
}

const LowpTiles *lowp_tiles_of(int64_t stride) {
  const LowpTiles *tiles = NULL;
  lowp_compute_alone();
  pthread_mutex_lock(&g_made.lock);
  for (int i = 0; i < g_made.count && tiles == NULL; i++) {
    tiles = g_made.tiles[i].stride == stride ? &g_made.tiles[i] : NULL;
  }
  tiles = tiles == NULL ? make(stride) : tiles;
  pthread_mutex_unlock(&g_made.lock);
  return tiles;
}

/* What a primitive reads and writes: memory that stays the caller's. */
enum { ARGUMENTS = 4 };
typedef struct Arguments {
  dnnl_exec_arg_t items[ARGUMENTS];
  int count;
  bool failed;
} Arguments;

static void add_argument(Arguments *arguments, int name, const dnnl_memory_desc_t *what,
                         const void *at) {
  dnnl_exec_arg_t *item = &arguments->items[arguments->count];
  item->arg = name;
  if (done(dnnl_memory_create(&item->memory, what, g_made.engine, (void *)at))) {
    arguments->count++;
  } else {
    arguments->failed = true;
  }
}

static Status run(dnnl_primitive_t primitive, Arguments *arguments) {
  dnnl_stream_t stream = NULL;
  const bool is_done =
      !arguments->failed && done(dnnl_stream_create(&stream, g_made.engine, 0)) &&
      done(dnnl_primitive_execute(primitive, stream, arguments->count, arguments->items)) &&
      done(dnnl_stream_wait(stream));
  dnnl_stream_destroy(stream);
  for (int i = 0; i < arguments->count; i++) {
    dnnl_memory_destroy(arguments->items[i].memory);
  }
  return is_done ? OK
                 : RAISE(ERR_MEMORY,
                         "oneDNN has no memory for a product of 8-bit rows; ask for "
                         "fewer threads");
}

Status lowp_tiles_pack(const LowpTiles *tiles, const uint8_t *rows, uint8_t *out) {
  Arguments arguments = {0};
  lowp_compute_alone();
  add_argument(&arguments, DNNL_ARG_FROM, &tiles->plain, rows);
  add_argument(&arguments, DNNL_ARG_TO, &tiles->packed, out);
  return run(tiles->pack, &arguments);
}

static Status multiply(const LowpTiles *tiles, int i, const uint8_t *left, const uint8_t *tile,
                       int32_t *out) {
  Arguments arguments = {0};
  uint8_t *room = NULL;
  TRY(MEMORY_NEW(&room, (int64_t)dnnl_memory_desc_get_size(&tiles->room[i]), "room of a product"));
  add_argument(&arguments, DNNL_ARG_SRC, &tiles->left[i], left);
  add_argument(&arguments, DNNL_ARG_WEIGHTS, &tiles->packed, tile);
  add_argument(&arguments, DNNL_ARG_DST, &tiles->out[i], out);
  add_argument(&arguments, DNNL_ARG_SCRATCHPAD, &tiles->room[i], room);
  const Status status = run(tiles->product[i], &arguments);
  MEMORY_FREE(room);
  return status;
}

Status lowp_tiles_multiply(const LowpTiles *tiles, const uint8_t *left, int64_t m,
                           const uint8_t *tile, int32_t *out) {
  lowp_compute_alone();
  for (int i = SIZES - 1; i >= 0; i--) {
    for (const int64_t rows = 1 << i; m >= rows; m -= rows) {
      TRY(multiply(tiles, i, left, tile, out));
      left += rows * tiles->stride;
      out += rows * LOWP_TILE;
    }
  }
  return OK;
}
