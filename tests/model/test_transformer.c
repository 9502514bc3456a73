#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "threads.h"
#include "tiny.h"
#include "transformer.h"

enum { LONGEST = 200, ROWS = 256, LAYERS = 7, WIDTH = 24, VOCABULARY = 50 };

/* A model of ours beside its tiny file. */
typedef struct Model {
  Tiny tiny;
  Transformer *transformer;
  TransformerScratch *scratch;
} Model;

static int32_t g_ids[ROWS];
static float g_residual[ROWS * WIDTH], g_other[ROWS * WIDTH], g_logits[ROWS * VOCABULARY];
static double g_expected[LAYERS * LONGEST * WIDTH], g_expected_logits[LONGEST * VOCABULARY];

static void fill_ids(int32_t salt) {
  for (int32_t i = 0; i < ROWS; ++i) {
    g_ids[i] = (i * 17 + i * i * 5 + salt) % VOCABULARY;
  }
}

static Status make(Model *model, int64_t layers, bool logits) {
  const TransformerOptions options = {layers, LONGEST, logits};
  TRY(transformer_create(&model->transformer, model->tiny.gguf, &options));
  return transformer_scratch_create(&model->scratch, model->transformer, ROWS);
}

static void open_model(Model *model, const TinyShape *shape, int64_t layers, bool logits) {
  *model = (Model){0};
  tiny_fill(&model->tiny, shape);
  tiny_open(&model->tiny);
  CU_ASSERT_EQUAL(make(model, layers, logits), OK);
  fill_ids(3);
}

static void close_model(Model *model) {
  transformer_scratch_destroy(&model->scratch);
  transformer_destroy(&model->transformer);
  tiny_close(&model->tiny);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static Status run(Model *model, const int64_t *lengths, int64_t contexts,
                  const TransformerHook *hook, float *residual) {
  const TransformerUnit unit = {g_ids, lengths, contexts};
  return transformer_run(model->scratch, &unit, hook, residual);
}

/* Largest difference of `rows` rows relative to the expected row's norm. */
static double row_error(const float *rows, const double *expected, int64_t count, int64_t width) {
  double worst = 0.0;
  for (int64_t row = 0; row < count; ++row) {
    double difference = 0.0, square = 0.0;
    for (int64_t i = row * width; i < (row + 1) * width; ++i) {
      difference += ((double)rows[i] - expected[i]) * ((double)rows[i] - expected[i]);
      square += expected[i] * expected[i];
    }
    worst = fmax(worst, sqrt(difference / square));
  }
  return worst;
}

/* float32 against double over a few layers of a random model (its scores are large, which
 * amplifies). */
static const double TOLERANCE = 3e-5;

static double g_worst;

static Status compare_layer(void *context, int64_t layer, float *residual, int64_t rows) {
  (void)context;
  g_worst = fmax(g_worst, row_error(residual, g_expected + layer * rows * WIDTH, rows, WIDTH));
  return OK;
}

/* Every layer, every length about the block sizes, and the logits. */
static void compare_with_naive(const TinyShape *shape) {
  Model model;
  const int64_t lengths[] = {1, 2, 5, 6, 63, 64, 65, 129, LONGEST};
  const TransformerHook hook = {compare_layer, NULL};
  open_model(&model, shape, -1, true);
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); ++i) {
    const int64_t length = lengths[i];
    tiny_run(&model.tiny, g_ids, length, g_expected, g_expected_logits);
    g_worst = 0.0;
    CU_ASSERT_EQUAL(run(&model, &length, 1, &hook, g_residual), OK);
    CU_ASSERT(g_worst < TOLERANCE);
    transformer_logits(model.scratch, g_residual, length, g_logits);
    CU_ASSERT(row_error(g_logits, g_expected_logits, length, VOCABULARY) < TOLERANCE);
  }
  close_model(&model);
}

static void llama_equals_naive_loops(void) {
  compare_with_naive(&TINY_LLAMA);
}

static void gemma_equals_naive_loops(void) {
  compare_with_naive(&TINY_GEMMA);
}

static void untied_heads_and_stretched_positions_equal_naive_loops(void) {
  TinyShape shape = TINY_LLAMA;
  shape.is_untied = true;
  shape.stretch = 4.0;
  shape.kv_heads = shape.heads;
  compare_with_naive(&shape);
}

