#include "generate.h"

#include "memory.h"
#include "pointwise.h"
#include "random.h"

enum { PIECE = 256 }; /* tokens fed at once: large products, small memory */

struct Generation {
  const Transformer *transformer;
  TransformerScratch *scratch;
  TransformerCache *cache;
  float *residual; /* [PIECE, width] */
  float *logits;   /* [vocabulary] */
  float *shares;   /* [vocabulary] */
};

static Status take(Generation *generation) {
  const Transformer *transformer = generation->transformer;
  const int64_t vocabulary = transformer_vocabulary(transformer);
  TRY(transformer_scratch_create(&generation->scratch, transformer, PIECE));
  TRY(transformer_cache_create(&generation->cache, transformer));
  TRY(MEMORY_NEW(&generation->residual, PIECE * transformer_width(transformer), "residual stream"));
  TRY(MEMORY_NEW(&generation->logits, vocabulary, "logits"));
  return MEMORY_NEW(&generation->shares, vocabulary, "probabilities");
}

Status generate_create(Generation **out, const Transformer *transformer) {
  *out = NULL;
  Generation *generation;
  TRY(MEMORY_NEW(&generation, 1, "a generation"));
  generation->transformer = transformer;
  const Status status = take(generation);
  if (status != OK) {
    generate_destroy(&generation);
  }
  *out = generation;
  return status;
}

void generate_destroy(Generation **generation) {
  Generation *g = *generation;
  if (g == NULL) {
    return;
  }
  transformer_scratch_destroy(&g->scratch);
  transformer_cache_destroy(&g->cache);
  MEMORY_FREE(g->residual);
  MEMORY_FREE(g->logits);
  MEMORY_FREE(g->shares);
  MEMORY_FREE(*generation);
}

int64_t generate_length(const Generation *generation) {
  return transformer_cache_length(generation->cache);
}

void generate_cut(Generation *generation, int64_t length) {
  transformer_cache_cut(generation->cache, length);
}

const float *generate_logits(const Generation *generation) {
  return generation->logits;
}

static Status feed_pieces(Generation *generation, const int32_t *ids, int64_t count,
                          const TransformerHook *hook) {
  int64_t piece = 0;
  for (int64_t first = 0; first < count; first += piece) {
    piece = count - first < PIECE ? count - first : PIECE;
    TRY(transformer_extend(generation->scratch, generation->cache, ids + first, piece, hook,
                           generation->residual));
  }
  const int64_t last = (piece - 1) * transformer_width(generation->transformer);
  transformer_logits(generation->scratch, generation->residual + last, 1, generation->logits);
  return OK;
}

Status generate_feed(Generation *generation, const int32_t *ids, int64_t count,
                     const TransformerHook *hook) {
  ASSERT(count > 0);
  const int64_t before = generate_length(generation);
  const int64_t most = transformer_positions(generation->transformer);
  if (count > most - before) {
    return RAISE(ERR_DATA, "a text of %lld tokens: there is room for %lld",
                 (long long)(before + count), (long long)most);
  }
  const Status status = feed_pieces(generation, ids, count, hook);
  if (status != OK) {
    generate_cut(generation, before);
  }
  return status;
}

int32_t generate_pick(Generation *generation, double temperature, uint64_t key) {
  const int64_t vocabulary = transformer_vocabulary(generation->transformer);
  if (temperature <= 0.0) {
    return (int32_t)pointwise_likeliest(generation->logits, vocabulary);
  }
  for (int64_t id = 0; id < vocabulary; ++id) {
    generation->shares[id] = generation->logits[id] / (float)temperature;
  }
  pointwise_softmax(generation->shares, vocabulary);
  double sum = 0.0, left = random_uniform(key, (uint64_t)generate_length(generation));
  for (int64_t id = 0; id < vocabulary; ++id) {
    sum += (double)generation->shares[id];
  }
  left *= sum;
  for (int32_t id = 0; id < vocabulary; ++id) {
    left -= (double)generation->shares[id];
    if (left < 0.0) {
      return id;
    }
  }
  return (int32_t)pointwise_likeliest(generation->logits, vocabulary);
}
