#include "import_dictionary.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "archive.h"
#include "bundle.h"
#include "exchange.h"
#include "import_fold.h"
#include "log.h"
#include "memory.h"
#include "progress.h"
#include "schema.h"
#include "shard.h"
#include "spectrum.h"
#include "stamp.h"
#include "text.h"

enum { PIECE_BYTES = 32 << 20 }; /* of a matrix in memory */

/* One dictionary on its way in. */
typedef struct Import {
  Stage *stage;
  Team *team;
  int64_t index;
  const DictionarySettings *settings;
  Bundle *bundle;
  Archive *file;
  char *path; /* dictionaries/NAME.h5 */
  char stamp[32];
  char *copies[BUNDLE_PARTS]; /* paths of unpacked members, NULL: none */
  Shard own;                  /* latents of this rank */
  int64_t most;               /* latents of a piece */
  FoldPiece piece;
  float *factors; /* [most] finetuned ones, to be checked; NULL: none */
  float *b_dec;   /* [width] */
  int64_t dead;
} Import;

/* What the folder is. */

static Status open_bundle(Import *import) {
  const Settings *settings = &import->stage->settings;
  char place[CONFIG_PLACE];
  TRY(bundle_open(&import->bundle, import->settings->source));
  if (import->bundle->latents != import->settings->latents) {
    return RAISE(
        ERR_CONFIG, "%s: %lld, but %s holds %lld",
        config_place(import->stage->config, "dictionaries", import->index, "latents", place),
        (long long)import->settings->latents, bundle_file(import->bundle, 0),
        (long long)import->bundle->latents);
  }
  const int64_t layer = import->bundle->layer;
  if (settings->harvest.text.count > 0 && layer >= 0 && layer != settings->harvest.layer) {
    log_warning("%s was made for rows after layer %lld, but harvest.layer is %lld",
                import->settings->name, (long long)layer, (long long)settings->harvest.layer);
  }
  return OK;
}

static Status make_stamp(Import *import, Stamp *stamp) {
  stamp_open(stamp, "import 1");
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_DICTIONARY, import->settings));
  for (int i = 0; i < bundle_files(import->bundle); i++) {
    TRY(stamp_add_file(stamp, import->team, bundle_file(import->bundle, i)));
  }
  stamp_text(stamp, import->stamp);
  return OK;
}

/* Deflated members cannot be read at random places: rank 0 unpacks them once. */

static Status unpack(Import *import, BundlePart part) {
  char **path = &import->copies[part];
  TRY_OWN(import->team, path,
          stage_path(import->stage, path, "dictionaries/%s.%d.npy.part", import->settings->name,
                     (int)part));
  TRY_ALL(import->team, import->team->rank == 0 ? bundle_unpack(import->bundle, part, *path) : OK);
  return team_agree(import->team, bundle_use_unpacked(import->bundle, part, *path));
}

static Status make_folder(const Stage *stage) {
  char *folder = NULL;
  TRY(stage_path(stage, &folder, "dictionaries"));
  const Status status = text_make_folder(folder);
  MEMORY_FREE(folder);
  return status;
}

static Status unpack_all(Import *import) {
  bool is_said = false;
  for (int part = 0; part < BUNDLE_PARTS; part++) {
    if (bundle_is_packed(import->bundle, (BundlePart)part)) {
      if (!is_said) {
        log_info("%s: unpacking %s", import->settings->name, bundle_file(import->bundle, 0));
        TRY_ALL(import->team, import->team->rank == 0 ? make_folder(import->stage) : OK);
        is_said = true;
      }
      TRY(unpack(import, (BundlePart)part));
    }
  }
  return OK;
}

/* The file. */

static Status set_origin(const Import *import) {
  const DictionarySettings *settings = import->settings;
  const bool is_level = settings_is_level(&import->stage->settings, import->index);
  Archive *file = import->file;
  TRY(archive_note_text(file, "/", "stamp", import->stamp));
  TRY(archive_set_text(file, "/", "name", settings->name));
  TRY(archive_set_text(file, "/", "role", is_level ? "level" : "control"));
  TRY(archive_set_text(file, "/", "control_of", settings->control_of));
  TRY(archive_set_integer(file, "/", "seed", settings->seed));
  TRY(archive_set_integer(file, "/", "layer", import->bundle->layer));
  TRY(archive_set_text(file, "/", "model_hash", ""));
  TRY(archive_set_text(file, "/", "activations", ""));
  TRY(archive_set_integer(file, "/", "tokens_seen", -1));
  TRY(archive_set_integer(file, "/", "dead_in_training", -1));
  TRY(archive_set_text(file, "/", "source", import->bundle->source));
  const double l0 = settings->l0 > 0 ? settings->l0 : import->bundle->stated_l0;
  return archive_set_real(file, "/", "stated_l0", l0);
}

