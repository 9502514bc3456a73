/* cleave-encode: sparse codes of all stored rows by every dictionary, and what each feature fires
 * on. */
#include "encode.h"

#include <math.h>
#include <stdio.h>

#include "dense.h"
#include "encode_file.h"
#include "encode_rows.h"
#include "log.h"
#include "lowp.h"
#include "memory.h"
#include "progress.h"
#include "random.h"
#include "sae_file.h"
#include "schema.h"
#include "stage.h"
#include "stamp.h"

/* One dictionary on its way through all rows. */
typedef struct Encoding {
  Stage *stage;
  Team *team;
  const DictionarySettings *settings;
  EncodeRows *rows;
  EncodePca *pca;     /* of all dictionaries alike */
  char *path, *input; /* codes/NAME.h5, dictionaries/NAME.h5 */
  Archive *dictionary;
  SaeFile file;
  Sae *sae;
  float *mean; /* [width] scaled */
  bool is_import;
  double stated_l0;
  char stamp[32];
} Encoding;

/* The dictionary. */

static Status check_shape(const Encoding *encoding) {
  const SaeFile *file = &encoding->file;
  const char *path = archive_path(encoding->dictionary);
  if (file->latents != encoding->settings->latents) {
    return RAISE(ERR_DATA, "%s has %lld latents, but run.yaml declares %lld", path,
                 (long long)file->latents, (long long)encoding->settings->latents);
  }
  if (file->width != encoding->rows->width) {
    return RAISE(ERR_DATA, "%s is %lld wide, but the rows of %s %lld: another model?", path,
                 (long long)file->width, archive_path(encoding->rows->file),
                 (long long)encoding->rows->width);
  }
  return OK;
}

/* What run.yaml says of L0 counts before what the dictionary's folder said. */
static Status look(Encoding *encoding) {
  TRY(sae_file_open(&encoding->file, encoding->team, encoding->dictionary));
  TRY_ALL(encoding->team, check_shape(encoding));
  encoding->stated_l0 = encoding->settings->l0 > 0 ? encoding->settings->l0 : (double)NAN;
  if (encoding->is_import && isnan(encoding->stated_l0)) {
    return archive_get_real(encoding->dictionary, "/", "stated_l0", &encoding->stated_l0);
  }
  return OK;
}

/* Rows are quantised without their mean. */
static Status quantise(Encoding *encoding) {
  const Sae *sae = encoding->sae;
  float *shift = NULL;
  TRY(MEMORY_NEW(&shift, sae->width, "mean centred row"));
  sae_centre(sae, encoding->mean, 1, shift);
  const Status status = sae_quantise(encoding->sae, shift);
  MEMORY_FREE(shift);
  return status;
}

static Status load(Encoding *encoding) {
  const EncodeRows *rows = encoding->rows;
  TRY(sae_file_read(&encoding->file, &encoding->sae));
  TRY_NEW(encoding->team, &encoding->mean, rows->width, "scaled mean row");
  for (int64_t j = 0; j < rows->width; j++) {
    encoding->mean[j] = (float)(rows->mean[j] * encoding->file.input_scale);
  }
  return team_agree(encoding->team, quantise(encoding));
}

/* The work. */

static Status encode_all(Encoding *encoding, Encode *encode) {
  EncodeRows *rows = encoding->rows;
  Progress bar;
  progress_open(&bar, encoding->team, encoding->settings->name, "rows", rows->rows);
  encode_rows_rewind(rows);
  for (int64_t first = 0; first < rows->rows; first += ENCODE_ROWS_BATCH) {
    EncodeBatch batch;
    TRY(encode_rows_read(rows, first, encoding->file.input_scale, &batch));
    TRY(encode_batch(encode, &batch));
    if (!encoding->pca->is_done) {
      encode_pca_add(encoding->pca, encoding->team, &batch, encoding->mean);
    }
    progress_step(&bar, first + batch.rows);
  }
  progress_close(&bar, rows->rows);
  return encoding->pca->is_done ? OK : encode_pca_finish(encoding->pca, encoding->team);
}

