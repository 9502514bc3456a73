#include "surgery.h"

#include <string.h>

#include "exchange.h"
#include "loss.h"
#include "memory.h"
#include "threads.h"

enum { ROUND = 8 }; /* units of a rank between two signs of life */

/* What one thread needs. */
typedef struct Worker {
  TransformerScratch *scratch;
  float *stream; /* [rows of a unit, width] */
  float *logits; /* [LOSS_LOGITS] */
  double *loss;  /* [rows of a unit] */
} Worker;

struct Surgery {
  Workbench *bench;
  const EvaluateText *text;
  int64_t width, rows_most;
  int64_t first, past; /* own units */
  int64_t first_row;   /* of the text: where the own units begin */
  int64_t own_rows;
  float *stream;         /* [own rows, width] behind the layer */
  float *changed;        /* [own rows, width] */
  uint8_t *is_exchanged; /* [own rows] */
  double *own;           /* [own contexts] losses */
  double *plain;         /* [contexts] */
  int64_t *counts;       /* [ranks] contexts of each */
  float *unit;           /* [rows_most, width] on its way to all ranks */
  int64_t exchanged, predictions;
  int64_t round;   /* first own unit of this round */
  int64_t done;    /* tokens of all passes so far */
  Worker *workers; /* [threads] */
  int workers_made;
};

int64_t surgery_rows_most(const EvaluateText *text) {
  int64_t most = 0;
  for (int64_t u = 0; u < text->units; ++u) {
    int64_t context;
    const int64_t contexts = evaluate_text_unit(text, u, &context);
    const int64_t rows = text->first[context + contexts] - text->first[context];
    most = rows > most ? rows : most;
  }
  return most;
}

/* Units [units rank / ranks, units (rank + 1) / ranks). */
static int64_t units_before(const Surgery *surgery, int rank) {
  return surgery->text->units * rank / surgery->bench->team->size;
}

static int64_t contexts_before(const Surgery *surgery, int64_t unit) {
  const EvaluateText *text = surgery->text;
  const int64_t first = unit * text->per_unit;
  return first < text->contexts ? first : text->contexts;
}

static Status make_workers(Surgery *surgery) {
  const Transformer *transformer = surgery->bench->transformer;
  TRY(MEMORY_NEW(&surgery->workers, threads_count(), "threads' working memory"));
  for (; surgery->workers_made < threads_count(); ++surgery->workers_made) {
    Worker *worker = &surgery->workers[surgery->workers_made];
    TRY(transformer_scratch_create(&worker->scratch, transformer, surgery->rows_most));
    TRY(MEMORY_NEW(&worker->stream, surgery->rows_most * surgery->width, "a unit's stream"));
    TRY(MEMORY_NEW(&worker->logits, LOSS_LOGITS, "logits"));
    TRY(MEMORY_NEW(&worker->loss, surgery->rows_most, "losses of a unit"));
  }
  return OK;
}

static Status take(Surgery *surgery) {
  const EvaluateText *text = surgery->text;
  const Team *team = surgery->bench->team;
  surgery->first = units_before(surgery, team->rank);
  surgery->past = units_before(surgery, team->rank + 1);
  const int64_t from = contexts_before(surgery, surgery->first);
  const int64_t to = contexts_before(surgery, surgery->past);
  surgery->first_row = text->first[from];
  surgery->own_rows = text->first[to] - text->first[from];
  const int64_t values = surgery->own_rows * surgery->width;
  TRY(MEMORY_NEW(&surgery->stream, values, "the residual stream"));
  TRY(MEMORY_NEW(&surgery->changed, values, "the exchanged stream"));
  TRY(MEMORY_NEW(&surgery->is_exchanged, surgery->own_rows, "marks of rows"));
  TRY(MEMORY_NEW(&surgery->own, to - from, "losses of contexts"));
  TRY(MEMORY_NEW(&surgery->plain, text->contexts, "losses of contexts"));
  TRY(MEMORY_NEW(&surgery->counts, team->size, "contexts of ranks"));
  TRY(MEMORY_NEW(&surgery->unit, surgery->rows_most * surgery->width, "a unit's stream"));
  for (int rank = 0; rank < team->size; ++rank) {
    surgery->counts[rank] = contexts_before(surgery, units_before(surgery, rank + 1)) -
                            contexts_before(surgery, units_before(surgery, rank));
  }
  surgery->predictions = text->tokens - text->contexts;
  return make_workers(surgery);
}

