/* cleave-steer: what the model says when features are held at values of one's choice. */

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glyph.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "run_atlas.h"
#include "steer_ablate.h"
#include "steer_run.h"

enum { HEAD = 9, ABLATED = 20, BATCH_BYTES = 1 << 26 };

/* All that is asked, and what it is shown with. */
typedef struct Steering {
  Stage *stage;
  Team *team;
  Atlas atlas;
  Names *names;
  SteerSession session;
  SteerAsk *asks;    /* [count] */
  TokenizerIds *ids; /* [count] of their prompts */
  int64_t *front;    /* [count] tokens in front of the prompts */
  int64_t count;
  Text out;
} Steering;

/* Flags. */

static Status parse_flags(const Stage *stage, SteerAsk *ask) {
  const char *temperature = stage_flag(stage, "--temperature");
  const char *sweep = stage_flag(stage, "--sweep"), *clamp = stage_flag(stage, "--clamp");
  char *end = NULL;
  TRY(stage_integer(stage, "--tokens", 1, STEER_TOKENS, &ask->tokens));
  TRY(stage_integer(stage, "--from", 0, STEER_TOKENS, &ask->from));
  TRY(stage_integer(stage, "--seed", 0, INT64_C(1) << 53, &ask->seed));
  ask->is_random = stage_flag(stage, "--random") != NULL;
  if (temperature != NULL) {
    ask->temperature = strtod(temperature, &end);
    if (temperature[0] == '\0' || *end != '\0' || !(ask->temperature >= 0) ||
        !isfinite(ask->temperature)) {
      return RAISE(ERR_USAGE, "--temperature %s: expected a number from 0", temperature);
    }
  }
  if (sweep != NULL) {
    TRY(steer_ask_sweep(ask, sweep));
  }
  return clamp != NULL ? steer_ask_clamps(ask, &stage->settings, clamp) : OK;
}

/* One ask by flags. */
static Status read_one(Steering *steering, SteerAsk *ask) {
  const Stage *stage = steering->stage;
  const char *prompt = stage_flag(stage, "--prompt");
  const bool is_ablation = stage_flag(stage, "--ablate") != NULL;
  if (prompt == NULL || (ask->clamp_count == 0) != is_ablation) {
    return RAISE(ERR_USAGE,
                 "say what to do: --prompt \"...\" with --clamp 8k/312=5 or with --ablate N, "
                 "or --batch FILE");
  }
  TRY(memory_copy_text(&ask->prompt, prompt));
  steering->count = 1;
  steering->asks[0] = *ask;
  ask->prompt = NULL;
  return OK;
}

static Status read_line(Steering *steering, const SteerAsk *ask, const char *line, const char *path,
                        int64_t number) {
  char place[512];
  snprintf(place, sizeof(place), "%.400s:%lld", path, (long long)number);
  TRY(MEMORY_RESIZE(&steering->asks, steering->count + 1, "lines of a batch"));
  steering->asks[steering->count] = *ask;
  ++steering->count;
  return steer_ask_line(&steering->asks[steering->count - 1], &steering->stage->settings, line,
                        place);
}

/* Every rank reads the whole of it; empty lines are passed over. */
static Status read_batch(Steering *steering, const SteerAsk *ask, const char *path) {
  Text text = {0};
  Status status = text_read_file(&text, path, BATCH_BYTES);
  char *rest = status == OK ? text.bytes : NULL;
  if (status == OK && (int64_t)strlen(text_chars(&text)) != text.length) {
    status = RAISE(ERR_FORMAT, "%s: holds a zero byte: no text", path);
  }
  for (int64_t number = 1; status == OK && rest != NULL && *rest != '\0'; ++number) {
    char *line = rest, *end = strchr(rest, '\n');
    rest = end != NULL ? end + 1 : NULL;
    if (end != NULL) {
      *end = '\0';
    }
    if (line[strspn(line, " \t\r")] != '\0') {
      status = read_line(steering, ask, line, path, number);
    }
  }
  text_clear(&text);
  TRY(status);
  return steering->count > 0 ? OK : RAISE(ERR_FORMAT, "%s: there is no line in it", path);
}

static Status read_asks(Steering *steering) {
  const char *batch = stage_flag(steering->stage, "--batch");
  SteerAsk ask = steer_ask_default(&steering->stage->settings);
  TRY(parse_flags(steering->stage, &ask));
  TRY(MEMORY_NEW(&steering->asks, 1, "what is asked"));
  if (batch == NULL) {
    return read_one(steering, &ask);
  }
  if (stage_flag(steering->stage, "--prompt") != NULL ||
      stage_flag(steering->stage, "--ablate") != NULL) {
    return RAISE(ERR_USAGE,
                 "--batch: prompts stand in the file, --prompt and --ablate do not go with it");
  }
  return read_batch(steering, &ask, batch);
}

