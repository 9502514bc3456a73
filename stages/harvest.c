#include <math.h>

#include "activations.h"
#include "exchange.h"
#include "gguf.h"
#include "lines.h"
#include "log.h"
#include "memory.h"
#include "packer.h"
#include "progress.h"
#include "stage.h"
#include "stamp.h"
#include "threads.h"
#include "tokenizer.h"
#include "transformer.h"

/* Every rank reads and tokenises all text (cheap beside the forward pass) and computes its own
 * units: in rounds, in each of which every rank has the same number of consecutive units. Which
 * rank computes a unit changes nothing. */

enum { UNITS_A_THREAD = 4 }; /* in a round */

/* Consecutive units: the first units_a_rank are rank 0's, the next rank 1's, and so on. The first
 * round is one unit, so that progress shows at once. */
typedef struct Round {
  int64_t units_a_rank, units;
} Round;

/* One unit on its way: contexts, and what is kept of them. */
typedef struct Slot {
  PackerUnit unit;
  ActivationsRow *rows; /* [unit rows] */
  uint8_t *values;      /* [unit rows] stored */
  int64_t index;        /* of the unit in the corpus */
  int64_t count;        /* rows kept */
  int64_t left_out_first, left_out_special;
} Slot;

typedef struct Worker {
  TransformerScratch *scratch;
  float *residual; /* [unit rows, width] */
} Worker;

typedef struct Harvest {
  Stage *stage;
  const HarvestSettings *settings;
  ActivationsOptions options;
  char *path; /* activations.h5 */
  char stamp[17], model_hash[17];
  Lines *lines;
  Gguf *gguf;
  Tokenizer *tokenizer;
  Transformer *transformer;
  Packer *packer;
  Activations *activations;
  Worker *workers; /* [threads] */
  int workers_made;
  Slot *slots; /* [slots_made] one round of this rank, and a last one for other ranks' units */
  int64_t slots_made;
  int64_t threads;       /* most of any rank */
  int64_t units, tokens; /* packed so far, over all ranks */
  bool is_end;
} Harvest;

static Status check_settings(const Harvest *harvest) {
  char place[256];
  const Config *config = harvest->stage->config;
  if (harvest->settings->model[0] == '\0') {
    return RAISE(ERR_CONFIG, "%s: give the path of a GGUF model",
                 config_place(config, "harvest", 0, "model", place));
  }
  if (harvest->settings->text.count == 0) {
    return RAISE(ERR_CONFIG, "%s: give text files, .jsonl files or folders",
                 config_place(config, "harvest", 0, "text", place));
  }
  return OK;
}

static Status open_lines(Harvest *harvest) {
  const HarvestSettings *settings = harvest->settings;
  TRY(check_settings(harvest));
  TRY(stage_path(harvest->stage, &harvest->path, "activations.h5"));
  return lines_open(&harvest->lines, &settings->text, settings->text_field);
}

/* What the rows are made from: the model, all text, the keys. */
static Status make_stamps(Harvest *harvest, Stamp *stamp) {
  Team *team = &harvest->stage->team;
  const Settings *settings = &harvest->stage->settings;
  Stamp model;
  stamp_open(&model, "model");
  TRY(stamp_add_file(&model, team, settings->harvest.model));
  stamp_text(&model, harvest->model_hash);
  stamp_open(stamp, "harvest 1");
  stamp_add_text(stamp, harvest->model_hash);
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_RUN, &settings->run));
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_HARVEST, &settings->harvest));
  for (int64_t i = 0; i < lines_files(harvest->lines); ++i) {
    TRY(stamp_add_file(stamp, team, lines_file(harvest->lines, i)));
  }
  stamp_text(stamp, harvest->stamp);
  return OK;
}

static Status keep_document(void *context, int64_t number, const int32_t *ids, int64_t count) {
  (void)number;
  return activations_add_document(context, ids, count);
}

