#include "blueprint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

/* How one architecture differs from the others. */
typedef struct Style {
  const char *name;
  bool is_paired; /* query and key rows in adjacent pairs */
  bool is_gelu;
  bool scales_embedding;  /* by sqrt(width) */
  int64_t window_pattern; /* one layer in so many sees everything; 0: all do */
} Style;

static const Style STYLES[] = {
    {.name = "llama", .is_paired = true},
    {.name = "gemma3", .is_gelu = true, .scales_embedding = true, .window_pattern = 6},
};
enum { STYLES_COUNT = sizeof STYLES / sizeof *STYLES, KEY_SIZE = 96 };

/* Bounds that no real model reaches; products of two stay far below 2^63. */
static const int64_t MOST = (int64_t)1 << 24;

typedef struct Reader {
  const Gguf *gguf;
  const Style *style;
} Reader;

static const Style *find_style(const Gguf *gguf) {
  const char *name;
  int64_t length;
  if (gguf_text(gguf, "general.architecture", &name, &length) != OK) {
    return NULL;
  }
  for (int i = 0; i < STYLES_COUNT; ++i) {
    if ((int64_t)strlen(STYLES[i].name) == length &&
        memcmp(STYLES[i].name, name, (size_t)length) == 0) {
      return &STYLES[i];
    }
  }
  return NULL;
}

static Status open_reader(Reader *reader, const Gguf *gguf) {
  const char *name;
  int64_t length;
  TRY(gguf_text(gguf, "general.architecture", &name, &length));
  *reader = (Reader){.gguf = gguf, .style = find_style(gguf)};
  if (reader->style == NULL) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: the architecture \"%.*s\" is not supported; llama and gemma3 are",
                 gguf_path(gguf), (int)(length < 64 ? length : 64), name);
  }
  return OK;
}

static const char *key_of(const Reader *reader, const char *suffix, char *key) {
  snprintf(key, KEY_SIZE, "%s.%s", reader->style->name, suffix);
  return key;
}

/* An integer in [1, MOST]; absent: `fallback`, or an error where that is 0. */
static Status read_count(const Reader *reader, const char *suffix, int64_t fallback,
                         int64_t *value) {
  char key[KEY_SIZE];
  key_of(reader, suffix, key);
  if (fallback > 0 && !gguf_has(reader->gguf, key)) {
    *value = fallback;
    return OK;
  }
  TRY(gguf_integer(reader->gguf, key, value));
  if (*value < 1 || *value > MOST) {
    return RAISE(ERR_FORMAT, "%s: %s = %lld makes no sense", gguf_path(reader->gguf), key,
                 (long long)*value);
  }
  return OK;
}

static Status read_real(const Reader *reader, const char *suffix, double fallback, double least,
                        double *value) {
  char key[KEY_SIZE];
  key_of(reader, suffix, key);
  if (!gguf_has(reader->gguf, key)) {
    *value = fallback;
    return OK;
  }
  TRY(gguf_real(reader->gguf, key, value));
  if (!(*value > least && *value < 1e12)) {
    return RAISE(ERR_FORMAT, "%s: %s = %g makes no sense", gguf_path(reader->gguf), key, *value);
  }
  return OK;
}

bool blueprint_is_paired(const Gguf *gguf) {
  const Style *style = find_style(gguf);
  return style != NULL && style->is_paired;
}

static Status read_layers(const Reader *reader, Weights *weights, const WeightsWanted *wanted) {
  TRY(read_count(reader, "block_count", 0, &weights->layers));
  if (wanted->layers > weights->layers) {
    return RAISE(ERR_CONFIG, "%s: there is no layer %lld: the model has layers 0 to %lld",
                 gguf_path(reader->gguf), (long long)(wanted->layers - 1),
                 (long long)(weights->layers - 1));
  }
  weights->loaded = wanted->layers < 0 ? weights->layers : wanted->layers;
  return OK;
}

static Status read_positions(const Reader *reader, Weights *weights, const WeightsWanted *wanted) {
  int64_t longest;
  TRY(read_count(reader, "context_length", MOST, &longest));
  if (wanted->positions > longest) {
    return RAISE(ERR_CONFIG, "%s: a context of %lld tokens: the model takes at most %lld",
                 gguf_path(reader->gguf), (long long)wanted->positions, (long long)longest);
  }
  weights->positions = wanted->positions;
  return OK;
}

static Status read_embedding(const Reader *reader, Weights *weights) {
  weights->embedding = gguf_tensor(reader->gguf, "token_embd.weight");
  if (weights->embedding == NULL || weights->embedding->shape[0] != weights->width ||
      weights->embedding->shape[1] > INT32_MAX) {
    return RAISE(ERR_FORMAT, "%s: tensor token_embd.weight is missing or not %lld wide",
                 gguf_path(reader->gguf), (long long)weights->width);
  }
  weights->vocabulary = weights->embedding->shape[1];
  weights->embedding_scale =
      reader->style->scales_embedding ? (float)sqrt((double)weights->width) : 1.0f;
  return OK;
}

static Status read_sizes(const Reader *reader, Weights *weights) {
  double epsilon;
  TRY(read_count(reader, "embedding_length", 0, &weights->width));
  TRY(read_count(reader, "feed_forward_length", 0, &weights->hidden));
  TRY(read_real(reader, "attention.layer_norm_rms_epsilon", 1e-6, 0.0, &epsilon));
  weights->epsilon = (float)epsilon;
  weights->is_gelu = reader->style->is_gelu;
  return read_embedding(reader, weights);
}

/* Gemma 3's 27B alone scales by the width a head would have, not by the one it has: it is told by
 * its 62 layers, as llama.cpp does, because the metadata do not say. */
