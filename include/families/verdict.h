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

/** The names above by their codes, as files hold them; the bit of a flag.
 *  ranks   local */
const char *verdict_child_name(int status);
const char *verdict_parent_name(int status);
const char *verdict_flag_name(int flag);
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
#define VERDICT_COMPOSED_GAIN 0.2    /* R2_4 over the best parent's */
#define VERDICT_COMPOSED_WEIGHT 0.3  /* of both parents */
#define VERDICT_COMPOSED_COSINE 0.5  /* between the parents, below */
#define VERDICT_ABSORBED_P 0.15      /* P(kept sibling | child), at most */
#define VERDICT_ABSORBED_ENCODER 0.2 /* encoder cosine with it, below */
#define VERDICT_LIKE_CORRELATION 0.7 /* of the activations, with a feature of the twin */

typedef struct VerdictRules {
  double strong; /* tau_strong */
  double margin; /* margin_min */
  double r2_cut; /* already raised to the null */
  EvidenceRules evidence;
} VerdictRules;

/** tau_link, r2_cut: `least`, or the null's 99.9 % rounded up to 0.001 if that is more.
 *  ranks   local */
double verdict_cut(double least, double null_999);

/** One candidate parent of a child; it stands for its near duplicates. */
typedef struct VerdictCandidate {
  uint32_t parent;
  bool is_suggested; /* among the candidates by activation */
  float cosine, cosine_centred, encoder_cosine;
  EvidenceShare narrow, wide;
  EvidenceVerdict evidence;
} VerdictCandidate;

/** What is known of one child. */
typedef struct VerdictChild {
  DirectionState state;
  int64_t fired;
  const VerdictCandidate *candidates; /* [count] */
  int64_t near;                       /* those found by cosine come first, by descending cosine */
  int64_t count;                      /* with those found by activation alone */
  bool mutual;                        /* is it the best child of candidate 0? */
  /* span fit; nan: unknown */
  double r2;
  double weight;          /* of the second heaviest parent */
  double span_cosine;     /* of the two heaviest */
  int64_t span_parent[2]; /* the two, as candidates; -1: none */
} VerdictChild;

/** The status of one child at tau_link = `link`, and its parent pi(c) as
 *  an index into the candidates (-1: none). `absorbed` and `novel` need more than the pair: they come
 *  out as what else they would be, and as `unmatched`.
 *  ranks   local */
ChildStatus verdict_child(const VerdictChild *child, const VerdictRules *rules, double link,
                          int64_t *chosen);

/** The first candidate with evidence `yes` within the margin of the best, -1 for none: pi(c) of a child
 *  that may be absorbed is this one or none, whatever the link.
 *  ranks   local */
int64_t verdict_convinced(const VerdictChild *child, const VerdictRules *rules);
/** Is a kept sibling's hole filled by the child? For a child with pi(c) = verdict_convinced(), not kept,
 *  at or above the link, whose parent has a kept child.
 *  share   in      P(kept sibling | child), by rows where it fires
 *  encoder in      encoder cosine of the two
 *  ranks   local */
bool verdict_absorbs(const EvidenceShare *share, double encoder);
/** Would an unmatched child be novel if a twin has a like feature?
 *  ranks   local */
bool verdict_is_new(const VerdictChild *child, const VerdictRules *rules);

/** ranks   local
 *  kept, split   in  forest children, with or without `?`
 *  is_linked     in  has it an edge of the DAG from any larger level? */
ParentStatus verdict_parent(DirectionState state, int64_t kept, int64_t split, bool is_linked);

#endif
