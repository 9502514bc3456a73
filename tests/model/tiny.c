#include "tiny.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "random.h"

enum { MOST = 64 }; /* of any size but the vocabulary */

const TinyShape TINY_LLAMA = {.architecture = "llama",
                              .layers = 3,
                              .width = 24,
                              .heads = 4,
                              .kv_heads = 2,
                              .head = 8,
                              .hidden = 40,
                              .vocabulary = 50,
                              .positions = 300,
                              .rotated = 6,
                              .base = 5000.0};
/* Seven layers: 0 to 4 and 6 slide, 5 sees everything. */
const TinyShape TINY_GEMMA = {.architecture = "gemma3",
                              .layers = 7,
                              .width = 24,
                              .heads = 4,
                              .kv_heads = 1,
                              .head = 8,
                              .hidden = 40,
                              .vocabulary = 50,
                              .positions = 300,
                              .rotated = 8,
                              .window = 5,
                              .base = 1e6,
                              .stretch = 2.0,
                              .is_untied = true};

static bool is_gemma(const Tiny *tiny) {
  return strcmp(tiny->shape.architecture, "gemma3") == 0;
}

static const char *key_of(const Tiny *tiny, const char *suffix) {
  static char key[96];
  snprintf(key, sizeof(key), "%s.%s", tiny->shape.architecture, suffix);
  return key;
}

static void fill_metadata(Tiny *tiny) {
  const TinyShape *s = &tiny->shape;
  GgufWriter *w = &tiny->writer;
  gguf_writer_text(w, "general.architecture", s->architecture);
  gguf_writer_integer(w, key_of(tiny, "block_count"), s->layers);
  gguf_writer_integer(w, key_of(tiny, "context_length"), s->positions);
  gguf_writer_integer(w, key_of(tiny, "embedding_length"), s->width);
  gguf_writer_integer(w, key_of(tiny, "feed_forward_length"), s->hidden);
  gguf_writer_integer(w, key_of(tiny, "attention.head_count"), s->heads);
  gguf_writer_integer(w, key_of(tiny, "attention.head_count_kv"), s->kv_heads);
  gguf_writer_integer(w, key_of(tiny, "attention.key_length"), s->head);
  gguf_writer_integer(w, key_of(tiny, "attention.value_length"), s->head);
  gguf_writer_integer(w, key_of(tiny, "rope.dimension_count"), s->rotated);
  gguf_writer_real(w, key_of(tiny, "rope.freq_base"), s->base);
  gguf_writer_real(w, key_of(tiny, "attention.layer_norm_rms_epsilon"), 1e-5);
  if (s->window > 0) {
    gguf_writer_integer(w, key_of(tiny, "attention.sliding_window"), s->window);
  }
  if (s->stretch > 0.0) {
    gguf_writer_text(w, key_of(tiny, "rope.scaling.type"), "linear");
    gguf_writer_real(w, key_of(tiny, "rope.scaling.factor"), s->stretch);
  }
}

/* rows 0: a norm's weights, around 1 */
static void fill_tensor(Tiny *tiny, const char *name, int64_t rows, int64_t columns) {
  const int64_t count = (rows > 0 ? rows : 1) * columns;
  const uint64_t key = random_key(11, "tiny", name);
  float *values;
  ASSERT(MEMORY_NEW(&values, count, "weights") == OK);
  for (int64_t i = 0; i < count; ++i) {
    const double z = random_normal(key, (uint64_t)i);
    values[i] = (float)(rows > 0 ? 0.3 * z : 1.0 + 0.2 * z);
  }
  gguf_writer_floats(&tiny->writer, name, rows, columns, values);
  MEMORY_FREE(values);
}

static void fill_layer(Tiny *tiny, int64_t layer) {
  const TinyShape *s = &tiny->shape;
  const int64_t query = s->heads * s->head, kv = s->kv_heads * s->head;
  const struct {
    const char *suffix;
    int64_t rows, columns;
    bool of_gemma;
  } tensors[] = {
      {"attn_norm", 0, s->width, false},       {"attn_q", query, s->width, false},
      {"attn_k", kv, s->width, false},         {"attn_v", kv, s->width, false},
      {"attn_q_norm", 0, s->head, true},       {"attn_k_norm", 0, s->head, true},
      {"attn_output", s->width, query, false}, {"post_attention_norm", 0, s->width, true},
      {"ffn_norm", 0, s->width, false},        {"ffn_gate", s->hidden, s->width, false},
      {"ffn_up", s->hidden, s->width, false},  {"ffn_down", s->width, s->hidden, false},
      {"post_ffw_norm", 0, s->width, true}};
  for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); ++i) {
    char name[64];
    snprintf(name, sizeof(name), "blk.%d.%s.weight", (int)layer, tensors[i].suffix);
    if (!tensors[i].of_gemma || is_gemma(tiny)) {
      fill_tensor(tiny, name, tensors[i].rows, tensors[i].columns);
    }
  }
}