void surgery_destroy(Surgery **surgery) {
  Surgery *s = *surgery;
  for (int t = 0; s != NULL && s->workers != NULL && t <= s->workers_made && t < threads_count();
       ++t) {
    transformer_scratch_destroy(&s->workers[t].scratch);
    MEMORY_FREE(s->workers[t].stream);
    MEMORY_FREE(s->workers[t].logits);
    MEMORY_FREE(s->workers[t].loss);
  }
  if (s != NULL) {
    MEMORY_FREE(s->workers);
    MEMORY_FREE(s->stream);
    MEMORY_FREE(s->changed);
    MEMORY_FREE(s->is_exchanged);
    MEMORY_FREE(s->own);
    MEMORY_FREE(s->plain);
    MEMORY_FREE(s->counts);
    MEMORY_FREE(s->unit);
  }
  MEMORY_FREE(*surgery);
}

/* A unit, and where its rows begin among the own ones. */
static TransformerUnit unit_of(const Surgery *surgery, int64_t unit, int64_t *context,
                               int64_t *row) {
  const EvaluateText *text = surgery->text;
  const int64_t contexts = evaluate_text_unit(text, unit, context);
  *row = text->first[*context] - surgery->first_row;
  return (TransformerUnit){text->ids + text->first[*context], text->lengths + *context, contexts};
}

static int64_t rows_of(const EvaluateText *text, int64_t unit) {
  int64_t context;
  const int64_t contexts = evaluate_text_unit(text, unit, &context);
  return text->first[context + contexts] - text->first[context];
}

/* Sums of the unit's contexts. */
static void sum_losses(Surgery *surgery, const TransformerUnit *unit, int64_t context,
                       const double *loss) {
  double *own = surgery->own + context - contexts_before(surgery, surgery->first);
  int64_t row = 0;
  for (int64_t c = 0; c < unit->contexts; ++c) {
    own[c] = 0;
    for (int64_t i = 0; i + 1 < unit->lengths[c]; ++i) {
      own[c] += loss[row + i];
    }
    row += unit->lengths[c];
  }
}

typedef struct Keep {
  float *to; /* the unit's rows */
  int64_t layer, width;
} Keep;

static Status keep_stream(void *context, int64_t layer, float *residual, int64_t rows) {
  const Keep *keep = context;
  if (layer == keep->layer) {
    memcpy(keep->to, residual, (size_t)(rows * keep->width) * sizeof(*residual));
  }
  return OK;
}

static void mark_rows(Surgery *surgery, const TransformerUnit *unit, int64_t row) {
  Workbench *bench = surgery->bench;
  const bool keeps_special = !bench->stage->settings.harvest.special_tokens;
  for (int64_t c = 0, at = 0; c < unit->contexts; ++c) {
    for (int64_t i = 0; i < unit->lengths[c]; ++i, ++at) {
      const float *x = surgery->stream + (row + at) * surgery->width;
      const bool is_special =
          keeps_special && tokenizer_is_special(bench->tokenizer, unit->ids[at]);
      surgery->is_exchanged[row + at] = !is_special && !workbench_is_left_out(bench, i, x);
    }
  }
}

static Status run_plain(int64_t index, int thread, void *context) {
  Surgery *surgery = context;
  Worker *worker = &surgery->workers[thread];
  int64_t first, row;
  const TransformerUnit unit = unit_of(surgery, surgery->round + index, &first, &row);
  Keep keep = {surgery->stream + row * surgery->width, surgery->bench->layer, surgery->width};
  const TransformerHook hook = {keep_stream, &keep};
  TRY(transformer_run(worker->scratch, &unit, &hook, worker->stream));
  mark_rows(surgery, &unit, row);
  loss_of_unit(worker->scratch, surgery->bench->transformer, &unit, worker->stream, worker->logits,
               worker->loss);
  sum_losses(surgery, &unit, first, worker->loss);
  return OK;
}

