#include <math.h>
#include <string.h>

#include "check.h"
#include "generate.h"
#include "memory.h"
#include "tiny.h"

enum { POSITIONS = 300, VOCABULARY = 50, WIDTH = 24, PROMPT = 270 };

typedef struct Model {
  Tiny tiny;
  Transformer *transformer;
  Generation *generation;
  int32_t prompt[PROMPT];
} Model;

static void open_model(Model *model, const TinyShape *shape) {
  const TransformerOptions options = {-1, POSITIONS, true};
  *model = (Model){0};
  tiny_fill(&model->tiny, shape);
  tiny_open(&model->tiny);
  CU_ASSERT_EQUAL(transformer_create(&model->transformer, model->tiny.gguf, &options), OK);
  CU_ASSERT_EQUAL(generate_create(&model->generation, model->transformer), OK);
  for (int32_t i = 0; i < PROMPT; ++i) {
    model->prompt[i] = (i * 13 + i * i * 3) % VOCABULARY;
  }
}

static void close_model(Model *model) {
  generate_destroy(&model->generation);
  transformer_destroy(&model->transformer);
  tiny_close(&model->tiny);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

/* A prompt longer than a piece, then single tokens: the logits of naive loops over it all. */
static void logits_equal_those_of_the_whole_text(void) {
  Model model;
  enum { COUNT = PROMPT };
  static double residual[7 * COUNT * WIDTH], logits[COUNT * VOCABULARY];
  open_model(&model, &TINY_GEMMA);
  tiny_run(&model.tiny, model.prompt, COUNT, residual, logits);
  for (int64_t length = 0; length < COUNT;) {
    const int64_t count = length == 0 ? COUNT - 8 : (length % 2 == 0 ? 1 : 3);
    CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt + length, count, NULL), OK);
    length += count;
    CU_ASSERT_EQUAL(generate_length(model.generation), length);
    const float *own = generate_logits(model.generation);
    for (int64_t id = 0; id < VOCABULARY; ++id) {
      const double expected = logits[(length - 1) * VOCABULARY + id];
      CU_ASSERT(fabs((double)own[id] - expected) < 1e-3); /* logits of about 10 */
    }
    if (length == COUNT - 1) {
      break;
    }
  }
  close_model(&model);
}

static void write_text(Model *model, double temperature, uint64_t key, int32_t *out, int count) {
  generate_cut(model->generation, 0);
  CU_ASSERT_EQUAL(generate_feed(model->generation, model->prompt, 10, NULL), OK);
  for (int i = 0; i < count; ++i) {
    out[i] = generate_pick(model->generation, temperature, key);
    CU_ASSERT(out[i] >= 0 && out[i] < VOCABULARY);
    CU_ASSERT_EQUAL(generate_feed(model->generation, &out[i], 1, NULL), OK);
  }
}

static void a_text_depends_on_its_key_alone(void) {
  Model model;
  int32_t first[20], again[20], other[20], greedy[20];
  open_model(&model, &TINY_LLAMA);
  write_text(&model, 2.0, 5, first, 20);
  write_text(&model, 2.0, 6, other, 20);
  write_text(&model, 0.0, 5, greedy, 20);
  write_text(&model, 2.0, 5, again, 20);
  CU_ASSERT(memcmp(first, again, sizeof(first)) == 0);
  CU_ASSERT(memcmp(first, other, sizeof(first)) != 0);
  CU_ASSERT(memcmp(first, greedy, sizeof(first)) != 0);
  close_model(&model);
}

/* 4,000 draws: each token's share within 5 standard errors of its probability. */
static void tokens_are_drawn_by_their_probability(void) {
  Model model;
  enum { DRAWS = 4000 };
  int counts[VOCABULARY] = {0};
  double shares[VOCABULARY], sum = 0.0;
  open_model(&model, &TINY_LLAMA);
  CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt, 10, NULL), OK);
  const float *logits = generate_logits(model.generation);
  for (int id = 0; id < VOCABULARY; ++id) {
    shares[id] = exp((double)logits[id] / 3.0);
    sum += shares[id];
  }
  for (uint64_t key = 0; key < DRAWS; ++key) {
    ++counts[generate_pick(model.generation, 3.0, key * 7919)];
  }
  for (int id = 0; id < VOCABULARY; ++id) {
    const double p = shares[id] / sum;
    CU_ASSERT(fabs(counts[id] / (double)DRAWS - p) < 5.0 * sqrt(p * (1.0 - p) / DRAWS) + 1e-3);
  }
  close_model(&model);
}

static Status steer(void *context, int64_t layer, float *residual, int64_t rows) {
  int64_t *seen = context;
  *seen += layer == 0 ? rows : 0;
  for (int64_t i = 0; i < rows * WIDTH && layer == 1; ++i) {
    residual[i] += i % WIDTH == 3 ? 20.0F : 0.0F;
  }
  return OK;
}

static void a_hook_sees_every_token_and_steers(void) {
  Model model;
  int64_t seen = 0;
  static float plain[VOCABULARY];
  const TransformerHook hook = {steer, &seen};
  open_model(&model, &TINY_LLAMA);
  CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt, PROMPT, NULL), OK);
  memcpy(plain, generate_logits(model.generation), sizeof(plain));
  generate_cut(model.generation, 0);
  CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt, PROMPT, &hook), OK);
  CU_ASSERT_EQUAL(seen, PROMPT);
  CU_ASSERT(memcmp(plain, generate_logits(model.generation), sizeof(plain)) != 0);
  close_model(&model);
}

static Status fail(void *context, int64_t layer, float *residual, int64_t rows) {
  (void)context;
  (void)residual;
  (void)rows;
  return RAISE(ERR_NUMERIC, "planted at layer %d", (int)layer);
}

static void a_failed_feed_leaves_the_text_as_it_was(void) {
  Model model;
  const TransformerHook hook = {fail, NULL};
  open_model(&model, &TINY_LLAMA);
  CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt, 40, NULL), OK);
  CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt, 5, &hook), ERR_NUMERIC);
  CU_ASSERT_EQUAL(generate_length(model.generation), 40);
  CU_ASSERT_EQUAL(generate_feed(model.generation, model.prompt, PROMPT, NULL), ERR_DATA);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "room for 300"));
  CU_ASSERT_EQUAL(generate_length(model.generation), 40);
  close_model(&model);
}

static const CheckFact FACTS[] = {
    {"logits equal those of the whole text by naive loops", logits_equal_those_of_the_whole_text},
    {"a text depends on its key alone", a_text_depends_on_its_key_alone},
    {"tokens are drawn by their probability", tokens_are_drawn_by_their_probability},
    {"a hook sees every token and steers", a_hook_sees_every_token_and_steers},
    {"a failed feed leaves the text as it was", a_failed_feed_leaves_the_text_as_it_was},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "generate", FACTS);
}