static float score_scale(const Reader *reader, const Weights *weights,
                         const AttentionShape *attention) {
  const bool is_27b = strcmp(reader->style->name, "gemma3") == 0 && weights->layers == 62;
  const double size =
      is_27b ? (double)weights->width / (double)attention->heads : (double)attention->head;
  return (float)(1.0 / sqrt(size));
}

static Status read_attention(const Reader *reader, Weights *weights, AttentionShape *attention) {
  int64_t value_head;
  TRY(read_count(reader, "attention.head_count", 0, &attention->heads));
  TRY(read_count(reader, "attention.head_count_kv", attention->heads, &attention->kv_heads));
  const int64_t usual = weights->width / attention->heads;
  TRY(read_count(reader, "attention.key_length", usual > 0 ? usual : 1, &attention->head));
  TRY(read_count(reader, "attention.value_length", attention->head, &value_head));
  if (attention->heads % attention->kv_heads != 0 || attention->head % 2 != 0 ||
      value_head != attention->head) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: %lld heads over %lld key-value heads of %lld and %lld entries",
                 gguf_path(reader->gguf), (long long)attention->heads,
                 (long long)attention->kv_heads, (long long)attention->head, (long long)value_head);
  }
  attention->scale = score_scale(reader, weights, attention);
  weights->query_width = attention->heads * attention->head;
  weights->kv_width = attention->kv_heads * attention->head;
  return OK;
}

/* Linear scaling stretches positions by a factor; other kinds (yarn, longrope) are refused. */
static Status read_rope_scale(const Reader *reader, double *scale) {
  char key[KEY_SIZE];
  const char *kind;
  int64_t length;
  double factor;
  *scale = 1.0;
  if (!gguf_has(reader->gguf, key_of(reader, "rope.scaling.type", key))) {
    return OK;
  }
  TRY(gguf_text(reader->gguf, key, &kind, &length));
  if (length == 4 && memcmp(kind, "none", 4) == 0) {
    return OK;
  }
  if (length != 6 || memcmp(kind, "linear", 6) != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: RoPE scaling of kind \"%.*s\" (linear is supported)",
                 gguf_path(reader->gguf), (int)(length < 64 ? length : 64), kind);
  }
  TRY(read_real(reader, "rope.scaling.factor", 1.0, 0.0, &factor));
  *scale = 1.0 / factor;
  return OK;
}

/* Llama 3's own stretching comes as divisors of the frequencies, in a tensor. */
static Status read_rope_factors(const Reader *reader, int64_t half, float **factors) {
  const GgufTensor *tensor = gguf_tensor(reader->gguf, "rope_freqs.weight");
  if (tensor == NULL) {
    return OK;
  }
  if (tensor->shape[0] != half || tensor->shape[1] != 1) {
    return RAISE(ERR_FORMAT, "%s: rope_freqs.weight does not hold %lld numbers",
                 gguf_path(reader->gguf), (long long)half);
  }
  TRY(MEMORY_NEW(factors, half, "factors of the RoPE frequencies"));
  return gguf_dequantise(reader->gguf, tensor, 0, half, *factors);
}

static Status make_ropes(const Reader *reader, Weights *weights, int64_t half, float **factors) {
  double base, local_base, scale;
  TRY(read_real(reader, "rope.freq_base", 10000.0, 1.0, &base));
  TRY(read_real(reader, "rope.freq_base_swa", 10000.0, 1.0, &local_base));
  TRY(read_rope_scale(reader, &scale));
  TRY(read_rope_factors(reader, half, factors));
  TRY(rope_init(&weights->ropes[0], weights->positions, half, base, scale, *factors));
  if (reader->style->window_pattern == 0) {
    return OK;
  }
  return rope_init(&weights->ropes[1], weights->positions, half, local_base, 1.0, NULL);
}

static Status read_ropes(const Reader *reader, Weights *weights, int64_t head) {
  int64_t rotated;
  TRY(read_count(reader, "rope.dimension_count", head, &rotated));
  if (rotated > head || rotated % 2 != 0) {
    return RAISE(ERR_FORMAT, "%s: %lld rotated entries in heads of %lld", gguf_path(reader->gguf),
                 (long long)rotated, (long long)head);
  }
  float *factors = NULL;
  const Status status = make_ropes(reader, weights, rotated / 2, &factors);
  MEMORY_FREE(factors);
  return status;
}

static Status make_layers(const Reader *reader, Weights *weights, const AttentionShape *attention) {
  int64_t window = 0, pattern = 1;
  if (reader->style->window_pattern > 0) {
    TRY(read_count(reader, "attention.sliding_window", 0, &window));
    TRY(read_count(reader, "attention.sliding_window_pattern", reader->style->window_pattern,
                   &pattern));
  }
  TRY(MEMORY_NEW(&weights->layer, weights->loaded, "the model's layers"));
  for (int64_t i = 0; i < weights->loaded; ++i) {
    const bool slides = window > 0 && (i + 1) % pattern != 0;
    weights->layer[i].attention = *attention;
    weights->layer[i].attention.window = slides ? window : 0;
    weights->layer[i].rope = &weights->ropes[slides ? 1 : 0];
  }
  return OK;
}

Status blueprint_read(Weights *weights, const Gguf *gguf, const WeightsWanted *wanted) {
  Reader reader;
  AttentionShape attention = {0};
  TRY(open_reader(&reader, gguf));
  TRY(read_layers(&reader, weights, wanted));
  TRY(read_positions(&reader, weights, wanted));
  TRY(read_sizes(&reader, weights));
  TRY(read_attention(&reader, weights, &attention));
  TRY(read_ropes(&reader, weights, attention.head));
  return make_layers(&reader, weights, &attention);
}
