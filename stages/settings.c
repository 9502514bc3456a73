#include "settings.h"

#include <string.h>

#include "memory.h"

/* Columns: key, type, offset, default, least, most, unit, help, is_result. */
#define FIELD(type, name) offsetof(type, name)
#define SECTION(label, table, list) \
  { label, table, (int64_t)(sizeof(table) / sizeof((table)[0])), list }

static const ConfigRow RUN_ROWS[] = {
    {"folder", CONFIG_TEXT, FIELD(RunSettings, folder), NULL, 0, 0, "",
     "The run's folder: everything is read from and written to it.", false},
    {"seed", CONFIG_INTEGER, FIELD(RunSettings, seed), "1", 0, 1e15, "",
     "Seed of every random choice.", true},
    {"threads", CONFIG_INTEGER, FIELD(RunSettings, threads), "0", 0, 1024, "threads",
     "Threads a rank; 0: the machine's cores divided by its ranks, of those it is bound to. Never "
     "changes a result.",
     false},
};
const ConfigSection SETTINGS_RUN = SECTION("", RUN_ROWS, false);

static const ConfigRow HARVEST_ROWS[] = {
    {"model", CONFIG_TEXT, FIELD(HarvestSettings, model), "", 0, 0, "",
     "Language model, a GGUF file (architectures llama, gemma3).", false},
    {"layer", CONFIG_INTEGER, FIELD(HarvestSettings, layer), "0", 0, 10000, "",
     "The residual stream after this layer (0-based) is stored.", true},
    {"text", CONFIG_TEXTS, FIELD(HarvestSettings, text), "[]", 0, 0, "",
     "Text files, .jsonl files, either gzipped, and folders of them.", false},
    {"text_field", CONFIG_TEXT, FIELD(HarvestSettings, text_field), "text", 0, 0, "",
     "Field of a .jsonl line that holds the text.", true},
    {"context", CONFIG_INTEGER, FIELD(HarvestSettings, context), "128", 2, 1 << 20, "tokens",
     "Length of the contexts that the model sees.", true},
    {"rows", CONFIG_INTEGER, FIELD(HarvestSettings, rows), "0", 0, 4294967294.0, "rows",
     "Stop after so many stored rows; 0: use all text.", true},
    {"held_out", CONFIG_REAL, FIELD(HarvestSettings, held_out), "0.1", 0, 0.9, "share",
     "Share of the documents that training never sees.", true},
    {"storage", CONFIG_CHOICE, FIELD(HarvestSettings, storage), "bf16", 0, 0, "bf16|f32",
     "Number format of the stored rows.", true},
    {"norm_limit", CONFIG_REAL, FIELD(HarvestSettings, norm_limit), "8", 0, 1e9, "medians",
     "Rows above so many median norms (attention sinks) are left out; 0: none are.", true},
    {"first_position", CONFIG_FLAG, FIELD(HarvestSettings, first_position), "false", 0, 0, "",
     "Store the first position of each context too.", true},
    {"special_tokens", CONFIG_FLAG, FIELD(HarvestSettings, special_tokens), "false", 0, 0, "",
     "Store the rows of special tokens too.", true},
};
const ConfigSection SETTINGS_HARVEST = SECTION("harvest", HARVEST_ROWS, false);

static const ConfigRow IMPORT_ROWS[] = {
    {"activations", CONFIG_TEXT, FIELD(ImportSettings, activations), "", 0, 0, "",
     "Rows made elsewhere, [rows, width] in .npy or .safetensors; empty: harvest makes them.",
     false},
    {"tokens", CONFIG_TEXT, FIELD(ImportSettings, tokens), "", 0, 0, "",
     "Token ids of the rows, [rows] in .npy or .safetensors.", false},
    {"documents", CONFIG_TEXT, FIELD(ImportSettings, documents), "", 0, 0, "",
     "Document numbers of the rows, ascending, [rows] in .npy or .safetensors.", false},
    {"vocabulary", CONFIG_TEXT, FIELD(ImportSettings, vocabulary), "", 0, 0, "",
     "GGUF file whose tokenizer names the tokens.", false},
    {"layer", CONFIG_INTEGER, FIELD(ImportSettings, layer), "0", 0, 10000, "",
     "Layer after which the rows were taken, for the record.", true},
};
const ConfigSection SETTINGS_IMPORT = SECTION("import", IMPORT_ROWS, false);

