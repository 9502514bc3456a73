#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

/** The keys of run.yaml: one struct and one table a section. The tables are in settings.c. */

enum { SETTINGS_LEVELS = 16 }; /* dictionaries that are no controls, at most */

typedef struct RunSettings { /* top level */
  char *folder;              /* the run's folder */
  int64_t seed;              /* of every random choice */
  int64_t threads;           /* a rank, 0: cores of the machine / ranks on it */
} RunSettings;

typedef struct HarvestSettings {
  char *model;                         /* GGUF file */
  int64_t layer;                       /* 0-based: the residual stream after it */
  ConfigTexts text;                    /* files and folders */
  char *text_field;                    /* of .jsonl lines */
  int64_t context;                     /* tokens */
  int64_t rows;                        /* stop after so many stored rows, 0: all text */
  double held_out;                     /* share of documents */
  int64_t storage;                     /* 0 bf16, 1 f32 */
  double norm_limit;                   /* rows above so many median norms are left out, 0: none */
  bool first_position, special_tokens; /* keep those rows too */
} HarvestSettings;

typedef struct DictionarySettings { /* an item of `dictionaries` */
  char *name;
  int64_t latents;
  int64_t seed;      /* 0: the run's seed */
  char *control_of;  /* "" for a level */
  double rate;       /* 0: train.rate */
  double passes;     /* 0: train.passes */
  char *source;      /* key `import`: a dictionary of another tool, "" to train one here */
  char *codes;       /* its sparse codes, made elsewhere; "" to encode here */
  double l0;         /* active latents a row that its maker states; 0: what the folder says */
  char *neuronpedia; /* MODEL/SOURCE there, "" for none */
} DictionarySettings;

typedef struct ImportSettings { /* rows from elsewhere instead of a harvest */
  char *activations;            /* .npy or .safetensors [rows, width]; "" for none */
  char *tokens, *documents;     /* [rows] each, may be "" */
  char *vocabulary;             /* GGUF file whose tokenizer names the tokens; "" for none */
  int64_t layer;
} ImportSettings;

typedef struct TrainSettings {
  int64_t architecture;     /* index of ARCHITECTURES */
  int64_t k;                /* active latents a row */
  int64_t prefixes;         /* nested parts of matryoshka */
  double sparsity;          /* weight of the sparsity loss, 0: the architecture's own */
  double sparsity_warmup;   /* share of the steps, below 0: the architecture's own */
  int64_t sparsity_loss;    /* 0 tanh, 1 step */
  double bandwidth;         /* of the kernel around thresholds */
  double revival;           /* weight of the loss for dead latents with thresholds */
  int64_t replicas;         /* groups of ranks, each with a whole dictionary */
  int64_t batch;            /* rows a step */
  double passes;            /* over the training rows */
  double rate;              /* Adam step size, 0: 2e-4 / sqrt(latents / 2^14) */
  double warmup;            /* share of the steps */
  double decay;             /* share of the steps, at the end */
  double clip;              /* global gradient norm, 0: none */
  int64_t moments;          /* of rows: 0 f32, 1 bf16 */
  double aux_weight;        /* of AuxK, 0: none */
  int64_t dead_rows;        /* dead: not fired for so many rows ... */
  double dead_share;        /* ... or for this share of the run, the smaller */
  int64_t window;           /* rows shuffled together */
  bool together;            /* dictionaries of one seed on the same batches */
  double checkpoint;        /* minutes between checkpoints, 0: only on signals */
  int64_t checkpoint_steps; /* steps between checkpoints, 0: by time alone */
} TrainSettings;

typedef struct EncodeSettings {
  int64_t examples;  /* top examples a feature */
  int64_t intervals; /* of activation */
  int64_t per_interval;
} EncodeSettings;

typedef struct EvaluateSettings {
  int64_t tokens;   /* of held-out text */
  int64_t promoted; /* tokens kept a feature, most promoted and most suppressed */
} EvaluateSettings;

