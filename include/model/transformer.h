#ifndef TRANSFORMER_H
#define TRANSFORMER_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "status.h"

/** The forward pass of a language model in float32 (architectures llama and gemma3), on a
 *  single-threaded BLAS: threads take whole units of contexts. A unit of the same contexts gives
 *  the same bits on any thread and rank of one kind of processor. ranks: all local. */
typedef struct Transformer Transformer;

typedef struct TransformerOptions {
  int64_t layers;    /* load layers 0 .. layers-1 and stop behind them; -1: all */
  int64_t positions; /* the longest context */
  bool logits;       /* load the output head too (then layers must be -1) */
} TransformerOptions;

/** Weights are dequantised here, by all threads of threads.h.
 *  gguf     in      kept: open until transformer_destroy()
 *  fails    ERR_UNSUPPORTED names the architecture and those that work, the quantisation, or a
 *           tensor that would be ignored; ERR_FORMAT; ERR_CONFIG: more layers or longer contexts
 *           than the model has; ERR_MEMORY */
Status transformer_create(Transformer **out, const Gguf *gguf,
                          const TransformerOptions *options) MUST_USE;
void transformer_destroy(Transformer **transformer);

/** What a transformer would take: nothing is loaded.
 *  rows     in      tokens of a unit
 *  fails    as transformer_create */
typedef struct TransformerSize {
  int64_t width, vocabulary;
  double weights, scratch; /* bytes: of the process, of each thread's scratch */
  double operations;       /* float32 operations of a token, at full contexts */
} TransformerSize;
Status transformer_measure(const Gguf *gguf, const TransformerOptions *options, int64_t rows,
                           TransformerSize *out) MUST_USE;

int64_t transformer_width(const Transformer *transformer);
int64_t transformer_vocabulary(const Transformer *transformer);
int64_t transformer_layers(const Transformer *transformer); /* of the model, loaded or not */
int64_t transformer_loaded(const Transformer *transformer);
int64_t transformer_positions(const Transformer *transformer);

/** Working memory of one thread, for at most `rows` tokens in a unit. `transformer` is kept.
 *  fails    ERR_MEMORY */
typedef struct TransformerScratch TransformerScratch;
Status transformer_scratch_create(TransformerScratch **out, const Transformer *transformer,
                                  int64_t rows) MUST_USE;
void transformer_scratch_destroy(TransformerScratch **scratch);

/** Called after every layer; may read or change the residual stream. A failure ends the pass.
 *  residual  in/out  [rows, width], rows in the order of the ids */
typedef struct TransformerHook {
  Status (*call)(void *context, int64_t layer, float *residual, int64_t rows);
  void *context;
} TransformerHook;

/** Contexts of one unit, one behind the other. */
typedef struct TransformerUnit {
  const int32_t *ids;     /* [rows] */
  const int64_t *lengths; /* [contexts], each in 1 .. positions; their sum is `rows` */
  int64_t contexts;
} TransformerUnit;

/** Run the loaded layers. Threads may share the transformer, each with a scratch of its own.
 *  hook      in      NULL for none
 *  residual  out     [rows, width] residual stream after the last loaded layer (Hugging Face:
 *                    hidden_states[layers] before any final norm)
 *  fails     ERR_DATA (an id outside the vocabulary), the hook's status */
Status transformer_run(TransformerScratch *scratch, const TransformerUnit *unit,
                       const TransformerHook *hook, float *residual) MUST_USE;

/** The same from the middle on.
 *  first     in      the first layer to run
 *  residual  in/out  [rows, width] the stream after layer first - 1 (first 0: written, as by
 *                    transformer_run) */
Status transformer_resume(TransformerScratch *scratch, const TransformerUnit *unit, int64_t first,
                          const TransformerHook *hook, float *residual) MUST_USE;

/** Keys and values of one growing context, for generation. `transformer` is kept.
 *  fails    ERR_MEMORY */
typedef struct TransformerCache TransformerCache;
Status transformer_cache_create(TransformerCache **out, const Transformer *transformer) MUST_USE;
void transformer_cache_destroy(TransformerCache **cache);
/** Tokens so far; and forget all but the first `length`. */
int64_t transformer_cache_length(const TransformerCache *cache);
void transformer_cache_cut(TransformerCache *cache, int64_t length);

/** As transformer_run, for `count` further tokens behind those in the cache (cache length + count
 *  <= positions, count <= the scratch's rows); they are added to it, also when the call fails: cut
 *  it then. */
Status transformer_extend(TransformerScratch *scratch, TransformerCache *cache, const int32_t *ids,
                          int64_t count, const TransformerHook *hook, float *residual) MUST_USE;

/** What makes logits of the stream: head rows . (normed stream * norm); borrowed (needs
 *  options.logits). */
typedef struct TransformerHead {
  const float *rows; /* [vocabulary, width] */
  const float *norm; /* [width] weights of the final norm */
} TransformerHead;
TransformerHead transformer_head(const Transformer *transformer);

/** Next-token logits of rows of the last layer's residual stream (needs options.logits), of all
 *  tokens or of tokens [first, first + tokens).
 *  residual  in      [rows, width], rows <= the scratch's
 *  logits    out     [rows, vocabulary] or [rows, tokens] */
void transformer_logits(TransformerScratch *scratch, const float *residual, int64_t rows,
                        float *logits);
void transformer_logits_of(TransformerScratch *scratch, const float *residual, int64_t rows,
                           int64_t first, int64_t tokens, float *logits);

#endif