static const ConfigRow DICTIONARY_ROWS[] = {
    {"name", CONFIG_TEXT, FIELD(DictionarySettings, name), NULL, 0, 0, "",
     "Its name; features are called NAME/number.", true},
    {"latents", CONFIG_INTEGER, FIELD(DictionarySettings, latents), NULL, 2, 4294967294.0,
     "latents", "Number of latents; the levels strictly increase.", true},
    {"seed", CONFIG_INTEGER, FIELD(DictionarySettings, seed), "0", 0, 1e15, "",
     "Seed of its start and data order; 0: the run's.", true},
    {"control_of", CONFIG_TEXT, FIELD(DictionarySettings, control_of), "", 0, 0, "",
     "Makes it a control (twin) of the level of this name: same latents, another seed.", true},
    {"rate", CONFIG_REAL, FIELD(DictionarySettings, rate), "0", 0, 10, "per step",
     "Learning rate; 0: train.rate.", true},
    {"passes", CONFIG_REAL, FIELD(DictionarySettings, passes), "0", 0, 1e6, "passes",
     "Passes over the training rows; 0: train.passes.", true},
    {"import", CONFIG_TEXT, FIELD(DictionarySettings, source), "", 0, 0, "",
     "Folder of a dictionary made elsewhere (SAELens, Gemma Scope 2, Gemma Scope, Llama Scope); "
     "empty: trained here.",
     false},
    {"codes", CONFIG_TEXT, FIELD(DictionarySettings, codes), "", 0, 0, "",
     "Its sparse codes of all rows, made elsewhere (CSR .npz, or .safetensors with row, feature, "
     "value); empty: encoded here.",
     false},
    {"l0", CONFIG_REAL, FIELD(DictionarySettings, l0), "0", 0, 1e6, "latents",
     "Active latents a row that its maker states; 0: what its folder says.", true},
    {"neuronpedia", CONFIG_TEXT, FIELD(DictionarySettings, neuronpedia), "", 0, 0, "",
     "What Neuronpedia calls it, e.g. gemma-3-270m/12-gemmascope-2-res-16k: the report links "
     "there.",
     false},
};
const ConfigSection SETTINGS_DICTIONARY = SECTION("dictionaries", DICTIONARY_ROWS, true);

