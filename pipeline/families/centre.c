#include "centre.h"

#include <math.h>

#include "dense.h"
#include "lookup.h"
#include "memory.h"
#include "threads.h"

/* A shorter rest is rounding. */
static const float LEAST_LENGTH = 1e-5F;

enum { UNIT_ROWS = 512 };

typedef struct Terms {
  const Directions *rows;
  const float *own, *other;
  float *room; /* [threads, width] */
  CentreTerm *out;
} Terms;

static Status terms_unit(int64_t unit, int thread, void *context) {
  const Terms *terms = context;
  const int64_t width = terms->rows->width;
  const int64_t count = shard_count(terms->rows->own);
  const int64_t past = (unit + 1) * UNIT_ROWS < count ? (unit + 1) * UNIT_ROWS : count;
  float *rest = terms->room + thread * width;
  for (int64_t i = unit * UNIT_ROWS; i < past; i++) {
    const float *row = terms->rows->rows + i * width;
    for (int64_t j = 0; j < width; j++) {
      rest[j] = row[j] - terms->own[j];
    }
    terms->out[i] = (CentreTerm){.along = dense_dot(row, terms->other, width),
                                 .length = (float)sqrt(dense_square(rest, width))};
  }
  return OK;
}

Status centre_terms(const Directions *rows, const float *own, const float *other, CentreTerm *out) {
  Terms terms = {.rows = rows, .own = own, .other = other, .out = out};
  TRY(MEMORY_NEW(&terms.room, threads_count() * rows->width, "centred rows"));
  const int64_t units = (shard_count(rows->own) + UNIT_ROWS - 1) / UNIT_ROWS;
  const Status status = threads_run(units, terms_unit, &terms);
  MEMORY_FREE(terms.room);
  return status;
}

static float centred(float cosine, CentreTerm child, CentreTerm parent, float means) {
  if (child.length < LEAST_LENGTH || parent.length < LEAST_LENGTH) {
    return 0;
  }
  const double product =
      (double)cosine - (double)child.along - (double)parent.along + (double)means;
  const double value = product / ((double)child.length * (double)parent.length);
  return (float)(value > 1 ? 1 : (value < -1 ? -1 : value));
}

static Status take_lists(const Neighbours *lists, uint32_t **ids, CentreTerm **terms) {
  const int64_t most = lists->most;
  TRY(MEMORY_NEW(ids, lists->count * most, "candidates of a panel"));
  TRY(MEMORY_NEW(terms, lists->count * most, "candidates of a panel"));
  for (int64_t i = 0; i < lists->count * most; i++) {
    const bool is_there = i % most < lists->counts[i / most];
    (*ids)[i] = is_there ? (uint32_t)select_id(lists->keys[i]) : LOOKUP_NONE;
  }
  return OK;
}

static void fill(const CentreJob *job, const uint32_t *ids, const CentreTerm *terms, float *out) {
  const float means = dense_dot(job->mean, job->other, job->width);
  const int64_t most = job->lists->most;
  for (int64_t i = 0; i < job->lists->count * most; i++) {
    out[i] = ids[i] == LOOKUP_NONE ? NAN
                                   : centred(select_score(job->lists->keys[i]),
                                             job->child[i / most], terms[i], means);
  }
}

Status centre_score(Team *team, const CentreJob *job, float *out) {
  uint32_t *ids = NULL;
  CentreTerm *terms = NULL;
  Status status = team_agree(team, take_lists(job->lists, &ids, &terms));
  if (status == OK) {
    status = lookup_items(team, job->parents, job->parent, sizeof(*terms), ids,
                          job->lists->count * job->lists->most, terms);
  }
  if (status == OK) {
    fill(job, ids, terms, out);
  }
  MEMORY_FREE(ids);
  MEMORY_FREE(terms);
  return status;
}