static Status run_changed(int64_t index, int thread, void *context) {
  Surgery *surgery = context;
  Worker *worker = &surgery->workers[thread];
  int64_t first, row;
  const int64_t rows = rows_of(surgery->text, surgery->round + index);
  const TransformerUnit unit = unit_of(surgery, surgery->round + index, &first, &row);
  memcpy(worker->stream, surgery->changed + row * surgery->width,
         (size_t)(rows * surgery->width) * sizeof(float));
  TRY(transformer_resume(worker->scratch, &unit, surgery->bench->layer + 1, NULL, worker->stream));
  loss_of_unit(worker->scratch, surgery->bench->transformer, &unit, worker->stream, worker->logits,
               worker->loss);
  sum_losses(surgery, &unit, first, worker->loss);
  return OK;
}

/* All own units. Ranks have as many but for one, so their rounds are those of the tokens. */
static Status run_units(Surgery *surgery, ThreadsUnit run, Progress *bar, int64_t before,
                        double *losses) {
  Team *team = surgery->bench->team;
  const int64_t tokens = surgery->text->tokens;
  const int64_t most = surgery->text->units / team->size + 1;
  for (int64_t first = 0; first < most; first += ROUND) {
    surgery->round = surgery->first + first;
    const int64_t left = surgery->past - surgery->round, units = left < ROUND ? left : ROUND;
    TRY_ALL(team, threads_run(units > 0 ? units : 0, run, surgery));
    const int64_t reached = first + ROUND < most ? first + ROUND : most;
    progress_step(bar, before + tokens * reached / most);
  }
  exchange_gather(team, surgery->own, surgery->counts, sizeof(double), losses);
  return OK;
}

static Status start(Surgery *surgery, Progress *bar) {
  Team *team = surgery->bench->team;
  TRY_ALL(team, take(surgery));
  TRY(run_units(surgery, run_plain, bar, 0, surgery->plain));
  for (int64_t i = 0; i < surgery->own_rows; ++i) {
    surgery->exchanged += surgery->is_exchanged[i];
  }
  exchange_sum(team, &surgery->exchanged, 1);
  return OK;
}

Status surgery_create(Surgery **out, Workbench *bench, const EvaluateText *text, Progress *bar) {
  TRY_NEW(bench->team, out, 1, "surgery on the stream");
  **out = (Surgery){
      .bench = bench, .text = text, .width = bench->width, .rows_most = surgery_rows_most(text)};
  const Status status = start(*out, bar);
  if (status != OK) {
    surgery_destroy(out);
  }
  return status;
}

const double *surgery_plain(const Surgery *surgery) {
  return surgery->plain;
}

int64_t surgery_rows(const Surgery *surgery) {
  return surgery->exchanged;
}

int64_t surgery_predictions(const Surgery *surgery) {
  return surgery->predictions;
}

/* Unit after unit goes from its rank to all, is changed by all, and stays with its rank. */
static Status change_units(Surgery *surgery, const SurgeryChange *change) {
  Team *team = surgery->bench->team;
  const int64_t width = surgery->width;
  for (int rank = 0; rank < team->size; ++rank) {
    for (int64_t u = units_before(surgery, rank); u < units_before(surgery, rank + 1); ++u) {
      const int64_t rows = rows_of(surgery->text, u);
      int64_t context, row;
      (void)unit_of(surgery, u, &context, &row);
      if (rank == team->rank) {
        memcpy(surgery->unit, surgery->stream + row * width,
               (size_t)(rows * width) * sizeof(float));
      }
      team_broadcast(team, surgery->unit, rows * width * (int64_t)sizeof(float), rank);
      TRY(change->call(change->context, surgery->unit, rows));
      for (int64_t i = 0; i < rows && rank == team->rank; ++i) {
        const float *from = surgery->is_exchanged[row + i] ? surgery->unit + i * width
                                                           : surgery->stream + (row + i) * width;
        memcpy(surgery->changed + (row + i) * width, from, (size_t)width * sizeof(float));
      }
    }
  }
  return OK;
}

Status surgery_run(Surgery *surgery, const SurgeryChange *change, Progress *bar, int64_t before,
                   double *losses) {
  TRY(change_units(surgery, change));
  return run_units(surgery, run_changed, bar, before, losses);
}
