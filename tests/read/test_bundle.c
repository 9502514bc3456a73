#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "check.h"
#include "memory.h"
#include "read/tensor_writer.h"

/* A dictionary of 3 latents and width 2; tensors in the order of their names in the headers below. */
enum { LATENTS = 3, WIDTH = 2 };

#define TENSOR(name, shape, first, past) \
  "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" first "," past "]}"
#define MATRICES(enc, dec) TENSOR(enc, "2,3", "0", "24") "," TENSOR(dec, "3,2", "24", "48")
#define SAELENS_MATRICES MATRICES("W_enc", "W_dec")
#define PLAIN \
  SAELENS_MATRICES "," TENSOR("b_enc", "3", "48", "60") "," TENSOR("b_dec", "2", "60", "68")
#define JUMPRELU PLAIN "," TENSOR("threshold", "3", "68", "80")
#define GATED                                                                            \
  SAELENS_MATRICES                                                                       \
  "," TENSOR("b_gate", "3", "48", "60") "," TENSOR("b_dec", "2", "60", "68") "," TENSOR( \
      "r_mag", "3", "68", "80") "," TENSOR("b_mag", "3", "80", "92")
#define LOWER                                                                           \
  MATRICES("w_enc", "w_dec")                                                            \
  "," TENSOR("b_enc", "3", "48", "60") "," TENSOR("b_dec", "2", "60", "68") "," TENSOR( \
      "threshold", "3", "68", "80")
#define LLAMA                                                 \
  TENSOR("encoder.weight", "3,2", "0", "24")                  \
  "," TENSOR("decoder.weight", "2,3", "24", "48") "," TENSOR( \
      "encoder.bias", "3", "48", "60") "," TENSOR("decoder.bias", "2", "60", "68")

static const float VALUES[] = {
    1,    2,    3,    4,    5,    6,   /* [2, 3] or [3, 2] */
    10,   20,   30,   40,   50,   60,  /* [3, 2] or [2, 3] */
    0.1f, 0.2f, 0.3f, 7,    8,         /* biases */
    0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 1.f, /* thresholds, or r_mag and b_mag */
    1,    1,    1};

static int folders;
static char folder[1024];

static const char *fresh_folder(const char *name) {
  snprintf(folder, sizeof(folder), "%s/%d/%s", check_folder(), folders++, name);
  CU_ASSERT_EQUAL_FATAL(text_make_folder(folder), OK);
  return folder;
}

