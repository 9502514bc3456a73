/* Compare our forward pass with the numbers of other implementations, text by text.
 * usage: oracle MODEL.gguf FIXTURE.json
 *
 * The fixture is a list of records: text, hf_ids, nll (of token i + 1), top5 and top5_logits after
 * the last token, and resid_L with the residual's `norm` at every position after layer L. One line
 * a text; exit code 1 on any difference. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf.h"
#include "memory.h"
#include "threads.h"
#include "tokenizer.h"
#include "transformer.h"

static const double NORM_TOLERANCE = 2e-4; /* relative */
static const double NLL_TOLERANCE = 2e-3;  /* nats */
static const double LOGIT_TIE = 1e-3;      /* closer logits may swap places */

typedef struct Oracle {
  Gguf *gguf;
  Tokenizer *tokenizer;
  Transformer *transformer;
  TransformerScratch *scratch;
  const json_t *record;
  TokenizerIds ids;
  float *residual, *logits;
  double worst_norm, worst_nll;
  int norms; /* layers compared */
} Oracle;

static Status compare_norms(void *context, int64_t layer, float *residual, int64_t rows) {
  Oracle *oracle = context;
  const int64_t width = transformer_width(oracle->transformer);
  char key[32];
  snprintf(key, sizeof key, "resid_%lld", (long long)layer);
  const json_t *norms = json_object_get(json_object_get(oracle->record, key), "norm");
  if (norms == NULL) {
    return OK;
  }
  ++oracle->norms;
  if ((int64_t)json_array_size(norms) != rows) {
    oracle->worst_norm = INFINITY; /* other tokens: nothing to compare */
    return OK;
  }
  for (int64_t row = 0; row < rows; ++row) {
    double square = 0.0;
    for (int64_t i = 0; i < width; ++i) {
      square += (double)residual[row * width + i] * (double)residual[row * width + i];
    }
    const double expected = json_number_value(json_array_get(norms, (size_t)row));
    const double error = fabs(sqrt(square) - expected) / expected;
    oracle->worst_norm = fmax(oracle->worst_norm, isnan(error) ? INFINITY : error);
  }
  return OK;
}

/* Layers that the record lists. */
static int listed_layers(const json_t *record) {
  int count = 0;
  for (void *at = json_object_iter((json_t *)record); at != NULL;
       at = json_object_iter_next((json_t *)record, at)) {
    count += strncmp(json_object_iter_key(at), "resid_", 6) == 0 ? 1 : 0;
  }
  return count;
}

static bool same_ids(const Oracle *oracle) {
  const json_t *expected = json_object_get(oracle->record, "hf_ids");
  if ((int64_t)json_array_size(expected) != oracle->ids.count) {
    return false;
  }
  for (int64_t i = 0; i < oracle->ids.count; ++i) {
    if (json_integer_value(json_array_get(expected, (size_t)i)) != oracle->ids.ids[i]) {
      return false;
    }
  }
  return true;
}

static double nll_of(const float *logits, int64_t vocabulary, int32_t id) {
  double largest = logits[0], sum = 0.0;
  for (int64_t i = 1; i < vocabulary; ++i) {
    largest = fmax(largest, (double)logits[i]);
  }
  for (int64_t i = 0; i < vocabulary; ++i) {
    sum += exp((double)logits[i] - largest);
  }
  return largest + log(sum) - (double)logits[id];
}

static void compare_nll(Oracle *oracle) {
  const int64_t vocabulary = transformer_vocabulary(oracle->transformer);
  const json_t *expected = json_object_get(oracle->record, "nll");
  if ((int64_t)json_array_size(expected) != oracle->ids.count - 1) {
    oracle->worst_nll = INFINITY;
    return;
  }
  for (int64_t i = 0; i + 1 < oracle->ids.count; ++i) {
    const double nll = nll_of(oracle->logits + i * vocabulary, vocabulary, oracle->ids.ids[i + 1]);
    const double error = fabs(nll - json_number_value(json_array_get(expected, (size_t)i)));
    oracle->worst_nll = fmax(oracle->worst_nll, isnan(error) ? INFINITY : error);
  }
}

/* How many tokens outside `taken` have a logit above `least`? */
static int64_t count_above(const float *logits, int64_t vocabulary, double least) {
  int64_t count = 0;
  for (int64_t i = 0; i < vocabulary; ++i) {
    count += (double)logits[i] > least ? 1 : 0;
  }
  return count;
}

/* The expected token of each rank must stand at that rank, up to tokens within the tie of its
 * logit. */
static bool same_top(const Oracle *oracle) {
  const int64_t vocabulary = transformer_vocabulary(oracle->transformer);
  const float *logits = oracle->logits + (oracle->ids.count - 1) * vocabulary;
  const json_t *top = json_object_get(oracle->record, "top5");
  for (size_t rank = 0; rank < json_array_size(top); ++rank) {
    const int64_t id = json_integer_value(json_array_get(top, rank));
    if (id < 0 || id >= vocabulary) {
      return false;
    }
    const double logit = (double)logits[id];
    if (count_above(logits, vocabulary, logit + LOGIT_TIE) > (int64_t)rank ||
        count_above(logits, vocabulary, logit - LOGIT_TIE) < (int64_t)rank + 1) {
      return false;
    }
  }
  return json_array_size(top) == 5;
}

