#include "import_codes.h"

#include <math.h>
#include <stdio.h>

#include "codes.h"
#include "codes_source.h"
#include "encode_file.h"
#include "encode_rows.h"
#include "log.h"
#include "memory.h"
#include "progress.h"
#include "random.h"
#include "sae_file.h"
#include "schema.h"
#include "shard.h"
#include "stamp.h"

typedef struct Import {
  Stage *stage;
  Team *team;
  const DictionarySettings *settings;
  char *path, *input, *activations; /* codes/NAME.h5, dictionaries/NAME.h5, activations.h5 */
  EncodeRows rows;
  Archive *dictionary;
  SaeFile file;
  CodesSource *source;
  double stated_l0;
  char stamp[17];
} Import;

static Status make_paths(Import *import) {
  const char *name = import->settings->name;
  TRY(stage_path(import->stage, &import->path, "codes/%s.h5", name));
  TRY(stage_path(import->stage, &import->input, "dictionaries/%s.h5", name));
  return stage_path(import->stage, &import->activations, "activations.h5");
}

static Status check_latents(const Import *import) {
  if (import->file.latents != import->settings->latents) {
    return RAISE(ERR_DATA, "%s has %lld latents, but run.yaml declares %lld", import->input,
                 (long long)import->file.latents, (long long)import->settings->latents);
  }
  return OK;
}

/* Codes made elsewhere count the rows as their maker had them. */
static Status check_left_out(Import *import) {
  int64_t left_out;
  TRY(archive_get_integer(import->rows.file, "/", "left_out_norm", &left_out));
  if (left_out > 0 && !settings_harvests(&import->stage->settings)) {
    return team_agree(import->team,
                      RAISE(ERR_DATA,
                            "%s: %lld rows above the norm limit were left out, so that the rows of "
                            "%s are other ones: set harvest.norm_limit to 0 and import again",
                            import->activations, (long long)left_out, import->settings->codes));
  }
  return OK;
}

/* What run.yaml says of L0 counts before what the dictionary's folder said. */
static Status open_inputs(Import *import) {
  TRY(encode_rows_open(&import->rows, import->team, import->activations, false));
  TRY(archive_open(import->team, import->input, SCHEMA_DICTIONARY, "cleave-import",
                   &import->dictionary));
  TRY(sae_file_open(&import->file, import->team, import->dictionary));
  TRY_ALL(import->team, check_latents(import));
  TRY(check_left_out(import));
  import->stated_l0 = import->settings->l0;
  return import->stated_l0 > 0
             ? OK
             : archive_get_real(import->dictionary, "/", "stated_l0", &import->stated_l0);
}

static Status make_stamp(Import *import, Stamp *stamp) {
  const Settings *settings = &import->stage->settings;
  char l0[32];
  stamp_open(stamp, "import codes 1");
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_ENCODE, &settings->encode));
  stamp_add_fingerprint(stamp, (uint64_t)settings->run.seed);
  stamp_add_text(stamp, import->settings->name);
  snprintf(l0, sizeof(l0), "%.17g", import->settings->l0);
  stamp_add_text(stamp, l0);
  stamp_add_text(stamp, archive_content(import->dictionary));
  stamp_add_text(stamp, archive_content(import->rows.file));
  TRY(stamp_add_file(stamp, import->team, import->settings->codes));
  stamp_text(stamp, import->stamp);
  return OK;
}

/* The work: of each batch a rank reads its part. */

static Status read_part(const Import *import, int64_t first, int64_t rows, CodesSlice *slice) {
  TRY(codes_source_read(import->source, first, rows, slice));
  return codes_order(import->settings->codes, first, rows, slice->start, import->file.latents,
                     slice->id, slice->value);
}

