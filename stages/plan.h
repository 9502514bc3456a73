#ifndef PLAN_H
#define PLAN_H

#include "archive.h"
#include "stage.h"
#include "transformer.h"

/** What each stage of a run takes on so many ranks, before anything is made: cleave-plan's table, and the sizes of
 *  Slurm's jobs. Where the memory is that of one object the code that would take it is asked (train); elsewhere a
 *  formula adds up what the stage holds at its worst moment. tests/stages/plan.sh compares both with what the stages
 *  say they took. */

/** What a machine does; 0: nobody measured it. Kept in FOLDER/rates.csv. */
typedef struct PlanRates {
  double dense;    /* float32 operations of products a second, of a core while all compute */
  double screened; /* operations of products in 8 bits, the same */
  double streamed; /* bytes of memory a second that a core walks through, the same */
  double worked;   /* steps of ordinary code, of which one is a comparison of a sort, the same */
  double written, read; /* bytes a second of the run's folder, of a node */
  double received;      /* bytes a second that a rank takes from another */
} PlanRates;

/** What is known of the rows. */
typedef struct PlanFacts {
  int64_t rows, width; /* of activations.h5 */
  int64_t row_bytes;   /* of one there */
  int64_t training;    /* rows that are not held out */
  int64_t tokens, documents, vocabulary;
  int64_t context;       /* 0: no model */
  TransformerSize part;  /* up to the layer; all zero without a model */
  TransformerSize whole; /* all layers and the output head; the same */
  const char *where;     /* for people: what rows and width were taken from */
  bool is_there;         /* activations.h5 */
} PlanFacts;

/** What the maker of an imported dictionary says of it. */
typedef struct PlanSource {
  double l0; /* active latents a row; 0: nobody says */
  bool is_topk;
} PlanSource;

/** What its codes tell, once they are there. All 0: they are not. */
typedef struct PlanFound {
  double l0, entries; /* of a row: active latents, and codes that are stored */
  double examples;    /* that report shows of a feature */
  double supported;   /* share of features that fire often enough for evidence */
} PlanFound;

/** Two dictionaries that are compared, and what that tells of a child, or what is usual where it was not done yet. */
typedef struct PlanPair {
  SettingsPair of;
  double edges, linked; /* a child's links, and the share of children that have any */
  bool is_known;
} PlanPair;

typedef struct Plan {
  Stage *stage;
  PlanFacts facts;
  PlanSource *sources; /* [dictionaries]; of those that are trained here nothing */
  PlanFound *found;    /* [dictionaries] */
  PlanPair *pairs;     /* [pair_count] in settings_pairs()' order */
  int64_t pair_count;
  PlanRates rates;
  int64_t ranks, nodes, threads; /* threads a rank */
} Plan;

/** What something takes. Bytes and operations are doubles: nobody needs their last digits. */
typedef struct PlanCost {
  double memory;   /* bytes of the rank that has most, beside the program and its libraries */
  double disk;     /* bytes that it leaves */
  double scratch;  /* bytes of temporary files at the worst moment */
  double dense;    /* float32 operations of products, all ranks together */
  double screened; /* operations of products in 8 bits, the same */
  double streamed; /* bytes of memory walked through, the same */
  double work;     /* steps of ordinary code, the same */
  double read;     /* bytes from disk, the same */
  double received; /* bytes that a rank takes from others */
} PlanCost;

/** A process with MPI, HDF5 and the BLAS, before it does anything: bytes. */
#define PLAN_PROGRAM 9e7

/** The stages of a run, in order. */
enum {
  PLAN_HARVEST,
  PLAN_IMPORT,
  PLAN_TRAIN,
  PLAN_ENCODE,
  PLAN_EVALUATE,
  PLAN_COMPARE,
  PLAN_FAMILIES,
  PLAN_REPORT,
  PLAN_STAGES
};
extern const char *const PLAN_NAMES[PLAN_STAGES];

/** What a whole run takes. */
typedef struct PlanCosts {
  PlanCost stage[PLAN_STAGES];
  PlanCost *train, *encode; /* [dictionaries] */
  int64_t *steps;           /* [dictionaries] of training; 0: imported */
} PlanCosts;

/** ranks   local
 *  fails   ERR_MEMORY; plan_costs_clear() is safe after it. fill: as the stages below */
Status plan_costs_take(PlanCosts *costs, int64_t dictionaries) MUST_USE;
Status plan_costs_fill(const Plan *plan, PlanCosts *costs) MUST_USE;
void plan_costs_clear(PlanCosts *costs);
/** Of a model that is not there nothing but its rows is known. Has a stage nothing to do? Bytes of a node, programs and
 *  all.  ranks local */
bool plan_is_unknown(const Plan *plan, int stage);
bool plan_is_nothing(const PlanCost *cost);
double plan_on_node(const Plan *plan, const PlanCost *cost);

/** Does every stage fit into nodes of `memory` bytes? How many nodes with as many ranks each would do; -1: no number.
 *  ranks   local
 *  fails   as plan_costs_fill() */