static Status set_architecture(const Import *import) {
  const Bundle *bundle = import->bundle;
  Archive *file = import->file;
  TRY(archive_set_text(file, "/", "architecture", bundle_architecture(bundle->architecture)));
  TRY(archive_set_integer(file, "/", "k", bundle->k));
  TRY(archive_set_integer(file, "/", "latents", bundle->latents));
  TRY(archive_set_integer(file, "/", "width", bundle->width));
  TRY(archive_set_real(file, "/", "input_scale", 1));
  return archive_set_integer(file, "/", "subtract_b_dec", bundle->subtract_b_dec ? 1 : 0);
}

static Status declare(const Import *import) {
  const int64_t m = import->bundle->latents;
  const int64_t d = import->bundle->width;
  const ArchiveDataset datasets[] = {
      {"/w_enc", ARCHIVE_F32, 2, {m, d}, "encoder rows", "1"},
      {"/w_dec", ARCHIVE_F32, 2, {m, d}, "decoder rows, unit norm: directions of features", "1"},
      {"/b_enc", ARCHIVE_F32, 1, {m}, "encoder biases", "raw"},
      {"/b_dec", ARCHIVE_F32, 1, {d}, "decoder bias", "raw"}};
  const ArchiveDataset threshold = {
      "/threshold", ARCHIVE_F32, 1, {m}, "the latent fires where its score exceeds it", "raw"};
  const ArchiveDataset gains[] = {
      {"/gain", ARCHIVE_F32, 1, {m}, "activation = gain (score + offset)", "1"},
      {"/offset", ARCHIVE_F32, 1, {m}, "activation = gain (score + offset)", "raw"}};
  for (int i = 0; i < 4; i++) {
    TRY(archive_add(import->file, &datasets[i]));
  }
  if (import->piece.threshold != NULL) {
    TRY(archive_add(import->file, &threshold));
  }
  for (int i = 0; i < 2 && import->piece.gain != NULL; i++) {
    TRY(archive_add(import->file, &gains[i]));
  }
  return OK;
}

static Status take_room(Import *import) {
  const Bundle *bundle = import->bundle;
  FoldPiece *piece = &import->piece;
  const int64_t most = import->most;
  TRY(MEMORY_NEW(&piece->encoder, most * bundle->width, "encoder rows of a piece"));
  TRY(MEMORY_NEW(&piece->decoder, most * bundle->width, "decoder rows of a piece"));
  TRY(MEMORY_NEW(&piece->bias, most, "encoder biases of a piece"));
  TRY(MEMORY_NEW(&import->b_dec, bundle->width, "the decoder bias"));
  if (bundle_has(bundle, BUNDLE_THRESHOLD)) {
    TRY(MEMORY_NEW(&piece->threshold, most, "thresholds of a piece"));
  }
  if (import_has_gain(bundle)) {
    TRY(MEMORY_NEW(&piece->gain, most, "gains of a piece"));
    TRY(MEMORY_NEW(&piece->offset, most, "offsets of a piece"));
  }
  return bundle_has(bundle, BUNDLE_FINETUNING)
             ? MEMORY_NEW(&import->factors, most, "finetuned factors of a piece")
             : OK;
}

static Status read_part(const Import *import, BundlePart part, float *out) {
  const FoldPiece *piece = &import->piece;
  const bool is_there = out != NULL && bundle_has(import->bundle, part);
  return is_there ? bundle_read(import->bundle, part, piece->first, piece->count, out) : OK;
}

static Status read_piece(Import *import) {
  const FoldPiece *piece = &import->piece;
  if (piece->count == 0) {
    return OK;
  }
  TRY(read_part(import, BUNDLE_ENCODER, piece->encoder));
  TRY(read_part(import, BUNDLE_DECODER, piece->decoder));
  TRY(read_part(import, BUNDLE_ENCODER_BIAS, piece->bias));
  TRY(read_part(import, BUNDLE_THRESHOLD, piece->threshold));
  TRY(read_part(import, BUNDLE_LOG_GAIN, piece->gain));
  TRY(read_part(import, BUNDLE_MAGNITUDE_BIAS, piece->offset));
  TRY(read_part(import, BUNDLE_FINETUNING, import->factors));
  return import_fold(import->bundle, piece, &import->dead);
}

static Status write_piece(Import *import) {
  const FoldPiece *piece = &import->piece;
  Archive *file = import->file;
  TRY(archive_write(file, "/w_enc", piece->first, piece->count, piece->encoder));
  TRY(archive_write(file, "/w_dec", piece->first, piece->count, piece->decoder));
  TRY(archive_write(file, "/b_enc", piece->first, piece->count, piece->bias));
  if (piece->threshold != NULL) {
    TRY(archive_write(file, "/threshold", piece->first, piece->count, piece->threshold));
  }
  if (piece->gain != NULL) {
    TRY(archive_write(file, "/gain", piece->first, piece->count, piece->gain));
    TRY(archive_write(file, "/offset", piece->first, piece->count, piece->offset));
  }
  return OK;
}

