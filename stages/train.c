/* cleave-train: one sparse autoencoder for every dictionary of run.yaml, each partitioned over all
 * ranks. */
#include "train.h"

#include <math.h>
#include <stdio.h>

#include "batches.h"
#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "lowp.h"
#include "memory.h"
#include "progress.h"
#include "stage.h"
#include "stamp.h"
#include "train_checkpoint.h"
#include "train_log.h"
#include "train_output.h"
#include "train_rows.h"
#include "train_times.h"

enum { REQUEST_NONE, REQUEST_SAVE, REQUEST_STOP };

/* One dictionary on its way. */
typedef struct Training {
  Stage *stage;
  Team *team;
  Mesh mesh;
  TrainRows *rows;
  const DictionarySettings *settings;
  int64_t seed;
  char *path, *folder; /* dictionaries/NAME.h5, checkpoints/NAME */
  char stamp[32];
  Batches *batches;
  Train *train;
  TrainLog log;
  float *batch; /* [batch, width] */
  double saved; /* clock_seconds() of the last checkpoint */
} Training;

static BatchesSpec batches_spec(const Training *t) {
  const TrainSettings *settings = &t->stage->settings.train;
  return (BatchesSpec){.rows = t->rows->rows,
                       .width = t->rows->width,
                       .batch = settings->batch,
                       .window = settings->window,
                       .passes = t->settings->passes > 0 ? t->settings->passes : settings->passes,
                       .scale = t->rows->scale,
                       .is_bf16 = t->rows->is_bf16,
                       .seed = t->seed,
                       .name = t->settings->name,
                       .read = train_rows_read,
                       .context = t->rows};
}

static double rate_of(const Training *t) {
  const double common = t->stage->settings.train.rate;
  if (t->settings->rate > 0) {
    return t->settings->rate;
  }
  return common > 0 ? common : 2e-4 / sqrt((double)t->settings->latents / 16384.0);
}

static const Architecture *architecture_of(const Stage *stage) {
  return ARCHITECTURES[stage->settings.train.architecture];
}

/* Keys that would do nothing are refused. */
static Status refuse_key(const Stage *stage, const char *key, bool is_used) {
  char place[CONFIG_PLACE];
  if (is_used || !config_is_given(stage->config, "train", 0, key)) {
    return OK;
  }
  return RAISE(ERR_CONFIG, "%s: architecture %s has no use for it",
               config_place(stage->config, "train", 0, key, place), architecture_of(stage)->name);
}

static Status check_replicas(const Stage *stage) {
  char place[CONFIG_PLACE];
  const int64_t replicas = stage->settings.train.replicas;
  config_place(stage->config, "train", 0, "replicas", place);
  if (replicas > 1 && !architecture_of(stage)->has_replicas) {
    return RAISE(ERR_CONFIG, "%s: architecture %s has dense gradients, so its ranks are one group",
                 place, architecture_of(stage)->name);
  }
  if (stage->team.size % replicas != 0) {
    return RAISE(ERR_CONFIG, "%s: %d ranks are not %lld equal groups", place, stage->team.size,
                 (long long)replicas);
  }
  return OK;
}

static Status check_keys(const Stage *stage) {
  const Architecture *a = architecture_of(stage);
  TRY(refuse_key(stage, "k", a->has_k));
  TRY(refuse_key(stage, "aux_weight", a->has_k));
  TRY(refuse_key(stage, "prefixes", a->has_prefixes));
  TRY(refuse_key(stage, "sparsity", a->has_sparsity));
  TRY(refuse_key(stage, "sparsity_warmup", a->has_sparsity));
  TRY(refuse_key(stage, "sparsity_loss", a->has_threshold_loss));
  TRY(refuse_key(stage, "bandwidth", a->has_threshold_loss));
  return check_replicas(stage);
}

