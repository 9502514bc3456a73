#ifndef PHASES_H
#define PHASES_H

/** Where the time of training goes, on this rank. */
typedef enum Phase {
  PHASE_INPUT,    /* the batch: reading, shuffling, gathering */
  PHASE_ENCODER,  /* the encoder in 8 bits */
  PHASE_SELECT,   /* products, bounds, exact scores, who is selected */
  PHASE_SCORES,   /* dense architectures: products, activations, slopes */
  PHASE_DECODE,   /* reconstruction and loss */
  PHASE_AUXK,     /* dead latents */
  PHASE_GRADIENT, /* slopes, norms, agreement */
  PHASE_UPDATE,   /* Adam, norms */
  PHASE_SAVE,     /* checkpoints and log */
  PHASES
} Phase;

typedef struct PhaseTimes {
  double seconds[PHASES];
  double mark; /* clock_seconds() of the last lap */
} PhaseTimes;

/** Begin to count.  ranks local */
void phases_start(PhaseTimes *times);
/** What passed since the last lap belongs to `phase`.  ranks local */
void phases_lap(PhaseTimes *times, Phase phase);
/** "input".  ranks local */
const char *phases_name(Phase phase);

#endif