static void contexts_of_a_unit_do_not_see_each_other(void) {
  Model model;
  const int64_t lengths[] = {40, 1, 70, 90};
  open_model(&model, &TINY_GEMMA, -1, false);
  CU_ASSERT_EQUAL(run(&model, lengths, 4, NULL, g_residual), OK);
  int64_t first = 0;
  for (int i = 0; i < 4; first += lengths[i], ++i) {
    const int64_t count = lengths[i];
    tiny_run(&model.tiny, g_ids + first, count, g_expected, NULL);
    CU_ASSERT(row_error(g_residual + first * WIDTH, g_expected + 6 * count * WIDTH, count, WIDTH) <
              TOLERANCE);
  }
  close_model(&model);
}

typedef struct Copy {
  int64_t layer;
  float add;
  int calls;
} Copy;

static Status copy_layer(void *context, int64_t layer, float *residual, int64_t rows) {
  Copy *copy = context;
  ++copy->calls;
  if (layer == copy->layer) {
    memcpy(g_other, residual, (size_t)(rows * WIDTH) * sizeof(*residual));
    for (int64_t i = 0; i < rows * WIDTH; ++i) {
      residual[i] += copy->add;
    }
  }
  return OK;
}

static void fewer_layers_give_the_bits_of_the_whole_model_there(void) {
  Model whole, part;
  const int64_t length = 100;
  Copy copy = {.layer = 1};
  const TransformerHook hook = {copy_layer, &copy};
  open_model(&whole, &TINY_LLAMA, -1, false);
  CU_ASSERT_EQUAL(run(&whole, &length, 1, &hook, g_residual), OK);
  CU_ASSERT_EQUAL(copy.calls, 3);
  part = (Model){.tiny = whole.tiny};
  CU_ASSERT_EQUAL(make(&part, 2, false), OK);
  CU_ASSERT_EQUAL(transformer_layers(part.transformer), 3);
  CU_ASSERT_EQUAL(transformer_loaded(part.transformer), 2);
  CU_ASSERT_EQUAL(run(&part, &length, 1, NULL, g_residual), OK);
  CU_ASSERT(memcmp(g_residual, g_other, (size_t)(length * WIDTH) * sizeof(float)) == 0);
  transformer_scratch_destroy(&part.scratch);
  transformer_destroy(&part.transformer);
  close_model(&whole);
}

static void a_hook_changes_what_later_layers_see(void) {
  Model model;
  const int64_t length = 30;
  Copy copy = {.layer = 0, .add = 0.5F};
  const TransformerHook hook = {copy_layer, &copy};
  open_model(&model, &TINY_LLAMA, -1, false);
  CU_ASSERT_EQUAL(run(&model, &length, 1, NULL, g_residual), OK);
  CU_ASSERT_EQUAL(run(&model, &length, 1, &hook, g_other), OK);
  CU_ASSERT(memcmp(g_residual, g_other, (size_t)(length * WIDTH) * sizeof(float)) != 0);
  close_model(&model);
}

/* From the stream behind layer 0, and from the start. */
static void resuming_gives_the_bits_of_running_through(void) {
  Model model;
  const int64_t lengths[] = {30, 1, 40};
  const TransformerUnit unit = {g_ids, lengths, 3};
  Copy copy = {.layer = 0};
  const TransformerHook hook = {copy_layer, &copy};
  open_model(&model, &TINY_GEMMA, -1, false);
  CU_ASSERT_EQUAL(run(&model, lengths, 3, &hook, g_residual), OK);
  CU_ASSERT_EQUAL(transformer_resume(model.scratch, &unit, 1, NULL, g_other), OK);
  CU_ASSERT(memcmp(g_residual, g_other, (size_t)(71 * WIDTH) * sizeof(float)) == 0);
  memset(g_other, 0x7f, sizeof(g_other));
  CU_ASSERT_EQUAL(transformer_resume(model.scratch, &unit, 0, NULL, g_other), OK);
  CU_ASSERT(memcmp(g_residual, g_other, (size_t)(71 * WIDTH) * sizeof(float)) == 0);
  CU_ASSERT_EQUAL(transformer_resume(model.scratch, &unit, LAYERS, NULL, g_other), OK);
  CU_ASSERT(memcmp(g_residual, g_other, (size_t)(71 * WIDTH) * sizeof(float)) == 0);
  close_model(&model);
}

