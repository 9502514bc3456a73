#include "import_rows.h"

#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "gguf.h"
#include "import_rows_run.h"
#include "log.h"
#include "memory.h"
#include "progress.h"
#include "spectrum.h"

/* Rows come in units of a size that their width fixes; a rank has consecutive units and reads
 * nothing else of the large file. */

enum { UNIT_ROWS = 4096, UNIT_VALUES = 1 << 21 };
enum { WIDTH_MOST = SPECTRUM_WIDEST };
#define ROWS_MOST (INT64_C(4294967294)) /* codes name rows by 32 bits */

/* The files. */

const char *import_rows_path(const ImportRows *import, ImportKind kind) {
  const ImportSettings *settings = import->settings;
  const char *const paths[] = {settings->activations, settings->tokens, settings->documents};
  return paths[kind];
}

static Status find_tensor(ImportRows *import, ImportKind kind) {
  static const char *const NAMES[] = {"activations", "tokens", "documents"};
  TensorFile *file = import->files[kind];
  const Tensor *tensor = tensor_find_some(file, NAMES[kind]);
  if (tensor == NULL) {
    return RAISE(ERR_FORMAT, "%s holds %lld arrays, and none is called '%s'", tensor_path(file),
                 (long long)tensor_count(file), NAMES[kind]);
  }
  import->tensors[kind] = tensor;
  return OK;
}

static Status check_tensor(const ImportRows *import, ImportKind kind) {
  const Tensor *tensor = import->tensors[kind];
  const int dims = kind == IMPORT_ROWS ? 2 : 1;
  char text[64], place[CONFIG_PLACE];
  if (tensor->dims != dims || (tensor->type <= TENSOR_BF16) != (kind == IMPORT_ROWS)) {
    return RAISE(ERR_FORMAT, "%s is %s, wanted are %s", import_rows_path(import, kind),
                 tensor_describe(tensor, text),
                 kind == IMPORT_ROWS ? "floating-point numbers [rows, width]" : "integers [rows]");
  }
  if (tensor->shape[0] == 0 || (kind == IMPORT_ROWS && tensor->shape[1] == 0)) {
    return RAISE(ERR_DATA, "%s is %s: empty", import_rows_path(import, kind),
                 tensor_describe(tensor, text));
  }
  if (kind == IMPORT_ROWS && tensor->shape[1] > WIDTH_MOST) {
    return RAISE(ERR_UNSUPPORTED, "%s is %s: rows of at most %d numbers are read",
                 import_rows_path(import, kind), tensor_describe(tensor, text), WIDTH_MOST);
  }
  if (tensor->shape[0] > ROWS_MOST) {
    return RAISE(ERR_UNSUPPORTED, "%s is %s: at most %lld rows are read",
                 import_rows_path(import, kind), tensor_describe(tensor, text),
                 (long long)ROWS_MOST);
  }
  if (tensor->is_packed) {
    return RAISE(ERR_UNSUPPORTED, "%s: %s is compressed: save it in numpy with numpy.save()",
                 config_place(import->stage->config, "import", 0, "", place),
                 import_rows_path(import, kind));
  }
  return OK;
}

static Status open_tensor(ImportRows *import, ImportKind kind) {
  const Tensor **tensor = &import->tensors[kind];
  char text[64];
  if (import_rows_path(import, kind)[0] == '\0') {
    return OK;
  }
  TRY(tensor_open(&import->files[kind], import_rows_path(import, kind)));
  TRY(find_tensor(import, kind));
  TRY(check_tensor(import, kind));
  if (import->rows > 0 && import->rows != (*tensor)->shape[0]) {
    return RAISE(ERR_DATA, "%s is %s, but there are %lld rows: not of the same rows",
                 import_rows_path(import, kind), tensor_describe(*tensor, text),
                 (long long)import->rows);
  }
  import->rows = (*tensor)->shape[0];
  return OK;
}

static Status open_tokenizer(ImportRows *import) {
  Gguf *gguf;
  if (import->settings->vocabulary[0] == '\0') {
    return OK;
  }
  TRY(gguf_open(&gguf, import->settings->vocabulary));
  const Status status = tokenizer_create(&import->tokenizer, gguf);
  gguf_close(&gguf);
  return status;
}