static const char *path_of(const char *name) {
  static char path[2048];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void put(const char *name, Text *text) {
  CU_ASSERT_EQUAL_FATAL(text_write_file(text, path_of(name)), OK);
  text_clear(text);
}

static void put_text(const char *name, const char *content) {
  Text text = {0};
  CU_ASSERT_EQUAL_FATAL(text_append(&text, content, (int64_t)strlen(content)), OK);
  put(name, &text);
}

static void put_tensors(const char *name, const char *header, int64_t bytes) {
  Text text = {0};
  Text braced = {0};
  CU_ASSERT_EQUAL_FATAL(text_printf(&braced, "{%s}", header), OK);
  write_safetensors(&text, text_chars(&braced), -1, VALUES, bytes);
  text_clear(&braced);
  put(name, &text);
}

/* A SAELens folder; sizes are stated rightly. */
static void put_saelens(const char *more, const char *header, int64_t bytes) {
  Text text = {0};
  fresh_folder("sae");
  put_tensors("sae_weights.safetensors", header, bytes);
  CU_ASSERT_EQUAL_FATAL(text_printf(&text, "{\"d_in\": 2, \"d_sae\": 3, %s}", more), OK);
  put("cfg.json", &text);
}

static bool why_names(const char *words) {
  if (strstr(status_why(), words) == NULL) {
    fprintf(stderr, "\nnot in the reason: %s\nreason: %s\n", words, status_why());
    return false;
  }
  return true;
}

static void fails(const char *path, Status status, const char *words) {
  Bundle *bundle = NULL;
  CU_ASSERT_EQUAL(bundle_open(&bundle, path), status);
  CU_ASSERT_PTR_NULL(bundle);
  CU_ASSERT(why_names(words));
  bundle_close(&bundle);
}

static Bundle *opened(const char *path) {
  Bundle *bundle;
  const Status status = bundle_open(&bundle, path);
  if (status != OK) {
    fprintf(stderr, "\n%s\n", status_why());
  }
  CU_ASSERT_EQUAL_FATAL(status, OK);
  CU_ASSERT_EQUAL(bundle->latents, LATENTS);
  CU_ASSERT_EQUAL(bundle->width, WIDTH);
  return bundle;
}

static void reads(Bundle *bundle, BundlePart part, int64_t first, int64_t count,
                  const float *wanted, int64_t values) {
  float got[8];
  CU_ASSERT_EQUAL_FATAL(bundle_read(bundle, part, first, count, got), OK);
  for (int64_t i = 0; i < values; i++) {
    CU_ASSERT_EQUAL(got[i], wanted[i]);
  }
}

static bool says(const Bundle *bundle, const char *sentence) {
  if (strcmp(bundle->source, sentence) != 0) {
    fprintf(stderr, "\nsaid:     %s\nexpected: %s\n", bundle->source, sentence);
    return false;
  }
  return true;
}

static void test_saelens_standard(void) {
  put_saelens(
      "\"architecture\": \"standard\", \"metadata\": {\"hook_name\": \"blocks.4.hook_resid_post\", "
      "\"model_name\": \"m\"}",
      PLAIN, 68);
  Bundle *bundle = opened(folder);
  CU_ASSERT_EQUAL(bundle->architecture, BUNDLE_RELU);
  CU_ASSERT(bundle->subtract_b_dec && bundle->layer == 4 && bundle->k == 0);
  CU_ASSERT(isnan(bundle->stated_l0) && bundle->input_scale == 1);
  CU_ASSERT(says(bundle,
                 "SAELens relu, decoder F32 [3, 2], b_dec subtracted, L0 not stated, after layer 4 "
                 "(blocks.4.hook_resid_post) of m"));
  CU_ASSERT(!bundle_has(bundle, BUNDLE_THRESHOLD) && !bundle_has(bundle, BUNDLE_FINETUNING));
  reads(bundle, BUNDLE_ENCODER, 1, 2, (float[]){2, 5, 3, 6}, 4); /* columns of the file */
  reads(bundle, BUNDLE_DECODER, 2, 1, (float[]){50, 60}, 2);
  reads(bundle, BUNDLE_ENCODER_BIAS, 1, 2, (float[]){0.2f, 0.3f}, 2);
  reads(bundle, BUNDLE_DECODER_BIAS, 0, 2, (float[]){7, 8}, 2);
  CU_ASSERT_EQUAL(bundle_files(bundle), 2);
  CU_ASSERT_STRING_EQUAL(bundle_file(bundle, 1), path_of("cfg.json"));
  bundle_close(&bundle);
  CU_ASSERT_PTR_NULL(bundle);
}

static void test_saelens_topk_of_two_ages(void) {
  put_saelens(
      "\"architecture\": \"topk\", \"k\": 2, \"rescale_acts_by_decoder_norm\": true, "
      "\"apply_b_dec_to_input\": false, \"metadata\": {}",
      PLAIN, 68);
  Bundle *bundle = opened(folder);
  CU_ASSERT(bundle->architecture == BUNDLE_TOPK && bundle->k == 2 && bundle->norm_counts);
  CU_ASSERT(!bundle->subtract_b_dec && bundle->stated_l0 == 2 && bundle->layer == -1);
  bundle_close(&bundle);
  put_saelens(
      "\"activation_fn_str\": \"topk\", \"activation_fn_kwargs\": {\"k\": 1}, "
      "\"hook_point\": \"blocks.3.hook_resid_pre\"",
      PLAIN, 68);
  bundle = opened(folder);
  CU_ASSERT(bundle->architecture == BUNDLE_TOPK && bundle->k == 1 && !bundle->norm_counts);
  CU_ASSERT_EQUAL(bundle->layer, 2); /* before layer 3 is after layer 2 */
  bundle_close(&bundle);
}

static void test_saelens_jumprelu_and_gated(void) {
  put_saelens(
      "\"architecture\": \"jumprelu\", \"metadata\": {\"training_architecture\": "
      "\"batchtopk\", \"training_architecture_details\": {\"k\": 40}}",
      JUMPRELU, 80);
  Bundle *bundle = opened(folder);
  CU_ASSERT(bundle->architecture == BUNDLE_JUMPRELU && bundle->stated_l0 == 40);
  reads(bundle, BUNDLE_THRESHOLD, 0, 3, (float[]){0.5f, 0.6f, 0.7f}, 3);
  bundle_close(&bundle);
  put_saelens("\"architecture\": \"gated\", \"metadata\": {}", GATED, 92);
  bundle = opened(folder);
  CU_ASSERT_EQUAL(bundle->architecture, BUNDLE_GATED);
  reads(bundle, BUNDLE_ENCODER_BIAS, 0, 3, (float[]){0.1f, 0.2f, 0.3f}, 3);
  reads(bundle, BUNDLE_LOG_GAIN, 0, 3, (float[]){0.5f, 0.6f, 0.7f}, 3);
  reads(bundle, BUNDLE_MAGNITUDE_BIAS, 2, 1, (float[]){1}, 1);
  bundle_close(&bundle);
}

static void test_saelens_batchtopk_has_one_threshold(void) {
  put_saelens("\"architecture\": \"batchtopk\", \"k\": 1.5, \"metadata\": {}",
              PLAIN "," TENSOR("topk_threshold", "", "68", "72"), 72);
  Bundle *bundle = opened(folder);
  CU_ASSERT(bundle->architecture == BUNDLE_JUMPRELU && bundle->stated_l0 == 1.5);
  reads(bundle, BUNDLE_THRESHOLD, 1, 2, (float[]){0.5f, 0.5f}, 2);
  bundle_close(&bundle);
}

static void test_gemma_scope_2_by_folder_or_file(void) {
  fresh_folder("resid_post/layer_12_width_16k_l0_medium");
  put_tensors("params.safetensors", LOWER, 80);
  Bundle *bundle = opened(folder);
  CU_ASSERT(says(bundle,
                 "Gemma Scope 2 jumprelu, decoder F32 [3, 2], b_dec not subtracted, L0 42.43 "
                 "stated (l0_medium: 30 to 60), after layer 12"));
  CU_ASSERT(!bundle->subtract_b_dec && bundle_files(bundle) == 1);
  reads(bundle, BUNDLE_ENCODER, 0, 1, (float[]){1, 4}, 2);
  bundle_close(&bundle);
  put_text("config.json",
           "{\"architecture\": \"jump_relu\", \"model_name\": \"gemma-v3-270m\", "
           "\"hf_hook_point_in\": \"model.layers.9.output\", \"l0\": 50}");
  bundle = opened(path_of("params.safetensors"));
  CU_ASSERT(bundle->layer == 9 && bundle->stated_l0 == 50 && bundle_files(bundle) == 2);
  bundle_close(&bundle);
  put_text("config.json", "{\"architecture\": \"relu\"}");
  fails(folder, ERR_UNSUPPORTED, "config.json: architecture 'relu'");
  put_text("config.json", "{\"architecture\": \"jump_relu\", \"affine_connection\": true}");
  fails(folder, ERR_UNSUPPORTED, "affine_connection");
  put_text("config.json",
           "{\"architecture\": \"jump_relu\", \"hf_hook_point_in\": \"a\", "
           "\"hf_hook_point_out\": \"b\"}");
  fails(folder, ERR_UNSUPPORTED, "transcoder (a to b)");
}

static void npy(Text *out, const char *shape, const float *values, int64_t count) {
  char header[128];
  snprintf(header, sizeof(header), "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }",
           shape);
  write_npy(out, 1, header, values, 4 * count);
}

static void put_npz(int method, float factor) {
  static const char *const NAMES[] = {"W_enc.npy", "W_dec.npy",     "b_enc.npy",
                                      "b_dec.npy", "threshold.npy", "scaling_factor.npy"};
  static const char *const SHAPES[] = {"2, 3", "3, 2", "3,", "2,", "3,", "3,"};
  static const int AT[] = {0, 6, 12, 15, 17, 23};
  static const int COUNT[] = {6, 6, 3, 2, 3, 3};
  float values[26];
  ZipMember members[6];
  Text contents[6] = {{0}};
  Text text = {0};
  memcpy(values, VALUES, sizeof(values));
  values[24] = factor;
  for (int i = 0; i < 6; i++) {
    npy(&contents[i], SHAPES[i], values + AT[i], COUNT[i]);
    members[i] = (ZipMember){.name = NAMES[i],
                             .content = &contents[i],
                             .method = method,
                             .said_size = -1,
                             .said_packed = -1,
                             .is_zip64 = i == 0};
  }
  write_zip(&text, members, 6);
  put("params.npz", &text);
  for (int i = 0; i < 6; i++) {
    text_clear(&contents[i]);
  }
}

static void test_gemma_scope_stored(void) {
  fresh_folder("layer_20/width_1m/average_l0_101");
  put_npz(0, 1);
  Bundle *bundle = opened(folder);
  CU_ASSERT(says(bundle,
                 "Gemma Scope jumprelu, decoder F32 [3, 2], b_dec not subtracted, L0 101 stated, "
                 "after layer 20"));
  CU_ASSERT(!bundle_is_packed(bundle, BUNDLE_ENCODER));
  reads(bundle, BUNDLE_ENCODER, 2, 1, (float[]){3, 6}, 2);
  reads(bundle, BUNDLE_FINETUNING, 0, 3, (float[]){1, 1, 1}, 3);
  bundle_close(&bundle);
  put_npz(0, 1.5f);
  bundle = opened(folder);
  float got[3];
  CU_ASSERT_EQUAL(bundle_read(bundle, BUNDLE_FINETUNING, 0, 1, got), OK);
  CU_ASSERT_EQUAL(bundle_read(bundle, BUNDLE_FINETUNING, 0, 3, got), ERR_UNSUPPORTED);
  CU_ASSERT(why_names("scaling_factor of latent 1 is 1.5"));
  bundle_close(&bundle);
  fresh_folder("embedding/width_4k/average_l0_6");
  put_npz(0, 1);
  fails(folder, ERR_UNSUPPORTED, "embedding");
}

static void test_gemma_scope_deflated_is_unpacked(void) {
  char path[2100];
  float got[6];
  fresh_folder("packed");
  put_npz(8, 1);
  Bundle *bundle = opened(folder);
  CU_ASSERT(bundle_is_packed(bundle, BUNDLE_ENCODER) && bundle->layer == -1);
  CU_ASSERT_EQUAL(bundle_read(bundle, BUNDLE_ENCODER, 0, 3, got), ERR_UNSUPPORTED);
  snprintf(path, sizeof(path), "%s", path_of("copy.npy"));
  CU_ASSERT_EQUAL(bundle_unpack(bundle, BUNDLE_DECODER, path), OK);
  CU_ASSERT_EQUAL(bundle_use_unpacked(bundle, BUNDLE_ENCODER, path), ERR_FORMAT);
  bundle_close(&bundle);
  bundle = opened(folder);
  CU_ASSERT_EQUAL(bundle_unpack(bundle, BUNDLE_ENCODER, path), OK);
  CU_ASSERT_EQUAL(bundle_use_unpacked(bundle, BUNDLE_ENCODER, path), OK);
  CU_ASSERT(!bundle_is_packed(bundle, BUNDLE_ENCODER));
  reads(bundle, BUNDLE_ENCODER, 1, 1, (float[]){2, 5}, 2);
  bundle_close(&bundle);
}

#define LLAMA_CONFIG(more)                                                                      \
  "{\"d_model\": 2, \"d_sae\": 3, \"jump_relu_threshold\": 0.5, \"norm_activation\": "          \
  "\"dataset-wise\", \"dataset_average_activation_norm\": {\"in\": 4, \"out\": 4}, \"top_k\": " \
  "50, \"act_fn\": \"jumprelu\", \"hook_point_in\": \"blocks.15.hook_resid_post\"" more "}"

static void test_llama_scope_scales_rows(void) {
  fresh_folder("Llama3_1-8B-Base-L15R-8x");
  CU_ASSERT_EQUAL_FATAL(text_make_folder(path_of("checkpoints")), OK);
  put_tensors("checkpoints/final.safetensors", LLAMA, 68);
  put_text("hyperparams.json", LLAMA_CONFIG(""));
  Bundle *bundle = opened(folder);
  const double scale = sqrt(2.0) / 4;
  const float threshold = (float)(0.5 * scale);
  CU_ASSERT(bundle->input_scale == scale && bundle->layer == 15 && bundle->stated_l0 == 50);
  reads(bundle, BUNDLE_THRESHOLD, 0, 2, (float[]){threshold, threshold}, 2);
  reads(bundle, BUNDLE_ENCODER, 1, 1, (float[]){3, 4}, 2);
  reads(bundle, BUNDLE_DECODER, 1, 2, (float[]){20, 50, 30, 60}, 4);
  bundle_close(&bundle);
  put_text("hyperparams.json", LLAMA_CONFIG(", \"use_glu_encoder\": true"));
  fails(folder, ERR_UNSUPPORTED, "use_glu_encoder");
  put_text("hyperparams.json", LLAMA_CONFIG(", \"hook_point_out\": \"blocks.15.hook_mlp_out\""));
  fails(folder, ERR_UNSUPPORTED, "transcoder");
  put_text("hyperparams.json", "{\"d_model\": 2, \"d_sae\": 3}");
  fails(folder, ERR_FORMAT, "in must be a number above 0");
}

static void test_what_is_not_read_is_refused_by_name(void) {
  static const struct {
    const char *config, *words;
    Status status;
  } CASES[] = {
      {"\"architecture\": \"temporal\", \"metadata\": {}", "architecture 'temporal'",
       ERR_UNSUPPORTED},
      {"\"metadata\": {}", "architecture ''", ERR_UNSUPPORTED},
      {"\"architecture\": \"topk\", \"metadata\": {}", "k must be a whole number", ERR_FORMAT},
      {"\"architecture\": \"topk\", \"k\": 2.5", "k must be a whole number", ERR_FORMAT},
      {"\"architecture\": \"topk\", \"k\": 4", "k = 4 of 3 latents", ERR_FORMAT},
      {"\"normalize_activations\": \"layer_norm\"", "layer_norm", ERR_UNSUPPORTED},
      {"\"normalize_activations\": true", "fold_activation_norm_scaling_factor", ERR_UNSUPPORTED},
      {"\"normalize_activations\": \"covariance_whitening\"", "fold_activation_whitening",
       ERR_UNSUPPORTED},
      {"\"reshape_activations\": \"hook_z\"", "hook_z", ERR_UNSUPPORTED},
      {"\"finetuning_scaling_factor\": true", "finetuning_scaling_factor", ERR_UNSUPPORTED},
      {"\"activation_fn\": \"tanh-relu\"", "tanh-relu", ERR_UNSUPPORTED},
      {"\"apply_b_dec_to_input\": 1", "apply_b_dec_to_input must be true or false", ERR_FORMAT},
      {"\"architecture\": \"standard\", \"d_in\": 2", "duplicate", ERR_FORMAT},
      {"\"architecture\": \"jumprelu\"", "tensor threshold is missing", ERR_FORMAT},
      {"\"architecture\": ", "cfg.json:1", ERR_FORMAT},
  };
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
    put_saelens(CASES[i].config, PLAIN, 68);
    fails(folder, CASES[i].status, CASES[i].words);
  }
  put_text("cfg.json", "{\"architecture\": \"standard\", \"d_in\": 3, \"d_sae\": 3}");
  fails(folder, ERR_FORMAT, "states 3 latents of width 3");
  put_text("cfg.json", "[1]");
  fails(folder, ERR_FORMAT, "expected an object");
}

