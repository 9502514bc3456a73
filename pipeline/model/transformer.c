#include "transformer.h"

#include <cblas.h>
#include <string.h>

#include "attention.h"
#include "dense.h"
#include "memory.h"
#include "pointwise.h"
#include "rope.h"
#include "weights.h"

struct Transformer {
  Weights weights;
};

struct TransformerScratch {
  const Weights *weights;
  int64_t rows;
  float *normed; /* [rows, width] input of a product; Gemma: its output before the post norm */
  float *qkv;    /* [rows, query_width + 2 kv_width] */
  float *mixed;  /* [rows, query_width] */
  float *gates;  /* [rows, 2 hidden] gate and up; the product of both replaces gate */
  float *scores; /* [attention_scratch(positions)] */
  float *block;  /* all of them */
};

struct TransformerCache {
  const Weights *weights;
  int64_t length;
  float *keys_values; /* [loaded, 2, positions, kv_width] */
};

/* One pass: contexts, or one context that continues a cache. */
typedef struct Pass {
  TransformerScratch *scratch;
  const int32_t *ids;
  const int64_t *lengths;
  int64_t contexts, rows;
  TransformerCache *cache;
  float *residual;
} Pass;

Status transformer_create(Transformer **out, const Gguf *gguf, const TransformerOptions *options) {
  *out = NULL;
  Transformer *transformer;
  const WeightsWanted wanted = {
      .layers = options->layers, .positions = options->positions, .logits = options->logits};
  dense_open();
  TRY(MEMORY_NEW(&transformer, 1, "a transformer"));
  const Status status = weights_init(&transformer->weights, gguf, &wanted);
  if (status != OK) {
    MEMORY_FREE(transformer);
    return status;
  }
  *out = transformer;
  return OK;
}

void transformer_destroy(Transformer **transformer) {
  if (*transformer != NULL) {
    weights_clear(&(*transformer)->weights);
    MEMORY_FREE(*transformer);
  }
}

int64_t transformer_width(const Transformer *transformer) {
  return transformer->weights.width;
}

int64_t transformer_vocabulary(const Transformer *transformer) {
  return transformer->weights.vocabulary;
}

int64_t transformer_layers(const Transformer *transformer) {
  return transformer->weights.layers;
}

int64_t transformer_loaded(const Transformer *transformer) {
  return transformer->weights.loaded;
}

int64_t transformer_positions(const Transformer *transformer) {
  return transformer->weights.positions;
}

static int64_t qkv_width(const Weights *weights) {
  return weights->query_width + 2 * weights->kv_width;
}

enum { SCRATCH_PARTS = 5 };

/* Floats of normed, qkv, mixed, gates, scores, rounded up; returns their sum. */
static int64_t scratch_floats(const Weights *weights, int64_t rows, int64_t floats[SCRATCH_PARTS]) {
  const int64_t exact[SCRATCH_PARTS] = {rows * weights->width, rows * qkv_width(weights),
                                        rows * weights->query_width, rows * 2 * weights->hidden,
                                        attention_scratch(weights->positions)};
  int64_t total = 0;
  for (int i = 0; i < SCRATCH_PARTS; ++i) {
    floats[i] = (exact[i] + 15) / 16 * 16;
    total += floats[i];
  }
  return total;
}

static Status take_scratch(TransformerScratch *scratch) {
  float **const parts[SCRATCH_PARTS] = {&scratch->normed, &scratch->qkv, &scratch->mixed,
                                        &scratch->gates, &scratch->scores};
  int64_t floats[SCRATCH_PARTS];
  const int64_t total = scratch_floats(scratch->weights, scratch->rows, floats);
  TRY(MEMORY_NEW(&scratch->block, total, "working memory of the forward pass"));
  float *at = scratch->block;
  for (int i = 0; i < SCRATCH_PARTS; ++i) {
    *parts[i] = at;
    at += floats[i];
  }
  return OK;
}

/* Weights meet every token; so do the keys and values of a context. */
static double operations_of(const Weights *weights, int64_t floats) {
  const double positions = (double)weights->loaded * (double)weights->positions;
  return 2.0 * (double)floats + 4.0 * positions * (double)weights->query_width;
}

