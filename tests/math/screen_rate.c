/* The comparison's search alone, for tests/bench/compare.sh: the k best base rows of each query and
 * the k best queries of each base row.
 * usage: screen_rate QUERIES BASE WIDTH K THREADS OUT [rotate]      (files of float32 rows)
 * OUT gets the ids (int32) and then the scores (float32) of all queries' best [queries, k], then the
 * same of base rows. Prints what it cost, a line `name value` each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dense.h"
#include "memory.h"
#include "random.h"
#include "rotate.h"
#include "screen.h"
#include "threads.h"

enum { PANEL = 16384 };

typedef struct Side {
  float *rows;
  double *norm;
  int64_t count;
  SelectKey *keys;
  int64_t *counts;
} Side;

typedef struct Rate {
  int64_t width, k;
  Side query, base;
  bool in_bytes, rotates;
  Rotate rotate;
  Lowp left, right;
  float *turned; /* rotated rows: a panel's, first the base's */
  ScreenRoom room;
  ScreenCost cost;
  double quantise, all;
} Rate;

static Status read_side(Side *side, const char *path, int64_t width, int64_t k) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    return RAISE(ERR_MISSING, "%s: cannot be read", path);
  }
  side->count = ftell(file) / (width * (int64_t)sizeof(float));
  rewind(file);
  TRY(MEMORY_NEW(&side->rows, side->count * width, "rows"));
  TRY(MEMORY_NEW(&side->norm, side->count, "norms"));
  TRY(MEMORY_NEW(&side->keys, side->count * k, "keys"));
  TRY(MEMORY_NEW(&side->counts, side->count, "counts"));
  const size_t wanted = (size_t)(side->count * width);
  const size_t got = fread(side->rows, sizeof(float), wanted, file);
  fclose(file);
  return got == wanted ? OK : RAISE(ERR_FILE, "%s: cannot be read", path);
}

/* Rows in 8 bits, rotated first if asked. */
static void quantise(Rate *rate, Lowp *lowp, const float *rows, int64_t count, bool is_left) {
  lowp->count = count;
  if (rate->rotates) {
    rotate_rows(&rate->rotate, rows, count, rate->turned);
    rows = rate->turned;
  }
  lowp_fill(lowp, rows, is_left);
}

typedef struct Part {
  const Rate *rate;
  const Side *side;
} Part;

static Status measure_norms(int64_t unit, int thread, void *context) {
  const Part *part = context;
  const int64_t first = unit * PANEL, left = part->side->count - first, width = part->rate->width;
  (void)thread;
  screen_norms(part->side->rows + first * width, left < PANEL ? left : PANEL, width,
               part->side->norm + first);
  return OK;
}

static Status sort_keys(int64_t unit, int thread, void *context) {
  const Part *part = context;
  const int64_t first = unit * PANEL, k = part->rate->k;
  (void)thread;
  for (int64_t i = first; i < first + PANEL && i < part->side->count; i++) {
    select_sort(part->side->keys + i * k, part->side->counts[i]);
  }
  return OK;
}

/* All rows of both sides, by panels. */
static Status for_both(const Rate *rate, ThreadsUnit run) {
  const Side *const sides[2] = {&rate->base, &rate->query};
  for (int i = 0; i < 2; i++) {
    Part part = {rate, sides[i]};
    TRY(threads_run((sides[i]->count + PANEL - 1) / PANEL, run, &part));
  }
  return OK;
}

static Status prepare(Rate *rate) {
  const double begun = clock_seconds();
  TRY(for_both(rate, measure_norms));
  if (rate->in_bytes) {
    TRY(lowp_create(&rate->left, NULL, PANEL, rate->width, true));
    TRY(lowp_create(&rate->right, NULL, rate->base.count, rate->width, false));
    if (rate->rotates) {
      TRY(rotate_create(&rate->rotate, rate->width, random_key(1, "rotation", "")));
      TRY(MEMORY_NEW(&rate->turned, rate->base.count * rate->width, "rotated rows"));
    }
    quantise(rate, &rate->right, rate->base.rows, rate->base.count, false);
    TRY(lowp_pack(&rate->right));
    MEMORY_FREE(rate->turned);
    if (rate->rotates) {
      TRY(MEMORY_NEW(&rate->turned, PANEL * rate->width, "rotated rows"));
    }
  }
  rate->quantise += clock_seconds() - begun;
  return OK;
}