static const ConfigRow TRAIN_ROWS[] = {
    {"architecture", CONFIG_CHOICE, FIELD(TrainSettings, architecture), "topk", 0, 0,
     "topk|batchtopk|matryoshka|jumprelu|relu", /* as ARCHITECTURES */
     "The kind of dictionary; jumprelu and relu form all scores and are several times slower.",
     true},
    {"k", CONFIG_INTEGER, FIELD(TrainSettings, k), "32", 1, 4096, "latents",
     "Active latents a row (batchtopk and matryoshka: on average).", true},
    {"prefixes", CONFIG_INTEGER, FIELD(TrainSettings, prefixes), "5", 1, 16, "parts",
     "matryoshka: nested parts that rebuild a row alone, each twice the size of the one before.",
     true},
    {"sparsity", CONFIG_REAL, FIELD(TrainSettings, sparsity), "0", 0, 1e9, "",
     "jumprelu, relu: weight of the sparsity loss; 0: 5, of relu that of Scaling Monosemanticity.",
     true},
    {"sparsity_warmup", CONFIG_REAL, FIELD(TrainSettings, sparsity_warmup), "-1", -1, 1, "share",
     "jumprelu, relu: share of the steps over which that weight rises; -1: 1 of jumprelu, 0.05 of "
     "relu.",
     true},
    {"sparsity_loss", CONFIG_CHOICE, FIELD(TrainSettings, sparsity_loss), "tanh", 0, 0, "tanh|step",
     "jumprelu: tanh of 4 times each activation, or 1 for each that fires.", true},
    {"bandwidth", CONFIG_REAL, FIELD(TrainSettings, bandwidth), "2", 1e-9, 1e6, "scores",
     "jumprelu: width of the window around a threshold in which scores move it.", true},
    {"revival", CONFIG_REAL, FIELD(TrainSettings, revival), "3e-6", 0, 1e6, "",
     "jumprelu: weight of the loss that draws dead latents up to their thresholds.", true},
    {"batch", CONFIG_INTEGER, FIELD(TrainSettings, batch), "512", 1, 1 << 24, "rows",
     "Rows a step.", true},
    {"passes", CONFIG_REAL, FIELD(TrainSettings, passes), "1", 1e-6, 1e6, "passes",
     "Passes over the training rows.", true},
    {"rate", CONFIG_REAL, FIELD(TrainSettings, rate), "0", 0, 10, "per step",
     "Adam's learning rate; 0: 2e-4 / sqrt(latents / 16384), for long runs.", true},
    {"warmup", CONFIG_REAL, FIELD(TrainSettings, warmup), "0.02", 0, 1, "share",
     "Share of the steps over which the rate rises.", true},
    {"decay", CONFIG_REAL, FIELD(TrainSettings, decay), "0.2", 0, 1, "share",
     "Share of the steps at the end over which the rate falls to 0.", true},
    {"clip", CONFIG_REAL, FIELD(TrainSettings, clip), "1", 0, 1e12, "",
     "Largest global gradient norm (loss: squared error summed over width, mean over rows); 0: "
     "any.",
     true},
    {"moments", CONFIG_CHOICE, FIELD(TrainSettings, moments), "f32", 0, 0, "f32|bf16",
     "Adam's moments of encoder and decoder rows; bf16, rounded at random, takes a third less "
     "memory.",
     true},
    {"aux_weight", CONFIG_REAL, FIELD(TrainSettings, aux_weight), "0.03125", 0, 1e6, "",
     "Weight of AuxK, the loss that revives dead latents; 0: none.", true},
    {"dead_rows", CONFIG_INTEGER, FIELD(TrainSettings, dead_rows), "10000000", 1, 1e15, "rows",
     "A latent that did not fire for so many rows counts as dead ...", true},
    {"dead_share", CONFIG_REAL, FIELD(TrainSettings, dead_share), "0.1", 1e-9, 1, "share",
     "... or for this share of the run, whichever is smaller.", true},
    {"window", CONFIG_INTEGER, FIELD(TrainSettings, window), "65536", 1, 1e9, "rows",
     "Rows shuffled together in memory (drawn from random places of the corpus).", true},
    {"replicas", CONFIG_INTEGER, FIELD(TrainSettings, replicas), "1", 1, 65536, "groups",
     "Groups of ranks: each holds a whole dictionary, in parts, and selects in its part of a "
     "batch.",
     false},
    {"together", CONFIG_FLAG, FIELD(TrainSettings, together), "false", 0, 0, "",
     "Train dictionaries of one seed in one pass on the same batches: the rows are read once, and "
     "all are in memory.",
     true},
    {"checkpoint", CONFIG_REAL, FIELD(TrainSettings, checkpoint), "10", 0, 1e6, "minutes",
     "Time between checkpoints; 0: only on SIGTERM and SIGUSR1.", false},
    {"checkpoint_steps", CONFIG_INTEGER, FIELD(TrainSettings, checkpoint_steps), "0", 0, 1e12,
     "steps", "Steps between checkpoints; 0: by time alone.", false},
};
const ConfigSection SETTINGS_TRAIN = SECTION("train", TRAIN_ROWS, false);

static const ConfigRow ENCODE_ROWS[] = {
    {"examples", CONFIG_INTEGER, FIELD(EncodeSettings, examples), "20", 1, 1000, "rows",
     "Strongest activations kept for each feature.", true},
    {"intervals", CONFIG_INTEGER, FIELD(EncodeSettings, intervals), "8", 1, 100, "intervals",
     "Equal intervals between 0 and the strongest activation, to draw examples from.", true},
    {"per_interval", CONFIG_INTEGER, FIELD(EncodeSettings, per_interval), "4", 1, 100, "rows",
     "Examples drawn from each interval.", true},
};
const ConfigSection SETTINGS_ENCODE = SECTION("encode", ENCODE_ROWS, false);

static const ConfigRow EVALUATE_ROWS[] = {
    {"tokens", CONFIG_INTEGER, FIELD(EvaluateSettings, tokens), "8192", 2, 1e12, "tokens",
     "Held-out text on which the stream is exchanged: about so much.", true},
    {"promoted", CONFIG_INTEGER, FIELD(EvaluateSettings, promoted), "10", 1, 1000, "tokens",
     "Tokens kept for each feature that it promotes most, and as many that it suppresses.", true},
};
const ConfigSection SETTINGS_EVALUATE = SECTION("evaluate", EVALUATE_ROWS, false);

