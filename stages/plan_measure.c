#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "dense.h"
#include "exchange.h"
#include "lowp.h"
#include "memory.h"
#include "plan.h"
#include "random.h"
#include "text.h"
#include "threads.h"

/* The kernels that the stages spend their time in, at shapes of theirs, while all ranks and threads compute. */

enum { WIDTH = 768, QUERIES = 2048, BASE = 32768, GEMM_ROWS = 1024, GEMM_COLUMNS = 3072 };
/* Rows that are walked through: of all ranks together more than caches hold, of which some have 260 MB. */
static const int64_t WALKED = INT64_C(512) << 20, WALKED_LEAST = BASE;
enum { PIECE = 16 << 20, PIECES = 32, TURNS = 5 }; /* of the file: half a gigabyte */
static const double LEAST_SECONDS = 0.5;           /* of a turn */

static Status random_rows(float **rows, int64_t count, const char *name) {
  TRY(MEMORY_NEW(rows, count * WIDTH, "rows to measure with"));
  const uint64_t key = random_key(1, "rates", name);
  for (int64_t i = 0; i < count * WIDTH; ++i) {
    (*rows)[i] = (float)random_normal(key, (uint64_t)i) / 28.0F; /* about unit rows */
  }
  return OK;
}

/* A thread: what it did in a turn, and where it is in its walk, which goes on from turn to turn; the sum is there so
 * that nothing is left out as useless. */
typedef struct Worker {
  double units, seconds;
  uint64_t at;
  double sum;
} Worker;

typedef struct Bench {
  float *queries, *base;
  int64_t walked;   /* rows of base; of products BASE of them */
  Lowp left, right; /* the same queries and BASE rows, where products are in 8 bits */
  float *out;       /* [threads, GEMM_ROWS, GEMM_COLUMNS] */
  Worker *workers;  /* [threads] */
} Bench;

static void bench_clear(Bench *bench) {
  MEMORY_FREE(bench->queries);
  MEMORY_FREE(bench->base);
  lowp_clear(&bench->left);
  lowp_clear(&bench->right);
  MEMORY_FREE(bench->out);
  MEMORY_FREE(bench->workers);
}

static Status quantise(Bench *bench) {
  if (!lowp_is_open()) {
    return OK;
  }
  TRY(lowp_create(&bench->left, bench->queries, QUERIES, WIDTH, true));
  TRY(lowp_create(&bench->right, bench->base, BASE, WIDTH, false));
  return lowp_pack(&bench->right);
}

static Status bench_take(Bench *bench, int64_t ranks) {
  const int64_t rows = WALKED / ((int64_t)sizeof(float) * WIDTH * ranks);
  *bench = (Bench){.walked = rows > WALKED_LEAST ? rows : WALKED_LEAST};
  TRY(random_rows(&bench->queries, QUERIES, "queries"));
  TRY(random_rows(&bench->base, bench->walked, "base"));
  TRY(quantise(bench));
  TRY(MEMORY_NEW(&bench->out, (int64_t)threads_count() * GEMM_ROWS * GEMM_COLUMNS, "products"));
  return MEMORY_NEW(&bench->workers, threads_count(), "threads that are measured");
}

static Status multiply_unit(int64_t unit, int thread, void *context) {
  const Bench *bench = context;
  (void)unit;
  dense_gemm(bench->queries, GEMM_ROWS, bench->base, GEMM_COLUMNS, WIDTH,
             bench->out + (int64_t)thread * GEMM_ROWS * GEMM_COLUMNS);
  return OK;
}

/* Rows in no order, as candidates are scored and gradients gathered. */
static Status walk_unit(int64_t unit, int thread, void *context) {
  const Bench *bench = context;
  Worker *walk = &bench->workers[thread];
  const uint64_t key = random_key(thread, "walk", "");
  (void)unit;
  for (int i = 0; i < QUERIES; ++i) {
    const float *row = bench->base + random_below(key, walk->at++, bench->walked) * WIDTH;
    walk->sum += (double)dense_dot(bench->queries, row, WIDTH);
  }
  return OK;
}

/* Ordinary code, which waits for what cannot be foreseen: sorting. */
enum { SORTED = 4096, COMPARISONS = SORTED * 12 };

static int compare_floats(const void *left, const void *right) {
  const float a = *(const float *)left, b = *(const float *)right;
  return (a > b) - (a < b);
}

static Status sort_unit(int64_t unit, int thread, void *context) {
  const Bench *bench = context;
  float *own = bench->out + (int64_t)thread * GEMM_ROWS * GEMM_COLUMNS;
  memcpy(own, bench->queries + unit % (QUERIES / 2) * WIDTH, SORTED * sizeof(*own));
  qsort(own, SORTED, sizeof(*own), compare_floats);
  return OK;
}

/* Products in 8 bits, or in float32 where there are none: blocks of queries meet tiles of the base. */
enum { BLOCK = 256, TILE = LOWP_TILE };

static Status product_unit(int64_t unit, int thread, void *context) {
  const Bench *bench = context;
  const int64_t query = unit * BLOCK % QUERIES;
  float *out = bench->out + (int64_t)thread * GEMM_ROWS * GEMM_COLUMNS;
  for (int64_t base = 0; base < BASE; base += TILE) {
    if (bench->left.rows == NULL) {
      dense_gemm(bench->queries + query * WIDTH, BLOCK, bench->base + base * WIDTH, TILE, WIDTH,
                 out);
    } else {
      TRY(lowp_multiply(&bench->left, query, BLOCK, &bench->right, base, (int32_t *)(void *)out));
    }
  }
  return OK;
}

typedef struct Turn {
  ThreadsUnit run;
  Bench *bench;
} Turn;