Status transformer_measure(const Gguf *gguf, const TransformerOptions *options, int64_t rows,
                           TransformerSize *out) {
  const WeightsWanted wanted = {
      .layers = options->layers, .positions = options->positions, .logits = options->logits};
  Weights weights;
  int64_t floats = 0, parts[SCRATCH_PARTS];
  *out = (TransformerSize){0};
  TRY(weights_measure(&weights, gguf, &wanted, &floats));
  *out = (TransformerSize){.width = weights.width,
                           .vocabulary = weights.vocabulary,
                           .weights = 4.0 * (double)floats,
                           .scratch = 4.0 * (double)scratch_floats(&weights, rows, parts),
                           .operations = operations_of(&weights, floats)};
  weights_clear(&weights);
  return OK;
}

Status transformer_scratch_create(TransformerScratch **out, const Transformer *transformer,
                                  int64_t rows) {
  ASSERT(rows > 0);
  *out = NULL;
  TransformerScratch *scratch;
  TRY(MEMORY_NEW(&scratch, 1, "working memory of the forward pass"));
  *scratch = (TransformerScratch){.weights = &transformer->weights, .rows = rows};
  const Status status = take_scratch(scratch);
  if (status != OK) {
    MEMORY_FREE(scratch);
    return status;
  }
  *out = scratch;
  return OK;
}

void transformer_scratch_destroy(TransformerScratch **scratch) {
  if (*scratch != NULL) {
    MEMORY_FREE((*scratch)->block);
    MEMORY_FREE(*scratch);
  }
}

Status transformer_cache_create(TransformerCache **out, const Transformer *transformer) {
  *out = NULL;
  const Weights *weights = &transformer->weights;
  TransformerCache *cache;
  TRY(MEMORY_NEW(&cache, 1, "a key-value cache"));
  cache->weights = weights;
  const Status status =
      MEMORY_NEW(&cache->keys_values, weights->loaded * 2 * weights->positions * weights->kv_width,
                 "keys and values of a context");
  if (status != OK) {
    MEMORY_FREE(cache);
    return status;
  }
  *out = cache;
  return OK;
}

void transformer_cache_destroy(TransformerCache **cache) {
  if (*cache != NULL) {
    MEMORY_FREE((*cache)->keys_values);
    MEMORY_FREE(*cache);
  }
}

int64_t transformer_cache_length(const TransformerCache *cache) {
  return cache->length;
}

void transformer_cache_cut(TransformerCache *cache, int64_t length) {
  ASSERT(length >= 0 && length <= cache->length);
  cache->length = length;
}

/* out[rows, to] = x[rows, from] w[to, from]^T, added to out where `adds`. One row (generation)
 * reads every weight once: a matrix-vector product then does without the packing of sgemm. */
typedef struct Product {
  const float *x, *w;
  float *out;
  int64_t rows, from, to;
  int64_t x_stride, out_stride;
  bool adds;
} Product;

static void multiply(const Product *product) {
  const float keep = product->adds ? 1.0f : 0.0f;
  const int rows = (int)product->rows, from = (int)product->from, to = (int)product->to;
  if (rows == 1) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, to, from, 1.0f, product->w, from, product->x, 1, keep,
                product->out, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, to, from, 1.0f, product->x,
              (int)product->x_stride, product->w, from, keep, product->out,
              (int)product->out_stride);
}

static void norm_rows(const Weights *weights, const float *x, const float *weight, int64_t rows,
                      float *out) {
  const int64_t width = weights->width;
  for (int64_t row = 0; row < rows; ++row) {
    pointwise_norm(x + row * width, weight, width, weights->epsilon, out + row * width);
  }
}

static Status embed(const Pass *pass) {
  const Weights *weights = pass->scratch->weights;
  const int64_t width = weights->width;
  for (int64_t row = 0; row < pass->rows; ++row) {
    const int32_t id = pass->ids[row];
    if (id < 0 || id >= weights->vocabulary) {
      return RAISE(ERR_DATA, "%s: token %d is outside the vocabulary of %lld",
                   gguf_path(weights->gguf), id, (long long)weights->vocabulary);
    }
    float *out = pass->residual + row * width;
    TRY(gguf_dequantise(weights->gguf, weights->embedding, id * width, width, out));
    if (weights->embedding_scale != 1.0f) {
      for (int64_t i = 0; i < width; ++i) {
        out[i] *= weights->embedding_scale;
      }
    }
  }
  return OK;
}

