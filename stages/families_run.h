#ifndef FAMILIES_RUN_H
#define FAMILIES_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "forest.h"
#include "metrics.h"
#include "progress.h"
#include "stage.h"
#include "table.h"
#include "verdict.h"

/** What cleave-families knows while it runs; its parts are families_*.c. Each rank holds the columns of its own
 *  features (lookup_own) alone. */

enum {
  FAMILIES_NAME = 256,
  FAMILIES_LABEL = 5,     /* tokens of a label */
  FAMILIES_DOCUMENT = 128 /* without document numbers runs of so many rows count as documents */
};

/** Said before any family is counted . */
#define FAMILIES_SHARE_30 0.70
#define FAMILIES_ABOVE_NULL 0.04

typedef struct FamiliesDictionary {
  const DictionarySettings *settings;
  int64_t latents;
  Shard own;
  int64_t level; /* 0: the smallest; -1: a control */
  int64_t twin;  /* a control's: index of the dictionary it is a twin of; else -1 */
  int64_t below; /* index of the next smaller level's dictionary, -1 at the smallest */
  Archive *codes;
  uint8_t *state;                            /* [own] DirectionState */
  int64_t *firings;                          /* [own] */
  double *sum;                               /* [own] of activations */
  double share_30, median_best, null_median; /* nan: nobody could tell */
  bool is_too_little, is_undertrained;
  /* of levels */
  uint8_t *flags, *parent_status;       /* [own] */
  ForestRoot *roots;                    /* [own] */
  ForestChildren children;              /* of the next larger level; empty at the largest */
  int64_t *in_degree, *forest_children; /* [own] */
  int64_t *commonest;             /* [own] firings on the most frequent token; NULL: no tokens */
  double *coverage;               /* [own] */
  int64_t count[PARENT_STATUSES]; /* of the whole dictionary */
} FamiliesDictionary;

typedef struct FamiliesPair {
  FamiliesDictionary *child, *parent;
  char group[FAMILIES_NAME]; /* "/pair/8k/1k" */
  double null_median, null_999, median_best;
  VerdictRules rules;
  VerdictTable table;
  /* of the whole pair */
  int64_t count[CHILD_STATUSES];
  int64_t children, alive, linked, merged, skipped, edges, forest_edges;
  int64_t enough; /* linked children with enough evidence */
  double mean_p, mean_lift, mean_p_all;
  bool has_chain; /* the child has a second smaller level */
  double tc_1, tc_5;
} FamiliesPair;

typedef struct FamiliesReplication {
  const FamiliesDictionary *twin, *level, *parent;
  char name[FAMILIES_NAME]; /* dataset */
  int64_t *children;        /* [own parents, 2] */
  MetricsReplication found;
} FamiliesReplication;

/** Sums over the features of each family and level. */
enum { FAMILY_SIZE, FAMILY_KEPT, FAMILY_SPLIT, FAMILY_OPEN, FAMILY_SUMS };

typedef struct FamiliesRun {
  Stage *stage;
  Team *team;
  Archive *activations, *neighbours;
  int64_t rows, documents;
  bool has_documents, has_tokens;
  FamiliesDictionary *dictionaries; /* [count] as declared */
  int64_t count;
  int64_t *of_level; /* [levels] index of the dictionary */
  int64_t levels;
  FamiliesPair *pairs; /* [pair_count] */
  int64_t pair_count;
  FamiliesReplication *replications; /* [replication_count] */
  int64_t replication_count;
  /* trees rooted in the smallest level: [own features of it], dead ones have none */
  int64_t *sums[FAMILY_SUMS]; /* [levels, own] */
  int64_t *leaf_firings, *leaf_commonest;
  uint8_t *replicated;
  int64_t families, family_offset; /* not dead, over all ranks; of the ranks below */
  Progress bar;
} FamiliesRun;

/** families_read.c. ranks: all collective. */
Status families_open(FamiliesRun *run, Stage *stage) MUST_USE;
void families_close(FamiliesRun *run);
Stamp families_stamp(const FamiliesRun *run);
Status families_read_features(FamiliesRun *run) MUST_USE;
/** The pair of two dictionaries (indices); there is one for a dictionary and each smaller level. ranks local */
FamiliesPair *families_pair(const FamiliesRun *run, int64_t child, int64_t parent);

/** families_pair.c: evidence and verdicts of every pair. ranks: collective */
Status families_judge_pairs(FamiliesRun *run) MUST_USE;

/** families_levels.c: what needs several pairs: flags, roots, parents, coverage, figures. ranks: collective */
Status families_link_levels(FamiliesRun *run) MUST_USE;

/** families_tokens.c: firings of each feature on its most frequent token. ranks: collective */
Status families_count_tokens(FamiliesRun *run) MUST_USE;

/** families_trees.c: the family table and replication. ranks: collective */
Status families_grow_trees(FamiliesRun *run) MUST_USE;
double families_purity(const FamiliesRun *run, int64_t own);

/** families_members.c: every family's features at the rank that owns its root. */
typedef struct FamiliesMember {
  uint32_t root, level, id, parent; /* LOOKUP_NONE: the root itself */
  uint32_t status, parent_status;
  float cosine, p;
  int64_t firings;
  uint32_t label[FAMILIES_LABEL]; /* tokens; LOOKUP_NONE: none */
} FamiliesMember;

typedef struct FamiliesMembers {
  const FamiliesRun *run;
  FamiliesMember *items; /* [count] by root, level, parent, id */
  int64_t count;
  int64_t *start;      /* [own roots + 1] */
  int64_t *vocabulary; /* [tokens + 1] first byte of each token */
  uint8_t *bytes;
  int64_t tokens;
} FamiliesMembers;

/** ranks collective */
Status families_members_open(FamiliesMembers *members, FamiliesRun *run) MUST_USE;
void families_members_close(FamiliesMembers *members);
/** The children of a member, next to each other. ranks local */
const FamiliesMember *families_children(const FamiliesMembers *members,
                                        const FamiliesMember *member, int64_t *count);
/** Append the label: its tokens as words. ranks local */
Status families_label(const FamiliesMembers *members, const FamiliesMember *member,
                      Text *out) MUST_USE;

/** families_tables.c: features.csv, families.csv, families.jsonl. ranks: all collective */
enum { FAMILIES_TABLES = 3 };
extern const char *const FAMILIES_TABLE[FAMILIES_TABLES]; /* names in the run's folder */
typedef struct FamiliesTables {
  Table table[FAMILIES_TABLES];
} FamiliesTables;
/** Write all but for the final names. */
Status families_tables_make(FamiliesTables *tables, FamiliesRun *run,
                            const FamiliesMembers *members) MUST_USE;
/** Give them their names. */
Status families_tables_publish(FamiliesTables *tables, FamiliesRun *run) MUST_USE;
/** After a failure; safe on zeroed and published tables. */
void families_tables_abandon(FamiliesTables *tables);
/** families_write.c: families.h5. ranks collective */
Status families_write(FamiliesRun *run, const char *path, const Stamp *stamp) MUST_USE;
/** families_words.c: stdout. ranks collective */
Status families_say(FamiliesRun *run, const FamiliesMembers *members) MUST_USE;

#endif