/* Prompts as tokens; how long the longest text will be. */
static Status tokenise(Steering *steering, int64_t *longest) {
  TRY(MEMORY_NEW(&steering->ids, steering->count, "tokens of prompts"));
  TRY(MEMORY_NEW(&steering->front, steering->count, "tokens of prompts"));
  for (int64_t i = 0; i < steering->count; ++i) {
    TRY(workbench_tokens(&steering->session.bench, steering->asks[i].prompt, &steering->ids[i],
                         &steering->front[i]));
    const int64_t length = steering->ids[i].count + steering->asks[i].tokens;
    *longest = length > *longest ? length : *longest;
  }
  return OK;
}

/* Showing. */

static Status append_tokens(const Steering *steering, const int32_t *ids, int64_t count,
                            Text *out) {
  for (int64_t i = 0; i < count; ++i) {
    TRY(tokenizer_piece(steering->session.bench.tokenizer, ids[i], out));
  }
  return OK;
}

/* Lines of the terminal's width that do not steer it, behind a heading of HEAD columns. */
static Status append_lines(const char *bytes, int64_t length, Text *out) {
  Text line = {0};
  Status status = glyph_append_line(&line, bytes, length);
  if (status == OK) {
    status = glyph_append_wrapped(out, text_chars(&line), line.length, stage_columns(), HEAD);
  }
  text_clear(&line);
  return status;
}

static Status append_text(const Steering *steering, const int32_t *ids, int64_t count, Text *out) {
  Text raw = {0};
  Status status = append_tokens(steering, ids, count, &raw);
  if (status == OK) {
    status = append_lines(text_chars(&raw), raw.length, out);
  }
  text_clear(&raw);
  return status;
}

static Status append_feature(const Steering *steering, int64_t dictionary, int64_t latent,
                             Text *out) {
  const Atlas *atlas = &steering->atlas;
  TRY(text_printf(out, "%s/%lld ", atlas->dictionaries[dictionary].name, (long long)latent));
  return names_of(steering->names, atlas, (int)dictionary, latent, out, NULL);
}

static Status write_clamps(const Steering *steering, const SteerAsk *ask, const float *maximum,
                           Text *out) {
  for (int64_t i = 0; i < ask->clamp_count; ++i) {
    const SteerWish *wish = &ask->clamps[i];
    TRY(append_feature(steering, wish->dictionary, wish->latent, out));
    TRY(text_printf(out, ": strongest activation %.4g%s%s\n", (double)maximum[i],
                    isnan(wish->times) ? ", left as it is" : "",
                    ask->is_random ? "; in a random direction" : ""));
  }
  return OK;
}

static Status write_text(const Steering *steering, const SteerAsk *ask, const SteerText *plain,
                         const SteerText *text, Text *out) {
  char head[32] = "clamped";
  const double times =
      isnan(text->times) && ask->clamp_count == 1 ? ask->clamps[0].times : text->times;
  if (!isnan(times)) {
    snprintf(head, sizeof(head), "x %g", times);
  }
  TRY(text_printf(out, "%-8s ", head));
  TRY(append_text(steering, text->ids, text->count, out));
  return text_printf(out,
                     "\n         nats a token: the plain text %+.3f (%.3f);\n"
                     "         this one %.3f clamped, %.3f plain\n",
                     text->plain_clamped - plain->loss_plain, text->plain_clamped,
                     text->loss_clamped, text->loss_plain);
}

static Status write_answer(const Steering *steering, const SteerAsk *ask, const float *maximum,
                           const SteerAnswer *answer, Text *out) {
  const int64_t length = (int64_t)strlen(ask->prompt);
  TRY(write_clamps(steering, ask, maximum, out));
  TRY(text_printf(out, "prompt   "));
  TRY(append_lines(ask->prompt, length, out));
  TRY(text_printf(out, "\nplain    "));
  TRY(append_text(steering, answer->plain.ids, answer->plain.count, out));
  TRY(text_printf(out, "\n         nats a token: %.3f\n", answer->plain.loss_plain));
  for (int64_t i = 0; i < answer->count; ++i) {
    TRY(write_text(steering, ask, &answer->plain, &answer->texts[i], out));
  }
  return text_append(out, "\n", 1);
}

/* JSON has no nan. */
static json_t *number_or_null(double value) {
  return isnan(value) ? json_null() : json_real(value);
}

