#ifndef ATLAS_H
#define ATLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "shelf.h"
#include "status.h"
#include "team.h"
#include "text.h"

/** What a run's files say, feature by feature: one place to look things up for everything that is
 *  shown. Opening is collective, looking up is local. */

/** A dictionary as run.yaml declares it. */
typedef struct AtlasDeclared {
  const char *name;
  const char *control_of; /* "" for a level */
  int64_t latents;
  const char *neuronpedia; /* MODEL/SOURCE of its pages there; "" or NULL for none */
} AtlasDeclared;

/** Datasets of one dictionary: of codes/NAME.h5, evaluation/NAME.h5, neighbours.h5 and families.h5
 *  (levels only). */
typedef enum AtlasColumn {
  ATLAS_FEATURE_START,
  ATLAS_FEATURE_ROW,
  ATLAS_FEATURE_VALUE,
  ATLAS_FIRINGS,
  ATLAS_FIRINGS_HELD_OUT,
  ATLAS_SUM,
  ATLAS_MAXIMUM,
  ATLAS_DENSITY,
  ATLAS_TOP_ROW,
  ATLAS_LABEL_TOKEN,
  ATLAS_INTERVAL_ROW,
  ATLAS_PROMOTED_TOKEN,
  ATLAS_PROMOTED_EFFECT,
  ATLAS_SUPPRESSED_TOKEN,
  ATLAS_SUPPRESSED_EFFECT,
  ATLAS_STATE,
  ATLAS_SELF_ID,
  ATLAS_SELF_COSINE,
  ATLAS_PARENT_STATUS,
  ATLAS_IN_FOREST,
  ATLAS_ROOT_LEVEL,
  ATLAS_ROOT,
  ATLAS_FOREST_CHILDREN,
  ATLAS_OWN_FLAGS,
  ATLAS_COVERAGE,
  ATLAS_HOLE_SHARE,
  ATLAS_COLUMNS
} AtlasColumn;

/** Datasets of a compared pair; all but the first four by child. */
typedef enum AtlasPairColumn {
  ATLAS_BEST_PARENT,
  ATLAS_BEST_PARENT_COSINE,
  ATLAS_BEST_CHILD, /* by parent */
  ATLAS_BEST_CHILD_COSINE,
  ATLAS_STATUS,
  ATLAS_FLAGS,
  ATLAS_PARENT,
  ATLAS_COSINE,
  ATLAS_COSINE_CENTRED,
  ATLAS_COSINE_ENCODER,
  ATLAS_BOTH,
  ATLAS_DOCUMENTS,
  ATLAS_P,
  ATLAS_P_LOW,
  ATLAS_P_HIGH,
  ATLAS_P_WIDE,
  ATLAS_P_CHILD,
  ATLAS_LIFT,
  ATLAS_EVIDENCE,
  ATLAS_PAIR_COLUMNS
} AtlasPairColumn;

/** Datasets of activations.h5 that locate a row in its text. */
typedef enum AtlasTextColumn {
  ATLAS_ROW_DOCUMENT,
  ATLAS_ROW_POSITION,
  ATLAS_DOCUMENT_START,
  ATLAS_TOKEN,
  ATLAS_VOCABULARY_START,
  ATLAS_VOCABULARY_BYTE,
  ATLAS_TEXT_COLUMNS
} AtlasTextColumn;

enum { ATLAS_DEAD, ATLAS_UNSEEN, ATLAS_ALIVE }; /* states */
enum { ATLAS_LABEL_TOKENS = 5, ATLAS_LEVELS_MOST = 16, ATLAS_NO_TREE = 255 };

typedef struct AtlasDictionary {
  char *name, *control_of, *neuronpedia;
  int64_t latents;
  int level; /* 0: the smallest; -1: a control */
  Archive *codes;
  Archive *evaluation;           /* NULL when not there */
  char *training;                /* path of its training log, NULL when not there */
  Shelf *columns[ATLAS_COLUMNS]; /* NULL where the files have none */
} AtlasDictionary;

typedef struct AtlasPair {
  int child, parent; /* dictionaries */
  Shelf *columns[ATLAS_PAIR_COLUMNS];
} AtlasPair;

