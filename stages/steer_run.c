#include "steer_run.h"

#include <math.h>
#include <string.h>

#include "loss.h"
#include "memory.h"
#include "random.h"

enum { ROWS = 256 }; /* of a dictionary's call */

static Status take(SteerSession *session) {
  const Workbench *bench = &session->bench;
  TRY(generate_create(&session->generation, bench->transformer));
  TRY(transformer_scratch_create(&session->scratch, bench->transformer, session->positions));
  TRY(MEMORY_NEW(&session->residual, session->positions * bench->width, "residual stream"));
  TRY(MEMORY_NEW(&session->logits, LOSS_LOGITS, "logits"));
  TRY(MEMORY_NEW(&session->loss, session->positions, "losses of tokens"));
  TRY(MEMORY_NEW(&session->directions, STEER_CLAMPS * bench->width, "directions of features"));
  return MEMORY_NEW(&session->dictionaries, bench->stage->settings.count, "dictionaries");
}

Status steer_session_load(SteerSession *session, int64_t positions) {
  Workbench *bench = &session->bench;
  session->positions = positions;
  TRY(workbench_load(bench, true, positions));
  TRY_ALL(bench->team, take(session));
  session->steer = (Steer){.team = bench->team,
                           .layer = bench->layer,
                           .width = bench->width,
                           .clamps = session->clamps,
                           .is_left_out = workbench_is_left_out,
                           .context = bench};
  return OK;
}

void steer_session_close(SteerSession *session) {
  steer_close(&session->steer);
  for (int64_t i = 0; session->dictionaries != NULL && i < session->bench.stage->settings.count;
       ++i) {
    workbench_dictionary_close(&session->dictionaries[i]);
  }
  MEMORY_FREE(session->dictionaries);
  generate_destroy(&session->generation);
  transformer_scratch_destroy(&session->scratch);
  MEMORY_FREE(session->residual);
  MEMORY_FREE(session->logits);
  MEMORY_FREE(session->loss);
  MEMORY_FREE(session->directions);
  workbench_close(&session->bench);
}

Status steer_session_dictionary(SteerSession *session, int64_t index) {
  WorkbenchDictionary *one = &session->dictionaries[index];
  if (one->codec != NULL) {
    return OK;
  }
  TRY(workbench_dictionary_open(one, &session->bench, index));
  return workbench_dictionary_load(one, &session->bench, ROWS);
}

/* A direction that means nothing, drawn for this feature. */
static void draw_direction(const SteerSession *session, const SteerAsk *ask, int64_t i,
                           float *out) {
  const SteerWish *wish = &ask->clamps[i];
  const char *name = session->bench.stage->settings.dictionaries[wish->dictionary].name;
  const uint64_t key =
      random_subkey(random_key(ask->seed, "random direction", name), (uint64_t)wish->latent);
  const int64_t width = session->bench.width;
  double square = 0;
  for (int64_t j = 0; j < width; ++j) {
    out[j] = (float)random_normal(key, (uint64_t)j);
    square += (double)out[j] * (double)out[j];
  }
  for (int64_t j = 0; j < width; ++j) {
    out[j] = (float)((double)out[j] / sqrt(square));
  }
}

/* Clamps of one dictionary stand together: the dictionary then looks at a row once. */
static Status set_clamps(SteerSession *session, const SteerAsk *ask, int64_t front) {
  const int64_t count = session->bench.stage->settings.count;
  session->steer.count = 0;
  session->steer.first = ask->from + front;
  for (int64_t d = 0; d < count; ++d) {
    for (int64_t i = 0; i < ask->clamp_count; ++i) {
      const SteerWish *wish = &ask->clamps[i];
      if (wish->dictionary == d) {
        float *direction = session->directions + i * session->bench.width;
        TRY(steer_session_dictionary(session, d));
        TRY(workbench_direction(&session->dictionaries[d], wish->latent, direction));
        if (ask->is_random) {
          draw_direction(session, ask, i, direction);
        }
        session->wish[session->steer.count] = i;
        session->clamps[session->steer.count++] =
            (SteerClamp){.codec = session->dictionaries[d].codec,
                         .latent = wish->latent,
                         .direction = direction};
      }
    }
  }
  return OK;
}

/* times: of all clamps; nan: each as it says. */
static void set_values(SteerSession *session, const SteerAsk *ask, const float *maximum,
                       double times) {
  for (int64_t c = 0; c < session->steer.count; ++c) {
    const int64_t wish = session->wish[c];
    const double own = ask->clamps[wish].times;
    session->clamps[c].value = (isnan(times) || isnan(own) ? own : times) * (double)maximum[wish];
  }
}

