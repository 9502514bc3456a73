#include "steer_ablate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "memory.h"
#include "pointwise.h"

typedef struct Ablation {
  SteerSession *session;
  Team *team;
  WorkbenchDictionary *own;
  const int32_t *ids;
  int64_t count;
  int32_t target;
  float *stream, *changed; /* [count, width] behind the layer; without a feature */
  float *logits;           /* [vocabulary] */
} Ablation;

static Status keep_stream(void *context, int64_t layer, float *residual, int64_t rows) {
  const Ablation *ablation = context;
  const Workbench *bench = &ablation->session->bench;
  if (layer == bench->layer) {
    memcpy(ablation->stream, residual, (size_t)(rows * bench->width) * sizeof(*residual));
  }
  return OK;
}

/* log P(target) behind the last row. */
static double log_p_of(Ablation *ablation, const float *stream) {
  const SteerSession *session = ablation->session;
  const int64_t vocabulary = transformer_vocabulary(session->bench.transformer);
  transformer_logits(session->scratch, stream + (ablation->count - 1) * session->bench.width, 1,
                     ablation->logits);
  if (ablation->target < 0) {
    ablation->target = (int32_t)pointwise_likeliest(ablation->logits, vocabulary);
  }
  return -pointwise_surprise(ablation->logits, vocabulary, ablation->target);
}

static Status run_plain(Ablation *ablation, double *log_p) {
  const TransformerUnit unit = {ablation->ids, &ablation->count, 1};
  const TransformerHook hook = {keep_stream, ablation};
  TRY(transformer_run(ablation->session->scratch, &unit, &hook, ablation->changed));
  *log_p = log_p_of(ablation, ablation->changed);
  return OK;
}

/* The strongest first, ties to the lower id. */
static int by_activation(const void *left, const void *right) {
  const SteerEffect *a = left, *b = right;
  if (a->activation != b->activation) {
    return a->activation > b->activation ? -1 : 1;
  }
  return (a->latent > b->latent) - (a->latent < b->latent);
}

static int by_change(const void *left, const void *right) {
  const SteerEffect *a = left, *b = right;
  const double x = fabs(a->change), y = fabs(b->change);
  return x != y ? (x > y ? -1 : 1) : by_activation(left, right);
}

/* By latent, the strongest of each first. */
static int by_latent(const void *left, const void *right) {
  const SteerEffect *a = left, *b = right;
  if (a->latent != b->latent) {
    return a->latent < b->latent ? -1 : 1;
  }
  return a->activation != b->activation ? (a->activation > b->activation ? -1 : 1)
                                        : (a->position > b->position) - (a->position < b->position);
}

static int64_t keep_strongest(SteerEffect *firings, int64_t count) {
  int64_t kept = 0;
  if (count > 0) {
    qsort(firings, (size_t)count, sizeof(*firings), by_latent);
  }
  for (int64_t i = 0; i < count; ++i) {
    if (i == 0 || firings[i].latent != firings[i - 1].latent) {
      firings[kept++] = firings[i];
    }
  }
  return kept;
}

/* This rank's firings on rows [first, first + rows) of the prompt. */
static Status add_firings(const Ablation *ablation, int64_t first, int64_t rows,
                          SteerEffect **firings, int64_t *count) {
  const Fire *fire = ablation->own->codec->fire;
  const int64_t width = ablation->session->bench.width;
  TRY(MEMORY_RESIZE(firings, *count + fire->start[rows], "firings on the prompt"));
  for (int64_t r = 0; r < rows; ++r) {
    const float *row = ablation->stream + (first + r) * width;
    if (workbench_is_left_out(&ablation->session->bench, first + r, row)) {
      continue;
    }
    for (int64_t i = fire->start[r]; i < fire->start[r + 1]; ++i) {
      if (fire_is_active(fire, r, i)) {
        (*firings)[(*count)++] = (SteerEffect){.latent = select_id(fire->keys[i]),
                                               .activation = (double)fire->values[i],
                                               .position = first + r};
      }
    }
  }
  return OK;
}

