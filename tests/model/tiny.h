#ifndef TINY_H
#define TINY_H

#include "gguf.h"
#include "read/gguf_writer.h"
#include "text.h"

/** Tiny models with random weights in memory, as llama or gemma3. ranks: all local. */

typedef struct TinyShape {
  const char *architecture; /* "llama", "gemma3" */
  int64_t layers, width, heads, kv_heads, head, hidden, vocabulary, positions;
  int64_t rotated; /* entries of a head that RoPE turns */
  int64_t window;  /* gemma3 */
  double base;     /* of RoPE's frequencies (gemma3: of the global layers) */
  double stretch;  /* linear RoPE scaling, 0: none */
  bool is_untied;  /* an output head of its own */
} TinyShape;

extern const TinyShape TINY_LLAMA, TINY_GEMMA;

typedef struct Tiny {
  TinyShape shape;
  GgufWriter writer;
  Text file;
  Gguf *gguf;
} Tiny;

/** Metadata and tensors into the writer: change it, then open. */
void tiny_fill(Tiny *tiny, const TinyShape *shape);
/** Make the file of what the writer holds, and open it. Ends the program when that fails. */
void tiny_open(Tiny *tiny);
void tiny_close(Tiny *tiny);

/** The same model by naive loops in double: the residual stream of one context after every layer.
 *  out   [layers, count, width]; logits [count, vocabulary], NULL for none */
void tiny_run(const Tiny *tiny, const int32_t *ids, int64_t count, double *out, double *logits);

#endif
