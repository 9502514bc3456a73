#include <math.h>

#include "check.h"
#include "loss.h"
#include "memory.h"
#include "tiny.h"

/* More tokens than two tiles hold, more rows than a block: a context lies across its end. */
enum { WIDTH = 24, FEW = 50, MANY = 20000, LONGEST = 60, ROWS = 600, CONTEXTS = 14 };

static const int64_t LENGTHS[CONTEXTS] = {10, 1, 60, 2, 57, 60, 60, 60, 60, 60, 60, 60, 45, 5};
static int32_t g_ids[ROWS];
static double g_stream[7 * LONGEST * WIDTH], g_logits[LONGEST * MANY];

/* -log softmax in double, of one context; nan at its end. */
static double naive(const double *logits, int64_t vocabulary, int32_t next) {
  double sum = 0;
  for (int64_t v = 0; v < vocabulary; ++v) {
    sum += exp(logits[v] - logits[next]);
  }
  return log(sum);
}

static void compare(const Tiny *tiny, int64_t contexts, const double *loss) {
  const int64_t vocabulary = tiny->shape.vocabulary;
  int64_t row = 0, wrong = 0;
  for (int64_t c = 0; c < contexts; ++c) {
    tiny_run(tiny, g_ids + row, LENGTHS[c], g_stream, g_logits);
    for (int64_t i = 0; i + 1 < LENGTHS[c]; ++i) {
      const double expected = naive(g_logits + i * vocabulary, vocabulary, g_ids[row + i + 1]);
      wrong += !(fabs(loss[row + i] - expected) < 1e-3 * (1 + expected));
    }
    row += LENGTHS[c];
    wrong += !isnan(loss[row - 1]);
  }
  CU_ASSERT_EQUAL(wrong, 0);
}

static void check_losses(const TinyShape *like, int64_t vocabulary, int64_t contexts) {
  Tiny tiny;
  TinyShape shape = *like;
  Transformer *transformer = NULL;
  TransformerScratch *scratch = NULL;
  float *logits = NULL, residual[ROWS * WIDTH];
  double loss[ROWS];
  const TransformerUnit unit = {g_ids, LENGTHS, contexts};
  const TransformerOptions options = {-1, LONGEST, true};
  shape.vocabulary = vocabulary;
  tiny_fill(&tiny, &shape);
  tiny_open(&tiny);
  CU_ASSERT_EQUAL(transformer_create(&transformer, tiny.gguf, &options), OK);
  CU_ASSERT_EQUAL(transformer_scratch_create(&scratch, transformer, ROWS), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&logits, LOSS_LOGITS, "logits"), OK);
  for (int32_t i = 0; i < ROWS; ++i) {
    g_ids[i] = (int32_t)((i * 1217 + i * i * 5 + 1) % vocabulary);
  }
  CU_ASSERT_EQUAL(transformer_run(scratch, &unit, NULL, residual), OK);
  loss_of_unit(scratch, transformer, &unit, residual, logits, loss);
  compare(&tiny, contexts, loss);
  MEMORY_FREE(logits);
  transformer_scratch_destroy(&scratch);
  transformer_destroy(&transformer);
  tiny_close(&tiny);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void test_llama(void) {
  check_losses(&TINY_LLAMA, FEW, 4);
}

static void test_gemma(void) {
  check_losses(&TINY_GEMMA, FEW, 4);
}

static void test_blocks(void) {
  check_losses(&TINY_LLAMA, FEW, CONTEXTS);
}

static void test_tiles(void) {
  check_losses(&TINY_LLAMA, MANY, 4);
}

static const CheckFact FACTS[] = {
    {"losses of a llama equal naive loops", test_llama},
    {"losses of a gemma3 equal naive loops", test_gemma},
    {"so do those of more rows than a block holds", test_blocks},
    {"so do those of more tokens than a tile holds", test_tiles},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "loss", FACTS);
}