static Status search_panel(Rate *rate, int64_t first, int64_t count) {
  const double begun = clock_seconds();
  const Side *query = &rate->query, *base = &rate->base;
  if (rate->in_bytes) {
    quantise(rate, &rate->left, query->rows + first * rate->width, count, true);
  }
  rate->quantise += clock_seconds() - begun;
  const ScreenJob job = {.query = {.rows = query->rows + first * rate->width,
                                   .norm = query->norm + first,
                                   .count = count,
                                   .first_id = first,
                                   .lowp = rate->in_bytes ? &rate->left : NULL},
                         .base = {.rows = base->rows,
                                  .norm = base->norm,
                                  .count = base->count,
                                  .lowp = rate->in_bytes ? &rate->right : NULL},
                         .width = rate->width,
                         .k = rate->k,
                         .floor = -2.0F,
                         .keys = query->keys + first * rate->k,
                         .counts = query->counts + first,
                         .back_keys = base->keys,
                         .back_counts = base->counts,
                         .room = &rate->room,
                         .cost = &rate->cost};
  return screen_run(&job);
}

static Status search(Rate *rate) {
  const double begun = clock_seconds();
  TRY(prepare(rate));
  for (int64_t first = 0; first < rate->query.count; first += PANEL) {
    const int64_t left = rate->query.count - first;
    TRY(search_panel(rate, first, left < PANEL ? left : PANEL));
  }
  TRY(for_both(rate, sort_keys));
  rate->all = clock_seconds() - begun;
  return OK;
}

static Status write_side(const Side *side, int64_t k, FILE *file) {
  bool is_written = true;
  for (int is_score = 0; is_score < 2; is_score++) {
    for (int64_t i = 0; i < side->count * k; i++) {
      const bool is_there = i % k < side->counts[i / k];
      const int32_t id = is_there ? (int32_t)select_id(side->keys[i]) : -1;
      const float score = is_there ? select_score(side->keys[i]) : 0.0F;
      is_written = fwrite(is_score ? (const void *)&score : &id, 4, 1, file) == 1 && is_written;
    }
  }
  return is_written ? OK : RAISE(ERR_FILE, "the results cannot be written");
}

static Status write_results(const Rate *rate, const char *path) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) {
    return RAISE(ERR_FILE, "%s: cannot be written", path);
  }
  Status status = write_side(&rate->query, rate->k, file);
  if (status == OK) {
    status = write_side(&rate->base, rate->k, file);
  }
  return fclose(file) == 0 ? status : RAISE(ERR_FILE, "%s: cannot be written", path);
}

/* MiB, of this program alone (getrusage counts the parent before exec). */
static long peak_memory(void) {
  char line[128];
  long kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && kib == 0 && fgets(line, sizeof(line), file) != NULL) {
    kib = strncmp(line, "VmHWM:", 6) == 0 ? strtol(line + 6, NULL, 10) : 0;
  }
  if (file != NULL) {
    fclose(file);
  }
  return kib / 1024;
}

static void print_cost(const Rate *rate) {
  const double threads = threads_count();
  const double operations =
      2.0 * (double)rate->query.count * (double)rate->base.count * (double)rate->width;
  printf("seconds %.3f\n", rate->all);
  printf("quantise %.3f\n", rate->quantise);
  printf("gemm %.3f\n", rate->cost.multiply / threads);
  printf("scan %.3f\n", rate->cost.scan / threads);
  printf("score %.3f\n", rate->cost.score / threads);
  printf("gemm_rate %.1f\n", operations / (rate->cost.multiply / threads) * 1e-9);
  printf("candidates %.1f\n", (double)rate->cost.scored / (double)rate->query.count);
  printf("peak_mib %ld\n", peak_memory());
}

static void clear(Rate *rate) {
  Side *const sides[2] = {&rate->query, &rate->base};
  for (int i = 0; i < 2; i++) {
    MEMORY_FREE(sides[i]->rows);
    MEMORY_FREE(sides[i]->norm);
    MEMORY_FREE(sides[i]->keys);
    MEMORY_FREE(sides[i]->counts);
  }
  lowp_clear(&rate->left);
  lowp_clear(&rate->right);
  rotate_clear(&rate->rotate);
  MEMORY_FREE(rate->turned);
  screen_room_clear(&rate->room);
}

static Status measure(Rate *rate, char **argv) {
  TRY(read_side(&rate->query, argv[1], rate->width, rate->k));
  TRY(read_side(&rate->base, argv[2], rate->width, rate->k));
  TRY(search(rate));
  print_cost(rate);
  return write_results(rate, argv[6]);
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr, "usage: screen_rate QUERIES BASE WIDTH K THREADS OUT [rotate]\n");
    return ERR_USAGE;
  }
  const char *why = NULL;
  Rate rate = {.width = strtol(argv[3], NULL, 10), .k = strtol(argv[4], NULL, 10)};
  dense_open();
  rate.in_bytes = lowp_open(&why);
  rate.rotates = rate.in_bytes && argc > 7 && strcmp(argv[7], "rotate") == 0;
  threads_set((int)strtol(argv[5], NULL, 10));
  printf("screen %s\n", why);
  const Status status = measure(&rate, argv);
  if (status != OK) {
    fprintf(stderr, "%s\n", status_why());
  }
  clear(&rate);
  return status;
}