bool plan_does_fit(const Plan *plan, const PlanCosts *costs, double memory);
Status plan_find_nodes(const Plan *plan, double memory, int64_t *a_node, int64_t *nodes) MUST_USE;

/** For people: a line a stage, what does not fit, notes. For cleave submit: `stage,megabytes,seconds,lead`.
 *  ranks   local
 *  fails   ERR_MEMORY; as plan_find_nodes() */
Status plan_print_table(const Plan *plan, const PlanCosts *costs, double memory,
                        Text *out) MUST_USE;
Status plan_print_lines(const Plan *plan, const PlanCosts *costs, Text *out) MUST_USE;

/** One after the other: memory and scratch of the larger, the rest in all.  ranks local */
void plan_then(PlanCost *sum, const PlanCost *next);
/** Seconds on the plan's ranks; 0: no rates.  ranks local */
double plan_seconds(const Plan *plan, const PlanCost *cost);
/** Bytes of screening so many queries at once for their k best (screen.h).  ranks local */
double plan_screen(const Plan *plan, double queries, double k);
/** How many rows a hit walks through, from a dictionary that stays in the caches to one of 150 MB and more, of which
 *  little does: as measured on real dictionaries of 1,024 to 32,768 latents.  ranks local */
double plan_cached(double least, double most, double dictionary_bytes);
/** Are the rows' tokens known, so that there are words to show?  ranks local */
bool plan_has_text(const Plan *plan);
/** Latents of the rank that has most.  ranks local */
int64_t plan_share(const Plan *plan, int64_t latents);

/** Where rows, width and model come from: activations.h5, unless rows are given; or the model and the text, or flags.
 *  ranks   collective
 *  rows, width in  of the flags, 0: not given
 *  fails   ERR_DATA (nobody knows rows or width: says what to give); of the files that are there */
Status plan_facts(Plan *plan, int64_t rows, int64_t width) MUST_USE;

/** What the folders of imported dictionaries say, as far as they are there. The caller frees plan->sources.
 *  ranks   collective
 *  fails   as bundle_open() */
Status plan_sources_read(Plan *plan) MUST_USE;

/** What dictionaries are compared, and what the folder's codes and comparisons tell, as far as they are there and of
 *  these rows and latents. The caller frees plan->found and plan->pairs.
 *  ranks   collective
 *  fails   ERR_FORMAT, ERR_FILE, ERR_MEMORY */
Status plan_find(Plan *plan) MUST_USE;
/** A file of the run's folder, NULL where it is not there, or not whole.
 *  ranks   collective
 *  fails   as archive_open() */
Status plan_open(Plan *plan, const char *name, const char *schema, const char *maker,
                 Archive **out) MUST_USE;

/** The stages. A stage with nothing to do costs nothing.
 *  ranks   local
 *  index   in      dictionary
 *  fails   train alone: ERR_MEMORY, ERR_DATA */
PlanCost plan_harvest(const Plan *plan);
PlanCost plan_import(const Plan *plan);
Status plan_train(const Plan *plan, int64_t index, int64_t *steps, PlanCost *cost) MUST_USE;
PlanCost plan_encode(const Plan *plan, int64_t index);
PlanCost plan_evaluate(const Plan *plan);
PlanCost plan_compare(const Plan *plan);
PlanCost plan_families(const Plan *plan);
PlanCost plan_report(const Plan *plan);
/** Active latents a row of a dictionary: what its codes have, else k, what run.yaml or its maker states, or 100 where
 *  nobody knows; and codes that a row keeps: of topk the next k too.  ranks local */
double plan_l0(const Plan *plan, int64_t index);
double plan_entries(const Plan *plan, int64_t index);
/** What the page takes on disk. Examples that it shows of a feature that fires so often.
 *  ranks   local */
double plan_pages(const Plan *plan);
double plan_examples(const Settings *settings, double firings);
/** The share of a dictionary's features that fire often enough for evidence; of a pair's children that join the forest.
 *  ranks   local */
double plan_supported(const Plan *plan, int64_t index);
double plan_forest(const Plan *plan, const PlanPair *pair);
/** Writing the codes of a dictionary that are known already.  ranks local */
PlanCost plan_codes(const Plan *plan, int64_t index);

/** Measure this machine while all ranks compute, and keep the rates in FOLDER/rates.csv.
 *  ranks   collective
 *  fails   ERR_FILE, ERR_SPACE, ERR_MEMORY */
Status plan_rates_measure(Stage *stage, PlanRates *rates) MUST_USE;
/** What FOLDER/rates.csv says; all zero without it, or where it was made before all of these rates were known.
 *  ranks   local
 *  fails   ERR_FORMAT */
Status plan_rates_read(const Stage *stage, PlanRates *rates) MUST_USE;
/** What this machine does: kernels at the stages' shapes while all ranks and threads compute, the folder's disk by
 *  rank 0 alone, and the way to the next rank where there is one (received: else left as it is).
 *  ranks   collective
 *  fails   ERR_MEMORY, ERR_SPACE, ERR_FILE */
Status plan_measure(Stage *stage, PlanRates *rates) MUST_USE;

#endif
