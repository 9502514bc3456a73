#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "gguf.h"
#include "lines.h"
#include "memory.h"
#include "packer.h"
#include "plan.h"
#include "schema.h"
#include "tensor.h"
#include "tokenizer.h"
#include "transformer.h"

/* Text that is tokenised to learn how many tokens there are. */
enum { SAMPLE_BYTES = 4 << 20 };

static int64_t bytes_of_row(const Settings *settings, int64_t width) {
  return width * (settings->harvest.storage == 0 ? 2 : 4);
}

/* activations.h5 is there: nothing needs to be guessed. */

static Status read_shapes(Archive *file, PlanFacts *facts) {
  const bool is_bf16 = archive_is(file, "/activation", ARCHIVE_BF16);
  int64_t shape[2], starts = 0, held_out = 0;
  TRY(archive_shape(file, "/activation", is_bf16 ? ARCHIVE_BF16 : ARCHIVE_F32, 2, shape));
  TRY(archive_shape(file, "/document_held_out", ARCHIVE_U8, 1, &facts->documents));
  TRY(archive_shape(file, "/text_token", ARCHIVE_U32, 1, &facts->tokens));
  if (archive_has(file, "/vocabulary_start")) {
    TRY(archive_shape(file, "/vocabulary_start", ARCHIVE_I64, 1, &starts));
  }
  TRY(archive_get_integer(file, "/", "rows_held_out", &held_out));
  facts->vocabulary = starts > 0 ? starts - 1 : 0;
  facts->rows = shape[0];
  facts->width = shape[1];
  facts->row_bytes = shape[1] * (is_bf16 ? 2 : 4);
  facts->training = shape[0] - held_out;
  facts->where = "activations.h5";
  facts->is_there = true;
  return OK;
}

static Status look_at_file(Plan *plan) {
  Archive *file = NULL;
  TRY(plan_open(plan, "activations.h5", SCHEMA_ACTIVATIONS, "cleave-harvest", &file));
  const Status status = file != NULL ? read_shapes(file, &plan->facts) : OK;
  archive_close(&file);
  return status;
}

/* The model. */

static Status measure_model(Plan *plan, const Gguf *gguf) {
  const HarvestSettings *settings = &plan->stage->settings.harvest;
  PlanFacts *facts = &plan->facts;
  const TransformerOptions all = {.layers = -1, .positions = settings->context, .logits = true};
  const TransformerOptions first = {.layers = settings->layer + 1, .positions = settings->context};
  const int64_t rows = packer_contexts(settings->context) * settings->context;
  TRY(transformer_measure(gguf, &all, rows, &facts->whole));
  TRY(transformer_measure(gguf, &first, rows, &facts->part));
  facts->context = settings->context;
  if (!facts->is_there) {
    facts->width = facts->whole.width;
    facts->vocabulary = facts->whole.vocabulary;
    facts->row_bytes = bytes_of_row(&plan->stage->settings, facts->width);
  }
  return OK;
}

/* The text. */

typedef struct Sample {
  int64_t documents, tokens; /* of `taken` bytes; a document ends with a token of its own */
  int64_t taken, bytes;
} Sample;

static Status read_sample(Lines *lines, const Tokenizer *tokenizer, Sample *sample) {
  Text document = {0};
  TokenizerIds ids = {0};
  bool is_end = false;
  Status status = OK;
  while (status == OK && !is_end && lines_taken(lines) < SAMPLE_BYTES) {
    status = lines_next(lines, &document, &is_end);
    if (status == OK && !is_end) {
      sample->documents++;
      status = tokenizer_encode(tokenizer, text_chars(&document), document.length, &ids);
    }
  }
  sample->tokens = ids.count + sample->documents;
  sample->taken = lines_taken(lines);
  sample->bytes = lines_bytes(lines);
  MEMORY_FREE(ids.ids);
  text_clear(&document);
  return status;
}

static Status take_sample(const Plan *plan, const Gguf *gguf, Sample *sample) {
  const HarvestSettings *settings = &plan->stage->settings.harvest;
  Lines *lines = NULL;
  Tokenizer *tokenizer = NULL;
  Status status = lines_open(&lines, &settings->text, settings->text_field);
  status = status == OK ? tokenizer_create(&tokenizer, gguf) : status;
  status = status == OK ? read_sample(lines, tokenizer, sample) : status;
  tokenizer_destroy(&tokenizer);
  lines_close(&lines);
  return status;
}

