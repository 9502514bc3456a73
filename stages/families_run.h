#ifndef FAMILIES_RUN_H
#define FAMILIES_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "forest.h"
#include "metrics.h"
#include "names.h"
#include "progress.h"
#include "stage.h"
#include "sweep.h"
#include "table.h"

/** What cleave-families knows while it runs; its parts are families_*.c. Each rank holds the columns of its own
 *  features (lookup_own) alone. */

enum {
  FAMILIES_NAME = 256,
  FAMILIES_LABEL = 5,    /* tokens of a label */
  FAMILIES_MATCHED = 16, /* other parents of the same frequency */
  FAMILIES_OCTAVES = 40  /* of firings */
};

/** Said before any family is counted . */
#define FAMILIES_SHARE_30 0.70
#define FAMILIES_ABOVE_NULL 0.04

/** Rows where a feature fires: active, and active or among the next k. */
typedef struct FamiliesFired {
  int64_t narrow, wide;
} FamiliesFired;

typedef struct FamiliesDictionary {
  const DictionarySettings *settings;
  int64_t latents, width;
  Shard own;
  int64_t level; /* 0: the smallest; -1: a control */
  int64_t twin;  /* a control's: index of the dictionary it is a twin of; else -1 */
  int64_t below; /* index of the next smaller level's dictionary, -1 at the smallest */
  Archive *codes, *file;
  char *architecture;
  double l0;
  uint8_t *state;                            /* [own] DirectionState */
  FamiliesFired *fired;                      /* [own] */
  double *sum, *sum_square;                  /* [own] of activations */
  uint32_t *representative;                  /* [own] of near duplicates */
  uint8_t *counts;                           /* [own] 1: neither dead nor a duplicate */
  int64_t duplicates;                        /* over all ranks */
  double share_30, median_best, null_median; /* nan: nobody could tell */
  bool is_too_little, is_undertrained;
  /* of levels */
  uint8_t *flags, *parent_status;       /* [own] */
  ForestRoot *roots;                    /* [own] */
  ForestChildren children;              /* of the next larger level; empty at the largest */
  int64_t *in_degree, *forest_children; /* [own] */
  float *best_link;              /* [own] largest cosine of a child of any larger level; -2: none */
  int64_t *commonest;            /* [own] firings on the most frequent token; NULL: no tokens */
  uint32_t *token;               /* [own] it; LOOKUP_NONE: never fires */
  double *coverage, *hole_share; /* [own] */
  double *rebuilt;               /* [own] rebuild.h; nan: no forest child, or a hub's */
  int64_t *hamming;              /* [own] rows; -1: no forest child */
  double *chain_jaccard;         /* [own] nan: no descendants; NULL: no chain ends here */
  SweepParents *sweep;           /* NULL at the largest */
  MetricsChildren spread;
  double children_expected; /* alive features of the next larger level / alive ones of this */
  int64_t holes;            /* parents with an absorbed child */
  double hole_mass;         /* share of the level's activation that lies in holes */
  double covered_mass;      /* ... that forest children cover */
  double rebuilt_whole;     /* dR of all parents with children together */
  double rebuilt_better;    /* share of these parents with dR > 0 */
  double mean_hamming;      /* rows a parent with children */
  double mass_in_families;  /* share of its activation in trees rooted in the smallest level */
  int64_t novel_groups;     /* trees rooted in novel or unmatched features with more than one */
} FamiliesDictionary;

typedef struct FamiliesNull {
  double median, median_low, median_high;
  double best_999, best_999_low, best_999_high;
  double r2_999, r2_999_low, r2_999_high;
  int64_t histogram[VERDICT_BINS]; /* of the best cosine */
} FamiliesNull;

