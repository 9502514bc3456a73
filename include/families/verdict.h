#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "directions.h"
#include "evidence.h"
#include "status.h"

/** What becomes of a feature: its status as a child of a smaller dictionary, its status as a parent
 *  of a larger one. The codes stand in families.h5: append, never renumber. A `?` means evidence
 *  `open`. */
#define VERDICT_CHILD_LIST(X)         \
  X(CHILD_NONE, "")                   \
  X(CHILD_DEAD, "dead")               \
  X(CHILD_UNSEEN, "unseen")           \
  X(CHILD_KEPT, "kept")               \
  X(CHILD_KEPT_OPEN, "kept?")         \
  X(CHILD_ABSORBED, "absorbed")       \
  X(CHILD_COMPOSED, "composed")       \
  X(CHILD_COMPOSED_OPEN, "composed?") \
  X(CHILD_AMBIGUOUS, "ambiguous")     \
  X(CHILD_SPLIT, "split")             \
  X(CHILD_SPLIT_OPEN, "split?")       \
  X(CHILD_RELATED, "related")         \
  X(CHILD_RELATED_OPEN, "related?")   \
  X(CHILD_NOVEL, "novel")             \
  X(CHILD_UNMATCHED, "unmatched")

#define VERDICT_PARENT_LIST(X)               \
  X(PARENT_NONE, "")                         \
  X(PARENT_DEAD, "dead")                     \
  X(PARENT_UNSEEN, "unseen")                 \
  X(PARENT_PERSISTS, "persists")             \
  X(PARENT_SPLIT_PERSISTS, "split+persists") \
  X(PARENT_SPLIT_K, "split_k")               \
  X(PARENT_REFINED, "refined")               \
  X(PARENT_LINKED, "linked")                 \
  X(PARENT_LOST, "lost")

/** Flags are bits; the name of bit i stands at place i. */
#define VERDICT_FLAG_LIST(X)           \
  X(FLAG_LOW_TC, "low_tc")             \
  X(FLAG_DENSE, "dense")               \
  X(FLAG_HUB, "hub")                   \
  X(FLAG_SKIP, "skip")                 \
  X(FLAG_DUPLICATE, "duplicate")       \
  X(FLAG_UNREPLICATED, "unreplicated") \
  X(FLAG_HOLES, "holes")

#define VERDICT_ENUM(name, text) name,
typedef enum ChildStatus { VERDICT_CHILD_LIST(VERDICT_ENUM) CHILD_STATUSES } ChildStatus;
typedef enum ParentStatus { VERDICT_PARENT_LIST(VERDICT_ENUM) PARENT_STATUSES } ParentStatus;
typedef enum VerdictFlag { VERDICT_FLAG_LIST(VERDICT_ENUM) VERDICT_FLAGS } VerdictFlag;
#undef VERDICT_ENUM

/** The names above; the bit of a flag.
 *  ranks   local */
const char *verdict_child_name(ChildStatus status);
const char *verdict_parent_name(ParentStatus status);
const char *verdict_flag_name(VerdictFlag flag);
uint8_t verdict_bit(VerdictFlag flag);
/** Has a child of this status an edge in the forest? Is it kept, or split (with or without `?`)?
 *  ranks   local */
bool verdict_in_forest(ChildStatus status);
bool verdict_is_kept(ChildStatus status);
bool verdict_is_split(ChildStatus status);
bool verdict_is_open(ChildStatus status);

/** The cuts that no key changes. */
#define VERDICT_ENCODER_KEPT 0.7
#define VERDICT_ENCODER_SPLIT 0.3
#define VERDICT_RELATED_P 0.25
#define VERDICT_DENSE 0.1

typedef struct VerdictRules {
  double link;   /* tau_link, already raised to the null */
  double strong; /* tau_strong */
  double margin; /* margin_min */
  EvidenceRules evidence;
} VerdictRules;

/** tau_link: `least`, or the null's 99.9 % rounded up to 0.001 if that is more.
 *  ranks   local */
double verdict_link(double least, double null_999);

/** One candidate parent of a child, in descending cosine. */
typedef struct VerdictCandidate {
  uint32_t parent;
  float cosine, cosine_centred, encoder_cosine;
  EvidenceShare narrow, wide;
  EvidenceVerdict evidence;
} VerdictCandidate;

/** The status of one child, and its parent pi(c) as an index into the candidates (-1: none).
 *  ranks   local
 *  count   in      candidates, best first; may be 0
 *  mutual  in      is the child the best child of candidate 0? */
ChildStatus verdict_child(const VerdictCandidate *candidates, int64_t count, DirectionState state,
                          bool mutual, const VerdictRules *rules, int64_t *chosen);

/** ranks   local
 *  kept, split   in  forest children, with or without `?`
 *  is_linked     in  has it an edge of the DAG from any larger level? */
ParentStatus verdict_parent(DirectionState state, int64_t kept, int64_t split, bool is_linked);

/** The children of one pair of dictionaries that this rank owns: columns of families.h5. */
typedef struct VerdictTable {
  int64_t count; /* own children; every column has as many items */
  uint8_t *status, *flags, *evidence;
  uint32_t *parent, *first_parent;                 /* pi(c), p1(c); LOOKUP_NONE: none */
  float *cosine, *cosine_centred, *encoder_cosine; /* of pi(c), nan: none */
  int64_t *both, *documents;
  float *p, *p_low, *p_high, *p_wide, *p_child, *lift; /* nan: insufficient evidence */
  int64_t *edge_start;                                 /* [count + 1] */
  int64_t edges;                                       /* of the DAG, in all own children */
  uint32_t *edge_parent;                               /* [edges] */
  float *edge_cosine, *edge_p;
} VerdictTable;

/** What the verdicts of a pair rest on, for the own children. */
typedef struct VerdictInput {
  const Evidence *evidence;                              /* holds the candidates */
  const float *cosine, *cosine_centred, *encoder_cosine; /* [own, candidates] */
  const int64_t *parent_narrow, *parent_wide; /* [own, candidates] of evidence_of_parents() */
  const uint8_t *state;                       /* [own] DirectionState */
  const uint32_t *best_child;                 /* [own] the best child of p1(c) */
  int64_t first;                              /* id of the first own child */
} VerdictInput;

/** Fill a table. Sets the flag `dense`; the others need other pairs.
 *  ranks   local
 *  fails   ERR_MEMORY; verdict_clear() is safe after it */
Status verdict_table(VerdictTable *table, const VerdictInput *input,
                     const VerdictRules *rules) MUST_USE;
/** ranks local; safe on a zeroed struct */
void verdict_clear(VerdictTable *table);

#endif