static const ConfigRow COMPARE_ROWS[] = {
    {"neighbours", CONFIG_INTEGER, FIELD(CompareSettings, neighbours), "32", 1, 64, "features",
     "Best parents, best children and nearest own features kept for each feature.", true},
    {"draws", CONFIG_INTEGER, FIELD(CompareSettings, draws), "100000", 100, 1e9, "null children",
     "Random children of the same covariance, a pair, that make its null.", true},
    {"span", CONFIG_INTEGER, FIELD(CompareSettings, span), "4", 1, 8, "parents",
     "Parents of the span fit: how well so many together rebuild a child.", true},
    {"self_largest", CONFIG_FLAG, FIELD(CompareSettings, self_largest), "true", 0, 0, "",
     "Nearest features inside the largest level and its controls too: the longest comparison.",
     true},
    {"panel", CONFIG_INTEGER, FIELD(CompareSettings, panel), "65536", 1, 1e9, "features",
     "Children that a rank compares at a time: more need memory, fewer send parents more often. "
     "Never changes a result.",
     false},
    {"checkpoint", CONFIG_REAL, FIELD(CompareSettings, checkpoint), "5", 0, 1e6, "minutes",
     "Time between checkpoints inside a comparison; 0: only between comparisons.", false},
};
const ConfigSection SETTINGS_COMPARE = SECTION("compare", COMPARE_ROWS, false);

static const ConfigRow FAMILIES_ROWS[] = {
    {"link", CONFIG_REAL, FIELD(FamiliesSettings, link), "0.40", 0, 1, "cosine",
     "Least cosine of a link (raised to the null's 99.9 % where that is higher).", true},
    {"strong", CONFIG_REAL, FIELD(FamiliesSettings, strong), "0.70", 0, 1, "cosine",
     "Least cosine of `kept`, and of a split without enough evidence.", true},
    {"margin", CONFIG_REAL, FIELD(FamiliesSettings, margin), "0.05", 0, 1, "cosine",
     "Parents nearer to the best than this compete: evidence decides, or the child is ambiguous.",
     true},
    {"p_min", CONFIG_REAL, FIELD(FamiliesSettings, p_min), "0.5", 0, 1, "probability",
     "P(parent | child) that the interval's lower end must reach.", true},
    {"lift_min", CONFIG_REAL, FIELD(FamiliesSettings, lift_min), "3", 0, 1e9, "ratio",
     "Least P(parent | child) / P(parent).", true},
    {"firings_min", CONFIG_INTEGER, FIELD(FamiliesSettings, firings_min), "30", 1, 1e12, "rows",
     "Fewer firings of the child: insufficient evidence.", true},
    {"documents_min", CONFIG_INTEGER, FIELD(FamiliesSettings, documents_min), "10", 2, 1e12,
     "documents", "Fewer documents with the child: insufficient evidence.", true},
    {"r2_min", CONFIG_REAL, FIELD(FamiliesSettings, r2_min), "0.30", 0, 1, "share",
     "Least span fit of a composed child (raised to the null's 99.9 % where that is higher).",
     true},
    {"duplicate", CONFIG_REAL, FIELD(FamiliesSettings, duplicate), "0.98", 0, 1, "cosine",
     "Features of one dictionary at or above this count as one.", true},
    {"suggested", CONFIG_INTEGER, FIELD(FamiliesSettings, suggested), "8", 0, 64, "parents",
     "Candidate parents by activation alone, beside those by cosine.", true},
};
const ConfigSection SETTINGS_FAMILIES = SECTION("families", FAMILIES_ROWS, false);