static Status open_files(ImportRows *import) {
  for (int kind = 0; kind < IMPORT_KINDS; kind++) {
    TRY(open_tensor(import, (ImportKind)kind));
  }
  TRY(open_tokenizer(import));
  const Team *team = import->team;
  const int64_t width =
      import->tensors[IMPORT_ROWS] != NULL ? import->tensors[IMPORT_ROWS]->shape[1] : 0;
  const int64_t fit = UNIT_VALUES / (width > 0 ? width : 1);
  import->options = (ActivationsOptions){
      .folder = import->stage->settings.run.folder,
      .width = width,
      .is_bf16 = import->stage->settings.harvest.storage == 0,
      .norm_limit = width > 0 ? import->stage->settings.harvest.norm_limit : 0.0};
  import->unit_rows = fit < 1 ? 1 : (fit < UNIT_ROWS ? fit : UNIT_ROWS);
  import->own = shard_of(import->rows, import->unit_rows, team->rank, team->size);
  return OK;
}

static Status take_buffers(ImportRows *import) {
  const int64_t rows = import->unit_rows;
  TRY(MEMORY_NEW(&import->values, rows * import->options.width, "rows of a unit"));
  TRY(MEMORY_NEW(&import->stored, rows * activations_row_bytes(&import->options),
                 "stored rows of a unit"));
  TRY(MEMORY_NEW(&import->row, rows, "places of rows"));
  TRY(MEMORY_NEW(&import->token, rows, "tokens of rows"));
  return MEMORY_NEW(&import->number, rows, "document numbers of rows");
}

static void close_all(ImportRows *import) {
  activations_destroy(&import->activations);
  tokenizer_destroy(&import->tokenizer);
  for (int kind = 0; kind < IMPORT_KINDS; kind++) {
    tensor_close(&import->files[kind]);
  }
  MEMORY_FREE(import->values);
  MEMORY_FREE(import->stored);
  MEMORY_FREE(import->row);
  MEMORY_FREE(import->token);
  MEMORY_FREE(import->number);
  MEMORY_FREE(import->path);
}

/* The rows. */

static Status store_rows(ImportRows *import, int64_t first, int64_t count) {
  const int64_t width = import->options.width;
  const int64_t bytes = activations_row_bytes(&import->options);
  for (int64_t i = 0; i < count; i++) {
    ActivationsRow *row = &import->row[i];
    TRY(places_step(import, first + i, import->number[i]));
    *row = (ActivationsRow){.token = (uint32_t)import->token[i],
                            .document = import->document,
                            .position = (uint32_t)(first + i - import->document_row)};
    TRY(activations_store_row(&import->options, import->values + i * width,
                              import->stored + i * bytes, row));
    import->zero_rows += row->square == 0.0 && width > 0;
  }
  return OK;
}

/* Own unit `index`, if there is one. */
static Status add_unit(ImportRows *import, int64_t index) {
  const int64_t first = import->own.first + index * import->unit_rows;
  const int64_t left = import->own.past - first, width = import->options.width;
  const int64_t count = left < import->unit_rows ? left : import->unit_rows;
  if (count <= 0) {
    return OK;
  }
  TRY(places_read(import, first, count));
  if (import->tensors[IMPORT_ROWS] != NULL) {
    TRY(tensor_read_real(import->files[IMPORT_ROWS], import->tensors[IMPORT_ROWS], first * width,
                         count * width, import->values));
  }
  TRY(store_rows(import, first, count));
  const ActivationsUnit unit = {.index = first / import->unit_rows,
                                .rows = count,
                                .row = import->row,
                                .values = import->stored};
  return activations_add(import->activations, &unit);
}

static Status add_all(ImportRows *import) {
  Team *team = import->team;
  Progress progress;
  int64_t rounds = (shard_count(import->own) + import->unit_rows - 1) / import->unit_rows;
  exchange_max_integer(team, &rounds, 1);
  progress_open(&progress, team, "import", "rows", import->rows);
  for (int64_t i = 0; i < rounds; i++) {
    const int64_t done = (i + 1) * import->unit_rows * team->size;
    TRY_ALL(team, add_unit(import, i));
    progress_step(&progress, done < import->rows ? done : import->rows);
  }
  progress_close(&progress, import->rows);
  return OK;
}

