#include "train_sparse.h"

#include "alike.h"
#include "dense.h"
#include "exchange.h"
#include "memory.h"

static Status make_buffers(Train *t, bool is_batchwise) {
  TrainSparse *s = t->sparse;
  const int64_t batch = t->spec.batch;
  const int64_t rows = shard_count(mesh_rows(t->mesh, batch));
  TRY(sae_picks_create(&s->picks, t->sae, t->mesh, rows, batch, t->spec.k, is_batchwise));
  TRY(MEMORY_NEW(&s->pulls, s->parts * batch * t->spec.width, "residuals"));
  TRY(MEMORY_NEW(&s->slopes[0], batch * s->picks->capacity, "slopes"));
  if (t->spec.aux_weight > 0.0) {
    TRY(auxk_create(&s->auxk, t->sae, &t->mesh->group, batch));
    TRY(MEMORY_NEW(&s->slopes[1], batch * s->auxk.capacity, "slopes of AuxK"));
  }
  return OK;
}

Status train_sparse_open(Train *t, bool is_batchwise, int64_t parts) {
  TRY(MEMORY_NEW(&t->sparse, 1, "selection of a step"));
  TrainSparse *s = t->sparse;
  for (int64_t i = parts - 1; i >= 0; i--) {
    const int64_t past = t->spec.latents >> i;
    if (past > 0) {
      ASSERT(s->parts < SPARSE_PARTS);
      s->past[s->parts++] = past;
    }
  }
  return make_buffers(t, is_batchwise);
}

void train_sparse_close(Train *t) {
  TrainSparse *s = t->sparse;
  if (s != NULL) {
    sae_picks_destroy(&s->picks);
    auxk_clear(&s->auxk);
    MEMORY_FREE(s->pulls);
    MEMORY_FREE(s->slopes[0]);
    MEMORY_FREE(s->slopes[1]);
  }
  MEMORY_FREE(t->sparse);
}

static void note_hits(Train *t) {
  const Hits *hits = &t->sparse->picks->hits;
  for (int64_t i = 0; i < shard_count(t->sae->own); i++) {
    t->fired[i] = hits->latent_start[i] < hits->latent_start[i + 1];
  }
  t->active = hits->row_start[hits->rows];
}

typedef struct Subtraction {
  const Train *train;
  const float *rows;
  float *rebuilt;
} Subtraction;

static void subtract_rows(void *context, int64_t first, int64_t count) {
  const Subtraction *s = context;
  const int64_t width = s->train->spec.width;
  for (int64_t row = first; row < first + count; row++) {
    for (int64_t i = row * width; i < (row + 1) * width; i++) {
      s->rebuilt[i] = s->rows[i] - s->rebuilt[i];
    }
    s->train->squares[row] = dense_square(s->rebuilt + row * width, width);
  }
}

/* Rebuilt rows become residuals; returns their loss. */
static double subtract(const Train *t, const float *rows, float *rebuilt) {
  Subtraction subtraction = {t, rows, rebuilt};
  double sum = 0.0;
  alike_run(t->spec.batch, subtract_rows, &subtraction);
  for (int64_t row = 0; row < t->spec.batch; row++) {
    sum += t->squares[row];
  }
  return sum / (double)t->spec.batch;
}

/* A latent of a small part is pulled by all parts that hold it. */
static void form_pulls(Train *t, const float *rows) {
  TrainSparse *s = t->sparse;
  const int64_t values = t->spec.batch * t->spec.width;
  double all = 0.0, last = 0.0;
  for (int64_t g = s->parts - 1; g >= 0; g--) {
    float *pull = s->pulls + g * values;
    const double loss = subtract(t, rows, pull);
    last = g == s->parts - 1 ? loss : last;
    all += loss / (double)s->parts;
    if (g < s->parts - 1) {
      dense_add(pull, pull + values, values, 1.0F);
    }
  }
  t->residual = s->pulls + (s->parts - 1) * values;
  t->penalty = s->parts > 1 ? all - last : 0.0;
}

/* The rows of all groups, from each its own; in place. */
static void gather_rows(const Train *t, float *rows, int64_t *counts) {
  const Shard own = mesh_rows(t->mesh, t->spec.batch);
  for (int r = 0; r < t->mesh->replicas; r++) {
    counts[r] = shard_count(shard_of(t->spec.batch, 1, r, t->mesh->replicas));
  }
  exchange_gather(&t->mesh->lane, rows + own.first * t->spec.width, counts,
                  (size_t)t->spec.width * sizeof(*rows), rows);
}