static const ConfigRow REPORT_ROWS[] = {
    {"title", CONFIG_TEXT, FIELD(ReportSettings, title), "", 0, 0, "",
     "Title of the report; empty: the folder's name.", true},
    {"labels", CONFIG_TEXT, FIELD(ReportSettings, labels), "", 0, 0, "",
     "CSV file (dictionary, feature, label) that replaces automatic labels.", false},
    {"strips", CONFIG_INTEGER, FIELD(ReportSettings, strips), "8", 1, 1000, "strips",
     "Token strips shown for a feature.", true},
    {"strip_side", CONFIG_INTEGER, FIELD(ReportSettings, strip_side), "12", 1, 1000, "tokens",
     "Tokens shown on either side of the strongest one.", true},
    {"neighbours", CONFIG_INTEGER, FIELD(ReportSettings, neighbours), "16", 1, 64, "features",
     "Nearest features of each dictionary on a feature's map.", true},
};
const ConfigSection SETTINGS_REPORT = SECTION("report", REPORT_ROWS, false);

static const ConfigSection *const ALL[] = {
    &SETTINGS_RUN,    &SETTINGS_HARVEST,  &SETTINGS_IMPORT,  &SETTINGS_DICTIONARY, &SETTINGS_TRAIN,
    &SETTINGS_ENCODE, &SETTINGS_EVALUATE, &SETTINGS_COMPARE, &SETTINGS_FAMILIES,   &SETTINGS_REPORT,
};
enum { ALL_COUNT = sizeof(ALL) / sizeof(ALL[0]) };

/* The part of Settings that a section fills; NULL for the list of dictionaries. */
static void *values_of(Settings *settings, const ConfigSection *section) {
  if (section == &SETTINGS_RUN) {
    return &settings->run;
  }
  if (section == &SETTINGS_HARVEST) {
    return &settings->harvest;
  }
  if (section == &SETTINGS_IMPORT) {
    return &settings->import;
  }
  if (section == &SETTINGS_TRAIN) {
    return &settings->train;
  }
  if (section == &SETTINGS_ENCODE) {
    return &settings->encode;
  }
  if (section == &SETTINGS_EVALUATE) {
    return &settings->evaluate;
  }
  if (section == &SETTINGS_COMPARE) {
    return &settings->compare;
  }
  if (section == &SETTINGS_FAMILIES) {
    return &settings->families;
  }
  if (section == &SETTINGS_REPORT) {
    return &settings->report;
  }
  return NULL;
}

static Status fill_dictionaries(Settings *settings, const Config *config) {
  const int64_t count = config_items(config, "dictionaries");
  TRY(MEMORY_NEW(&settings->dictionaries, count, "the declared dictionaries"));
  for (int64_t i = 0; i < count; ++i) {
    settings->count = i + 1;
    TRY(config_fill(config, &SETTINGS_DICTIONARY, i, &settings->dictionaries[i]));
  }
  return OK;
}

static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/* Names become file names and parts of feature ids. */
static Status check_name(const Settings *settings, const Config *config, int64_t index) {
  char place[256];
  const char *name = settings->dictionaries[index].name;
  const size_t plain = strspn(name, PLAIN);
  config_place(config, "dictionaries", index, "name", place);
  if (name[0] == '\0' || name[0] == '.' || name[plain] != '\0' || strlen(name) > 64) {
    return RAISE(ERR_CONFIG, "%s: '%s' must be 1 to 64 of A-Z a-z 0-9 . _ - and not begin with .",
                 place, name);
  }
  if (settings_find(settings, name) != index) {
    return RAISE(ERR_CONFIG, "%s: '%s' is declared twice", place, name);
  }
  return OK;
}

/* It becomes part of a link. */
static Status check_neuronpedia(const Settings *settings, const Config *config, int64_t index) {
  char place[256];
  const char *name = settings->dictionaries[index].neuronpedia;
  const size_t model = strspn(name, PLAIN);
  const size_t set = name[model] == '/' ? strspn(name + model + 1, PLAIN) : 0;
  if (name[0] == '\0' || (model > 0 && set > 0 && name[model + 1 + set] == '\0')) {
    return OK;
  }
  return RAISE(ERR_CONFIG, "%s: '%s' is not MODEL/SOURCE",
               config_place(config, "dictionaries", index, "neuronpedia", place), name);
}