/* A text that is no UTF-8 is made so. */
static Status set_text(const Steering *steering, json_t *object, const char *key,
                       const int32_t *ids, int64_t count) {
  Text raw = {0}, valid = {0};
  Status status = append_tokens(steering, ids, count, &raw);
  if (status == OK) {
    status = glyph_append_valid(&valid, text_chars(&raw), raw.length);
  }
  if (status == OK) {
    json_object_set_new(object, key, json_stringn(text_chars(&valid), (size_t)valid.length));
  }
  text_clear(&raw);
  text_clear(&valid);
  return status;
}

static Status set_answer(const Steering *steering, const SteerAsk *ask, const SteerAnswer *answer,
                         json_t *object) {
  const Settings *settings = &steering->stage->settings;
  json_t *clamps = json_array(), *texts = json_array();
  json_object_set_new(object, "prompt", json_string(ask->prompt));
  json_object_set_new(object, "clamps", clamps);
  for (int64_t i = 0; i < ask->clamp_count; ++i) {
    char id[300];
    snprintf(id, sizeof(id), "%.256s/%lld", settings->dictionaries[ask->clamps[i].dictionary].name,
             (long long)ask->clamps[i].latent);
    json_t *clamp = json_object();
    json_object_set_new(clamp, "feature", json_string(id));
    json_object_set_new(clamp, "times", number_or_null(ask->clamps[i].times));
    json_array_append_new(clamps, clamp);
  }
  json_object_set_new(object, "random", json_boolean(ask->is_random));
  TRY(set_text(steering, object, "plain", answer->plain.ids, answer->plain.count));
  json_object_set_new(object, "plain_loss", number_or_null(answer->plain.loss_plain));
  json_object_set_new(object, "texts", texts);
  for (int64_t i = 0; i < answer->count; ++i) {
    const SteerText *text = &answer->texts[i];
    json_t *one = json_object();
    json_array_append_new(texts, one);
    json_object_set_new(one, "times", number_or_null(text->times));
    TRY(set_text(steering, one, "text", text->ids, text->count));
    json_object_set_new(one, "loss_clamped", number_or_null(text->loss_clamped));
    json_object_set_new(one, "loss_plain", number_or_null(text->loss_plain));
    json_object_set_new(one, "plain_text_clamped_loss", number_or_null(text->plain_clamped));
  }
  return OK;
}

static int append_piece(const char *bytes, size_t length, void *out) {
  return text_append(out, bytes, (int64_t)length) == OK ? 0 : -1;
}

static Status write_json(const Steering *steering, const SteerAsk *ask, const SteerAnswer *answer,
                         Text *out) {
  json_t *object = json_object();
  Status status = set_answer(steering, ask, answer, object);
  if (status == OK) {
    const size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII;
    status = json_dump_callback(object, append_piece, out, flags) == 0
                 ? text_append(out, "\n", 1)
                 : RAISE(ERR_MEMORY, "no memory for a line of JSON");
  }
  json_decref(object);
  return status;
}

/* Work. */

static Status read_maxima(const Steering *steering, const SteerAsk *ask, float *maximum) {
  for (int64_t i = 0; i < ask->clamp_count; ++i) {
    AtlasFeature feature;
    const SteerWish *wish = &ask->clamps[i];
    TRY(atlas_feature(&steering->atlas, (int)wish->dictionary, wish->latent, &feature));
    maximum[i] = feature.maximum;
    if (!(feature.maximum > 0) && !isnan(wish->times)) {
      return RAISE(ERR_DATA, "%s/%lld fires nowhere: it has no strongest activation to multiply",
                   steering->atlas.dictionaries[wish->dictionary].name, (long long)wish->latent);
    }
  }
  return OK;
}

static Status answer_ask(Steering *steering, int64_t i, bool is_json) {
  const SteerAsk *ask = &steering->asks[i];
  float maximum[STEER_CLAMPS] = {0};
  SteerAnswer answer = {0};
  TRY_ALL(steering->team, read_maxima(steering, ask, maximum));
  Status status = steer_answer(&steering->session, ask, steering->ids[i].ids,
                               steering->ids[i].count, steering->front[i], maximum, &answer);
  if (status == OK) {
    status = team_agree(steering->team,
                        is_json ? write_json(steering, ask, &answer, &steering->out)
                                : write_answer(steering, ask, maximum, &answer, &steering->out));
  }
  steer_answer_clear(&answer);
  return status;
}

/* The first token of --target, as it stands in running text. */
static Status parse_target(const Steering *steering, int32_t *out) {
  const char *text = stage_flag(steering->stage, "--target");
  TokenizerIds ids = {0};
  *out = -1;
  if (text == NULL) {
    return OK;
  }
  Status status =
      tokenizer_encode(steering->session.bench.tokenizer, text, (int64_t)strlen(text), &ids);
  if (status == OK) {
    status = ids.count > 0 ? OK : RAISE(ERR_USAGE, "--target: there is no text");
  }
  *out = status == OK ? ids.ids[0] : -1;
  MEMORY_FREE(ids.ids);
  return status;
}