static Status open_model(Harvest *harvest) {
  const HarvestSettings *settings = harvest->settings;
  const TransformerOptions options = {.layers = settings->layer + 1,
                                      .positions = settings->context};
  TRY(gguf_open(&harvest->gguf, settings->model));
  TRY(transformer_create(&harvest->transformer, harvest->gguf, &options));
  return tokenizer_create(&harvest->tokenizer, harvest->gguf);
}

static Status open_activations(Harvest *harvest) {
  const HarvestSettings *settings = harvest->settings;
  harvest->options = (ActivationsOptions){.folder = harvest->stage->settings.run.folder,
                                          .width = transformer_width(harvest->transformer),
                                          .is_bf16 = settings->storage == 0,
                                          .norm_limit = settings->norm_limit,
                                          .most_rows = settings->rows};
  return activations_create(&harvest->activations, &harvest->stage->team, &harvest->options);
}

static Status make_slots(Harvest *harvest) {
  const int64_t rows = packer_unit_rows(harvest->packer);
  const int64_t slots = UNITS_A_THREAD * harvest->threads + 1;
  TRY(MEMORY_NEW(&harvest->slots, slots, "units of a round"));
  for (; harvest->slots_made < slots; ++harvest->slots_made) {
    Slot *slot = &harvest->slots[harvest->slots_made];
    TRY(packer_unit_init(&slot->unit, harvest->packer));
    TRY(MEMORY_NEW(&slot->rows, rows, "rows of a unit"));
    TRY(MEMORY_NEW(&slot->values, rows * activations_row_bytes(&harvest->options),
                   "values of a unit"));
  }
  return OK;
}

static Status make_workers(Harvest *harvest) {
  const int64_t rows = packer_unit_rows(harvest->packer);
  TRY(MEMORY_NEW(&harvest->workers, threads_count(), "threads' working memory"));
  for (; harvest->workers_made < threads_count(); ++harvest->workers_made) {
    Worker *worker = &harvest->workers[harvest->workers_made];
    TRY(transformer_scratch_create(&worker->scratch, harvest->transformer, rows));
    TRY(MEMORY_NEW(&worker->residual, rows * harvest->options.width, "residual stream of a unit"));
  }
  return OK;
}

static Status open_packer(Harvest *harvest) {
  const PackerListener listener = {keep_document, harvest->activations};
  TRY(packer_create(&harvest->packer, harvest->lines, harvest->tokenizer,
                    harvest->settings->context, &listener));
  TRY(make_slots(harvest));
  return make_workers(harvest);
}

/* The next round's units: own ones into the slots, those of other ranks into the last slot, which
 * nobody looks at. */
static Status pack_round(Harvest *harvest, const Round *round, int64_t *own) {
  const Team *team = &harvest->stage->team;
  *own = 0;
  for (int64_t i = 0; i < round->units && !harvest->is_end; ++i) {
    const bool is_mine = i / round->units_a_rank == team->rank;
    Slot *slot = &harvest->slots[is_mine ? *own : harvest->slots_made - 1];
    TRY(packer_next(harvest->packer, &slot->unit));
    harvest->is_end = slot->unit.rows == 0;
    if (!harvest->is_end) {
      slot->index = harvest->units++;
      harvest->tokens += slot->unit.rows;
      *own += is_mine ? 1 : 0;
    }
  }
  return OK;
}

static Status keep_row(const Harvest *harvest, Slot *slot, int64_t row, float *values) {
  ActivationsRow *kept = &slot->rows[slot->count];
  kept->token = (uint32_t)slot->unit.ids[row];
  kept->document = (uint32_t)slot->unit.documents[row];
  kept->position = (uint32_t)slot->unit.positions[row];
  TRY(activations_store_row(&harvest->options, values,
                            slot->values + slot->count * activations_row_bytes(&harvest->options),
                            kept));
  ++slot->count;
  return OK;
}

