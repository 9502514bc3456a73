/* cleave-train: one sparse autoencoder for every dictionary of run.yaml, each partitioned over all
 * ranks. */
#include "clock.h"
#include "exchange.h"
#include "lowp.h"
#include "memory.h"
#include "train_group.h"

/* Keys that would do nothing are refused. */
static Status refuse_key(const Stage *stage, const char *key, bool is_used) {
  char place[CONFIG_PLACE];
  if (is_used || !config_is_given(stage->config, "train", 0, key)) {
    return OK;
  }
  return RAISE(ERR_CONFIG, "%s: architecture %s has no use for it",
               config_place(stage->config, "train", 0, key, place),
               training_architecture(stage)->name);
}

static Status check_k(const Stage *stage) {
  char place[CONFIG_PLACE];
  const Settings *settings = &stage->settings;
  for (int64_t i = 0; i < settings->count; i++) {
    const DictionarySettings *one = &settings->dictionaries[i];
    if (settings_is_trained(settings, i) && settings->train.k > one->latents) {
      return RAISE(ERR_CONFIG, "%s: k = %lld is more than the %lld latents of '%s'",
                   config_place(stage->config, "train", 0, "k", place),
                   (long long)settings->train.k, (long long)one->latents, one->name);
    }
  }
  return OK;
}

static Status check_replicas(const Stage *stage) {
  char place[CONFIG_PLACE];
  if (stage->settings.train.replicas == 1 || training_architecture(stage)->has_replicas) {
    return OK;
  }
  return RAISE(ERR_CONFIG, "%s: architecture %s has dense gradients, so its ranks are one group",
               config_place(stage->config, "train", 0, "replicas", place),
               training_architecture(stage)->name);
}

/* Of a run that trains: others may have any number of ranks. */
static Status check_groups(const Stage *stage, int64_t ranks) {
  char place[CONFIG_PLACE];
  const int64_t replicas = stage->settings.train.replicas;
  if (ranks % replicas == 0) {
    return OK;
  }
  return RAISE(ERR_CONFIG, "%s: %lld ranks are not %lld equal groups",
               config_place(stage->config, "train", 0, "replicas", place), (long long)ranks,
               (long long)replicas);
}

static Status check_keys(const Stage *stage) {
  const Architecture *a = training_architecture(stage);
  TRY(refuse_key(stage, "k", a->has_k));
  TRY(refuse_key(stage, "aux_weight", a->has_k));
  TRY(refuse_key(stage, "prefixes", a->has_prefixes));
  TRY(refuse_key(stage, "sparsity", a->has_sparsity));
  TRY(refuse_key(stage, "sparsity_warmup", a->has_sparsity));
  TRY(refuse_key(stage, "sparsity_loss", a->has_threshold_loss));
  TRY(refuse_key(stage, "bandwidth", a->has_threshold_loss));
  TRY(refuse_key(stage, "revival", a->has_threshold_loss));
  TRY(a->has_k ? check_k(stage) : OK);
  return check_replicas(stage);
}

/* The dictionaries that wait for training, as a group each or, of one seed, together. */
typedef struct Waiting {
  Training *items; /* [count] claimed */
  int64_t count;
} Waiting;

static Status claim_each(Stage *stage, TrainRows *rows, const char *path, Waiting *waiting) {
  const Settings *settings = &stage->settings;
  bool is_skipping = false;
  for (int64_t i = 0; i < settings->count; i++) {
    if (!settings_is_trained(settings, i)) {
      is_skipping = true;
      continue;
    }
    if (!stage_is_wanted(stage, i)) {
      continue;
    }
    if (rows->file == NULL) {
      TRY(train_rows_open(rows, &stage->team, path));
    }
    bool go = false;
    Training *next = &waiting->items[waiting->count++];
    TRY(training_claim(next, stage, rows, i, &go));
    if (!go) {
      training_close(next);
      waiting->count--;
    }
  }
  if (is_skipping) {
    stage_skip(stage, "dictionaries/", "imported ones are not trained");
  }
  return OK;
}

/* Move the first that waits, and those that go with it, into a group. */
static void fill_group(const Stage *stage, Waiting *waiting, TrainGroup *group) {
  const int64_t seed = waiting->items[0].seed;
  int64_t left = 0;
  for (int64_t i = 0; i < waiting->count; i++) {
    const bool is_in = i == 0 || (stage->settings.train.together && waiting->items[i].seed == seed);
    if (is_in) {
      group->members[group->count++] = waiting->items[i];
    } else {
      waiting->items[left++] = waiting->items[i];
    }
  }
  waiting->count = left;
}

static Status train_next(Stage *stage, Waiting *waiting) {
  TrainGroup group = {.stage = stage};
  TRY_NEW(&stage->team, &group.members, waiting->count, "dictionaries of a group");
  fill_group(stage, waiting, &group);
  stage->started = clock_seconds();
  stage->exchanged = exchange_bytes();
  const Status status = train_group_run(&group);
  train_group_close(&group);
  return status;
}

static Status train_each(Stage *stage, TrainRows *rows, Waiting *waiting, const char *path) {
  TRY_NEW(&stage->team, &waiting->items, stage->settings.count, "dictionaries to train");
  TRY(claim_each(stage, rows, path, waiting));
  if (waiting->count > 0) {
    TRY_ALL(&stage->team, check_groups(stage, stage->team.size));
    TRY(train_rows_find(rows, &stage->team));
  }
  while (waiting->count > 0) {
    TRY(train_next(stage, waiting));
  }
  return OK;
}

static Status run(Stage *stage) {
  TrainRows rows = {0};
  Waiting waiting = {0};
  char *path = NULL;
  const char *screen = NULL;
  lowp_open(&screen);
  TRY_ALL(&stage->team, stage_check_only(stage));
  TRY_ALL(&stage->team, check_keys(stage));
  TRY_OWN(&stage->team, &path, stage_path(stage, &path, "activations.h5"));
  const Status status = train_each(stage, &rows, &waiting, path);
  for (int64_t i = 0; i < waiting.count; i++) {
    training_close(&waiting.items[i]);
  }
  MEMORY_FREE(waiting.items);
  train_rows_close(&rows);
  MEMORY_FREE(path);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_TRAIN, NULL};
  static const StageFlag FLAGS[] = {{"--only", "NAME", "train this dictionary alone"},
                                    {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "train",
      .purpose = "sparse autoencoders of several sizes on the stored activations",
      .reads = "activations.h5",
      .writes = "dictionaries/*.h5, checkpoints/, training/*.csv",
      .next = "encode",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  stage_catch_signals(); /* first: a warning may come early */
  return stage_main(argc, argv, &SPEC);
}