static void norm_heads(float *row, const float *weight, int64_t heads, int64_t head,
                       float epsilon) {
  for (int64_t h = 0; h < heads && weight != NULL; ++h) {
    pointwise_norm(row + h * head, weight, head, epsilon, row + h * head);
  }
}

/* Norm and rotate the queries and keys of one row. */
static void place_row(const Weights *weights, const WeightsLayer *layer, float *row,
                      int64_t position) {
  const AttentionShape *shape = &layer->attention;
  float *key = row + weights->query_width;
  norm_heads(row, layer->q_norm, shape->heads, shape->head, weights->epsilon);
  norm_heads(key, layer->k_norm, shape->kv_heads, shape->head, weights->epsilon);
  rope_apply(layer->rope, position, row, shape->heads, shape->head);
  rope_apply(layer->rope, position, key, shape->kv_heads, shape->head);
}

static AttentionContext context_at(const TransformerScratch *scratch, int64_t row, int64_t length) {
  const Weights *weights = scratch->weights;
  const int64_t stride = qkv_width(weights);
  const float *qkv = scratch->qkv + row * stride;
  return (AttentionContext){.query = qkv,
                            .key = qkv + weights->query_width,
                            .value = qkv + weights->query_width + weights->kv_width,
                            .out = scratch->mixed + row * weights->query_width,
                            .query_stride = stride,
                            .kv_stride = stride,
                            .out_stride = weights->query_width,
                            .queries = length};
}

/* Put the new keys and values behind those of the cache and attend to all of them. */
static void use_cache(const Pass *pass, int64_t layer, AttentionContext *context) {
  const TransformerCache *cache = pass->cache;
  const int64_t width = cache->weights->kv_width, plane = cache->weights->positions * width;
  float *keys = cache->keys_values + layer * 2 * plane, *values = keys + plane;
  const size_t bytes = (size_t)width * sizeof *keys;
  for (int64_t i = 0; i < pass->rows; ++i) {
    const int64_t to = (cache->length + i) * width;
    memcpy(keys + to, context->key + i * context->kv_stride, bytes);
    memcpy(values + to, context->value + i * context->kv_stride, bytes);
  }
  context->key = keys;
  context->value = values;
  context->kv_stride = width;
  context->past = cache->length;
}

static void attend(const Pass *pass, int64_t index) {
  TransformerScratch *scratch = pass->scratch;
  const Weights *weights = scratch->weights;
  const WeightsLayer *layer = &weights->layer[index];
  const int64_t past = pass->cache == NULL ? 0 : pass->cache->length;
  int64_t row = 0;
  for (int64_t c = 0; c < pass->contexts; row += pass->lengths[c], ++c) {
    for (int64_t i = 0; i < pass->lengths[c]; ++i) {
      place_row(weights, layer, scratch->qkv + (row + i) * qkv_width(weights), past + i);
    }
    AttentionContext context = context_at(scratch, row, pass->lengths[c]);
    if (pass->cache != NULL) {
      use_cache(pass, index, &context);
    }
    attention_run(&layer->attention, &context, scratch->scores);
  }
}

/* residual += x w^T, where Gemma norms the product first. */
static void add_product(const Pass *pass, Product product, const float *post_norm) {
  const Weights *weights = pass->scratch->weights;
  product.out = post_norm == NULL ? pass->residual : pass->scratch->normed;
  product.adds = post_norm == NULL;
  multiply(&product);
  if (post_norm != NULL) {
    norm_rows(weights, product.out, post_norm, pass->rows, product.out);
    pointwise_add(pass->residual, product.out, pass->rows * weights->width);
  }
}

static void run_attention(const Pass *pass, int64_t index) {
  TransformerScratch *scratch = pass->scratch;
  const Weights *weights = scratch->weights;
  const WeightsLayer *layer = &weights->layer[index];
  const int64_t width = weights->width;
  norm_rows(weights, pass->residual, layer->attention_norm, pass->rows, scratch->normed);
  multiply(&(Product){.x = scratch->normed,
                      .w = layer->qkv,
                      .out = scratch->qkv,
                      .rows = pass->rows,
                      .from = width,
                      .to = qkv_width(weights),
                      .x_stride = width,
                      .out_stride = qkv_width(weights)});
  attend(pass, index);
  add_product(pass,
              (Product){.x = scratch->mixed,
                        .w = layer->mix,
                        .rows = pass->rows,
                        .from = weights->query_width,
                        .to = width,
                        .x_stride = weights->query_width,
                        .out_stride = width},
              layer->post_attention_norm);
}