void tiny_fill(Tiny *tiny, const TinyShape *shape) {
  *tiny = (Tiny){.shape = *shape};
  fill_metadata(tiny);
  fill_tensor(tiny, "token_embd.weight", shape->vocabulary, shape->width);
  fill_tensor(tiny, "output_norm.weight", 0, shape->width);
  if (shape->is_untied) {
    fill_tensor(tiny, "output.weight", shape->vocabulary, shape->width);
  }
  for (int64_t layer = 0; layer < shape->layers; ++layer) {
    fill_layer(tiny, layer);
  }
}

void tiny_open(Tiny *tiny) {
  gguf_close(&tiny->gguf);
  text_clear(&tiny->file);
  gguf_writer_bytes(&tiny->writer, &tiny->file);
  const uint8_t *bytes = (const uint8_t *)text_chars(&tiny->file);
  ASSERT(gguf_open_bytes(&tiny->gguf, "tiny.gguf", bytes, tiny->file.length) == OK);
}

void tiny_close(Tiny *tiny) {
  gguf_close(&tiny->gguf);
  text_clear(&tiny->file);
  gguf_writer_clear(&tiny->writer);
}

/* A tensor of float32; layer -1: not of a layer. */
static const uint8_t *tensor_of(const Tiny *tiny, int64_t layer, const char *name) {
  char full[64];
  if (layer < 0) {
    snprintf(full, sizeof(full), "%s.weight", name);
  } else {
    snprintf(full, sizeof(full), "blk.%d.%s.weight", (int)layer, name);
  }
  const GgufTensor *tensor = gguf_tensor(tiny->gguf, full);
  ASSERT(tensor != NULL);
  return tensor->data;
}

static double at(const uint8_t *tensor, int64_t index) {
  float value;
  memcpy(&value, tensor + index * 4, sizeof(value));
  return (double)value;
}

/* out[row] = sum of tensor[row, column] x[column] */
static void apply(const Tiny *tiny, int64_t layer, const char *name, const double *x, int64_t rows,
                  int64_t columns, double *out) {
  const uint8_t *tensor = tensor_of(tiny, layer, name);
  for (int64_t row = 0; row < rows; ++row) {
    out[row] = 0.0;
    for (int64_t column = 0; column < columns; ++column) {
      out[row] += at(tensor, row * columns + column) * x[column];
    }
  }
}

static void norm(const Tiny *tiny, int64_t layer, const char *name, const double *x, int64_t width,
                 double *out) {
  const uint8_t *tensor = tensor_of(tiny, layer, name);
  double square = 0.0;
  for (int64_t i = 0; i < width; ++i) {
    square += x[i] * x[i];
  }
  const double factor = 1.0 / sqrt(square / (double)width + (double)1e-5F);
  for (int64_t i = 0; i < width; ++i) {
    out[i] = x[i] * factor * at(tensor, i);
  }
}

/* llama files pair neighbours, gemma files halves. */
static void rotate(const Tiny *tiny, int64_t layer, double *head, int64_t position) {
  const int64_t half = tiny->shape.rotated / 2;
  const bool slides = is_gemma(tiny) && (layer + 1) % 6 != 0;
  const double base = slides ? 10000.0 : (double)(float)tiny->shape.base;
  const double stretch = slides || tiny->shape.stretch <= 0.0 ? 1.0 : tiny->shape.stretch;
  for (int64_t i = 0; i < half; ++i) {
    const double angle = (double)position / stretch * pow(base, -(double)i / (double)half);
    double *a = &head[is_gemma(tiny) ? i : 2 * i];
    double *b = &head[is_gemma(tiny) ? i + half : 2 * i + 1];
    const double x = *a, y = *b;
    *a = x * cos(angle) - y * sin(angle);
    *b = x * sin(angle) + y * cos(angle);
  }
}

static void project_heads(const Tiny *tiny, int64_t layer, const char *name, const double *x,
                          int64_t heads, int64_t position, double *out) {
  const int64_t head = tiny->shape.head;
  char of_norm[32], of_weight[32];
  snprintf(of_weight, sizeof(of_weight), "attn_%s", name);
  snprintf(of_norm, sizeof(of_norm), "attn_%s_norm", name);
  apply(tiny, layer, of_weight, x, heads * head, tiny->shape.width, out);
  for (int64_t h = 0; h < heads && name[0] != 'v'; ++h) {
    if (is_gemma(tiny)) {
      norm(tiny, layer, of_norm, out + h * head, head, out + h * head);
    }
    rotate(tiny, layer, out + h * head, position);
  }
}

/* One head's output for the query at `position`: keys and values [position + 1] of MOST entries
 * each. */
