#ifndef STEER_ASK_H
#define STEER_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "settings.h"
#include "status.h"

/** What is asked of cleave-steer: by flags, or a line of a batch. */

enum { STEER_CLAMPS = 64, STEER_SWEEP = 32, STEER_TOKENS = 100000 };

/** One feature, held at `times` its strongest activation. */
typedef struct SteerWish {
  int64_t dictionary; /* in run.yaml */
  int64_t latent;
  double times; /* nan: "now", as it is */
} SteerWish;

typedef struct SteerAsk {
  char *prompt;
  SteerWish clamps[STEER_CLAMPS];
  int64_t clamp_count;
  double sweep[STEER_SWEEP]; /* `times` of all clamps, one text each; none: as the clamps say */
  int64_t sweep_count;
  int64_t tokens;     /* to generate, at most STEER_TOKENS */
  double temperature; /* 0: the likeliest token */
  int64_t seed;       /* of drawn tokens and of random directions */
  int64_t from;       /* first token of the prompt that is clamped, from 0 */
  bool is_random;     /* random directions of the same length instead: a control */
} SteerAsk;

/** The defaults: 40 tokens, the likeliest, from the start.
 *  ranks   local */
SteerAsk steer_ask_default(const Settings *settings);
void steer_ask_clear(SteerAsk *ask);

/** "8k/312=5,8k/77=-2,1k/3=now" -> ask->clamps; "0,2,5,10" -> ask->sweep.
 *  ranks   local
 *  fails   ERR_USAGE (names the part that is wrong) */
Status steer_ask_clamps(SteerAsk *ask, const Settings *settings, const char *text) MUST_USE;
Status steer_ask_sweep(SteerAsk *ask, const char *text) MUST_USE;

/** A line of a batch: a JSON object with `prompt` and `clamp`, and where wanted `sweep`, `tokens`, `temperature`,
 *  `seed`, `from`, `random`; what it does not say is as in `ask`.
 *  ranks   local
 *  place   in      "batch.jsonl:3", for messages
 *  fails   ERR_FORMAT, ERR_USAGE, ERR_MEMORY */
Status steer_ask_line(SteerAsk *ask, const Settings *settings, const char *line,
                      const char *place) MUST_USE;

#endif
