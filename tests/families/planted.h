#ifndef PLANTED_H
#define PLANTED_H

#include <stdint.h>

#include "verdict.h"

/** Dictionaries with a known truth (three levels and a twin of the middle one) and codes made by construction: rows
 *  draw features, ancestors fire along with probability 0.85 to 0.97, hubs on 30 % of the rows, documents of 100
 *  rows. Every rank makes the same. */

enum {
  PLANTED_WIDTH = 256,
  PLANTED_ROWS = 24000,
  PLANTED_DOCUMENT = 100, /* rows of a document */
  PLANTED_LEVELS = 3,
  PLANTED_TWIN = 3, /* index of the twin of level 1 */
  PLANTED_COUNT = 4
};

extern const int64_t PLANTED_LATENTS[PLANTED_COUNT];

/** What a feature was made as; decides its true status. */
typedef enum PlantedKind {
  PLANTED_FREE,       /* a direction of its own: unmatched */
  PLANTED_DEAD,       /* dead */
  PLANTED_UNSEEN,     /* has a parent's direction, never fires */
  PLANTED_HUB,        /* own direction, fires on 30 % of the rows: unmatched */
  PLANTED_KEPT,       /* cosine 0.9, fires with its parent */
  PLANTED_SPLIT,      /* cosine 0.6, fires with its parent */
  PLANTED_RARE_KEPT,  /* kept?: 20 firings */
  PLANTED_RARE_SPLIT, /* split?: cosine 0.75, 20 firings */
  PLANTED_NEAR,       /* related: cosine 0.55, fires without its parent */
  PLANTED_NEAR_OPEN, /* related?: cosine 0.55, the parent comes just after the k-th place half of the time */
  PLANTED_FAR,     /* related: cosine 0.2, fires with its parent */
  PLANTED_BETWEEN, /* ambiguous: between two near copies of one parent, fires with both */
  PLANTED_SKIP,    /* unmatched with flag skip: a child of the level below the next */
  PLANTED_COPY /* own direction; the next feature of its level is a near copy of it (cosine 0.9) */
} PlantedKind;

typedef struct PlantedDictionary {
  int64_t latents;
  float *rows;      /* [latents, width] unit rows; zero for dead features */
  uint8_t *kind;    /* [latents] PlantedKind */
  uint8_t *state;   /* [latents] DirectionState */
  uint32_t *parent; /* [latents] true parent in the next smaller level (a skip: in the one below) */
  uint8_t *status;  /* [latents] true ChildStatus relative to the next smaller level */
  /* codes */
  int64_t *start; /* [PLANTED_ROWS + 1] */
  uint32_t *id;
  float *value;
  uint8_t *active;
  int64_t entries, room;
} PlantedDictionary;

typedef struct Planted {
  PlantedDictionary dictionaries[PLANTED_COUNT]; /* levels, then the twin */
  int64_t *document;                             /* [PLANTED_ROWS] */
} Planted;

/** ranks   local */
Status planted_open(Planted *planted) MUST_USE;
void planted_close(Planted *planted);

/** The best parents of children [first, past) by cosine, naive loops.
 *  ids     out     [past - first, most] LOOKUP_NONE: none
 *  cosines out     the same shape
 *  ranks   local */
Status planted_neighbours(const PlantedDictionary *child, const PlantedDictionary *parent,
                          int64_t first, int64_t past, int64_t most, uint32_t *ids,
                          float *cosines) MUST_USE;

/** The true root of a feature of a level: follow true parents as long as the true status has an edge.
 *  ranks   local
 *  level   in/out  of the feature; of the root */
uint32_t planted_root(const Planted *planted, int64_t *level, uint32_t id);

#endif