static void attend(const Tiny *tiny, int64_t layer, const double *query, const double *keys,
                   const double *values, int64_t position, double *out) {
  const int64_t head = tiny->shape.head, window = tiny->shape.window;
  const bool slides = is_gemma(tiny) && (layer + 1) % 6 != 0;
  double sum = 0.0;
  memset(out, 0, (size_t)head * sizeof(*out));
  for (int64_t p = slides && position >= window ? position - window + 1 : 0; p <= position; ++p) {
    double score = 0.0;
    for (int64_t i = 0; i < head; ++i) {
      score += query[i] * keys[p * MOST + i];
    }
    const double weight = exp(score / sqrt((double)head));
    sum += weight;
    for (int64_t i = 0; i < head; ++i) {
      out[i] += weight * values[p * MOST + i];
    }
  }
  for (int64_t i = 0; i < head; ++i) {
    out[i] /= sum;
  }
}

static void add(const Tiny *tiny, int64_t layer, const char *post_norm, double *update,
                double *residual) {
  if (is_gemma(tiny)) {
    norm(tiny, layer, post_norm, update, tiny->shape.width, update);
  }
  for (int64_t i = 0; i < tiny->shape.width; ++i) {
    residual[i] += update[i];
  }
}

static void run_mlp(const Tiny *tiny, int64_t layer, double *residual) {
  const int64_t width = tiny->shape.width, hidden = tiny->shape.hidden;
  double x[MOST], gate[MOST], up[MOST], update[MOST];
  norm(tiny, layer, "ffn_norm", residual, width, x);
  apply(tiny, layer, "ffn_gate", x, hidden, width, gate);
  apply(tiny, layer, "ffn_up", x, hidden, width, up);
  for (int64_t i = 0; i < hidden; ++i) {
    const double g = gate[i];
    const double gelu = 0.5 * g * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (g + 0.044715 * g * g * g)));
    gate[i] = (is_gemma(tiny) ? gelu : g / (1.0 + exp(-g))) * up[i];
  }
  apply(tiny, layer, "ffn_down", gate, width, hidden, update);
  add(tiny, layer, "post_ffw_norm", update, residual);
}

/* keys, values  [count, MOST] */
static void run_layer(const Tiny *tiny, int64_t layer, int64_t count, double *residual,
                      double *keys, double *values) {
  const TinyShape *s = &tiny->shape;
  for (int64_t p = 0; p < count; ++p) {
    double x[MOST], query[MOST], mixed[MOST], update[MOST];
    double *row = residual + p * s->width;
    norm(tiny, layer, "attn_norm", row, s->width, x);
    project_heads(tiny, layer, "q", x, s->heads, p, query);
    project_heads(tiny, layer, "k", x, s->kv_heads, p, keys + p * MOST);
    project_heads(tiny, layer, "v", x, s->kv_heads, p, values + p * MOST);
    for (int64_t h = 0; h < s->heads; ++h) {
      const int64_t of_kv = h / (s->heads / s->kv_heads) * s->head;
      attend(tiny, layer, query + h * s->head, keys + of_kv, values + of_kv, p,
             mixed + h * s->head);
    }
    apply(tiny, layer, "attn_output", mixed, s->width, s->heads * s->head, update);
    add(tiny, layer, "post_attention_norm", update, row);
    run_mlp(tiny, layer, row);
  }
}

static void embed(const Tiny *tiny, const int32_t *ids, int64_t count, double *residual) {
  const int64_t width = tiny->shape.width;
  const double scale = is_gemma(tiny) ? sqrt((double)width) : 1.0;
  const uint8_t *tensor = tensor_of(tiny, -1, "token_embd");
  for (int64_t p = 0; p < count; ++p) {
    for (int64_t i = 0; i < width; ++i) {
      residual[p * width + i] = scale * at(tensor, ids[p] * width + i);
    }
  }
}

void tiny_run(const Tiny *tiny, const int32_t *ids, int64_t count, double *out, double *logits) {
  const TinyShape *s = &tiny->shape;
  ASSERT(s->width <= MOST && s->hidden <= MOST && s->heads * s->head <= MOST);
  double *keys, *residual;
  ASSERT(MEMORY_NEW(&keys, 2 * count * MOST, "keys and values") == OK);
  ASSERT(MEMORY_NEW(&residual, count * s->width, "residual stream") == OK);
  embed(tiny, ids, count, residual);
  for (int64_t layer = 0; layer < s->layers; ++layer) {
    run_layer(tiny, layer, count, residual, keys, keys + count * MOST);
    memcpy(out + layer * count * s->width, residual,
           (size_t)(count * s->width) * sizeof(*residual));
  }
  for (int64_t p = 0; p < count && logits != NULL; ++p) {
    double x[MOST];
    norm(tiny, -1, "output_norm", residual + p * s->width, s->width, x);
    apply(tiny, -1, s->is_untied ? "output" : "token_embd", x, s->vocabulary, s->width,
          logits + p * s->vocabulary);
  }
  MEMORY_FREE(keys);
  MEMORY_FREE(residual);
}