/* Each thread by its own clock: none waits for the others' last unit. */
static Status turn_unit(int64_t unit, int thread, void *context) {
  const Turn *turn = context;
  Worker *worker = &turn->bench->workers[thread];
  const double began = clock_seconds();
  double seconds = 0;
  for (; seconds < LEAST_SECONDS; ++unit) {
    TRY(turn->run(unit, thread, turn->bench));
    worker->units++;
    seconds = clock_seconds() - began;
  }
  worker->seconds += seconds;
  return OK;
}

/* Operations, bytes or steps a second of a core, where that is more than was found before. */
static Status rate_of(Team *team, ThreadsUnit run, double of_unit, Bench *bench, double *rate) {
  const int threads = threads_count();
  Turn turn = {.run = run, .bench = bench};
  double units = 0, workers = 0;
  for (int t = 0; t < threads; ++t) {
    bench->workers[t].units = bench->workers[t].seconds = 0;
  }
  team_barrier(team);
  TRY(threads_run(threads, turn_unit, &turn));
  for (int t = 0; t < threads; ++t) {
    const Worker *worker = &bench->workers[t];
    units += worker->seconds > 0 ? worker->units / worker->seconds : 0.0;
    workers += worker->seconds > 0;
  }
  *rate = fmax(*rate, units * of_unit / workers);
  return OK;
}

/* Of what no file system can make less. */
static void fill_piece(void *piece) {
  const uint64_t key = random_key(1, "rates", "disk");
  uint64_t *words = piece;
  for (uint64_t i = 0; i < PIECE / sizeof(*words); ++i) {
    words[i] = random_bits(key, i);
  }
}

/* The folder's disk: what was written is dropped from the page cache before it is read. */

static Status write_pieces(int file, const void *piece, const char *path) {
  for (int64_t i = 0; i < PIECES; ++i) {
    if (write(file, piece, PIECE) != PIECE) {
      return RAISE(ERR_SPACE, "%s: half a gigabyte could not be written to measure the disk", path);
    }
  }
  return fsync(file) == 0 ? OK : RAISE(ERR_FILE, "%s cannot be written", path);
}

static Status read_pieces(int file, void *piece, const char *path) {
  for (int64_t i = 0; i < PIECES; ++i) {
    if (pread(file, piece, PIECE, i * PIECE) != PIECE) {
      return RAISE(ERR_FILE, "%s cannot be read", path);
    }
  }
  return OK;
}

static Status time_file(int file, void *piece, const char *path, PlanRates *rates) {
  const double bytes = (double)PIECE * PIECES, began = clock_seconds();
  TRY(write_pieces(file, piece, path));
  rates->written = fmax(rates->written, bytes / (clock_seconds() - began));
  (void)posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  const double again = clock_seconds();
  TRY(read_pieces(file, piece, path));
  rates->read = fmax(rates->read, bytes / (clock_seconds() - again));
  return OK;
}

static Status measure_disk(Stage *stage, PlanRates *rates) {
  char *path = NULL;
  void *piece = NULL;
  TRY(stage_path(stage, &path, "rates.measured"));
  Status status = text_make_parent(path);
  status = status == OK ? memory_take(&piece, PIECE, 1, "a piece of a file") : status;
  const int file = status == OK ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
  if (status == OK && file < 0) {
    status = RAISE(ERR_FILE, "%s cannot be made", path);
  }
  if (file >= 0) {
    fill_piece(piece);
    status = time_file(file, piece, path, rates);
    close(file);
    unlink(path);
  }
  memory_release(piece);
  MEMORY_FREE(path);
  return status;
}

/* From each rank to the next, all at once; one rank alone takes from nobody, and leaves what was known before. */
static void measure_ring(Team *team, const Bench *bench, PlanRates *rates) {
  const int64_t bytes = (int64_t)GEMM_ROWS * GEMM_COLUMNS * (int64_t)sizeof(float);
  double seconds = 0, done = 0;
  if (team->size == 1) {
    return;
  }
  team_barrier(team);
  const double began = clock_seconds();
  for (int i = 0; i < 16; ++i) {
    exchange_ring(team, bench->base, bytes, bench->out, bytes);
    done += (double)bytes;
  }
  seconds = clock_seconds() - began;
  exchange_max(team, &seconds, 1);
  rates->received = fmax(rates->received, done / seconds);
}

static Status measure_once(Stage *stage, Bench *bench, PlanRates *rates) {
  Team *team = &stage->team;
  TRY_ALL(team, rate_of(team, multiply_unit, 2.0 * GEMM_ROWS * GEMM_COLUMNS * WIDTH, bench,
                        &rates->dense));
  TRY_ALL(team, rate_of(team, walk_unit, 4.0 * QUERIES * WIDTH, bench, &rates->streamed));
  TRY_ALL(team, rate_of(team, sort_unit, COMPARISONS, bench, &rates->worked));
  TRY_ALL(team, rate_of(team, product_unit, 2.0 * BLOCK * BASE * WIDTH, bench, &rates->screened));
  measure_ring(team, bench, rates);
  TRY_ALL(team, team->rank == 0 ? measure_disk(stage, rates) : OK);
  return OK;
}

/* Of each rate the best of some turns counts: others may use the machine for some seconds, so a rate's turns do not
 * follow each other; and a disk that had nothing to do for a while needs one to get going. */
Status plan_measure(Stage *stage, PlanRates *rates) {
  Bench bench = {0};
  Status status = team_agree(&stage->team, bench_take(&bench, stage->team.size));
  for (int turn = 0; status == OK && turn < TURNS; ++turn) {
    status = measure_once(stage, &bench, rates);
  }
  bench_clear(&bench);
  return status;
}