static void run_mlp(const Pass *pass, int64_t index) {
  TransformerScratch *scratch = pass->scratch;
  const Weights *weights = scratch->weights;
  const WeightsLayer *layer = &weights->layer[index];
  const int64_t width = weights->width, hidden = weights->hidden;
  norm_rows(weights, pass->residual, layer->mlp_norm, pass->rows, scratch->normed);
  multiply(&(Product){.x = scratch->normed,
                      .w = layer->gate_up,
                      .out = scratch->gates,
                      .rows = pass->rows,
                      .from = width,
                      .to = 2 * hidden,
                      .x_stride = width,
                      .out_stride = 2 * hidden});
  for (int64_t row = 0; row < pass->rows; ++row) {
    float *gate = scratch->gates + row * 2 * hidden;
    if (weights->is_gelu) {
      pointwise_gelu(gate, gate + hidden, hidden);
    } else {
      pointwise_silu(gate, gate + hidden, hidden);
    }
  }
  add_product(pass,
              (Product){.x = scratch->gates,
                        .w = layer->down,
                        .rows = pass->rows,
                        .from = hidden,
                        .to = width,
                        .x_stride = 2 * hidden,
                        .out_stride = width},
              layer->post_mlp_norm);
}

static Status run(const Pass *pass, int64_t first, const TransformerHook *hook) {
  const Weights *weights = pass->scratch->weights;
  ASSERT(pass->rows <= pass->scratch->rows && first >= 0 && first <= weights->loaded);
  if (first == 0) {
    TRY(embed(pass));
  }
  for (int64_t layer = first; layer < weights->loaded; ++layer) {
    run_attention(pass, layer);
    run_mlp(pass, layer);
    if (hook != NULL) {
      TRY(hook->call(hook->context, layer, pass->residual, pass->rows));
    }
  }
  return OK;
}

Status transformer_resume(TransformerScratch *scratch, const TransformerUnit *unit, int64_t first,
                          const TransformerHook *hook, float *residual) {
  Pass pass = {.scratch = scratch,
               .ids = unit->ids,
               .lengths = unit->lengths,
               .contexts = unit->contexts,
               .residual = residual};
  for (int64_t c = 0; c < unit->contexts; ++c) {
    ASSERT(unit->lengths[c] > 0 && unit->lengths[c] <= scratch->weights->positions);
    pass.rows += unit->lengths[c];
  }
  return run(&pass, first, hook);
}

Status transformer_run(TransformerScratch *scratch, const TransformerUnit *unit,
                       const TransformerHook *hook, float *residual) {
  return transformer_resume(scratch, unit, 0, hook, residual);
}

Status transformer_extend(TransformerScratch *scratch, TransformerCache *cache, const int32_t *ids,
                          int64_t count, const TransformerHook *hook, float *residual) {
  ASSERT(cache->weights == scratch->weights);
  ASSERT(count > 0 && cache->length + count <= scratch->weights->positions);
  const Pass pass = {.scratch = scratch,
                     .ids = ids,
                     .lengths = &count,
                     .contexts = 1,
                     .rows = count,
                     .cache = cache,
                     .residual = residual};
  const Status status = run(&pass, 0, hook);
  cache->length += count;
  return status;
}

TransformerHead transformer_head(const Transformer *transformer) {
  ASSERT(transformer->weights.head != NULL);
  return (TransformerHead){transformer->weights.head, transformer->weights.output_norm};
}

void transformer_logits_of(TransformerScratch *scratch, const float *residual, int64_t rows,
                           int64_t first, int64_t tokens, float *logits) {
  const Weights *weights = scratch->weights;
  ASSERT(weights->head != NULL && rows <= scratch->rows);
  ASSERT(first >= 0 && tokens >= 0 && first + tokens <= weights->vocabulary);
  norm_rows(weights, residual, weights->output_norm, rows, scratch->normed);
  multiply(&(Product){.x = scratch->normed,
                      .w = weights->head + first * weights->width,
                      .out = logits,
                      .rows = rows,
                      .from = weights->width,
                      .to = tokens,
                      .x_stride = weights->width,
                      .out_stride = tokens});
}

void transformer_logits(TransformerScratch *scratch, const float *residual, int64_t rows,
                        float *logits) {
  transformer_logits_of(scratch, residual, rows, 0, scratch->weights->vocabulary, logits);
}
