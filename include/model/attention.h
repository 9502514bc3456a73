#ifndef ATTENTION_H
#define ATTENTION_H

#include <stdint.h>

/** Causal attention of one context, by small matrix products a head. ranks: all local. */

typedef struct AttentionShape {
  int64_t heads, kv_heads; /* heads is a multiple of kv_heads */
  int64_t head;            /* entries of a head */
  float scale;             /* of the scores */
  int64_t window;          /* a query sees itself and window - 1 before; 0: all before */
} AttentionShape;

/** Query i stands at position past + i; keys and values are those of positions 0 .. past + queries
 *  - 1. Rows are `stride` floats apart. */
typedef struct AttentionContext {
  const float *query;       /* [queries, heads, head] */
  const float *key, *value; /* [past + queries, kv_heads, head] */
  float *out;               /* [queries, heads, head] */
  int64_t query_stride, kv_stride, out_stride;
  int64_t queries, past;
} AttentionContext;

/** Floats of scratch memory for contexts of at most `positions` positions. */
int64_t attention_scratch(int64_t positions);

/** out = softmax(scale query key^T) value, a head at a time.
 *  scratch  in      [attention_scratch(positions)] */
void attention_run(const AttentionShape *shape, const AttentionContext *context, float *scratch);

#endif