static Status fail(void *context, int64_t layer, float *residual, int64_t rows) {
  (void)context;
  (void)residual;
  (void)rows;
  return layer == 1 ? RAISE(ERR_NUMERIC, "planted") : OK;
}

static void a_failing_hook_ends_the_pass_with_its_status(void) {
  Model model;
  const int64_t length = 3;
  const TransformerHook hook = {fail, NULL};
  open_model(&model, &TINY_LLAMA, -1, false);
  CU_ASSERT_EQUAL(run(&model, &length, 1, &hook, g_residual), ERR_NUMERIC);
  close_model(&model);
}

static Status run_part(int64_t unit, int thread, void *context) {
  (void)thread;
  Model *model = context;
  const int64_t length = 20;
  TransformerScratch *scratch;
  const TransformerUnit part = {g_ids + unit * length, &length, 1};
  TRY(transformer_scratch_create(&scratch, model->transformer, length));
  const Status status = transformer_run(scratch, &part, NULL, g_other + unit * length * WIDTH);
  transformer_scratch_destroy(&scratch);
  return status;
}

static void units_give_the_same_bits_on_any_thread(void) {
  Model model;
  enum { UNITS = 12 };
  static float kept[UNITS * 20 * WIDTH];
  open_model(&model, &TINY_GEMMA, -1, false);
  threads_set(1);
  CU_ASSERT_EQUAL(threads_run(UNITS, run_part, &model), OK);
  memcpy(kept, g_other, sizeof(kept));
  threads_set(3);
  CU_ASSERT_EQUAL(threads_run(UNITS, run_part, &model), OK);
  CU_ASSERT(memcmp(kept, g_other, sizeof(kept)) == 0);
  threads_set(1);
  close_model(&model);
}

static void extending_a_cache_equals_running_the_whole(void) {
  Model model;
  TransformerCache *cache;
  const int64_t pieces[] = {70, 1, 1, 64, 3, 61};
  const int64_t length = LONGEST;
  open_model(&model, &TINY_GEMMA, -1, false);
  tiny_run(&model.tiny, g_ids, length, g_expected, NULL);
  CU_ASSERT_EQUAL(transformer_cache_create(&cache, model.transformer), OK);
  for (int turn = 0; turn < 2; ++turn) { /* the second after forgetting all but 70 */
    for (int i = turn; i < 6; ++i) {
      const int64_t first = transformer_cache_length(cache);
      CU_ASSERT_EQUAL(transformer_extend(model.scratch, cache, g_ids + first, pieces[i], NULL,
                                         g_residual + first * WIDTH),
                      OK);
    }
    CU_ASSERT_EQUAL(transformer_cache_length(cache), length);
    CU_ASSERT(row_error(g_residual, g_expected + 6 * length * WIDTH, length, WIDTH) < TOLERANCE);
    transformer_cache_cut(cache, 70);
    memset(g_residual + 70 * WIDTH, 0, (size_t)((LONGEST - 70) * WIDTH) * sizeof(float));
  }
  transformer_cache_destroy(&cache);
  close_model(&model);
}

static void an_id_outside_the_vocabulary_is_refused(void) {
  Model model;
  const int64_t length = 4;
  open_model(&model, &TINY_LLAMA, 1, false);
  g_ids[2] = VOCABULARY;
  CU_ASSERT_EQUAL(run(&model, &length, 1, NULL, g_residual), ERR_DATA);
  g_ids[2] = -1;
  CU_ASSERT_EQUAL(run(&model, &length, 1, NULL, g_residual), ERR_DATA);
  close_model(&model);
}