static Status read_b_dec(Import *import) {
  const int64_t width = import->bundle->width;
  TRY(bundle_read(import->bundle, BUNDLE_DECODER_BIAS, 0, width, import->b_dec));
  for (int64_t j = 0; j < width; j++) {
    const double value = (double)import->b_dec[j] / import->bundle->input_scale;
    if (!(fabs(value) <= FLT_MAX)) {
      return RAISE(ERR_NUMERIC,
                   "%s: element %lld of the decoder bias, scaled by 1 / %g, is no float32",
                   import->settings->source, (long long)j, import->bundle->input_scale);
    }
    import->b_dec[j] = (float)value;
  }
  return OK;
}

/* All ranks go through as many pieces as rank 0, which has the most latents. */
static Status copy_pieces(Import *import, Progress *bar) {
  const int64_t latents = import->bundle->latents;
  const Team *team = import->team;
  const int64_t longest =
      shard_count(shard_of(latents, shard_latent_block(latents), 0, team->size));
  FoldPiece *piece = &import->piece;
  for (int64_t done = 0; done < longest; done += import->most) {
    const int64_t first = import->own.first + done;
    const int64_t left = import->own.past - first;
    piece->first = left > 0 ? first : import->own.first;
    piece->count = left < 0 ? 0 : (left < import->most ? left : import->most);
    TRY_ALL(import->team, read_piece(import));
    TRY(write_piece(import));
    const int64_t so_far = (done + import->most) * team->size;
    progress_step(bar, so_far < latents ? so_far : latents);
  }
  return OK;
}

static Status write_weights(Import *import) {
  const int64_t width = import->bundle->width;
  Progress bar;
  char what[96];
  snprintf(what, sizeof(what), "import %s", import->settings->name);
  TRY(archive_begin(import->file));
  progress_open(&bar, import->team, what, "latents", import->bundle->latents);
  TRY(copy_pieces(import, &bar));
  progress_close(&bar, import->bundle->latents);
  TRY_ALL(import->team, read_b_dec(import));
  return archive_write(import->file, "/b_dec", 0, import->team->rank == 0 ? width : 0,
                       import->b_dec);
}

static Status write_file(Import *import) {
  TRY(archive_create(import->team, import->path, SCHEMA_DICTIONARY, &import->file));
  TRY(set_origin(import));
  TRY(set_architecture(import));
  TRY(declare(import));
  TRY(write_weights(import));
  return archive_finish(&import->file, NULL);
}

static void say_dead(const Import *import) {
  int64_t dead = import->dead;
  exchange_sum(import->team, &dead, 1);
  if (dead > 0) {
    log_info("%s: %lld of %lld latents have a decoder row of zeros: dead", import->settings->name,
             (long long)dead, (long long)import->bundle->latents);
  }
}

static Status make(Import *import) {
  const int64_t latents = import->bundle->latents;
  const int64_t fitting = PIECE_BYTES / (4 * import->bundle->width);
  import->own =
      shard_of(latents, shard_latent_block(latents), import->team->rank, import->team->size);
  import->most = fitting < 1 ? 1 : (fitting < latents ? fitting : latents);
  log_info("%s: %s", import->settings->name, import->bundle->source);
  TRY(unpack_all(import));
  TRY_ALL(import->team, take_room(import));
  TRY(write_file(import));
  say_dead(import);
  stage_wrote(import->stage, import->path);
  return OK;
}

static Status check_width(const Import *import) {
  return import->bundle->width <= SPECTRUM_WIDEST
             ? OK
             : RAISE(ERR_UNSUPPORTED, "%s: width %lld: rows of at most %d numbers are read",
                     import->settings->source, (long long)import->bundle->width, SPECTRUM_WIDEST);
}

static Status work(Import *import) {
  Stamp stamp;
  bool go;
  TRY_OWN(import->team, &import->path,
          stage_path(import->stage, &import->path, "dictionaries/%s.h5", import->settings->name));
  TRY_ALL(import->team, open_bundle(import));
  TRY_ALL(import->team, check_width(import));
  TRY(make_stamp(import, &stamp));
  TRY(stage_claim(import->stage, &stamp, import->path, &go));
  return go ? make(import) : OK;
}

static void close_all(Import *import) {
  archive_abandon(&import->file);
  bundle_close(&import->bundle);
  for (int part = 0; part < BUNDLE_PARTS; part++) {
    if (import->copies[part] != NULL && import->team->rank == 0) {
      unlink(import->copies[part]);
    }
    MEMORY_FREE(import->copies[part]);
  }
  MEMORY_FREE(import->piece.encoder);
  MEMORY_FREE(import->piece.decoder);
  MEMORY_FREE(import->piece.bias);
  MEMORY_FREE(import->piece.threshold);
  MEMORY_FREE(import->piece.gain);
  MEMORY_FREE(import->piece.offset);
  MEMORY_FREE(import->factors);
  MEMORY_FREE(import->b_dec);
  MEMORY_FREE(import->path);
}

Status import_dictionary(Stage *stage, int64_t index) {
  Import import = {.stage = stage,
                   .team = &stage->team,
                   .index = index,
                   .settings = &stage->settings.dictionaries[index]};
  const Status status = work(&import);
  close_all(&import);
  return status;
}