static Status write_codes(const Encoding *encoding, Encode *encode, const uint8_t *is_zero) {
  const Settings *settings = &encoding->stage->settings;
  const char *name = encoding->settings->name;
  const EncodeFile file = {.team = encoding->team,
                           .path = encoding->path,
                           .name = name,
                           .stamp = encoding->stamp,
                           .dictionary = archive_content(encoding->dictionary),
                           .activations = archive_content(encoding->rows->file),
                           .settings = &settings->encode,
                           .key = random_key(settings->run.seed, "examples", name),
                           .latents = encoding->settings->latents,
                           .is_zero = is_zero,
                           .k = encoding->file.k,
                           .rows = encoding->rows->rows,
                           .token_rows = encoding->rows->token_rows,
                           .vocabulary = encoding->rows->vocabulary,
                           .explained_variance = encode_explained_variance(encode),
                           .pca = encoding->pca,
                           .is_import = encoding->is_import,
                           .stated_l0 = encoding->stated_l0};
  return encode_file_write(&file, encode_codes(encode));
}

static Status write_file(const Encoding *encoding, Encode *encode) {
  const Sae *sae = encoding->sae;
  const int64_t own = shard_count(sae->own);
  uint8_t *is_zero = NULL;
  TRY_NEW(encoding->team, &is_zero, own, "marks of latents");
  for (int64_t i = 0; i < own; i++) {
    is_zero[i] = dense_square(sae->w_dec + i * sae->width, sae->width) == 0.0;
  }
  const Status status = write_codes(encoding, encode, is_zero);
  MEMORY_FREE(is_zero);
  return status;
}

static Status make(Encoding *encoding) {
  TRY(load(encoding));
  const EncodeSetup setup = {.sae = encoding->sae,
                             .mean = encoding->mean,
                             .batch = ENCODE_ROWS_BATCH,
                             .k = encoding->file.k,
                             .wide = 2 * encoding->file.k,
                             .folder = encoding->stage->settings.run.folder};
  Encode *encode = NULL;
  TRY(encode_create(&encode, encoding->team, &setup));
  Status status = encode_all(encoding, encode);
  if (status == OK) {
    status = write_file(encoding, encode);
  }
  encode_destroy(&encode);
  TRY(status);
  stage_wrote(encoding->stage, encoding->path);
  return OK;
}

static Stamp stamp_of(const Encoding *encoding) {
  const Settings *settings = &encoding->stage->settings;
  char l0[32];
  Stamp stamp;
  stamp_open(&stamp, "encode 3");
  stamp_add_fingerprint(&stamp, config_fingerprint(&SETTINGS_ENCODE, &settings->encode));
  stamp_add_fingerprint(&stamp, (uint64_t)settings->run.seed);
  stamp_add_text(&stamp, encoding->settings->name);
  snprintf(l0, sizeof(l0), "%.17g", encoding->settings->l0);
  stamp_add_text(&stamp, l0);
  stamp_add_text(&stamp, archive_content(encoding->dictionary));
  stamp_add_text(&stamp, archive_content(encoding->rows->file));
  return stamp;
}

static Status work(Encoding *encoding) {
  const char *name = encoding->settings->name;
  TRY_OWN(encoding->team, &encoding->path,
          stage_path(encoding->stage, &encoding->path, "codes/%s.h5", name));
  TRY_ALL(encoding->team,
          stage_path(encoding->stage, &encoding->input, "dictionaries/%s.h5", name));
  TRY(archive_open(encoding->team, encoding->input, SCHEMA_DICTIONARY,
                   encoding->is_import ? "cleave-import" : "cleave-train", &encoding->dictionary));
  TRY(look(encoding));
  const Stamp stamp = stamp_of(encoding);
  bool go = false;
  stamp_text(&stamp, encoding->stamp);
  TRY(stage_claim(encoding->stage, &stamp, encoding->path, &go));
  return go ? make(encoding) : OK;
}

static Status encode_one(Stage *stage, EncodeRows *rows, EncodePca *pca, int64_t index) {
  Encoding encoding = {.stage = stage,
                       .team = &stage->team,
                       .settings = &stage->settings.dictionaries[index],
                       .rows = rows,
                       .pca = pca,
                       .is_import = !settings_is_trained(&stage->settings, index)};
  const Status status = work(&encoding);
  archive_close(&encoding.dictionary);
  sae_destroy(&encoding.sae);
  MEMORY_FREE(encoding.mean);
  MEMORY_FREE(encoding.path);
  MEMORY_FREE(encoding.input);
  return status;
}

/* The table at the end. */

static void print_numbers(const char *name, const char *pca, const double value[5]) {
  char explained[16] = "-"; /* of codes made elsewhere nobody knows */
  if (!isnan(value[0])) {
    snprintf(explained, sizeof(explained), "%.4f", value[0]);
  }
  printf("%-24s %9s %7s %7.2f %7.2f%% %7.2f%% %10.1f%%\n", name, explained,
         pca[0] == '\0' ? "-" : pca, value[1], 100 * value[2], 100 * value[3], 100 * value[4]);
}