static void test_tensors_must_be_those_of_the_architecture(void) {
  static const struct {
    const char *header, *words;
    int64_t bytes;
    Status status;
  } CASES[] = {
      {PLAIN "," TENSOR("extra", "3", "68", "80"), "tensor extra has no place", 80, ERR_FORMAT},
      {PLAIN "," TENSOR("W_skip", "3", "68", "80"), "skip transcoder", 80, ERR_UNSUPPORTED},
      {TENSOR("W_enc", "2,3", "0", "24"), "tensor W_dec is missing", 24, ERR_FORMAT},
      {TENSOR("W_enc", "3,2", "0", "24") "," TENSOR("W_dec", "3,2", "24", "48") "," TENSOR(
           "b_enc", "3", "48", "60") "," TENSOR("b_dec", "2", "60", "68"),
       "W_enc is F32 [3, 2], expected [2, 3]", 68, ERR_FORMAT},
      {SAELENS_MATRICES "," TENSOR("b_enc", "2", "48", "56") "," TENSOR("b_dec", "2", "56", "64"),
       "b_enc is F32 [2], expected [3]", 64, ERR_FORMAT},
      {TENSOR("W_enc", "2,3", "0", "24") "," TENSOR("W_dec", "6", "24", "48") "," TENSOR(
           "b_enc", "3", "48", "60") "," TENSOR("b_dec", "2", "60", "68"),
       "W_dec is F32 [6], expected a matrix", 68, ERR_FORMAT},
      {SAELENS_MATRICES
       ",\"b_enc\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[48,60]}," TENSOR("b_dec", "2",
                                                                                       "60", "68"),
       "b_enc is I32 [3], expected F32, F16, BF16 or F64", 68, ERR_FORMAT},
      {TENSOR("W_enc", "2,0", "0", "0") "," TENSOR("W_dec", "0,2", "0", "0") "," TENSOR(
           "b_enc", "0", "0", "0") "," TENSOR("b_dec", "2", "0", "8"),
       "no dictionary has that shape", 8, ERR_FORMAT},
  };
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
    put_saelens("\"architecture\": \"standard\", \"metadata\": {}", CASES[i].header,
                CASES[i].bytes);
    fails(folder, CASES[i].status, CASES[i].words);
  }
}

