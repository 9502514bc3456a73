/* The rate of the BLAS alone at the shapes of one layer, over all threads, the best of several
 * passes, in GFLOP/s: what a forward pass could reach. For the benchmarks.
 * usage: gemm_rate ROWS WIDTH QUERY KV HIDDEN THREADS */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "dense.h"
#include "memory.h"
#include "threads.h"

enum { PASSES = 8, REPEATS = 4, MOST_THREADS = 256 };

typedef struct Shape {
  int64_t rows, width, query, kv, hidden;
} Shape;

typedef struct Job {
  Shape shape;
  float *a[MOST_THREADS], *w, *out[MOST_THREADS];
} Job;

static double flops(const Shape *s) {
  const double weights = (double)s->width * (double)(2 * s->query + 2 * s->kv + 3 * s->hidden);
  return 2.0 * (double)s->rows * weights * REPEATS;
}

static Status run_layer(int64_t unit, int thread, void *context) {
  (void)thread;
  Job *job = context;
  const Shape *s = &job->shape;
  const float *a = job->a[unit];
  float *out = job->out[unit];
  for (int i = 0; i < REPEATS; ++i) {
    dense_gemm(a, s->rows, job->w, s->query + 2 * s->kv, s->width, out);
    dense_gemm(a, s->rows, job->w, s->width, s->query, out);
    dense_gemm(a, s->rows, job->w, 2 * s->hidden, s->width, out);
    dense_gemm(a, s->rows, job->w, s->width, s->hidden, out);
  }
  return OK;
}

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static Status take(Job *job, int threads) {
  const Shape *s = &job->shape;
  const int64_t most = larger(larger(s->query + 2 * s->kv, 2 * s->hidden), s->width);
  const int64_t depth = larger(larger(s->width, s->query), s->hidden);
  TRY(MEMORY_NEW(&job->w, most * depth, "weights"));
  for (int64_t i = 0; i < most * depth; ++i) {
    job->w[i] = (float)(i % 89) * 0.01F;
  }
  for (int t = 0; t < threads; ++t) {
    TRY(MEMORY_NEW(&job->a[t], s->rows * depth, "input"));
    TRY(MEMORY_NEW(&job->out[t], s->rows * most, "output"));
    for (int64_t i = 0; i < s->rows * depth; ++i) {
      job->a[t][i] = (float)(i % 97) * 0.01F;
    }
  }
  return OK;
}

static Status measure(Job *job, int threads, double *best) {
  TRY(take(job, threads));
  for (int pass = 0; pass < PASSES; ++pass) {
    const double began = clock_seconds();
    TRY(threads_run(threads, run_layer, job));
    const double rate = flops(&job->shape) * threads / (clock_seconds() - began);
    *best = rate > *best ? rate : *best;
  }
  return OK;
}

int main(int argc, char **argv) {
  int64_t numbers[6];
  for (int i = 0; i < 6; ++i) {
    numbers[i] = argc == 7 ? strtoll(argv[i + 1], NULL, 10) : 0;
    if (numbers[i] < 1 || numbers[i] > 1 << 20 || numbers[5] > MOST_THREADS) {
      fprintf(stderr, "usage: gemm_rate ROWS WIDTH QUERY KV HIDDEN THREADS\n");
      return ERR_USAGE;
    }
  }
  static Job job;
  double best = 0.0;
  job.shape = (Shape){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
  const int threads = (int)numbers[5];
  dense_renew(argv);
  dense_open();
  threads_set(threads);
  const Status status = measure(&job, threads, &best);
  for (int t = 0; t < threads; ++t) {
    MEMORY_FREE(job.a[t]);
    MEMORY_FREE(job.out[t]);
  }
  MEMORY_FREE(job.w);
  if (status != OK) {
    fprintf(stderr, "gemm_rate: %s\n", status_why());
    return (int)status;
  }
  printf("%.1f\n", best / 1e9);
  return 0;
}