typedef struct Atlas {
  Team *team;
  Archive *activations, *neighbours, *families; /* the last two NULL when not there */
  Shelf *text[ATLAS_TEXT_COLUMNS];
  AtlasDictionary *dictionaries; /* [count], as declared */
  int count;
  int levels;                      /* dictionaries that are no controls */
  int of_level[ATLAS_LEVELS_MOST]; /* dictionary of each level */
  AtlasPair *pairs;                /* [pair_count] */
  int pair_count;
} Atlas;

/** What is known of one feature by itself. */
typedef struct AtlasFeature {
  int64_t firings, firings_held_out;
  double sum; /* of its activations */
  float maximum, density /* log10 */;
  int state;
  uint32_t label_token[ATLAS_LABEL_TOKENS];
  /* levels of a run with families.h5; else none of it */
  int parent_status;
  bool in_forest;
  int root_level; /* ATLAS_NO_TREE: in none */
  uint32_t root;
  int64_t forest_children;
  int flags;
  double coverage;   /* share of its activation where a forest child fires too; nan: no children */
  double hole_share; /* ... where an absorbed child fires */
} AtlasFeature;

/** What is known of one child and its parent pi(c) in a compared pair. */
typedef struct AtlasLink {
  int status, flags, evidence;
  uint32_t parent; /* SCHEMA_NO_ID: none */
  float cosine, cosine_centred, cosine_encoder;
  int64_t both, documents;
  float p, p_low, p_high, p_wide, p_child, lift;
} AtlasLink;

/** Open a run's files.
 *  ranks   collective
 *  folder  in      of the run
 *  whole   in      neighbours.h5 and families.h5 must be there too; else they are used if they are
 *  fails   ERR_MISSING (names the stage to run), ERR_FORMAT (also when a file does not fit the
 *          declared dictionaries), ERR_MEMORY */
Status atlas_open(Atlas *atlas, Team *team, const char *folder, const AtlasDeclared *declared,
                  int count, bool whole) MUST_USE;
/** ranks   collective */
void atlas_close(Atlas *atlas);

/** The dictionary of a name, -1 for none; the pair of two dictionaries, NULL for none.
 *  ranks   local */
int atlas_find(const Atlas *atlas, const char *name);
const AtlasPair *atlas_pair(const Atlas *atlas, int child, int parent);
/** The pair of a dictionary with the next smaller level (a control: with that of its twin), or
 *  NULL. */
const AtlasPair *atlas_pair_below(const Atlas *atlas, int dictionary);
/** The smallest and largest dictionary have no next one: -1. */
int atlas_next_smaller(const Atlas *atlas, int dictionary);

/** ranks   local
 *  needs   id in [0, latents) */
Status atlas_feature(const Atlas *atlas, int dictionary, int64_t id, AtlasFeature *out) MUST_USE;
/** tokens  out     [ATLAS_LABEL_TOKENS] as in AtlasFeature */
Status atlas_labels(const Atlas *atlas, int dictionary, int64_t id, uint32_t *tokens) MUST_USE;
Status atlas_link(const AtlasPair *pair, int64_t child, AtlasLink *out) MUST_USE;
/** How strong a feature's firings are: counts in equal intervals of (0, its maximum].
 *  ranks   local
 *  counts  out     [intervals] */
Status atlas_strengths(const Atlas *atlas, int dictionary, int64_t id, int64_t *counts,
                       int intervals) MUST_USE;
/** Tokens whose logits a feature's direction raises most (sign 1) or lowers most (-1), where the
 *  dictionary was evaluated.
 *  ranks   local
 *  token, effect  out  [most]
 *  found   out     how many there are, at most `most` */
Status atlas_promoted(const Atlas *atlas, int dictionary, int64_t id, int sign, int most,
                      uint32_t *token, float *effect, int *found) MUST_USE;
/** Append the bytes of a token of the model's vocabulary (U+FFFD for one outside it).
 *  ranks   local */
Status atlas_piece(const Atlas *atlas, uint32_t token, Text *out) MUST_USE;

#endif