typedef struct CompareSettings {
  int64_t neighbours; /* best parents, children, self-neighbours kept a feature */
  int64_t draws;      /* null children a pair */
  int64_t span;       /* parents of the span fit, K of R2_K */
  bool self_largest;  /* neighbours inside the largest level too */
  int64_t panel;      /* children a rank compares at a time */
  double checkpoint;  /* minutes between checkpoints of an unfinished pair */
} CompareSettings;

typedef struct FamiliesSettings {
  double link;   /* tau_link = max(this, null 99.9 % rounded up to 0.001) */
  double strong; /* tau_strong */
  double margin; /* margin_min */
  double p_min;  /* lower bound of P(parent | child) for `yes` */
  double lift_min;
  int64_t firings_min; /* for any verdict but `open` */
  int64_t documents_min;
  double r2_min;     /* r2_cut = max(this, the null's 99.9 % of R2_4) */
  double duplicate;  /* cosine from which two features of one dictionary are one */
  int64_t suggested; /* activation candidates a child */
} FamiliesSettings;

typedef struct ReportSettings {
  char *title;
  char *labels;       /* labels.csv of the user's (dictionary, feature, label), "" for none */
  int64_t strips;     /* token strips a feature */
  int64_t strip_side; /* tokens on either side of the strongest */
  int64_t neighbours; /* nearest features of each dictionary */
} ReportSettings;

/** Everything that run.yaml says. */
typedef struct Settings {
  RunSettings run;
  HarvestSettings harvest;
  ImportSettings import;
  DictionarySettings *dictionaries; /* [count], as declared */
  int64_t count;
  TrainSettings train;
  EncodeSettings encode;
  EvaluateSettings evaluate;
  CompareSettings compare;
  FamiliesSettings families;
  ReportSettings report;
} Settings;

extern const ConfigSection SETTINGS_RUN, SETTINGS_HARVEST, SETTINGS_IMPORT, SETTINGS_DICTIONARY,
    SETTINGS_TRAIN, SETTINGS_ENCODE, SETTINGS_EVALUATE, SETTINGS_COMPARE, SETTINGS_FAMILIES,
    SETTINGS_REPORT;

/** Fill and check everything (also across sections: levels strictly increase, names are unique and
 * fit [A-Za-z0-9._-]+, control_of names a level of the same latents, rows from one
 * place, no keys of training for an import or the other way round). ranks local */
Status settings_fill(Settings *settings, const Config *config) MUST_USE;
void settings_clear(Settings *settings);
/** effective.yaml's text. */
Status settings_print(const Settings *settings, Text *out) MUST_USE;

/** Index of a dictionary by name, -1 for none. */
int64_t settings_find(const Settings *settings, const char *name);
/** Is dictionary `index` a level (not a control)? */
bool settings_is_level(const Settings *settings, int64_t index);

/** Who makes what.  ranks local
 *  settings_harvests    activations.h5 comes from harvest, not from section `import`
 *  settings_evaluates   cleave-evaluate has something to do: the model is known
 *  settings_is_trained  the dictionary is trained here, not imported
 *  settings_is_encoded  its codes are made here, not imported
 *  settings_has_work    the stage of this name has something to do
 *  settings_has_self    a dictionary of so many latents is compared with itself (compare.self_largest) */
bool settings_harvests(const Settings *settings);
bool settings_evaluates(const Settings *settings);
bool settings_is_trained(const Settings *settings, int64_t index);
bool settings_is_encoded(const Settings *settings, int64_t index);
bool settings_has_work(const Settings *settings, const char *stage);
bool settings_has_self(const Settings *settings, int64_t latents);

/** The comparisons to make, in a fixed order: every level with every smaller level; every control
 * with its twin and with every smaller level. child and parent are indices of dictionaries. pairs
 * out     [settings_pairs(settings, NULL)] */
typedef struct SettingsPair {
  int64_t child, parent;
} SettingsPair;
int64_t settings_pairs(const Settings *settings, SettingsPair *pairs);
/** Is the parent the next smaller level of a level? The forest's edges are of these pairs.  ranks local */
bool settings_is_next(const Settings *settings, const SettingsPair *pair);

/** The seed of a dictionary (its own, else the run's). */
int64_t settings_seed(const Settings *settings, int64_t index);

#endif