/* The first token of a context and the last of a document have no row. */
static void count_rows(Plan *plan, const Sample *sample) {
  const HarvestSettings *settings = &plan->stage->settings.harvest;
  const double tokens = (double)sample->tokens;
  const double first = settings->first_position ? 0.0 : tokens / (double)settings->context;
  const double last = settings->special_tokens ? 0.0 : (double)sample->documents;
  const double share = tokens > 0 ? (tokens - first - last) / tokens : 1.0;
  const double all =
      tokens * (double)sample->bytes / (double)(sample->taken > 0 ? sample->taken : 1);
  const double wanted = settings->rows > 0 ? (double)settings->rows : all * share;
  PlanFacts *facts = &plan->facts;
  facts->rows = (int64_t)(wanted < all * share ? wanted : all * share);
  facts->tokens = (int64_t)((double)facts->rows / share);
  facts->documents = (int64_t)((double)facts->tokens * (double)sample->documents / (tokens + 1.0));
  facts->where = "the text, of which the first 4 MB were tokenised";
}

static Status look_at_model(Plan *plan) {
  const HarvestSettings *settings = &plan->stage->settings.harvest;
  const bool is_counted = plan->facts.rows > 0;
  Gguf *gguf = NULL;
  Sample sample = {0};
  TRY(gguf_open(&gguf, settings->model));
  Status status = measure_model(plan, gguf);
  if (status == OK && !is_counted && settings->text.count > 0) {
    status = take_sample(plan, gguf, &sample);
    count_rows(plan, &sample);
  }
  gguf_close(&gguf);
  return status;
}

/* Rows made elsewhere: the array that import_rows.c takes. */
static Status look_at_rows(Plan *plan) {
  const ImportSettings *settings = &plan->stage->settings.import;
  TensorFile *file = NULL;
  TRY(tensor_open(&file, settings->activations));
  const Tensor *tensor = tensor_find_some(file, "activations");
  if (tensor != NULL && tensor->dims == 2) {
    plan->facts.rows = tensor->shape[0];
    plan->facts.width = tensor->shape[1];
  }
  plan->facts.row_bytes = bytes_of_row(&plan->stage->settings, plan->facts.width);
  plan->facts.where = "the rows that are imported";
  tensor_close(&file);
  return OK;
}

static void take_width(Plan *plan, int64_t width) {
  PlanFacts *facts = &plan->facts;
  if (width > 0) {
    facts->width = width;
    facts->row_bytes = bytes_of_row(&plan->stage->settings, width);
  }
}

/* Rows known by their codes alone have no width. */
static Status check_facts(const PlanFacts *facts) {
  const bool has_rows = facts->rows > 0;
  if (has_rows && (facts->width > 0 || facts->is_there)) {
    return OK;
  }
  return RAISE(ERR_DATA,
               "%s is not known: activations.h5 is not there, and neither a model nor its text, or "
               "rows to import, can be read; give --rows and --width",
               has_rows ? "the width" : "the number of rows");
}

static Status look(Plan *plan, int64_t width) {
  const Settings *settings = &plan->stage->settings;
  PlanFacts *facts = &plan->facts;
  if (settings_harvests(settings) && access(settings->harvest.model, R_OK) == 0) {
    TRY(look_at_model(plan));
  } else if (facts->rows == 0 && settings->import.activations[0] != '\0') {
    TRY(look_at_rows(plan));
  }
  take_width(plan, width);
  TRY(check_facts(facts));
  if (!facts->is_there) {
    facts->training = (int64_t)((double)facts->rows * (1.0 - settings->harvest.held_out));
  }
  facts->tokens = facts->tokens > 0 ? facts->tokens : facts->rows;
  facts->documents = facts->documents > 0 ? facts->documents : facts->rows / 128 + 1;
  return OK;
}

Status plan_facts(Plan *plan, int64_t rows, int64_t width) {
  plan->facts = (PlanFacts){.rows = rows, .where = "--rows"};
  TRY(rows == 0 ? look_at_file(plan) : OK);
  return team_agree(&plan->stage->team, look(plan, width));
}
