#include "train_output.h"

#include <math.h>
#include <string.h>

#include "archive.h"
#include "dense.h"
#include "memory.h"
#include "schema.h"
#include "shard.h"

static Status set_origin(const TrainOutput *output, Archive *file, const Train *train) {
  const TrainRows *rows = output->rows;
  const TrainSpec *spec = &train->spec;
  const bool is_level = output->control_of[0] == '\0';
  TRY(archive_note_text(file, "/", "stamp", output->stamp));
  TRY(archive_set_text(file, "/", "name", spec->name));
  TRY(archive_set_text(file, "/", "role", is_level ? "level" : "control"));
  TRY(archive_set_text(file, "/", "control_of", output->control_of));
  TRY(archive_set_integer(file, "/", "seed", spec->seed));
  TRY(archive_set_integer(file, "/", "layer", rows->layer));
  TRY(archive_set_text(file, "/", "model_hash", rows->model_hash));
  TRY(archive_set_text(file, "/", "activations", archive_content(rows->file)));
  TRY(archive_set_integer(file, "/", "tokens_seen", train->step * spec->batch));
  return archive_set_integer(file, "/", "dead_in_training", train->dead);
}

static bool is_topk(const TrainSpec *spec) {
  return strcmp(spec->architecture->encoded_as, "topk") == 0;
}

/* Latents that are not selected fire above a threshold of their own, or above 0. */
static bool has_threshold(const TrainSpec *spec) {
  return strcmp(spec->architecture->encoded_as, "jumprelu") == 0;
}

static Status set_architecture(const TrainOutput *output, Archive *file, const TrainSpec *spec) {
  TRY(archive_set_text(file, "/", "architecture", spec->architecture->encoded_as));
  TRY(archive_set_text(file, "/", "trained_as", spec->architecture->name));
  TRY(archive_set_integer(file, "/", "k", is_topk(spec) ? spec->k : 0));
  TRY(archive_set_integer(file, "/", "latents", spec->latents));
  TRY(archive_set_integer(file, "/", "width", spec->width));
  TRY(archive_set_real(file, "/", "input_scale", output->rows->scale));
  return archive_set_integer(file, "/", "subtract_b_dec", spec->architecture->subtracts_b_dec);
}

static Status declare(Archive *file, const TrainSpec *spec) {
  const int64_t m = spec->latents;
  const int64_t d = spec->width;
  const ArchiveDataset datasets[] = {
      {"/w_enc", ARCHIVE_F32, 2, {m, d}, "encoder rows", "1"},
      {"/w_dec", ARCHIVE_F32, 2, {m, d}, "decoder rows, unit norm: directions of features", "1"},
      {"/b_enc", ARCHIVE_F32, 1, {m}, "encoder biases", "scaled"},
      {"/b_dec", ARCHIVE_F32, 1, {d}, "decoder bias", "scaled"},
      {"/threshold", ARCHIVE_F32, 1, {m}, "a latent fires above it", "scaled"}};
  for (int i = 0; i < (has_threshold(spec) ? 5 : 4); i++) {
    TRY(archive_add(file, &datasets[i]));
  }
  return OK;
}

/* Free decoder norms go into the encoder: a feature's activation is then that of its unit direction. */
static void fold_row(const Train *train, int64_t i, float *threshold) {
  const Sae *sae = train->sae;
  const double norm = sqrt(dense_square(sae->w_dec + i * sae->width, sae->width));
  for (int64_t j = i * sae->width; j < (i + 1) * sae->width && norm > 0.0; j++) {
    sae->w_enc[j] = (float)((double)sae->w_enc[j] * norm);
    sae->w_dec[j] = (float)((double)sae->w_dec[j] / norm);
  }
  sae->b_enc[i] = (float)((double)sae->b_enc[i] * norm);
  *threshold = (float)((double)*threshold * norm);
}

/* A latent whose decoder row is zero has no direction and says nothing. */
static void fold(const Train *train, float *thresholds) {
  for (int64_t i = 0; i < shard_count(train->sae->own); i++) {
    thresholds[i] = train->sae->threshold != NULL ? train->sae->threshold[i] : (float)train->cutoff;
    if (!train->spec.architecture->has_unit_rows) {
      fold_row(train, i, &thresholds[i]);
    }
  }
}

static Status write_arrays(Archive *file, const Team *team, const Train *train,
                           const float *thresholds) {
  const Sae *sae = train->sae;
  const Shard written = train_written(train);
  const int64_t own = shard_count(written);
  TRY(archive_begin(file));
  TRY(archive_write(file, "/w_enc", sae->own.first, own, sae->w_enc));
  TRY(archive_write(file, "/w_dec", sae->own.first, own, sae->w_dec));
  TRY(archive_write(file, "/b_enc", sae->own.first, own, sae->b_enc));
  TRY(has_threshold(&train->spec)
          ? archive_write(file, "/threshold", sae->own.first, own, thresholds)
          : OK);
  return archive_write(file, "/b_dec", 0, team->rank == 0 ? sae->width : 0, sae->b_dec);
}

static Status write_weights(Archive *file, Team *team, const Train *train) {
  float *thresholds = NULL;
  TRY_NEW(team, &thresholds, shard_count(train->sae->own), "thresholds");
  fold(train, thresholds);
  const Status status = write_arrays(file, team, train, thresholds);
  MEMORY_FREE(thresholds);
  return status;
}

static Status write_all(const TrainOutput *output, Archive *file, Team *team, const Train *train) {
  TRY(set_origin(output, file, train));
  TRY(set_architecture(output, file, &train->spec));
  TRY(declare(file, &train->spec));
  return write_weights(file, team, train);
}

Status train_output_write(const TrainOutput *output, Team *team, const Train *train) {
  Archive *file = NULL;
  TRY(archive_create(team, output->path, SCHEMA_DICTIONARY, &file));
  Status status = write_all(output, file, team, train);
  if (status == OK) {
    status = archive_finish(&file, NULL);
  }
  archive_abandon(&file);
  return status;
}