static Status add_batch(Import *import, Codes *codes, int64_t first) {
  Team *team = import->team;
  EncodeBatch batch;
  CodesSlice slice = {0};
  TRY(encode_rows_read(&import->rows, first, 1.0, &batch));
  const Shard own = shard_of(batch.rows, 1, team->rank, team->size);
  TRY_ALL(team, read_part(import, first + own.first, shard_count(own), &slice));
  const CodesBatch part = {.first = first + own.first,
                           .rows = shard_count(own),
                           .start = slice.start,
                           .id = slice.id,
                           .value = slice.value,
                           .token = import->rows.has_tokens ? batch.token + own.first : NULL,
                           .is_held_out = batch.is_held_out + own.first};
  return codes_add(codes, &part);
}

static Status add_all(Import *import, Codes *codes) {
  const int64_t rows = import->rows.rows;
  Progress bar;
  progress_open(&bar, import->team, import->settings->name, "rows", rows);
  encode_rows_rewind(&import->rows);
  for (int64_t first = 0; first < rows; first += ENCODE_ROWS_BATCH) {
    TRY(add_batch(import, codes, first));
    progress_step(&bar, first + ENCODE_ROWS_BATCH < rows ? first + ENCODE_ROWS_BATCH : rows);
  }
  progress_close(&bar, rows);
  return OK;
}

static Status write_codes(const Import *import, Codes *codes, const uint8_t *is_zero) {
  const Settings *settings = &import->stage->settings;
  const char *name = import->settings->name;
  const EncodeFile file = {.team = import->team,
                           .path = import->path,
                           .name = name,
                           .stamp = import->stamp,
                           .dictionary = archive_content(import->dictionary),
                           .activations = archive_content(import->rows.file),
                           .settings = &settings->encode,
                           .key = random_key(settings->run.seed, "examples", name),
                           .latents = import->file.latents,
                           .is_zero = is_zero,
                           .k = import->file.k,
                           .rows = import->rows.rows,
                           .token_rows = import->rows.token_rows,
                           .vocabulary = import->rows.vocabulary,
                           .explained_variance = (double)NAN,
                           .is_import = true,
                           .stated_l0 = import->stated_l0};
  return encode_file_write(&file, codes);
}

static Status write_file(const Import *import, Codes *codes) {
  Team *team = import->team;
  const int64_t latents = import->file.latents;
  const Shard own = shard_of(latents, shard_latent_block(latents), team->rank, team->size);
  uint8_t *is_zero = NULL;
  TRY_NEW(team, &is_zero, shard_count(own), "marks of latents");
  Status status = sae_file_zero_rows(&import->file, is_zero);
  if (status == OK) {
    status = write_codes(import, codes, is_zero);
  }
  MEMORY_FREE(is_zero);
  return status;
}

static Status make(Import *import) {
  Team *team = import->team;
  const char *folder = import->stage->settings.run.folder;
  Codes *codes = NULL;
  TRY(codes_source_open(&import->source, team, import->settings->codes, folder));
  TRY(codes_source_check(import->source, import->rows.rows, import->file.latents));
  TRY(codes_create(&codes, team, import->file.latents, folder));
  Status status = add_all(import, codes);
  if (status == OK) {
    status = write_file(import, codes);
  }
  codes_destroy(&codes);
  TRY(status);
  stage_wrote(import->stage, import->path);
  return OK;
}

static Status claim_and_make(Import *import) {
  Stamp stamp;
  bool go = false;
  TRY_ALL(import->team, make_paths(import));
  TRY(open_inputs(import));
  TRY(make_stamp(import, &stamp));
  TRY(stage_claim(import->stage, &stamp, import->path, &go));
  return go ? make(import) : OK;
}

Status import_codes(Stage *stage, int64_t dictionary) {
  Import import = {
      .stage = stage, .team = &stage->team, .settings = &stage->settings.dictionaries[dictionary]};
  const Status status = claim_and_make(&import);
  codes_source_close(&import.source);
  archive_close(&import.dictionary);
  encode_rows_close(&import.rows);
  MEMORY_FREE(import.path);
  MEMORY_FREE(import.input);
  MEMORY_FREE(import.activations);
  return status;
}