static Status find_own(Ablation *ablation, SteerEffect **firings, int64_t *count) {
  const int64_t most = ablation->own->codec->most, width = ablation->session->bench.width;
  for (int64_t first = 0; first < ablation->count; first += most) {
    const int64_t left = ablation->count - first, rows = left < most ? left : most;
    TRY(codec_encode(ablation->own->codec, ablation->stream + first * width, rows));
    TRY_ALL(ablation->team, add_firings(ablation, first, rows, firings, count));
  }
  *count = keep_strongest(*firings, *count);
  return OK;
}

static Status remove_one(Ablation *ablation, double log_p, SteerEffect *effect) {
  SteerSession *session = ablation->session;
  const TransformerUnit unit = {ablation->ids, &ablation->count, 1};
  const int64_t values = ablation->count * session->bench.width;
  TRY(workbench_direction(ablation->own, effect->latent, session->directions));
  session->clamps[0] = (SteerClamp){.codec = ablation->own->codec,
                                    .latent = effect->latent,
                                    .value = 0,
                                    .direction = session->directions};
  session->steer.count = 1;
  session->steer.first = session->steer.position = 0;
  memcpy(ablation->changed, ablation->stream, (size_t)values * sizeof(float));
  TRY(steer_rows(&session->steer, ablation->changed, ablation->count));
  TRY(transformer_resume(session->scratch, &unit, session->bench.layer + 1, NULL,
                         ablation->changed));
  effect->change = log_p_of(ablation, ablation->changed) - log_p;
  return OK;
}

static Status ablate(Ablation *ablation, int64_t most, SteerEffect **effects, int64_t *found,
                     double *log_p) {
  SteerEffect *own = NULL;
  int64_t mine = 0;
  TRY(run_plain(ablation, log_p));
  Status status = find_own(ablation, &own, &mine);
  if (status == OK) {
    status = exchange_collect(ablation->team, own, mine, sizeof(*own), (void **)effects, found,
                              "features of the prompt");
  }
  MEMORY_FREE(own);
  TRY(status);
  qsort(*effects, (size_t)*found, sizeof(**effects), by_activation);
  *found = *found < most ? *found : most;
  for (int64_t i = 0; i < *found; ++i) {
    TRY(remove_one(ablation, *log_p, &(*effects)[i]));
  }
  qsort(*effects, (size_t)*found, sizeof(**effects), by_change);
  return OK;
}

static Status take(Ablation *ablation) {
  const Workbench *bench = &ablation->session->bench;
  TRY(MEMORY_NEW(&ablation->stream, ablation->count * bench->width, "residual stream"));
  TRY(MEMORY_NEW(&ablation->changed, ablation->count * bench->width, "residual stream"));
  return MEMORY_NEW(&ablation->logits, transformer_vocabulary(bench->transformer), "logits");
}

Status steer_ablate(SteerSession *session, int64_t dictionary, const int32_t *ids, int64_t count,
                    int32_t *target, int64_t most, SteerEffect **effects, int64_t *found,
                    double *log_p) {
  Team *team = session->bench.team;
  Ablation ablation = {
      .session = session, .team = team, .ids = ids, .count = count, .target = *target};
  *effects = NULL;
  TRY(steer_session_dictionary(session, dictionary));
  ablation.own = &session->dictionaries[dictionary];
  Status status = team_agree(team, take(&ablation));
  if (status == OK) {
    status = ablate(&ablation, most, effects, found, log_p);
  }
  *target = ablation.target;
  MEMORY_FREE(ablation.stream);
  MEMORY_FREE(ablation.changed);
  MEMORY_FREE(ablation.logits);
  if (status != OK) {
    MEMORY_FREE(*effects);
  }
  return status;
}
