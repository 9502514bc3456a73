#include "workbench.h"

#include <math.h>
#include <string.h>

#include "dense.h"
#include "memory.h"
#include "sae_file.h"
#include "schema.h"
#include "stamp.h"

static Status open_activations(Workbench *bench) {
  const HarvestSettings *harvest = &bench->stage->settings.harvest;
  char *path = NULL;
  double median = 0;
  TRY_OWN(bench->team, &path, stage_path(bench->stage, &path, "activations.h5"));
  const Status status =
      archive_open(bench->team, path, SCHEMA_ACTIVATIONS, "cleave-harvest", &bench->activations);
  MEMORY_FREE(path);
  TRY(status);
  TRY(archive_get_integer(bench->activations, "/", "layer", &bench->layer));
  TRY(archive_get_real(bench->activations, "/", "median_norm", &median));
  bench->norm_limit = harvest->norm_limit * median;
  return OK;
}

static Status open_tokenizer(Workbench *bench) {
  TRY(gguf_open(&bench->gguf, bench->stage->settings.harvest.model));
  return tokenizer_create(&bench->tokenizer, bench->gguf);
}

/* The rows are this model's, or nothing that comes of it would mean anything. Rows made elsewhere say nothing of it. */
static Status check_model(Workbench *bench) {
  const char *path = bench->stage->settings.harvest.model;
  char hash[17], *wanted = NULL;
  Stamp stamp;
  stamp_open(&stamp, "model");
  TRY(stamp_add_file(&stamp, bench->team, path));
  stamp_text(&stamp, hash);
  TRY(archive_get_text(bench->activations, "/", "model_hash", &wanted));
  const bool is_it = wanted[0] == '\0' || strcmp(hash, wanted) == 0;
  MEMORY_FREE(wanted);
  TRY_ALL(bench->team, is_it ? OK
                             : RAISE(ERR_DATA, "%s is not the model that %s was harvested from",
                                     path, archive_path(bench->activations)));
  return OK;
}

static Status check_settings(const Workbench *bench) {
  char place[256];
  return bench->stage->settings.harvest.model[0] != '\0'
             ? OK
             : RAISE(ERR_CONFIG, "%s: give the path of a GGUF model",
                     config_place(bench->stage->config, "harvest", 0, "model", place));
}

Status workbench_open(Workbench *bench, Stage *stage) {
  *bench = (Workbench){.stage = stage, .team = &stage->team};
  TRY_ALL(bench->team, check_settings(bench));
  TRY(open_activations(bench));
  TRY(check_model(bench));
  TRY_ALL(bench->team, open_tokenizer(bench));
  return OK;
}

void workbench_close(Workbench *bench) {
  transformer_destroy(&bench->transformer);
  tokenizer_destroy(&bench->tokenizer);
  gguf_close(&bench->gguf);
  archive_close(&bench->activations);
}

Status workbench_load(Workbench *bench, bool is_whole, int64_t positions) {
  const TransformerOptions options = {
      .layers = is_whole ? -1 : bench->layer + 1, .positions = positions, .logits = is_whole};
  TRY_ALL(bench->team, transformer_create(&bench->transformer, bench->gguf, &options));
  bench->width = transformer_width(bench->transformer);
  return OK;
}

Status workbench_tokens(const Workbench *bench, const char *text, TokenizerIds *ids,
                        int64_t *front) {
  const Tokenizer *tokenizer = bench->tokenizer;
  const int32_t begin = tokenizer_adds_begin(tokenizer) || tokenizer_end(tokenizer) < 0
                            ? tokenizer_begin(tokenizer)
                            : tokenizer_end(tokenizer);
  *front = begin >= 0;
  if (begin >= 0) {
    if (ids->count == ids->capacity) {
      TRY(MEMORY_RESIZE(&ids->ids, ids->capacity + 64, "token ids"));
      ids->capacity += 64;
    }
    ids->ids[ids->count++] = begin;
  }
  const int64_t before = ids->count;
  TRY(tokenizer_encode(tokenizer, text, (int64_t)strlen(text), ids));
  return ids->count > before ? OK : RAISE(ERR_DATA, "there is no text");
}

bool workbench_is_left_out(void *bench, int64_t position, const float *row) {
  const Workbench *own = bench;
  const HarvestSettings *harvest = &own->stage->settings.harvest;
  return (position == 0 && !harvest->first_position) ||
         (own->norm_limit > 0 && sqrt(dense_square(row, own->width)) > own->norm_limit);
}

Status workbench_dictionary_open(WorkbenchDictionary *one, const Workbench *bench, int64_t index) {
  const Settings *settings = &bench->stage->settings;
  const char *maker = settings_is_trained(settings, index) ? "cleave-train" : "cleave-import";
  char *path = NULL;
  *one = (WorkbenchDictionary){.index = index};
  TRY_OWN(
      bench->team, &path,
      stage_path(bench->stage, &path, "dictionaries/%s.h5", settings->dictionaries[index].name));
  const Status status = archive_open(bench->team, path, SCHEMA_DICTIONARY, maker, &one->file);
  MEMORY_FREE(path);
  return status;
}

Status workbench_dictionary_load(WorkbenchDictionary *one, const Workbench *bench, int64_t most) {
  SaeFile file;
  TRY(sae_file_open(&file, bench->team, one->file));
  TRY_ALL(bench->team,
          file.width == bench->width
              ? OK
              : RAISE(ERR_DATA, "%s is %lld wide, the model %lld: another model?",
                      archive_path(one->file), (long long)file.width, (long long)bench->width));
  TRY(sae_file_read(&file, &one->sae));
  TRY_ALL(bench->team,
          codec_create(&one->codec, bench->team, one->sae, file.input_scale, file.k, most));
  return OK;
}

void workbench_dictionary_close(WorkbenchDictionary *one) {
  codec_destroy(&one->codec);
  sae_destroy(&one->sae);
  archive_close(&one->file);
}

Status workbench_direction(const WorkbenchDictionary *one, int64_t latent, float *out) {
  return archive_read(one->file, "/w_dec", latent, 1, out);
}
