#include "steer_ask.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

SteerAsk steer_ask_default(const Settings *settings) {
  return (SteerAsk){.tokens = 40, .seed = settings->run.seed};
}

void steer_ask_clear(SteerAsk *ask) {
  MEMORY_FREE(ask->prompt);
}

static Status parse_number(const char *text, const char *what, double *out) {
  char *end = NULL;
  *out = strtod(text, &end);
  return text[0] != '\0' && *end == '\0' && isfinite(*out)
             ? OK
             : RAISE(ERR_USAGE, "%s \"%s\": expected a number", what, text);
}

/* NAME/ID=TIMES; `part` is changed. */
static Status parse_clamp(char *part, const Settings *settings, SteerWish *out) {
  char *equals = strchr(part, '='), *end = NULL;
  if (equals == NULL) {
    return RAISE(ERR_USAGE, "clamp \"%s\": expected NAME/NUMBER=TIMES, as 8k/312=5", part);
  }
  *equals = '\0';
  char *slash = strrchr(part, '/');
  if (slash == NULL || slash[1] < '0' || slash[1] > '9') {
    return RAISE(ERR_USAGE, "clamp \"%s\": expected NAME/NUMBER, as 8k/312", part);
  }
  *slash = '\0';
  out->dictionary = settings_find(settings, part);
  if (out->dictionary < 0) {
    return RAISE(ERR_USAGE, "clamp %s/%s: run.yaml declares no dictionary %s", part, slash + 1,
                 part);
  }
  const int64_t latents = settings->dictionaries[out->dictionary].latents;
  out->latent = strtoll(slash + 1, &end, 10);
  if (*end != '\0' || out->latent >= latents) {
    return RAISE(ERR_USAGE, "clamp %s/%s: the dictionary has features 0 to %lld", part, slash + 1,
                 (long long)latents - 1);
  }
  if (strcmp(equals + 1, "now") == 0) {
    out->times = NAN;
    return OK;
  }
  return parse_number(equals + 1, "clamp", &out->times);
}

static bool is_named(const SteerAsk *ask, const SteerWish *wish) {
  for (int64_t i = 0; i < ask->clamp_count; ++i) {
    if (ask->clamps[i].dictionary == wish->dictionary && ask->clamps[i].latent == wish->latent) {
      return true;
    }
  }
  return false;
}

static Status add_clamp(SteerAsk *ask, const Settings *settings, char *part) {
  SteerWish wish = {0};
  if (ask->clamp_count == STEER_CLAMPS) {
    return RAISE(ERR_USAGE, "clamp: at most %d features", STEER_CLAMPS);
  }
  TRY(parse_clamp(part, settings, &wish));
  if (is_named(ask, &wish)) {
    return RAISE(ERR_USAGE, "clamp: %s/%lld is named twice",
                 settings->dictionaries[wish.dictionary].name, (long long)wish.latent);
  }
  ask->clamps[ask->clamp_count++] = wish;
  return OK;
}

static Status add_clamps(SteerAsk *ask, const Settings *settings, char *text) {
  ask->clamp_count = 0;
  for (char *rest = NULL, *part = strtok_r(text, ", ", &rest); part != NULL;
       part = strtok_r(NULL, ", ", &rest)) {
    TRY(add_clamp(ask, settings, part));
  }
  return ask->clamp_count > 0 ? OK : RAISE(ERR_USAGE, "clamp: expected NAME/NUMBER=TIMES, ...");
}

Status steer_ask_clamps(SteerAsk *ask, const Settings *settings, const char *text) {
  char *copy = NULL;
  TRY(memory_copy_text(&copy, text));
  const Status status = add_clamps(ask, settings, copy);
  MEMORY_FREE(copy);
  return status;
}

static Status add_sweep(SteerAsk *ask, char *text) {
  ask->sweep_count = 0;
  for (char *rest = NULL, *part = strtok_r(text, ", ", &rest); part != NULL;
       part = strtok_r(NULL, ", ", &rest)) {
    if (ask->sweep_count == STEER_SWEEP) {
      return RAISE(ERR_USAGE, "sweep: at most %d values", STEER_SWEEP);
    }
    TRY(parse_number(part, "sweep", &ask->sweep[ask->sweep_count++]));
  }
  return ask->sweep_count > 0 ? OK : RAISE(ERR_USAGE, "sweep: expected numbers, as 0,2,5,10");
}

Status steer_ask_sweep(SteerAsk *ask, const char *text) {
  char *copy = NULL;
  TRY(memory_copy_text(&copy, text));
  const Status status = add_sweep(ask, copy);
  MEMORY_FREE(copy);
  return status;
}

static Status take_member(SteerAsk *ask, const Settings *settings, const char *key,
                          const json_t *value, const char *place) {
  if (strcmp(key, "prompt") == 0 && json_is_string(value)) {
    MEMORY_FREE(ask->prompt);
    return memory_copy_text(&ask->prompt, json_string_value(value));
  }
  if (strcmp(key, "clamp") == 0 && json_is_string(value)) {
    return steer_ask_clamps(ask, settings, json_string_value(value));
  }
  if (strcmp(key, "sweep") == 0 && json_is_string(value)) {
    return steer_ask_sweep(ask, json_string_value(value));
  }
  if (strcmp(key, "tokens") == 0 && json_is_integer(value) && json_integer_value(value) > 0 &&
      json_integer_value(value) <= STEER_TOKENS) {
    ask->tokens = json_integer_value(value);
    return OK;
  }
  if (strcmp(key, "from") == 0 && json_is_integer(value) && json_integer_value(value) >= 0 &&
      json_integer_value(value) <= STEER_TOKENS) {
    ask->from = json_integer_value(value);
    return OK;
  }
  if (strcmp(key, "seed") == 0 && json_is_integer(value)) {
    ask->seed = json_integer_value(value);
    return OK;
  }
  if (strcmp(key, "temperature") == 0 && json_is_number(value) && json_number_value(value) >= 0) {
    ask->temperature = json_number_value(value);
    return OK;
  }
  if (strcmp(key, "random") == 0 && json_is_boolean(value)) {
    ask->is_random = json_is_true(value);
    return OK;
  }
  return RAISE(ERR_FORMAT,
               "%s: \"%s\" is no key of a batch, or has a value of the wrong kind or size", place,
               key);
}

static Status take_object(SteerAsk *ask, const Settings *settings, json_t *object,
                          const char *place) {
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    TRY(take_member(ask, settings, key, value, place));
  }
  if (ask->prompt == NULL) {
    return RAISE(ERR_FORMAT, "%s: there is no \"prompt\"", place);
  }
  return ask->clamp_count > 0 ? OK : RAISE(ERR_FORMAT, "%s: there is no \"clamp\"", place);
}

Status steer_ask_line(SteerAsk *ask, const Settings *settings, const char *line,
                      const char *place) {
  json_error_t error;
  json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
  if (!json_is_object(object)) {
    json_decref(object);
    return RAISE(ERR_FORMAT, "%s: %s", place,
                 object == NULL ? error.text : "expected a JSON object");
  }
  const Status status = take_object(ask, settings, object, place);
  json_decref(object);
  return status;
}