static TrainSpec train_spec(const Training *t, int64_t steps) {
  const TrainSettings *settings = &t->stage->settings.train;
  const Architecture *architecture = architecture_of(t->stage);
  const double run = (double)steps * (double)settings->batch;
  const int64_t share = (int64_t)(settings->dead_share * run);
  const int64_t dead = share < settings->dead_rows ? share : settings->dead_rows;
  return (TrainSpec){
      .name = t->settings->name,
      .architecture = architecture,
      .latents = t->settings->latents,
      .width = t->rows->width,
      .k = settings->k,
      .prefixes = settings->prefixes,
      .batch = settings->batch,
      .steps = steps,
      .seed = t->seed,
      .rate = rate_of(t),
      .warmup = settings->warmup,
      .decay = settings->decay,
      .clip = settings->clip,
      .aux_weight = settings->aux_weight,
      .dead_rows = dead < 1 ? 1 : dead,
      .sparsity = settings->sparsity > 0 ? settings->sparsity : architecture->sparsity,
      .sparsity_warmup = settings->sparsity_warmup >= 0 ? settings->sparsity_warmup
                                                        : architecture->sparsity_warmup,
      .counts_active = settings->sparsity_loss == 1,
      .has_half_moments = settings->moments == 1,
      .bandwidth = settings->bandwidth};
}

static Status take(Training *t) {
  const BatchesSpec spec = batches_spec(t);
  if (spec.rows < spec.batch) {
    return RAISE(ERR_DATA, "train.batch = %lld, but %s has %lld training rows",
                 (long long)spec.batch, archive_path(t->rows->file), (long long)spec.rows);
  }
  TRY(batches_create(&t->batches, t->team, &spec));
  const TrainSpec train = train_spec(t, batches_steps(t->batches));
  TRY(train_create(&t->train, &t->mesh, &train));
  return MEMORY_NEW(&t->batch, spec.batch * spec.width, "rows of a batch");
}

static TrainCheckpoint checkpoint_of(const Training *t) {
  return (TrainCheckpoint){.folder = t->folder, .stamp = t->stamp};
}

static Status open_training(Training *t) {
  const TrainCheckpoint checkpoint = checkpoint_of(t);
  int64_t bytes;
  bool found;
  mesh_open(&t->mesh, t->team, (int)t->stage->settings.train.replicas);
  TRY_ALL(t->team, take(t));
  TRY(train_checkpoint_load(&checkpoint, t->team, t->train, t->stage->force, &found, &bytes));
  if (!found) {
    train_start(t->train, t->rows->mean);
  }
  TRY_OWN(t->team, &t->log.path,
          stage_path(t->stage, &t->log.path, "training/%s.csv", t->settings->name));
  t->saved = clock_seconds();
  return train_log_open(&t->log, t->team, bytes);
}

static int request_of(const Training *t) {
  const double minutes = t->stage->settings.train.checkpoint;
  if (stage_is_signalled()) {
    return REQUEST_STOP;
  }
  return minutes > 0 && clock_seconds() - t->saved > 60.0 * minutes ? REQUEST_SAVE : REQUEST_NONE;
}

static Status save(Training *t) {
  const TrainCheckpoint checkpoint = checkpoint_of(t);
  TRY(train_checkpoint_save(&checkpoint, t->team, t->train, t->log.bytes));
  t->saved = clock_seconds();
  return OK;
}

/* After each step: a line of the log, a checkpoint if it is time for one, and the end if a signal
 * asked for it. */
static Status after_step(Training *t, const TrainReport *report) {
  const TrainSettings *settings = &t->stage->settings.train;
  const int64_t step = t->train->step;
  const bool is_last = step == t->train->spec.steps;
  if (step % TRAIN_LOG_STEPS == 0 || is_last) {
    TRY_ALL(t->team, train_log_add(&t->log, step, step * settings->batch, report));
  }
  if (is_last) {
    return OK;
  }
  const bool is_due = settings->checkpoint_steps > 0 && step % settings->checkpoint_steps == 0;
  if (is_due || report->request != REQUEST_NONE) {
    TRY(save(t));
  }
  if (report->request == REQUEST_STOP) {
    return team_agree(t->team,
                      RAISE(ERR_INTERRUPTED, "%s stands at step %lld of %lld", t->settings->name,
                            (long long)step, (long long)t->train->spec.steps));
  }
  return OK;
}

static Status tell_times(const Training *t, double exchanged, int64_t steps) {
  char *path = NULL;
  TRY_OWN(t->team, &path, stage_path(t->stage, &path, "training/%s-times.csv", t->settings->name));
  const Status status = train_times_tell(t->train, t->team, path, exchanged, steps);
  MEMORY_FREE(path);
  return status;
}

