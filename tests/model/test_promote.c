#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lowp.h"
#include "memory.h"
#include "promote.h"
#include "random.h"
#include "threads.h"
#include "tiny.h"

enum { WIDTH = 24, VOCABULARY = 50, COUNT = 9, MOST = 6 };

static float g_direction[COUNT * WIDTH];

/* The place of a token among all, by effect in the fixed-order dot product; ties to the lower id. */
static int64_t place_of(const float *effects, int64_t token, int sign) {
  int64_t place = 0;
  for (int64_t v = 0; v < VOCABULARY; ++v) {
    const float a = (float)sign * effects[v], b = (float)sign * effects[token];
    place += a > b || (a == b && v < token);
  }
  return place;
}

static int64_t wrong_of(const Transformer *transformer, int64_t row, int sign, const int64_t *token,
                        const float *effect) {
  const TransformerHead head = transformer_head(transformer);
  float effects[VOCABULARY], scaled[WIDTH];
  int64_t wrong = 0;
  for (int64_t j = 0; j < WIDTH; ++j) {
    scaled[j] = g_direction[row * WIDTH + j] * head.norm[j];
  }
  for (int64_t v = 0; v < VOCABULARY; ++v) {
    effects[v] = dense_dot(scaled, head.rows + v * WIDTH, WIDTH);
  }
  for (int64_t i = 0; i < MOST; ++i) {
    wrong +=
        token[i] < 0 || place_of(effects, token[i], sign) != i || effect[i] != effects[token[i]];
  }
  return wrong;
}

static void check_ends(const Transformer *transformer, Promote *promote) {
  int64_t token[COUNT * MOST], wrong = 0;
  float effect[COUNT * MOST];
  for (int sign = -1; sign <= 1; sign += 2) {
    CU_ASSERT_EQUAL(promote_find(promote, g_direction, COUNT, sign, MOST, token, effect), OK);
    for (int64_t i = 0; i < COUNT; ++i) {
      if (i == 4) { /* the zero direction */
        wrong += token[i * MOST] != PROMOTE_NONE || effect[i * MOST] != 0;
      } else {
        wrong += wrong_of(transformer, i, sign, token + i * MOST, effect + i * MOST);
      }
    }
  }
  CU_ASSERT_EQUAL(wrong, 0);
  int64_t all[60];
  float effects[60];
  CU_ASSERT_EQUAL(promote_find(promote, g_direction, 1, 1, 60, all, effects), OK);
  CU_ASSERT(all[49] >= 0 && all[50] == PROMOTE_NONE); /* more than there are tokens */
}

static void check_promoted(bool in_bytes) {
  Tiny tiny;
  Transformer *transformer = NULL;
  Promote *promote = NULL;
  const char *why = NULL;
  const TransformerOptions options = {-1, 10, true};
  setenv("CLEAVE_LOWP", in_bytes ? "on" : "off", 1);
  CU_ASSERT(lowp_open(&why) == in_bytes);
  unsetenv("CLEAVE_LOWP");
  tiny_fill(&tiny, &TINY_LLAMA);
  tiny_open(&tiny);
  CU_ASSERT_EQUAL(transformer_create(&transformer, tiny.gguf, &options), OK);
  for (int64_t i = 0; i < COUNT * WIDTH; ++i) {
    g_direction[i] = i / WIDTH == 4 ? 0 : (float)random_normal(8, (uint64_t)i);
  }
  CU_ASSERT_EQUAL(promote_create(&promote, transformer), OK);
  for (int threads = 1; threads <= 3; threads += 2) {
    threads_set(threads);
    check_ends(transformer, promote);
  }
  threads_set(1);
  promote_destroy(&promote);
  transformer_destroy(&transformer);
  tiny_close(&tiny);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void test_in_bytes(void) {
  check_promoted(true);
}

static void test_in_floats(void) {
  check_promoted(false);
}

static const CheckFact FACTS[] = {
    {"the ends are those of naive loops, screened in 8 bits", test_in_bytes},
    {"and in float32", test_in_floats},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "promote", FACTS);
}
