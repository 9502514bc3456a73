#include "training.h"

#include <math.h>

#include "exchange.h"
#include "log.h"
#include "memory.h"
#include "train_checkpoint.h"
#include "train_output.h"
#include "train_times.h"

const Architecture *training_architecture(const Stage *stage) {
  return ARCHITECTURES[stage->settings.train.architecture];
}

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

Status training_check_keys(const Stage *stage) {
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

Status training_check_ranks(const Stage *stage, int64_t ranks) {
  char place[CONFIG_PLACE];
  const int64_t replicas = stage->settings.train.replicas;
  if (ranks % replicas == 0) {
    return OK;
  }
  return RAISE(ERR_CONFIG, "%s: %lld ranks are not %lld equal groups",
               config_place(stage->config, "train", 0, "replicas", place), (long long)ranks,
               (long long)replicas);
}

double training_passes(const Training *t) {
  return t->settings->passes > 0 ? t->settings->passes : t->stage->settings.train.passes;
}

static double rate_of(const Training *t) {
  const double common = t->stage->settings.train.rate;
  if (t->settings->rate > 0) {
    return t->settings->rate;
  }
  return common > 0 ? common : 2e-4 / sqrt((double)t->settings->latents / 16384.0);
}

static int64_t dead_rows_of(const TrainSettings *settings, int64_t steps) {
  const double run = (double)steps * (double)settings->batch;
  const int64_t share = (int64_t)(settings->dead_share * run);
  const int64_t dead = share < settings->dead_rows ? share : settings->dead_rows;
  return dead < 1 ? 1 : dead;
}

TrainSpec training_spec(const Training *t, int64_t steps) {
  const TrainSettings *settings = &t->stage->settings.train;
  const Architecture *architecture = training_architecture(t->stage);
  const bool is_own_warmup = settings->sparsity_warmup < 0;
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
      .dead_rows = dead_rows_of(settings, steps),
      .sparsity = settings->sparsity > 0 ? settings->sparsity : architecture->sparsity,
      .sparsity_warmup = is_own_warmup ? architecture->sparsity_warmup : settings->sparsity_warmup,
      .counts_active = settings->sparsity_loss == 1,
      .revival = settings->revival,
      .has_half_moments = settings->moments == 1,
      .bandwidth = settings->bandwidth};
}

static void make_stamp(Training *t, Stamp *stamp) {
  stamp_open(stamp, "train 2");
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_TRAIN, &t->stage->settings.train));
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_DICTIONARY, t->settings));
  stamp_add_fingerprint(stamp, (uint64_t)t->seed);
  stamp_add_text(stamp, archive_content(t->rows->file));
  stamp_text(stamp, t->stamp);
}

Training training_of(Stage *stage, TrainRows *rows, int64_t index) {
  return (Training){.stage = stage,
                    .team = &stage->team,
                    .rows = rows,
                    .settings = &stage->settings.dictionaries[index],
                    .seed = settings_seed(&stage->settings, index)};
}

Status training_claim(Training *t, Stage *stage, TrainRows *rows, int64_t index, bool *go) {
  const char *name = stage->settings.dictionaries[index].name;
  Stamp stamp;
  *t = training_of(stage, rows, index);
  TRY_OWN(t->team, &t->path, stage_path(stage, &t->path, "dictionaries/%s.h5", name));
  TRY_OWN(t->team, &t->folder, stage_path(stage, &t->folder, "checkpoints/%s", name));
  make_stamp(t, &stamp);
  return stage_claim(stage, &stamp, t->path, go);
}

static TrainCheckpoint checkpoint_of(const Training *t) {
  return (TrainCheckpoint){.folder = t->folder, .stamp = t->stamp};
}

Status training_open(Training *t, int64_t steps) {
  const TrainCheckpoint checkpoint = checkpoint_of(t);
  const TrainSpec spec = training_spec(t, steps);
  int64_t bytes;
  bool found;
  mesh_open(&t->mesh, t->team, (int)t->stage->settings.train.replicas);
  TRY_ALL(t->team, train_create(&t->train, &t->mesh, &spec));
  TRY(train_checkpoint_load(&checkpoint, t->team, t->train, t->stage->force, &found, &bytes));
  if (!found) {
    train_start(t->train, t->rows->mean);
  }
  t->first = t->train->step;
  t->exchanged = exchange_seconds();
  TRY_OWN(t->team, &t->log.path,
          stage_path(t->stage, &t->log.path, "training/%s.csv", t->settings->name));
  return train_log_open(&t->log, t->team, bytes);
}

bool training_is_done(const Training *t) {
  return t->train->step == t->train->spec.steps;
}

Status training_step(Training *t, const float *batch, int *request) {
  TRY(train_step(t->train, batch, *request, &t->report));
  *request = t->report.request;
  const int64_t step = t->train->step;
  if (step % TRAIN_LOG_STEPS == 0 || training_is_done(t)) {
    TRY_ALL(t->team, train_log_add(&t->log, step, step * t->train->spec.batch, &t->report));
  }
  phases_lap(&t->train->times, PHASE_SAVE);
  return OK;
}

Status training_save(Training *t) {
  const TrainCheckpoint checkpoint = checkpoint_of(t);
  phases_start(&t->train->times);
  TRY(train_checkpoint_save(&checkpoint, t->team, t->train, t->log.bytes));
  phases_lap(&t->train->times, PHASE_SAVE);
  return OK;
}

static Status tell(const Training *t) {
  const int64_t steps = t->train->step - t->first;
  char *path = NULL;
  if (steps == 0) {
    return OK; /* it was done before */
  }
  log_info("%s: explained variance of the last batch %.4f, L0 %.1f, dead %lld of %lld",
           t->settings->name, t->report.explained, t->report.l0, (long long)t->report.dead,
           (long long)t->train->spec.latents);
  TRY_OWN(t->team, &path, stage_path(t->stage, &path, "training/times/%s.csv", t->settings->name));
  const Status status = train_times_tell(t->train, t->team, path, t->exchanged, steps);
  MEMORY_FREE(path);
  return status;
}

Status training_finish(Training *t) {
  const TrainOutput output = {
      .path = t->path, .stamp = t->stamp, .control_of = t->settings->control_of, .rows = t->rows};
  TRY(train_output_write(&output, t->team, t->train));
  const TrainCheckpoint checkpoint = checkpoint_of(t);
  if (t->team->rank == 0) {
    train_checkpoint_remove(&checkpoint);
  }
  stage_wrote(t->stage, t->path);
  return tell(t);
}

void training_close(Training *t) {
  train_log_close(&t->log);
  train_destroy(&t->train);
  mesh_close(&t->mesh);
  MEMORY_FREE(t->path);
  MEMORY_FREE(t->folder);
}