static Status write_effects(const Steering *steering, int64_t dictionary, int32_t target,
                            double log_p, const SteerEffect *effects, int64_t found, Text *out) {
  TRY(text_printf(out, "next token \""));
  TRY(append_text(steering, &target, 1, out));
  TRY(text_printf(
      out, "\": log P %.3f; without one feature each:\n  change  activation  at token  feature\n",
      log_p));
  for (int64_t i = 0; i < found; ++i) {
    const SteerEffect *effect = &effects[i];
    TRY(text_printf(out, "%+8.3f  %10.4g  %8lld  ", effect->change, effect->activation,
                    (long long)(effect->position - steering->front[0])));
    TRY(append_feature(steering, dictionary, effect->latent, out));
    TRY(text_append(out, "\n", 1));
  }
  return OK;
}

static Status ablate_ask(Steering *steering) {
  int64_t most = ABLATED, found = 0;
  int dictionary = -1;
  int32_t target = -1;
  double log_p = 0;
  SteerEffect *effects = NULL;
  TRY_ALL(steering->team, stage_integer(steering->stage, "--ablate", 1, 1000000, &most));
  TRY_ALL(steering->team, run_atlas_dictionary(steering->stage, &steering->atlas, &dictionary));
  TRY_ALL(steering->team, parse_target(steering, &target));
  TRY(steer_ablate(&steering->session, dictionary, steering->ids[0].ids, steering->ids[0].count,
                   &target, most, &effects, &found, &log_p));
  const Status status = team_agree(
      steering->team,
      write_effects(steering, dictionary, target, log_p, effects, found, &steering->out));
  MEMORY_FREE(effects);
  return status;
}

static Status work(Steering *steering) {
  const bool is_json = stage_flag(steering->stage, "--out") != NULL ||
                       stage_flag(steering->stage, "--batch") != NULL;
  int64_t longest = 0;
  TRY_ALL(steering->team, read_asks(steering));
  TRY(run_atlas_open(steering->stage, false, &steering->atlas));
  TRY(names_open(&steering->names, &steering->atlas, steering->stage->settings.report.labels));
  TRY(workbench_open(&steering->session.bench, steering->stage));
  TRY_ALL(steering->team, tokenise(steering, &longest));
  TRY(steer_session_load(&steering->session, longest));
  if (stage_flag(steering->stage, "--ablate") != NULL) {
    TRY(ablate_ask(steering));
  } else {
    for (int64_t i = 0; i < steering->count; ++i) {
      TRY(answer_ask(steering, i, is_json));
    }
  }
  return stage_answer(steering->stage, &steering->out);
}

static Status run(Stage *stage) {
  Steering steering = {.stage = stage, .team = &stage->team};
  const Status status = work(&steering);
  for (int64_t i = 0; i < steering.count; ++i) {
    steer_ask_clear(&steering.asks[i]);
    if (steering.ids != NULL) {
      MEMORY_FREE(steering.ids[i].ids);
    }
  }
  MEMORY_FREE(steering.asks);
  MEMORY_FREE(steering.ids);
  MEMORY_FREE(steering.front);
  text_clear(&steering.out);
  steer_session_close(&steering.session);
  names_close(&steering.names);
  atlas_close(&steering.atlas);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY, NULL};
  static const StageFlag FLAGS[] = {
      {"--prompt", "TEXT", "text that the model continues"},
      {"--clamp", "LIST",
       "features held at multiples of their strongest activation: 8k/312=5,8k/77=-2 (now: as it "
       "is)"},
      {"--sweep", "LIST", "these multiples in turn, for all clamped features: 0,2,5,10"},
      {"--tokens", "N", "tokens to generate (default 40)"},
      {"--temperature", "T", "0 (default): the likeliest token; else drawn"},
      {"--seed", "N", "of drawn tokens and random directions (default: the run's seed)"},
      {"--from", "N", "clamp from this token of the prompt on (default 0)"},
      {"--random", NULL, "a control: move as far, in a random direction"},
      {"--ablate", "N",
       "instead: which of the N strongest features of the prompt the next token depends on"},
      {"--dictionary", "NAME", "of --ablate; the largest level when not given"},
      {"--target", "TEXT", "of --ablate: the next token asked about; the likeliest when not given"},
      {"--batch", "FILE", "prompts as JSON lines: {\"prompt\": .., \"clamp\": .., \"sweep\": ..}"},
      {"--out", "FILE", "answers as JSON lines"},
      {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "steer",
      .purpose = "what the model says when features are held at values of one's choice",
      .reads = "model, activations.h5, dictionaries/*.h5, codes/*.h5",
      .writes = "nothing, or the file of --out",
      .next = "",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
