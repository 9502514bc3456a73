#include "attention.h"

#include <cblas.h>
#include <stdbool.h>
#include <string.h>

#include "pointwise.h"

/* Queries are taken in blocks of rows, so that a block's scores stay in the cache and keys after
 * its last query are never multiplied. The block is part of the result's bits: fixed. */
enum { BLOCK = 64 };

typedef struct Block {
  int64_t first, rows; /* queries */
  int64_t low, past;   /* positions of the keys that any of them sees */
} Block;

int64_t attention_scratch(int64_t positions) {
  return BLOCK * positions;
}

static int64_t first_seen(const AttentionShape *shape, int64_t position) {
  const bool is_cut = shape->window > 0 && position >= shape->window;
  return is_cut ? position - shape->window + 1 : 0;
}

static void weigh(const AttentionShape *shape, const AttentionContext *context, Block block,
                  float *scores) {
  const int64_t keys = block.past - block.low;
  for (int64_t i = 0; i < block.rows; ++i) {
    const int64_t position = context->past + block.first + i;
    const int64_t from = first_seen(shape, position) - block.low;
    const int64_t to = position + 1 - block.low;
    float *row = scores + i * keys;
    memset(row, 0, (size_t)from * sizeof *row);
    pointwise_softmax(row + from, to - from);
    memset(row + to, 0, (size_t)(keys - to) * sizeof *row);
  }
}

static void run_block(const AttentionShape *shape, const AttentionContext *context, Block block,
                      int64_t head, float *scores) {
  const int64_t size = shape->head, of_head = head * size;
  const int64_t of_kv = head / (shape->heads / shape->kv_heads) * size;
  const int rows = (int)block.rows, keys = (int)(block.past - block.low);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, keys, (int)size, shape->scale,
              context->query + block.first * context->query_stride + of_head,
              (int)context->query_stride, context->key + block.low * context->kv_stride + of_kv,
              (int)context->kv_stride, 0.0f, scores, keys);
  weigh(shape, context, block, scores);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, (int)size, keys, 1.0f, scores, keys,
              context->value + block.low * context->kv_stride + of_kv, (int)context->kv_stride,
              0.0f, context->out + block.first * context->out_stride + of_head,
              (int)context->out_stride);
}

void attention_run(const AttentionShape *shape, const AttentionContext *context, float *scratch) {
  for (int64_t first = 0; first < context->queries; first += BLOCK) {
    const int64_t left = context->queries - first;
    Block block = {.first = first, .rows = left < BLOCK ? left : BLOCK};
    block.low = first_seen(shape, context->past + first);
    block.past = context->past + first + block.rows;
    for (int64_t head = 0; head < shape->heads; ++head) {
      run_block(shape, context, block, head, scratch);
    }
  }
}