typedef struct FamiliesPair {
  FamiliesDictionary *child, *parent;
  char group[FAMILIES_NAME]; /* "/pair/8k/1k" */
  FamiliesNull null;
  double median_best, link;
  VerdictRules rules;
  VerdictTable table;
  uint8_t *
      matched_rank; /* [own] of P(parent | child) among others of the same frequency: 1 best; 0: unknown */
  float *matched_p; /* [own] mean P of the others; nan */
  /* of the whole pair */
  SweepChildren *sweep;
  double null_hits[VERDICT_STEPS], false_share[VERDICT_STEPS]; /* links of null children; FDR */
  int64_t margin[VERDICT_BINS];
  int64_t octave[3][FAMILIES_OCTAVES]; /* alive, novel, unreplicated children by log2 of firings */
  int64_t skipped, edges, forest_edges, crowded;
  int64_t enough; /* linked children with enough evidence */
  double mean_p, mean_lift, mean_p_all, mean_p_child, mean_jaccard, mean_masked;
  double mean_matched_p, mean_matched_own,
      first_of_matched; /* of children with a rank: P of the others, own P;
                                                                share with rank 1 */
  bool has_chain;       /* the child has a second smaller level */
  double tc_1, tc_5, tc_chance, chain_jaccard;
} FamiliesPair;

typedef struct FamiliesReplication {
  const FamiliesDictionary *twin, *level, *parent;
  char name[FAMILIES_NAME]; /* dataset */
  int64_t *children;        /* [own parents, 2] */
  MetricsReplication found[VERDICT_CUTS];
  double steps[VERDICT_STEPS][4]; /* correlation, within, split again, split any */
  double level_rate, twin_rate;   /* share of the children that link */
} FamiliesReplication;

/** Sums over the features of each family and level. */
enum {
  FAMILY_SIZE,
  FAMILY_KEPT,
  FAMILY_SPLIT,
  FAMILY_ABSORBED,
  FAMILY_OPEN,
  FAMILY_ATTACHED, /* trees of ambiguous, composed and related features that point into the family */
  FAMILY_SUMS
};

typedef struct FamiliesRun {
  Stage *stage;
  Team *team;
  Archive *activations, *neighbours;
  int64_t rows, documents;
  int64_t document_rows; /* 0; n: nobody knew documents, runs of n rows stand for them */
  bool has_tokens;
  Text warnings;                    /* lines */
  FamiliesDictionary *dictionaries; /* [count] as declared */
  int64_t count;
  int64_t *of_level; /* [levels] index of the dictionary */
  int64_t levels;
  FamiliesPair *pairs; /* [pair_count] */
  int64_t pair_count;
  FamiliesReplication *replications; /* [replication_count] */
  int64_t replication_count;
  /* trees rooted in the smallest level: [own features of it], dead ones and duplicates have none */
  int64_t *sums[FAMILY_SUMS]; /* [levels, own] */
  int64_t *leaf_firings, *leaf_commonest;
  double *entropy; /* of the leaves' most frequent tokens, bits; nan: no tokens */
  uint8_t *replicated;
  int64_t families, family_offset; /* over all ranks; of the ranks below */
  Progress bar;
} FamiliesRun;

/** families_read.c. ranks: all collective. */
Status families_open(FamiliesRun *run, Stage *stage) MUST_USE;
void families_close(FamiliesRun *run);
Status families_stamp(FamiliesRun *run, Stamp *stamp) MUST_USE;
Status families_read_features(FamiliesRun *run) MUST_USE;
/** Rows where each feature of a dictionary fires, on every rank; dead ones as if they fired everywhere, so that their
 *  lift is nothing. out [latents]. ranks collective */
Status families_gather_fired(FamiliesRun *run, const FamiliesDictionary *one,
                             uint32_t *out) MUST_USE;
/** The pair of two dictionaries (indices), NULL if they were not compared; the index of a dictionary; the level
 *  with that number. ranks local */
