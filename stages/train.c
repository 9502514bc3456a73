/* cleave-train: one sparse autoencoder for every dictionary of run.yaml, each partitioned over all
 * ranks. */
#include "clock.h"
#include "exchange.h"
#include "lowp.h"
#include "memory.h"
#include "train_group.h"

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
    TRY_ALL(&stage->team, training_check_ranks(stage, stage->team.size));
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
  TRY_ALL(&stage->team, training_check_keys(stage));
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
