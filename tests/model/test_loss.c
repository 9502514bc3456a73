#include <math.h>

#include "check.h"
#include "loss.h"
#include "memory.h"
#include "tiny.h"

enum { WIDTH = 24, VOCABULARY = 50, LONGEST = 60, ROWS = 80 };

static int32_t g_ids[ROWS];
static double g_stream[7 * LONGEST * WIDTH], g_logits[LONGEST * VOCABULARY];

/* -log softmax in double, of one context; nan at its end. */
static double naive(const double *logits, int32_t next) {
  double sum = 0;
  for (int64_t v = 0; v < VOCABULARY; ++v) {
    sum += exp(logits[v] - logits[next]);
  }
  return log(sum);
}

static void compare(const Tiny *tiny, const int64_t *lengths, int64_t contexts,
                    const double *loss) {
  int64_t row = 0, wrong = 0;
  for (int64_t c = 0; c < contexts; ++c) {
    tiny_run(tiny, g_ids + row, lengths[c], g_stream, g_logits);
    for (int64_t i = 0; i + 1 < lengths[c]; ++i) {
      const double expected = naive(g_logits + i * VOCABULARY, g_ids[row + i + 1]);
      wrong += !(fabs(loss[row + i] - expected) < 1e-3 * (1 + expected));
    }
    row += lengths[c];
    wrong += !isnan(loss[row - 1]);
  }
  CU_ASSERT_EQUAL(wrong, 0);
}

static void check_losses(const TinyShape *shape) {
  Tiny tiny;
  Transformer *transformer = NULL;
  TransformerScratch *scratch = NULL;
  float *logits = NULL, residual[ROWS * WIDTH];
  double loss[ROWS];
  const int64_t lengths[] = {10, 1, LONGEST, 2};
  const TransformerUnit unit = {g_ids, lengths, 4};
  const TransformerOptions options = {-1, LONGEST, true};
  tiny_fill(&tiny, shape);
  tiny_open(&tiny);
  CU_ASSERT_EQUAL(transformer_create(&transformer, tiny.gguf, &options), OK);
  CU_ASSERT_EQUAL(transformer_scratch_create(&scratch, transformer, ROWS), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&logits, loss_rows_at_once(transformer) * VOCABULARY, "logits"), OK);
  for (int32_t i = 0; i < ROWS; ++i) {
    g_ids[i] = (i * 17 + i * i * 5 + 1) % VOCABULARY;
  }
  CU_ASSERT_EQUAL(transformer_run(scratch, &unit, NULL, residual), OK);
  loss_of_unit(scratch, transformer, &unit, residual, logits, loss);
  compare(&tiny, lengths, 4, loss);
  MEMORY_FREE(logits);
  transformer_scratch_destroy(&scratch);
  transformer_destroy(&transformer);
  tiny_close(&tiny);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void test_llama(void) {
  check_losses(&TINY_LLAMA);
}

static void test_gemma(void) {
  check_losses(&TINY_GEMMA);
}

static const CheckFact FACTS[] = {
    {"losses of a llama equal naive loops", test_llama},
    {"losses of a gemma3 equal naive loops", test_gemma},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "loss", FACTS);
}