/* Texts fit: session->positions. Nothing else fails on one rank alone. */
static Status feed(SteerSession *session, const int32_t *ids, int64_t count, bool is_clamped) {
  const TransformerHook hook = steer_hook(&session->steer);
  session->steer.position = generate_length(session->generation);
  return generate_feed(session->generation, ids, count, is_clamped ? &hook : NULL);
}

/* The next token, the same on all ranks; behind the end token there is none: -1. */
static int32_t pick(SteerSession *session, const SteerAsk *ask) {
  Team *team = session->bench.team;
  int32_t id = 0;
  if (team->rank == 0) {
    id = generate_pick(session->generation, ask->temperature,
                       random_key(ask->seed, "steer", "token"));
  }
  team_broadcast(team, &id, sizeof(id), 0);
  return id == tokenizer_end(session->bench.tokenizer) ? -1 : id;
}

static Status continue_text(SteerSession *session, const SteerAsk *ask, const int32_t *ids,
                            int64_t count, bool is_clamped, SteerText *out) {
  Team *team = session->bench.team;
  TRY_NEW(team, &out->ids, ask->tokens, "tokens of a text");
  generate_cut(session->generation, 0);
  TRY(feed(session, ids, count, is_clamped));
  while (out->count < ask->tokens) {
    const int32_t id = pick(session, ask);
    if (id < 0) {
      break;
    }
    out->ids[out->count++] = id;
    if (out->count < ask->tokens) {
      TRY(feed(session, &id, 1, is_clamped));
    }
  }
  return OK;
}

/* Mean loss of a continuation's tokens; nan when it has none. `whole` has room for both. */
static Status measure_in(SteerSession *session, const int32_t *ids, int64_t count,
                         const SteerText *text, bool is_clamped, int32_t *whole, double *out) {
  const TransformerHook hook = steer_hook(&session->steer);
  const int64_t length = count + text->count;
  const TransformerUnit unit = {whole, &length, 1};
  memcpy(whole, ids, (size_t)count * sizeof(*ids));
  memcpy(whole + count, text->ids, (size_t)text->count * sizeof(*ids));
  session->steer.position = 0;
  TRY(transformer_run(session->scratch, &unit, is_clamped ? &hook : NULL, session->residual));
  loss_of_unit(session->scratch, session->bench.transformer, &unit, session->residual,
               session->logits, session->loss);
  *out = text->count > 0 ? 0 : NAN;
  for (int64_t t = count; t < length; ++t) {
    *out += session->loss[t - 1] / (double)text->count;
  }
  return OK;
}

static Status measure(SteerSession *session, const int32_t *ids, int64_t count,
                      const SteerText *text, bool is_clamped, double *out) {
  int32_t *whole = NULL;
  TRY_NEW(session->bench.team, &whole, count + text->count, "tokens of a text");
  const Status status = measure_in(session, ids, count, text, is_clamped, whole, out);
  MEMORY_FREE(whole);
  return status;
}

static Status answer_one(SteerSession *session, const SteerAsk *ask, const int32_t *ids,
                         int64_t count, const SteerText *plain, SteerText *out) {
  TRY(continue_text(session, ask, ids, count, true, out));
  TRY(measure(session, ids, count, out, false, &out->loss_plain));
  TRY(measure(session, ids, count, out, true, &out->loss_clamped));
  return measure(session, ids, count, plain, true, &out->plain_clamped);
}

Status steer_answer(SteerSession *session, const SteerAsk *ask, const int32_t *ids, int64_t count,
                    int64_t front, const float *maximum, SteerAnswer *out) {
  Team *team = session->bench.team;
  *out = (SteerAnswer){.plain = {.times = NAN}};
  TRY_NEW(team, &out->texts, ask->sweep_count > 0 ? ask->sweep_count : 1, "texts");
  TRY(set_clamps(session, ask, front));
  TRY(continue_text(session, ask, ids, count, false, &out->plain));
  TRY(measure(session, ids, count, &out->plain, false, &out->plain.loss_plain));
  do {
    SteerText *text = &out->texts[out->count];
    text->times = ask->sweep_count > 0 ? ask->sweep[out->count] : NAN;
    out->count++;
    set_values(session, ask, maximum, text->times);
    TRY(answer_one(session, ask, ids, count, &out->plain, text));
  } while (out->count < ask->sweep_count);
  return OK;
}

void steer_answer_clear(SteerAnswer *answer) {
  MEMORY_FREE(answer->plain.ids);
  for (int64_t i = 0; answer->texts != NULL && i < answer->count; ++i) {
    MEMORY_FREE(answer->texts[i].ids);
  }
  MEMORY_FREE(answer->texts);
}