static Status tokenise(Oracle *oracle) {
  const char *text = json_string_value(json_object_get(oracle->record, "text"));
  if (text == NULL) {
    return RAISE(ERR_FORMAT, "a record without text");
  }
  oracle->ids.count = 0;
  if (tokenizer_adds_begin(oracle->tokenizer)) {
    TRY(MEMORY_RESIZE(&oracle->ids.ids, 64, "token ids"));
    oracle->ids.capacity = 64;
    oracle->ids.ids[oracle->ids.count++] = tokenizer_begin(oracle->tokenizer);
  }
  return tokenizer_encode(oracle->tokenizer, text, (int64_t)strlen(text), &oracle->ids);
}

static Status run_model(Oracle *oracle) {
  const TransformerHook hook = {compare_norms, oracle};
  const TransformerUnit unit = {oracle->ids.ids, &oracle->ids.count, 1};
  const int64_t rows = oracle->ids.count;
  if (rows == 0 || rows > transformer_positions(oracle->transformer)) {
    return RAISE(ERR_DATA, "a text of %lld tokens", (long long)rows);
  }
  TRY(MEMORY_RESIZE(&oracle->residual, rows * transformer_width(oracle->transformer), "residual"));
  TRY(MEMORY_RESIZE(&oracle->logits, rows * transformer_vocabulary(oracle->transformer), "logits"));
  TRY(transformer_run(oracle->scratch, &unit, &hook, oracle->residual));
  transformer_logits(oracle->scratch, oracle->residual, rows, oracle->logits);
  return OK;
}

static Status compare(Oracle *oracle, const json_t *record, int64_t index, bool *is_good) {
  oracle->record = record;
  oracle->worst_norm = oracle->worst_nll = 0.0;
  oracle->norms = 0;
  TRY(tokenise(oracle));
  const bool ids = same_ids(oracle);
  TRY(run_model(oracle));
  compare_nll(oracle);
  const bool top = same_top(oracle);
  const bool good = ids && top && oracle->norms > 0 && oracle->norms == listed_layers(record) &&
                    oracle->worst_norm <= NORM_TOLERANCE && oracle->worst_nll <= NLL_TOLERANCE;
  printf(
      "text %2lld: %4lld tokens, ids %s, norms within %.1e (%d layers), nll within %.1e, "
      "top 5 %s: %s\n",
      (long long)index, (long long)oracle->ids.count, ids ? "identical" : "DIFFER",
      oracle->worst_norm, oracle->norms, oracle->worst_nll, top ? "in order" : "DIFFER",
      good ? "ok" : "DIFFERENT");
  *is_good = *is_good && good;
  return OK;
}

/* Room for the longest text, should we cut it into a few more tokens than expected. */
static int64_t longest_text(const json_t *records) {
  size_t longest = 0;
  for (size_t i = 0; i < json_array_size(records); ++i) {
    const size_t count = json_array_size(json_object_get(json_array_get(records, i), "hf_ids"));
    longest = count > longest ? count : longest;
  }
  return (int64_t)longest + 64;
}

static Status open_model(Oracle *oracle, const char *path, int64_t longest) {
  const TransformerOptions options = {.layers = -1, .positions = longest, .logits = true};
  TRY(gguf_open(&oracle->gguf, path));
  TRY(tokenizer_create(&oracle->tokenizer, oracle->gguf));
  TRY(transformer_create(&oracle->transformer, oracle->gguf, &options));
  return transformer_scratch_create(&oracle->scratch, oracle->transformer, longest);
}

static Status run(Oracle *oracle, const char *model, const json_t *records, bool *is_good) {
  TRY(open_model(oracle, model, longest_text(records)));
  for (size_t i = 0; i < json_array_size(records); ++i) {
    TRY(compare(oracle, json_array_get(records, i), (int64_t)i, is_good));
  }
  return OK;
}

static void close_model(Oracle *oracle) {
  MEMORY_FREE(oracle->ids.ids);
  MEMORY_FREE(oracle->residual);
  MEMORY_FREE(oracle->logits);
  transformer_scratch_destroy(&oracle->scratch);
  transformer_destroy(&oracle->transformer);
  tokenizer_destroy(&oracle->tokenizer);
  gguf_close(&oracle->gguf);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: oracle MODEL.gguf FIXTURE.json\n");
    return ERR_USAGE;
  }
  json_error_t error;
  json_t *records = json_load_file(argv[2], 0, &error);
  if (!json_is_array(records) || json_array_size(records) == 0) {
    fprintf(stderr, "%s: not a list of records: %s\n", argv[2], error.text);
    return ERR_FORMAT;
  }
  threads_set(2);
  Oracle oracle = {0};
  bool is_good = true;
  const Status status = run(&oracle, argv[1], records, &is_good);
  close_model(&oracle);
  json_decref(records);
  if (status != OK) {
    fprintf(stderr, "oracle: %s\n", status_why());
    return (int)status;
  }
  printf("%s\n", is_good ? "no difference" : "DIFFERENT: see above");
  return is_good ? 0 : 1;
}