static void test_folders_that_are_none(void) {
  fresh_folder("empty");
  fails(folder, ERR_MISSING, "holds no dictionary that is understood");
  fails(path_of("nothere"), ERR_MISSING, "nothere");
  put_tensors("sae_weights.safetensors", PLAIN, 68);
  fails(folder, ERR_MISSING, "cfg.json");
  put_tensors("params.safetensors", LOWER, 80);
  fails(folder, ERR_UNSUPPORTED, "point import at one of the files");
  Bundle *bundle = opened(path_of("params.safetensors"));
  bundle_close(&bundle);
}

static void test_values_must_be_finite(void) {
  float values[20];
  Text text = {0};
  float got[6];
  fresh_folder("nan");
  memcpy(values, VALUES, sizeof(values));
  values[9] = NAN; /* W_dec[1, 1] */
  write_safetensors(&text, "{" LOWER "}", -1, values, 80);
  put("params.safetensors", &text);
  Bundle *bundle = opened(folder);
  CU_ASSERT_EQUAL(bundle_read(bundle, BUNDLE_DECODER, 0, 1, got), OK);
  CU_ASSERT_EQUAL(bundle_read(bundle, BUNDLE_DECODER, 1, 1, got), ERR_FORMAT);
  CU_ASSERT(why_names("w_dec"));
  bundle_close(&bundle);
}

int main(int argc, char **argv) {
  static const CheckFact FACTS[] = {
      {"a SAELens standard folder", test_saelens_standard},
      {"SAELens topk, new and old", test_saelens_topk_of_two_ages},
      {"SAELens jumprelu and gated", test_saelens_jumprelu_and_gated},
      {"a BatchTopK checkpoint has one threshold for all",
       test_saelens_batchtopk_has_one_threshold},
      {"Gemma Scope 2, by folder and by file", test_gemma_scope_2_by_folder_or_file},
      {"Gemma Scope, stored", test_gemma_scope_stored},
      {"Gemma Scope, deflated: unpacked first", test_gemma_scope_deflated_is_unpacked},
      {"Llama Scope scales rows and threshold", test_llama_scope_scales_rows},
      {"what is not read is refused by name", test_what_is_not_read_is_refused_by_name},
      {"tensors are those of the architecture", test_tensors_must_be_those_of_the_architecture},
      {"folders that are none", test_folders_that_are_none},
      {"values are finite", test_values_must_be_finite},
  };
  return CHECK_MAIN(argc, argv, "bundle", FACTS);
}
