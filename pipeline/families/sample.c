#include "sample.h"

#include "dense.h"
#include "memory.h"
#include "random.h"
#include "threads.h"

enum { UNIT_ROWS = 256, ROOM = SAMPLE_BINS + 56 }; /* counters of a thread, in whole cache lines */

typedef struct Sampling {
  const Sample *sample;
  const Directions *child;
  int64_t parents;
  Shard here;
  const float *rows;
  const uint8_t *is_left_out;
  int64_t *counts; /* [threads, ROOM] */
} Sampling;

static bool is_sampled(const Sampling *s, int64_t index) {
  const Directions *child = s->child;
  return !child->is_left_out[index] &&
         random_permute(s->sample->key, child->latents, child->own.first + index) < SAMPLE_CHILDREN;
}

static int64_t bin_of(float cosine) {
  const int64_t bin = (int64_t)(((double)cosine + 1) * 0.5 * SAMPLE_BINS);
  return bin < 0 ? 0 : (bin < SAMPLE_BINS ? bin : SAMPLE_BINS - 1);
}

static void count_child(const Sampling *s, int64_t index, int64_t *counts) {
  const Directions *child = s->child;
  const uint64_t key = random_subkey(s->sample->key, (uint64_t)(child->own.first + index));
  const float *row = child->rows + index * child->width;
  for (int64_t i = 0; i < SAMPLE_EACH; i++) {
    const int64_t parent = random_below(key, (uint64_t)i, s->parents);
    const int64_t at = parent - s->here.first;
    if (at >= 0 && parent < s->here.past && !s->is_left_out[at]) {
      counts[bin_of(dense_dot(row, s->rows + at * child->width, child->width))]++;
    }
  }
}

static Status count_unit(int64_t unit, int thread, void *context) {
  const Sampling *s = context;
  const int64_t own = shard_count(s->child->own);
  const int64_t past = (unit + 1) * UNIT_ROWS < own ? (unit + 1) * UNIT_ROWS : own;
  for (int64_t i = unit * UNIT_ROWS; i < past; i++) {
    if (is_sampled(s, i)) {
      count_child(s, i, s->counts + thread * ROOM);
    }
  }
  return OK;
}

Status sample_add(Sample *sample, const Directions *child, int64_t parents, Shard here,
                  const float *rows, const uint8_t *is_left_out) {
  Sampling s = {sample, child, parents, here, rows, is_left_out, NULL};
  const int64_t units = (shard_count(child->own) + UNIT_ROWS - 1) / UNIT_ROWS;
  TRY(MEMORY_NEW(&s.counts, (int64_t)threads_count() * ROOM, "counts of a sample"));
  const Status status = threads_run(units, count_unit, &s);
  for (int thread = 0; thread < threads_count(); thread++) {
    for (int bin = 0; bin < SAMPLE_BINS; bin++) {
      sample->histogram[bin] += s.counts[thread * ROOM + bin];
      sample->pairs += s.counts[thread * ROOM + bin];
    }
  }
  MEMORY_FREE(s.counts);
  return status;
}
