#include "train_output.h"

#include "archive.h"
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

static Status set_architecture(const TrainOutput *output, Archive *file, const TrainSpec *spec) {
  TRY(archive_set_text(file, "/", "architecture", "topk"));
  TRY(archive_set_integer(file, "/", "k", spec->k));
  TRY(archive_set_integer(file, "/", "latents", spec->latents));
  TRY(archive_set_integer(file, "/", "width", spec->width));
  TRY(archive_set_real(file, "/", "input_scale", output->rows->scale));
  return archive_set_integer(file, "/", "subtract_b_dec", 1);
}

static Status declare(Archive *file, const TrainSpec *spec) {
  const int64_t m = spec->latents;
  const int64_t d = spec->width;
  const ArchiveDataset datasets[] = {
      {"/w_enc", ARCHIVE_F32, 2, {m, d}, "encoder rows", "1"},
      {"/w_dec", ARCHIVE_F32, 2, {m, d}, "decoder rows, unit norm: directions of features", "1"},
      {"/b_enc", ARCHIVE_F32, 1, {m}, "encoder biases", "scaled"},
      {"/b_dec", ARCHIVE_F32, 1, {d}, "decoder bias, subtracted before the encoder", "scaled"}};
  for (int i = 0; i < 4; i++) {
    TRY(archive_add(file, &datasets[i]));
  }
  return OK;
}

static Status write_weights(Archive *file, const Team *team, const Sae *sae) {
  const int64_t own = shard_count(sae->own);
  TRY(archive_begin(file));
  TRY(archive_write(file, "/w_enc", sae->own.first, own, sae->w_enc));
  TRY(archive_write(file, "/w_dec", sae->own.first, own, sae->w_dec));
  TRY(archive_write(file, "/b_enc", sae->own.first, own, sae->b_enc));
  return archive_write(file, "/b_dec", 0, team->rank == 0 ? sae->width : 0, sae->b_dec);
}

static Status write_all(const TrainOutput *output, Archive *file, const Team *team,
                        const Train *train) {
  TRY(set_origin(output, file, train));
  TRY(set_architecture(output, file, &train->spec));
  TRY(declare(file, &train->spec));
  return write_weights(file, team, train->sae);
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
