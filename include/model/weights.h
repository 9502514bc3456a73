#ifndef WEIGHTS_H
#define WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "attention.h"
#include "gguf.h"
#include "rope.h"
#include "status.h"

/** A model's shape and weights out of a GGUF file, as float32. ranks: all local. */

typedef struct WeightsLayer {
  const float *attention_norm;      /* [width] */
  const float *qkv;                 /* [query_width + 2 kv_width, width] */
  const float *q_norm, *k_norm;     /* [head], NULL for none */
  const float *mix;                 /* [width, query_width] attention's output */
  const float *post_attention_norm; /* [width], NULL for none */
  const float *mlp_norm;            /* [width] */
  const float *gate_up;             /* [2 hidden, width] gate rows, then up rows */
  const float *down;                /* [width, hidden] */
  const float *post_mlp_norm;       /* [width], NULL for none */
  const Rope *rope;
  AttentionShape attention;
} WeightsLayer;

typedef struct Weights {
  int64_t layers; /* of the model */
  int64_t loaded; /* layers 0 .. loaded-1 are here */
  int64_t width, hidden, vocabulary, positions;
  int64_t query_width, kv_width; /* heads * head, kv_heads * head */
  float epsilon;                 /* of the norms */
  float embedding_scale;
  bool is_gelu;             /* else silu */
  WeightsLayer *layer;      /* [loaded] */
  const float *output_norm; /* [width] and */
  const float *head;        /* [vocabulary, width], NULL unless logits are wanted */
  const Gguf *gguf;         /* embeddings are read row by row */
  const GgufTensor *embedding;
  Rope ropes[2]; /* global and sliding layers */
  float *block;  /* all floats above */
} Weights;

typedef struct WeightsWanted {
  int64_t layers;    /* how many, from the first; -1: all */
  int64_t positions; /* longest context */
  bool logits;       /* all layers and the output head */
} WeightsWanted;

/** Read the shape, check every tensor against it, dequantise what is wanted (threads take pieces).
 *  gguf     in      kept: open until weights_clear()
 *  fails    ERR_UNSUPPORTED (architecture, RoPE scaling, a tensor that we would ignore, a
 *           quantisation), ERR_FORMAT (absent or wrong metadata or tensors), ERR_CONFIG (more
 *           layers than the model has), ERR_MEMORY */
Status weights_init(Weights *weights, const Gguf *gguf, const WeightsWanted *wanted) MUST_USE;
/** The same without the weights: shape, and how many floats they would take. */
Status weights_measure(Weights *weights, const Gguf *gguf, const WeightsWanted *wanted,
                       int64_t *floats) MUST_USE;
void weights_clear(Weights *weights);

#endif