FamiliesPair *families_pair(const FamiliesRun *run, int64_t child, int64_t parent);
int64_t families_index(const FamiliesRun *run, const FamiliesDictionary *one);
FamiliesDictionary *families_level(const FamiliesRun *run, int64_t level);
/** "/pair/8k/1k/NAME" into [FAMILIES_NAME + 32]; returned. ranks local */
const char *families_dataset(const FamiliesPair *pair, const char *column, char *name);

/** Are ids from neighbours.h5 (LOOKUP_NONE: none) features of a dictionary of so many latents?
 *  place, kind  in  for the message: "/pair/8k/1k", "parent"
 *  ranks local
 *  fails ERR_FORMAT */
Status families_check_ids(const char *place, const char *kind, const uint32_t *id, int64_t count,
                          int64_t latents) MUST_USE;

/** families_checks.c: what must be well, and what is only warned of, before anything is read. ranks collective */
Status families_check(FamiliesRun *run) MUST_USE;

/** families_duplicates.c: near duplicates of every dictionary. ranks collective */
Status families_find_duplicates(FamiliesRun *run) MUST_USE;

/** families_pair.c: evidence and verdicts of every pair. ranks: collective */
Status families_judge_pairs(FamiliesRun *run) MUST_USE;

/** families_absorb.c: which children fill a hole of a kept sibling. ranks: collective */
Status families_absorb(FamiliesRun *run, FamiliesPair *pair) MUST_USE;

/** families_twins.c: which new features a twin has too. ranks: collective */
Status families_match_twins(FamiliesRun *run) MUST_USE;

/** families_chain.c: transitive consistency. ranks: collective */
Status families_follow_chains(FamiliesRun *run) MUST_USE;

/** families_levels.c: what needs several pairs: flags, duplicates, roots, parents. ranks: collective */
Status families_link_levels(FamiliesRun *run) MUST_USE;

/** families_cover.c: how far forest children cover their parents; the holes. ranks: collective */
Status families_cover(FamiliesRun *run) MUST_USE;

/** families_tokens.c: firings of each feature on its most frequent token. ranks: collective */
Status families_count_tokens(FamiliesRun *run) MUST_USE;

/** families_trees.c: the family table. ranks: collective */
Status families_grow_trees(FamiliesRun *run) MUST_USE;
double families_purity(const FamiliesRun *run, int64_t own);

/** families_sweep.c: figures of pairs and levels, at every threshold; replication. ranks: collective */
Status families_count_all(FamiliesRun *run) MUST_USE;

/** families_members.c: every family's features at the rank that owns its root. */
typedef struct FamiliesMember {
  uint32_t root, level, id, parent; /* LOOKUP_NONE: the root itself */
  uint32_t status, parent_status;
  float cosine, p;
  int64_t firings;
  uint32_t token;                 /* most frequent; LOOKUP_NONE: unknown */
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
  Names *names; /* the user's labels */
} FamiliesMembers;

/** Sets run->entropy. ranks collective */
Status families_members_open(FamiliesMembers *members, FamiliesRun *run) MUST_USE;
void families_members_close(FamiliesMembers *members);
/** The children of a member, next to each other. ranks local */
const FamiliesMember *families_children(const FamiliesMembers *members,
                                        const FamiliesMember *member, int64_t *count);
/** Append the label: the user's, else its tokens as words. ranks local */
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
/** families_attributes.c: its attributes. ranks collective */
Status families_set_attributes(FamiliesRun *run, Archive *out, const Stamp *stamp) MUST_USE;
/** families_figures.c: its small datasets: counts at every threshold, histograms. ranks collective */
Status families_add_figures(FamiliesRun *run, Archive *out) MUST_USE;
Status families_write_figures(FamiliesRun *run, Archive *out) MUST_USE;
/** families_words.c: the figures, on rank 0's stdout. ranks local */
void families_say(const FamiliesRun *run);
/** families_top.c: the largest families of families.csv, as many as --top says. ranks collective */
Status families_say_top(FamiliesRun *run) MUST_USE;

#endif