static Status check_control(const Settings *settings, const Config *config, int64_t index) {
  char place[256];
  const DictionarySettings *control = &settings->dictionaries[index];
  const int64_t twin = settings_find(settings, control->control_of);
  config_place(config, "dictionaries", index, "control_of", place);
  if (twin < 0 || !settings_is_level(settings, twin)) {
    return RAISE(ERR_CONFIG, "%s: '%s' is no declared level", place, control->control_of);
  }
  if (settings->dictionaries[twin].latents != control->latents) {
    return RAISE(ERR_CONFIG, "%s: a control has the latents of its level: %lld, not %lld", place,
                 (long long)settings->dictionaries[twin].latents, (long long)control->latents);
  }
  const bool are_trained =
      settings_is_trained(settings, twin) && settings_is_trained(settings, index);
  if (are_trained && settings_seed(settings, twin) == settings_seed(settings, index)) {
    return RAISE(ERR_CONFIG, "%s: give '%s' a seed other than that of '%s'", place, control->name,
                 control->control_of);
  }
  return OK;
}

static Status check_dictionaries(const Settings *settings, const Config *config) {
  char place[256];
  int64_t last = 0, levels = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    const DictionarySettings *one = &settings->dictionaries[i];
    TRY(check_name(settings, config, i));
    TRY(check_neuronpedia(settings, config, i));
    if (!settings_is_level(settings, i)) {
      TRY(check_control(settings, config, i));
      continue;
    }
    config_place(config, "dictionaries", i, "latents", place);
    if (one->latents <= last) {
      return RAISE(ERR_CONFIG, "%s: levels must strictly increase, but %lld follows %lld", place,
                   (long long)one->latents, (long long)last);
    }
    last = one->latents;
    if (++levels > SETTINGS_LEVELS) {
      return RAISE(ERR_CONFIG, "%s: at most %d levels (dictionaries that are no controls)", place,
                   SETTINGS_LEVELS);
    }
  }
  return OK;
}

static Status refuse_keys(const Config *config, int64_t index, const char *const *keys,
                          const char *why) {
  char place[256];
  for (; *keys != NULL; ++keys) {
    if (config_is_given(config, "dictionaries", index, *keys)) {
      return RAISE(ERR_CONFIG, "%s: %s", config_place(config, "dictionaries", index, *keys, place),
                   why);
    }
  }
  return OK;
}

static bool has_activations(const Settings *settings) {
  return settings_harvests(settings) || settings->import.activations[0] != '\0';
}

/* Keys that would do nothing are refused. */
static Status check_origin(const Settings *settings, const Config *config, int64_t index) {
  static const char *const TRAINING[] = {"rate", "passes", NULL};
  static const char *const IMPORTS[] = {"l0", "codes", NULL};
  const bool is_trained = settings_is_trained(settings, index);
  char place[256];
  TRY(is_trained
          ? refuse_keys(config, index, IMPORTS, "belongs to an imported dictionary (key import)")
          : refuse_keys(config, index, TRAINING, "belongs to a dictionary that is trained here"));
  if (!has_activations(settings) && settings_is_encoded(settings, index)) {
    return RAISE(
        ERR_CONFIG,
        "%s: there are no rows for '%s': give import.activations, or the dictionary's codes",
        config_place(config, "dictionaries", index, "name", place),
        settings->dictionaries[index].name);
  }
  return OK;
}

static Status check_origins(const Settings *settings, const Config *config) {
  char place[256];
  if (!settings_harvests(settings) && settings->harvest.text.count > 0) {
    return RAISE(ERR_CONFIG, "%s: the rows come from section import already: leave out one of them",
                 config_place(config, "harvest", 0, "text", place));
  }
  for (int64_t i = 0; i < settings->count; ++i) {
    TRY(check_origin(settings, config, i));
  }
  return OK;
}

Status settings_fill(Settings *settings, const Config *config) {
  ConfigSection sections[ALL_COUNT];
  for (int s = 0; s < ALL_COUNT; ++s) {
    sections[s] = *ALL[s];
  }
  TRY(config_check(config, sections, ALL_COUNT));
  for (int s = 0; s < ALL_COUNT; ++s) {
    if (!ALL[s]->is_list) {
      TRY(config_fill(config, ALL[s], 0, values_of(settings, ALL[s])));
    }
  }
  TRY(fill_dictionaries(settings, config));
  TRY(check_dictionaries(settings, config));
  return check_origins(settings, config);
}

void settings_clear(Settings *settings) {
  for (int s = 0; s < ALL_COUNT; ++s) {
    if (!ALL[s]->is_list) {
      config_clear(ALL[s], values_of(settings, ALL[s]));
    }
  }
  for (int64_t i = 0; i < settings->count; ++i) {
    config_clear(&SETTINGS_DICTIONARY, &settings->dictionaries[i]);
  }
  MEMORY_FREE(settings->dictionaries);
  settings->count = 0;
}