/* What the groups of ranks selected and rebuilt, each in its own rows, to all. */
static Status gather_parts(Train *t, Hits *hits, float *rows, int64_t parts) {
  int64_t *counts = NULL;
  if (t->mesh->replicas == 1) {
    return OK;
  }
  TRY_NEW(t->mesh->all, &counts, t->mesh->replicas, "rows of groups");
  for (int64_t g = 0; g < parts; g++) {
    gather_rows(t, rows + g * t->spec.batch * t->spec.width, counts);
  }
  MEMORY_FREE(counts);
  const int64_t first = mesh_rows(t->mesh, t->spec.batch).first;
  return mesh_agree(t->mesh, hits_gather(hits, &t->mesh->lane, first, t->spec.batch));
}

Status train_sparse_forward(Train *t, const float *rows) {
  TrainSparse *s = t->sparse;
  const int64_t batch = t->spec.batch, width = t->spec.width;
  const Shard own = mesh_rows(t->mesh, batch);
  const float *centred = t->centred + own.first * width;
  TRY_ALL(t->mesh->all, sae_quantise(t->sae, NULL));
  phases_lap(&t->times, PHASE_ENCODER);
  TRY(sae_select(t->mesh, t->sae, centred, shard_count(own), batch, s->picks));
  phases_lap(&t->times, PHASE_SELECT);
  TRY(mesh_agree(t->mesh, sae_decode(&t->mesh->group, t->sae, s->picks, s->past, s->parts,
                                     s->pulls + own.first * width, batch * width)));
  TRY(gather_parts(t, &s->picks->hits, s->pulls, s->parts));
  form_pulls(t, rows);
  note_hits(t);
  return OK;
}

static Status add_auxk(Train *t, TrainReport *report) {
  TrainSparse *s = t->sparse;
  const AuxkBatch batch = {.centred = t->centred,
                           .residual = t->residual,
                           .is_dead = t->is_dead,
                           .rows = mesh_rows(t->mesh, t->spec.batch),
                           .dead = t->dead,
                           .weight = t->spec.aux_weight,
                           .spread = t->spread};
  TRY(mesh_agree(t->mesh, auxk_pick(&s->auxk, &t->mesh->group, t->sae, &batch)));
  TRY(gather_parts(t, &s->auxk.hits, s->auxk.pull, 1));
  auxk_settle(&s->auxk, &batch, t->spec.batch);
  report->aux_loss = s->auxk.loss;
  t->gradient.terms[t->gradient.count++] = (GradientTerm){.hits = &s->auxk.hits,
                                                          .pull = s->auxk.pull,
                                                          .factor = s->auxk.factor,
                                                          .slopes = s->slopes[1]};
  return OK;
}

Status train_sparse_backward(Train *t, TrainReport *report) {
  TrainSparse *s = t->sparse;
  Gradient *g = &t->gradient;
  const float factor = (float)(-2.0 / (double)(t->spec.batch * s->parts));
  g->centred = t->centred;
  g->count = 1;
  g->terms[0] = (GradientTerm){.hits = &s->picks->hits,
                               .pull = s->pulls,
                               .past = s->past,
                               .factor = factor,
                               .slopes = s->slopes[0]};
  gradient_begin(g, s->pulls, t->spec.batch, factor);
  if (t->spec.aux_weight > 0.0 && t->dead > 0) {
    phases_lap(&t->times, PHASE_GRADIENT);
    TRY(add_auxk(t, report));
    phases_lap(&t->times, PHASE_AUXK);
  }
  return team_agree(t->mesh->all, gradient_measure(g));
}

bool train_sparse_form(const Train *t, int64_t latent, float *enc, float *dec) {
  if (!gradient_is_active(&t->gradient, latent)) {
    return false;
  }
  gradient_form(&t->gradient, latent, enc, dec);
  return true;
}

const ScreenCost *train_sparse_cost(const Train *t) {
  const SaePicks *picks = t->sparse == NULL ? NULL : t->sparse->picks;
  if (picks == NULL) {
    return NULL;
  }
  return picks->fire != NULL ? &picks->fire->cost : &picks->batchwise->cost;
}

void train_sparse_follow_cutoff(Train *t) {
  const double share = 0.01;
  const double least = (double)t->sparse->picks->batchwise->cut.score;
  t->cutoff = t->step == 0 ? least : t->cutoff + share * (least - t->cutoff);
}