static Status check_zero_rows(ImportRows *import) {
  exchange_sum(import->team, &import->zero_rows, 1);
  if (2 * import->zero_rows >= import->rows) {
    return RAISE(ERR_DATA, "%s: %lld of %lld rows are zero: is it padded? Leave such rows out",
                 import->settings->activations, (long long)import->zero_rows,
                 (long long)import->rows);
  }
  if (import->zero_rows > 0) {
    log_warning("%s: %lld of %lld rows are zero", import->settings->activations,
                (long long)import->zero_rows, (long long)import->rows);
  }
  return OK;
}

/* The file. */

static Status make_stamp(ImportRows *import, Stamp *stamp) {
  const Settings *settings = &import->stage->settings;
  const char *const files[] = {import->settings->activations, import->settings->tokens,
                               import->settings->documents, import->settings->vocabulary};
  char text[128];
  stamp_open(stamp, "import rows 1");
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_RUN, &settings->run));
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_IMPORT, import->settings));
  snprintf(text, sizeof(text), "%.17g %lld %.17g", settings->harvest.held_out,
           (long long)settings->harvest.storage, settings->harvest.norm_limit);
  stamp_add_text(stamp, text);
  for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
    stamp_add_text(stamp, files[i][0] != '\0' ? "given" : "none");
    if (files[i][0] != '\0') {
      TRY(stamp_add_file(stamp, import->team, files[i]));
    }
  }
  stamp_text(stamp, import->stamp);
  return OK;
}

static void say_what_is_missing(const ImportRows *import) {
  if (import->tensors[IMPORT_ROWS] == NULL) {
    log_info("no activations: the rows are known by their codes alone");
  }
  if (import->tensors[IMPORT_TOKENS] == NULL) {
    log_info("no tokens: features will have examples without text, and no labels");
  } else if (import->tokenizer == NULL) {
    log_info("no vocabulary: tokens are called by their numbers");
  }
  if (import->tensors[IMPORT_DOCUMENTS] == NULL) {
    log_info("no document numbers: runs of %d rows count as documents", PLACES_MADE);
  }
}

static Status make(ImportRows *import) {
  Team *team = import->team;
  const Settings *settings = &import->stage->settings;
  TRY_ALL(team, take_buffers(import));
  TRY(places_survey(import));
  say_what_is_missing(import);
  TRY(activations_create(&import->activations, team, &import->options));
  TRY(add_all(import));
  TRY_ALL(team, check_zero_rows(import));
  TRY_ALL(team, team->rank == 0 ? places_add_documents(import) : OK);
  const ActivationsFile file = {
      .path = import->path,
      .stamp = import->stamp,
      .model = "",
      .model_hash = "",
      .layer = import->settings->layer,
      .seed = settings->run.seed,
      .held_out = settings->harvest.held_out,
      .tokenizer = import->tokenizer,
      .vocabulary = import->vocabulary,
      .document_rows = import->tensors[IMPORT_DOCUMENTS] == NULL ? PLACES_MADE : 0};
  TRY(activations_write(import->activations, &file));
  stage_wrote(import->stage, import->path);
  return OK;
}

static Status check_given(const ImportRows *import) {
  char place[CONFIG_PLACE];
  const ImportSettings *settings = import->settings;
  if (settings->activations[0] == '\0' && settings->tokens[0] == '\0' &&
      settings->documents[0] == '\0') {
    return RAISE(ERR_CONFIG, "%s: give activations, or at least tokens or documents of the rows",
                 config_place(import->stage->config, "import", 0, "", place));
  }
  if (settings->tokens[0] == '\0' && settings->vocabulary[0] != '\0') {
    return RAISE(ERR_CONFIG, "%s: names tokens, but import.tokens is not given",
                 config_place(import->stage->config, "import", 0, "vocabulary", place));
  }
  return OK;
}

static Status claim_and_make(ImportRows *import) {
  Stamp stamp;
  bool go = false;
  TRY_ALL(import->team, check_given(import));
  TRY_ALL(import->team, stage_path(import->stage, &import->path, "activations.h5"));
  TRY(make_stamp(import, &stamp));
  TRY(stage_claim(import->stage, &stamp, import->path, &go));
  if (go) {
    TRY_ALL(import->team, open_files(import));
    TRY(make(import));
  }
  return OK;
}

Status import_rows(Stage *stage) {
  ImportRows import = {.stage = stage, .team = &stage->team, .settings = &stage->settings.import};
  const Status status = claim_and_make(&import);
  close_all(&import);
  return status;
}
