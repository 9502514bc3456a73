#ifndef STEER_RUN_H
#define STEER_RUN_H

#include "generate.h"
#include "steer.h"
#include "steer_ask.h"
#include "workbench.h"

/** Generating with and without clamps. Every rank runs the same texts; rank 0 picks the tokens. */

/** A continuation, and what it is worth to the model as it is and to the clamped one: mean loss of its tokens, nats. */
typedef struct SteerText {
  double times; /* of all clamps; nan: as the clamps say */
  int32_t *ids; /* [count] tokens behind the prompt */
  int64_t count;
  double loss_plain, loss_clamped;
  double plain_clamped; /* loss of the plain text to the clamped model */
} SteerText;

typedef struct SteerAnswer {
  SteerText plain;  /* of the model as it is */
  SteerText *texts; /* [count] one for each value of the sweep */
  int64_t count;
} SteerAnswer;

typedef struct SteerSession {
  Workbench bench;
  WorkbenchDictionary *dictionaries; /* [of run.yaml]; those asked for are loaded */
  Generation *generation;
  TransformerScratch *scratch; /* for whole texts */
  float *residual;             /* [positions, width] */
  float *logits;               /* [LOSS_LOGITS] */
  double *loss;                /* [positions] */
  int64_t positions;           /* of the longest text */
  float *directions;           /* [STEER_CLAMPS, width] */
  SteerClamp clamps[STEER_CLAMPS];
  int64_t wish[STEER_CLAMPS]; /* of the ask in hand: which one each clamp is of */
  Steer steer;
} SteerSession;

/** Load the model for texts of `positions` tokens.
 *  ranks   collective; steer_session_close() is safe after a failure and on a zeroed struct
 *  session in/out  its bench is open */
Status steer_session_load(SteerSession *session, int64_t positions) MUST_USE;
void steer_session_close(SteerSession *session);
/** Load a dictionary, if it is not there yet.
 *  ranks   collective */
Status steer_session_dictionary(SteerSession *session, int64_t index) MUST_USE;

/** Plain and clamped continuations of a prompt.
 *  ranks   collective
 *  ids     in      [count] tokens of the prompt, `front` of them in front of the text
 *  maximum in      [clamps] strongest activation of each clamped feature
 *  fails   ERR_DATA (longer than the model's contexts), ERR_MEMORY */
Status steer_answer(SteerSession *session, const SteerAsk *ask, const int32_t *ids, int64_t count,
                    int64_t front, const float *maximum, SteerAnswer *out) MUST_USE;
void steer_answer_clear(SteerAnswer *answer);

#endif