static Status run_steps(Training *t) {
  const double exchanged = exchange_seconds();
  const int64_t first = t->train->step;
  TrainReport report = {0};
  Progress bar;
  char what[96];
  snprintf(what, sizeof(what), "train %s", t->settings->name);
  progress_open(&bar, t->team, what, "steps", t->train->spec.steps);
  while (t->train->step < t->train->spec.steps) {
    phases_start(&t->train->times);
    TRY(batches_take(t->batches, t->team, t->train->step, t->batch));
    phases_lap(&t->train->times, PHASE_INPUT);
    TRY(train_step(t->train, t->batch, request_of(t), &report));
    progress_note(&bar, "explained %.3f, dead %lld", report.explained, (long long)report.dead);
    progress_step(&bar, t->train->step);
    TRY(after_step(t, &report));
    phases_lap(&t->train->times, PHASE_SAVE);
  }
  progress_close(&bar, t->train->step);
  log_info("%s: explained variance of the last batch %.4f, L0 %.1f, dead %lld of %lld",
           t->settings->name, report.explained, report.l0, (long long)report.dead,
           (long long)t->train->spec.latents);
  return t->train->step > first ? tell_times(t, exchanged, t->train->step - first) : OK;
}

static Status make(Training *t) {
  TRY(open_training(t));
  TRY(run_steps(t));
  const TrainOutput output = {
      .path = t->path, .stamp = t->stamp, .control_of = t->settings->control_of, .rows = t->rows};
  TRY(train_output_write(&output, t->team, t->train));
  const TrainCheckpoint checkpoint = checkpoint_of(t);
  if (t->team->rank == 0) {
    train_checkpoint_remove(&checkpoint);
  }
  stage_wrote(t->stage, t->path);
  return OK;
}

static void make_stamp(const Training *t, Stamp *stamp) {
  stamp_open(stamp, "train 2");
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_TRAIN, &t->stage->settings.train));
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_DICTIONARY, t->settings));
  stamp_add_fingerprint(stamp, (uint64_t)t->seed);
  stamp_add_text(stamp, archive_content(t->rows->file));
}

static Status work(Training *t) {
  const char *name = t->settings->name;
  Stamp stamp;
  bool go;
  TRY_OWN(t->team, &t->path, stage_path(t->stage, &t->path, "dictionaries/%s.h5", name));
  TRY_OWN(t->team, &t->folder, stage_path(t->stage, &t->folder, "checkpoints/%s", name));
  make_stamp(t, &stamp);
  stamp_text(&stamp, t->stamp);
  TRY(stage_claim(t->stage, &stamp, t->path, &go));
  if (go && t->rows->runs == 0) {
    TRY(train_rows_find(t->rows, t->team));
  }
  return go ? make(t) : OK;
}

static Status train_one(Stage *stage, TrainRows *rows, int64_t index) {
  Training t = {.stage = stage,
                .team = &stage->team,
                .rows = rows,
                .settings = &stage->settings.dictionaries[index],
                .seed = settings_seed(&stage->settings, index)};
  const Status status = work(&t);
  train_log_close(&t.log);
  train_destroy(&t.train);
  mesh_close(&t.mesh);
  batches_destroy(&t.batches);
  MEMORY_FREE(t.batch);
  MEMORY_FREE(t.path);
  MEMORY_FREE(t.folder);
  return status;
}

static Status train_each(Stage *stage, TrainRows *rows, const char *path) {
  const Settings *settings = &stage->settings;
  bool is_skipping = false;
  for (int64_t i = 0; i < settings->count; i++) {
    if (!settings_is_trained(settings, i)) {
      is_skipping = true;
    } else if (stage_is_wanted(stage, i)) {
      if (rows->file == NULL) {
        TRY(train_rows_open(rows, &stage->team, path));
      }
      TRY(train_one(stage, rows, i));
    }
  }
  if (is_skipping) {
    stage_skip(stage, "dictionaries/", "imported ones are not trained");
  }
  return OK;
}

static Status run(Stage *stage) {
  TrainRows rows = {0};
  char *path = NULL;
  const char *screen = NULL;
  lowp_open(&screen);
  stage_catch_signals();
  TRY_ALL(&stage->team, stage_check_only(stage));
  TRY_ALL(&stage->team, check_keys(stage));
  TRY_OWN(&stage->team, &path, stage_path(stage, &path, "activations.h5"));
  const Status status = train_each(stage, &rows, path);
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
  return stage_main(argc, argv, &SPEC);
}