static Status print_codes(Stage *stage, Archive *codes, const char *name) {
  static const char *const KEYS[] = {"explained_variance", "l0", "dead_share", "unseen_share",
                                     "share_30"};
  double value[5];
  char *warning = NULL, *gate = NULL, *pca = NULL;
  for (int i = 0; i < 5; i++) {
    TRY(archive_get_real(codes, "/", KEYS[i], &value[i]));
  }
  TRY(archive_get_text(codes, "/", "gate", &gate));
  Status status = archive_get_text(codes, "/", "pca_explained_variance", &pca);
  status = status == OK ? archive_get_text(codes, "/", "warning", &warning) : status;
  if (status == OK && stage->team.rank == 0) {
    print_numbers(name, pca, value);
    if (warning[0] != '\0') {
      printf("  %s: fewer than %.0f %% of its features fire on %d rows or more\n", warning,
             100 * ENCODE_FILE_SHARE, ENCODE_FILE_FIRINGS);
    }
    if (gate[0] != '\0') {
      printf("  %s\n", gate);
    }
  }
  MEMORY_FREE(gate);
  MEMORY_FREE(pca);
  MEMORY_FREE(warning);
  return status;
}

static Status print_row(Stage *stage, int64_t index) {
  const char *name = stage->settings.dictionaries[index].name;
  const char *maker =
      settings_is_encoded(&stage->settings, index) ? "cleave-encode" : "cleave-import";
  char *path = NULL;
  Archive *codes = NULL;
  Status status = team_agree(&stage->team, stage_path(stage, &path, "codes/%s.h5", name));
  if (status == OK) {
    status = archive_open(&stage->team, path, SCHEMA_CODES, maker, &codes);
  }
  MEMORY_FREE(path);
  if (status == OK) {
    status = print_codes(stage, codes, name);
  }
  archive_close(&codes);
  return status;
}

static Status print_table(Stage *stage) {
  if (stage->team.rank == 0) {
    printf("%-24s %9s %7s %7s %8s %8s %11s\n", "dictionary", "explained", "PCA", "L0", "dead",
           "unseen", ">= 30 rows");
  }
  for (int64_t i = 0; i < stage->settings.count; i++) {
    if (stage_is_wanted(stage, i)) {
      TRY(print_row(stage, i));
    }
  }
  if (stage->team.rank == 0) {
    printf("PCA: explained by as many directions (L0), the best ones for these rows\n");
  }
  fflush(stdout);
  return OK;
}

static Status open_rows(Stage *stage, EncodeRows *rows, EncodePca *pca, const char *path) {
  if (rows->file != NULL) {
    return OK;
  }
  TRY(encode_rows_open(rows, &stage->team, path, true));
  return team_agree(&stage->team, encode_pca_open(pca, rows->width, ENCODE_ROWS_BATCH));
}

static Status encode_each(Stage *stage, EncodeRows *rows, EncodePca *pca, const char *path) {
  const Settings *settings = &stage->settings;
  for (int64_t i = 0; i < settings->count; i++) {
    if (!stage_is_wanted(stage, i)) {
      continue;
    }
    if (!settings_is_encoded(settings, i)) {
      stage_skip(stage, settings->dictionaries[i].name, "its codes are imported");
      continue;
    }
    TRY(open_rows(stage, rows, pca, path));
    TRY(encode_one(stage, rows, pca, i));
  }
  return OK;
}

static Status run(Stage *stage) {
  const char *screen = NULL;
  TRY_ALL(&stage->team, stage_check_only(stage));
  lowp_open(&screen);
  log_info("scores are screened in %s", screen);
  EncodeRows rows = {0};
  EncodePca pca = {0};
  char *path = NULL;
  Status status = team_agree(&stage->team, stage_path(stage, &path, "activations.h5"));
  if (status == OK) {
    status = encode_each(stage, &rows, &pca, path);
  }
  encode_pca_close(&pca);
  encode_rows_close(&rows);
  MEMORY_FREE(path);
  TRY(status);
  return stage->is_check ? OK : print_table(stage);
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_ENCODE, NULL};
  static const StageFlag FLAGS[] = {{"--only", "NAME", "encode with this dictionary alone"},
                                    {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "encode",
      .purpose = "sparse codes, statistics and examples of every feature",
      .reads = "activations.h5, dictionaries/*.h5",
      .writes = "codes/*.h5",
      .next = "evaluate",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