/* A begin token in front of a context has no place in any document: it is never stored. */
static Status keep_rows(const Harvest *harvest, Slot *slot, float *residual) {
  const HarvestSettings *settings = harvest->settings;
  const int64_t width = harvest->options.width;
  int64_t row = 0;
  slot->count = slot->left_out_first = slot->left_out_special = 0;
  for (int64_t c = 0; c < slot->unit.contexts; ++c) {
    for (int64_t i = 0; i < slot->unit.lengths[c]; ++i, ++row) {
      if (slot->unit.positions[row] < 0 || (i == 0 && !settings->first_position)) {
        ++slot->left_out_first;
      } else if (!settings->special_tokens &&
                 tokenizer_is_special(harvest->tokenizer, slot->unit.ids[row])) {
        ++slot->left_out_special;
      } else {
        TRY(keep_row(harvest, slot, row, residual + row * width));
      }
    }
  }
  return OK;
}

static Status run_unit(int64_t index, int thread, void *context) {
  const Harvest *harvest = context;
  Slot *slot = &harvest->slots[index];
  const Worker *worker = &harvest->workers[thread];
  const TransformerUnit unit = {slot->unit.ids, slot->unit.lengths, slot->unit.contexts};
  TRY(transformer_run(worker->scratch, &unit, NULL, worker->residual));
  return keep_rows(harvest, slot, worker->residual);
}

static Status run_round(Harvest *harvest, const Round *round) {
  int64_t own = 0;
  TRY(pack_round(harvest, round, &own));
  TRY(threads_run(own, run_unit, harvest));
  for (int64_t i = 0; i < own; ++i) {
    const Slot *slot = &harvest->slots[i];
    const ActivationsUnit unit = {.index = slot->index,
                                  .rows = slot->count,
                                  .row = slot->rows,
                                  .values = slot->values,
                                  .left_out_first = slot->left_out_first,
                                  .left_out_special = slot->left_out_special};
    TRY(activations_add(harvest->activations, &unit));
  }
  return OK;
}

/* Tokens there will be: by the bytes of text still unread, or by the rows still wanted (about one a
 * token while none is counted). */
static int64_t expected_tokens(const Harvest *harvest, int64_t kept) {
  const double tokens = (double)harvest->tokens, most = (double)harvest->settings->rows;
  const double read = tokens + (double)packer_waiting(harvest->packer);
  double expected =
      read * (double)lines_bytes(harvest->lines) / (double)(lines_taken(harvest->lines) + 1);
  if (most > 0.0) {
    expected = fmin(expected, kept > 0 ? tokens * most / (double)kept : most);
  }
  return harvest->is_end || expected < tokens ? harvest->tokens : (int64_t)expected;
}

/* No more units than the rows still wanted can need. kept: -1 while the rows are not counted yet;
 * they are at most the tokens. */
static Round next_round(const Harvest *harvest, int64_t kept) {
  const int64_t size = harvest->stage->team.size, most = harvest->settings->rows;
  Round round = {.units_a_rank = UNITS_A_THREAD * harvest->threads};
  if (most > 0) {
    const int64_t left = most - (kept >= 0 ? kept : harvest->tokens);
    const int64_t wanted = left / (packer_unit_rows(harvest->packer) * size) + 1;
    round.units_a_rank =
        wanted < 1 ? 1 : (wanted < round.units_a_rank ? wanted : round.units_a_rank);
  }
  round.units = round.units_a_rank * size;
  return round;
}

static Status run_all(Harvest *harvest, Progress *progress) {
  Team *team = &harvest->stage->team;
  Round round = {.units_a_rank = 1, .units = 1};
  bool is_full = false;
  while (!harvest->is_end && !is_full) {
    int64_t kept;
    TRY_ALL(team, run_round(harvest, &round));
    TRY(activations_is_full(harvest->activations, &is_full, &kept));
    progress->total = expected_tokens(harvest, kept);
    progress_step(progress, harvest->tokens);
    round = next_round(harvest, kept);
  }
  progress_close(progress, harvest->tokens);
  return OK;
}

enum { NAME_MOST = 256 }; /* bytes; an attribute holds no 64 KiB */