/* What transformer_create says of a file that `change` spoils; the reason must hold `words`. */
static void refuses(const TinyShape *shape, const TransformerOptions *options, Status expected,
                    const char *words, void (*change)(Tiny *)) {
  Tiny tiny;
  Transformer *transformer = NULL;
  tiny_fill(&tiny, shape);
  if (change != NULL) {
    change(&tiny);
  }
  tiny_open(&tiny);
  CU_ASSERT_EQUAL(transformer_create(&transformer, tiny.gguf, options), expected);
  CU_ASSERT_PTR_NULL(transformer);
  if (strstr(status_why(), words) == NULL) {
    printf("\n    said: %s\n    not: %s\n", status_why(), words);
    CU_FAIL("another reason");
  }
  tiny_close(&tiny);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void add_bias(Tiny *tiny) {
  const float values[32] = {0};
  gguf_writer_floats(&tiny->writer, "blk.1.attn_q.bias", 0, 32, values);
}

static void add_yarn(Tiny *tiny) {
  gguf_writer_text(&tiny->writer, "llama.rope.scaling.type", "yarn");
}

static void what_is_not_supported_is_named(void) {
  const TransformerOptions all = {-1, 10, false}, first = {1, 10, false};
  TinyShape shape = TINY_LLAMA;
  shape.architecture = "mamba";
  refuses(&shape, &all, ERR_UNSUPPORTED, "\"mamba\" is not supported; llama and gemma3 are", NULL);
  refuses(&TINY_LLAMA, &all, ERR_UNSUPPORTED, "blk.1.attn_q.bias", add_bias);
  refuses(&TINY_LLAMA, &all, ERR_UNSUPPORTED, "yarn", add_yarn);
  shape = TINY_LLAMA;
  shape.kv_heads = 3;
  refuses(&shape, &first, ERR_UNSUPPORTED, "4 heads over 3", NULL);
}

static void layers_and_contexts_beyond_the_model_name_its_own(void) {
  const TransformerOptions layers = {4, 10, false}, positions = {1, 301, false};
  refuses(&TINY_LLAMA, &layers, ERR_CONFIG, "no layer 3: the model has layers 0 to 2", NULL);
  refuses(&TINY_LLAMA, &positions, ERR_CONFIG, "at most 300", NULL);
}

static void forget_layers(Tiny *tiny) {
  gguf_writer_clear(&tiny->writer);
  gguf_writer_text(&tiny->writer, "general.architecture", "llama");
}

static void files_that_contradict_themselves_are_refused(void) {
  const TransformerOptions all = {-1, 10, false};
  TinyShape shape = TINY_LLAMA;
  Tiny tiny;
  Transformer *transformer;
  refuses(&TINY_LLAMA, &all, ERR_FORMAT, "llama.block_count", forget_layers);
  shape.layers = 2;
  tiny_fill(&tiny, &shape);
  tiny.writer.pairs = 0;
  text_clear(&tiny.writer.metadata);
  gguf_writer_text(&tiny.writer, "general.architecture", "llama");
  gguf_writer_integer(&tiny.writer, "llama.block_count", 3);
  gguf_writer_integer(&tiny.writer, "llama.embedding_length", shape.width);
  gguf_writer_integer(&tiny.writer, "llama.feed_forward_length", shape.hidden + 1);
  gguf_writer_integer(&tiny.writer, "llama.attention.head_count", shape.heads);
  gguf_writer_integer(&tiny.writer, "llama.attention.head_count_kv", shape.kv_heads);
  gguf_writer_integer(&tiny.writer, "llama.attention.key_length", shape.head);
  tiny_open(&tiny);
  CU_ASSERT_EQUAL(transformer_create(&transformer, tiny.gguf, &all), ERR_FORMAT);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "blk.0.ffn_gate.weight is 40 x 24, not 41 x 24"));
  tiny_close(&tiny);
}

static const CheckFact FACTS[] = {
    {"llama equals naive loops at every layer", llama_equals_naive_loops},
    {"gemma3 equals naive loops at every layer", gemma_equals_naive_loops},
    {"untied heads and stretched positions equal naive loops",
     untied_heads_and_stretched_positions_equal_naive_loops},
    {"contexts of a unit do not see each other", contexts_of_a_unit_do_not_see_each_other},
    {"fewer layers give the bits of the whole model there",
     fewer_layers_give_the_bits_of_the_whole_model_there},
    {"a hook changes what later layers see", a_hook_changes_what_later_layers_see},
    {"resuming gives the bits of running through", resuming_gives_the_bits_of_running_through},
    {"a failing hook ends the pass with its status", a_failing_hook_ends_the_pass_with_its_status},
    {"units give the same bits on any thread", units_give_the_same_bits_on_any_thread},
    {"extending a cache equals running the whole", extending_a_cache_equals_running_the_whole},
    {"an id outside the vocabulary is refused", an_id_outside_the_vocabulary_is_refused},
    {"what is not supported is named", what_is_not_supported_is_named},
    {"layers and contexts beyond the model name its own",
     layers_and_contexts_beyond_the_model_name_its_own},
    {"files that contradict themselves are refused", files_that_contradict_themselves_are_refused},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "transformer", FACTS);
}