Status settings_print(const Settings *settings, Text *out) {
  Settings copy = *settings;
  for (int s = 0; s < ALL_COUNT; ++s) {
    if (!ALL[s]->is_list) {
      TRY(config_print(ALL[s], values_of(&copy, ALL[s]), out));
      continue;
    }
    TRY(text_printf(out, "%s:%s\n", ALL[s]->name, settings->count == 0 ? " []" : ""));
    for (int64_t i = 0; i < settings->count; ++i) {
      TRY(config_print(ALL[s], &settings->dictionaries[i], out));
    }
  }
  return OK;
}

int64_t settings_find(const Settings *settings, const char *name) {
  for (int64_t i = 0; i < settings->count; ++i) {
    if (settings->dictionaries[i].name != NULL &&
        strcmp(settings->dictionaries[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

bool settings_is_level(const Settings *settings, int64_t index) {
  return settings->dictionaries[index].control_of[0] == '\0';
}

bool settings_has_self(const Settings *settings, int64_t latents) {
  int64_t largest = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t others = settings->dictionaries[i].latents;
    largest = others > largest ? others : largest;
  }
  return settings->compare.self_largest || latents < largest;
}

bool settings_harvests(const Settings *settings) {
  const ImportSettings *import = &settings->import;
  return import->activations[0] == '\0' && import->tokens[0] == '\0' &&
         import->documents[0] == '\0';
}

bool settings_evaluates(const Settings *settings) {
  return settings_harvests(settings);
}

bool settings_is_trained(const Settings *settings, int64_t index) {
  return settings->dictionaries[index].source[0] == '\0';
}

bool settings_is_encoded(const Settings *settings, int64_t index) {
  return settings->dictionaries[index].codes[0] == '\0';
}

bool settings_has_work(const Settings *settings, const char *stage) {
  int64_t trained = 0;
  int64_t encoded = 0;
  for (int64_t i = 0; i < settings->count; ++i) {
    trained += settings_is_trained(settings, i);
    encoded += settings_is_encoded(settings, i);
  }
  if (strcmp(stage, "harvest") == 0) {
    return settings_harvests(settings);
  }
  if (strcmp(stage, "import") == 0) {
    return !settings_harvests(settings) || trained < settings->count;
  }
  if (strcmp(stage, "train") == 0) {
    return trained > 0 || settings->count == 0;
  }
  if (strcmp(stage, "evaluate") == 0) {
    return settings_evaluates(settings);
  }
  return strcmp(stage, "encode") != 0 || encoded > 0 || settings->count == 0;
}

/* Is `parent` something that `child` is compared with? */
static bool is_pair(const Settings *settings, int64_t child, int64_t parent) {
  const DictionarySettings *c = &settings->dictionaries[child];
  const DictionarySettings *p = &settings->dictionaries[parent];
  return settings_is_level(settings, parent) &&
         (p->latents < c->latents || strcmp(c->control_of, p->name) == 0);
}

int64_t settings_pairs(const Settings *settings, SettingsPair *pairs) {
  int64_t count = 0;
  for (int64_t child = 0; child < settings->count; ++child) {
    for (int64_t parent = 0; parent < settings->count; ++parent) {
      if (is_pair(settings, child, parent)) {
        if (pairs != NULL) {
          pairs[count] = (SettingsPair){child, parent};
        }
        ++count;
      }
    }
  }
  return count;
}

bool settings_is_next(const Settings *settings, const SettingsPair *pair) {
  const int64_t child = settings->dictionaries[pair->child].latents;
  const int64_t parent = settings->dictionaries[pair->parent].latents;
  bool is_next = settings_is_level(settings, pair->child) &&
                 settings_is_level(settings, pair->parent) && parent < child;
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t between = settings->dictionaries[i].latents;
    is_next = is_next && !(settings_is_level(settings, i) && parent < between && between < child);
  }
  return is_next;
}

int64_t settings_seed(const Settings *settings, int64_t index) {
  const int64_t own = settings->dictionaries[index].seed;
  return own != 0 ? own : settings->run.seed;
}