/* The name that the file itself gives: its path would make equal runs differ. */
static Status model_name(const Harvest *harvest, Text *name) {
  const char *bytes = "";
  int64_t length = 0;
  if (gguf_has(harvest->gguf, "general.name")) {
    TRY(gguf_text(harvest->gguf, "general.name", &bytes, &length));
  }
  int64_t kept = length < NAME_MOST ? length : NAME_MOST;
  while (kept > 0 && kept < length && ((unsigned char)bytes[kept] & 0xC0) == 0x80) {
    --kept; /* whole characters */
  }
  return text_append(name, bytes, kept);
}

static Status write_file(Harvest *harvest) {
  Text name = {0};
  Team *team = &harvest->stage->team;
  Status status = team_agree(team, model_name(harvest, &name));
  if (status == OK) {
    const ActivationsFile file = {.path = harvest->path,
                                  .stamp = harvest->stamp,
                                  .model = text_chars(&name),
                                  .model_hash = harvest->model_hash,
                                  .layer = harvest->settings->layer,
                                  .context = harvest->settings->context,
                                  .seed = harvest->stage->settings.run.seed,
                                  .held_out = harvest->settings->held_out,
                                  .tokenizer = harvest->tokenizer};
    status = activations_write(harvest->activations, &file);
  }
  text_clear(&name);
  return status;
}

static Status make(Harvest *harvest) {
  Stage *stage = harvest->stage;
  Team *team = &stage->team;
  Progress progress;
  harvest->threads = threads_count();
  exchange_max_integer(team, &harvest->threads, 1);
  TRY_ALL(team, open_model(harvest));
  TRY(open_activations(harvest));
  TRY_ALL(team, open_packer(harvest));
  log_info("layer %lld of %lld, width %lld, contexts of %lld tokens, %d ranks",
           (long long)harvest->settings->layer, (long long)transformer_layers(harvest->transformer),
           (long long)harvest->options.width, (long long)harvest->settings->context, team->size);
  progress_open(&progress, team, "forward pass", "tokens", 0);
  TRY(run_all(harvest, &progress));
  TRY(write_file(harvest));
  stage_wrote(stage, harvest->path);
  return OK;
}

static void close_all(Harvest *harvest) {
  activations_destroy(&harvest->activations);
  for (int64_t i = 0; harvest->slots != NULL && i < UNITS_A_THREAD * harvest->threads + 1; ++i) {
    packer_unit_clear(&harvest->slots[i].unit);
    MEMORY_FREE(harvest->slots[i].rows);
    MEMORY_FREE(harvest->slots[i].values);
  }
  for (int i = 0; harvest->workers != NULL && i < threads_count(); ++i) {
    transformer_scratch_destroy(&harvest->workers[i].scratch);
    MEMORY_FREE(harvest->workers[i].residual);
  }
  MEMORY_FREE(harvest->slots);
  MEMORY_FREE(harvest->workers);
  packer_destroy(&harvest->packer);
  transformer_destroy(&harvest->transformer);
  tokenizer_destroy(&harvest->tokenizer);
  gguf_close(&harvest->gguf);
  lines_close(&harvest->lines);
  MEMORY_FREE(harvest->path);
}

static Status claim_and_make(Harvest *harvest) {
  Stamp stamp;
  bool go = false;
  TRY_ALL(&harvest->stage->team, open_lines(harvest));
  TRY(make_stamps(harvest, &stamp));
  TRY(stage_claim(harvest->stage, &stamp, harvest->path, &go));
  return go ? make(harvest) : OK;
}

static Status run(Stage *stage) {
  if (!settings_harvests(&stage->settings)) {
    stage_skip(stage, "activations.h5", "not harvested: the rows are imported");
    return OK;
  }
  Harvest harvest = {.stage = stage, .settings = &stage->settings.harvest};
  const Status status = claim_and_make(&harvest);
  close_all(&harvest);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const sections[] = {&SETTINGS_RUN, &SETTINGS_HARVEST, NULL};
  static const StageSpec spec = {
      .name = "harvest",
      .purpose = "store a language model's residual stream after one layer, token by token",
      .reads = "a GGUF model and text",
      .writes = "activations.h5",
      .next = "import",
      .sections = sections,
      .run = run};
  return stage_main(argc, argv, &spec);
}
