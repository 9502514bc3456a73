#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_inside.h"
#include "memory.h"

/* What the configuration and the names of folders say about each kind of bundle. */

/* Fields of a JSON object. An absent one and null are the same. */

static const json_t *field(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_null(value) ? NULL : value;
}

static Status whole_number(const struct BundleInside *inside, const json_t *object, const char *key,
                           int64_t *value) {
  const json_t *found = field(object, key);
  if (!json_is_integer(found) || json_integer_value(found) < 1) {
    return RAISE(ERR_FORMAT, "%s: %s must be a whole number above 0", inside->config, key);
  }
  *value = (int64_t)json_integer_value(found);
  return OK;
}

static Status positive(const struct BundleInside *inside, const json_t *object, const char *key,
                       double *value) {
  const json_t *found = field(object, key);
  *value = json_number_value(found);
  if (!json_is_number(found) || !(*value > 0) || isinf(*value)) {
    return RAISE(ERR_FORMAT, "%s: %s must be a number above 0", inside->config, key);
  }
  return OK;
}

static Status flag(const struct BundleInside *inside, const json_t *object, const char *key,
                   bool fallback, bool *value) {
  const json_t *found = field(object, key);
  if (found != NULL && !json_is_boolean(found)) {
    return RAISE(ERR_FORMAT, "%s: %s must be true or false", inside->config, key);
  }
  *value = found == NULL ? fallback : json_is_true(found);
  return OK;
}

/* "" where it is absent or no text. */
static const char *word(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text == NULL ? "" : text;
}

static Status refuse_flag(const struct BundleInside *inside, const json_t *document,
                          const char *key) {
  bool is_on = false;
  TRY(flag(inside, document, key, false, &is_on));
  return is_on ? RAISE(ERR_UNSUPPORTED, "%s: %s is true: not read", inside->config, key) : OK;
}

/* Names. */

/* The number behind the last `mark` that has one ("layer_" -> 12); -1 for none. */
static int64_t number_behind(const char *text, const char *mark) {
  int64_t number = -1;
  for (const char *at = strstr(text, mark); at != NULL; at = strstr(at + 1, mark)) {
    const char *digits = at + strlen(mark);
    const size_t count = strspn(digits, "0123456789");
    if (count > 0 && count < 10) {
      number = strtol(digits, NULL, 10);
    }
  }
  return number;
}

/* The end of the path of the weights that the makers name: folders above it are the user's. */
static const char *names_of(const struct BundleInside *inside) {
  enum { NAMES = 4 }; /* "layer_12/width_16k/average_l0_71/params.npz" */
  const char *at = inside->weights + strlen(inside->weights);
  for (int found = 0; at > inside->weights && found < NAMES; at--) {
    found += at[-1] == '/' ? 1 : 0;
  }
  return at;
}

/* The layer after which a hook stands; -1 when it is no residual stream. */
static int64_t layer_of_hook(const char *hook) {
  static const struct {
    const char *before, *behind;
    int64_t offset;
  } FORMS[] = {{"blocks.", ".hook_resid_post", 0},
               {"blocks.", ".hook_resid_pre", -1},
               {"model.layers.", ".output", 0}};
  for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
    const size_t before = strlen(FORMS[i].before);
    if (strncmp(hook, FORMS[i].before, before) == 0) {
      const size_t digits = strspn(hook + before, "0123456789");
      if (digits > 0 && digits < 10 && strcmp(hook + before + digits, FORMS[i].behind) == 0) {
        return strtol(hook + before, NULL, 10) + FORMS[i].offset;
      }
    }
  }
  return -1;
}

static Status set_origin(Bundle *bundle, const char *model, const char *site) {
  bundle->layer = layer_of_hook(site);
  TRY(memory_copy_text(&bundle->inside->model, model));
  return memory_copy_text(&bundle->inside->site, site);
}

/* SAELens. */

static Status refuse_normalisation(const struct BundleInside *inside, const json_t *document) {
  const json_t *found = field(document, "normalize_activations");
  const char *name = json_is_true(found) ? "expected_average_only_in" : json_string_value(found);
  if (found == NULL || json_is_false(found) || (name != NULL && strcmp(name, "none") == 0)) {
    return OK;
  }
  if (name != NULL && strcmp(name, "expected_average_only_in") == 0) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: normalize_activations is %s: fold the factor in SAELens "
                 "(fold_activation_norm_scaling_factor), set it to none and save again",
                 inside->config, name);
  }
  if (name != NULL && strcmp(name, "covariance_whitening") == 0) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: normalize_activations is %s: fold it in SAELens (fold_activation_whitening), "
                 "set it to none and save again",
                 inside->config, name);
  }
  return RAISE(ERR_UNSUPPORTED,
               "%s: normalize_activations is %s: a dictionary of rows that are each normalised has "
               "no weights for raw rows; only none is read",
               inside->config, name == NULL ? "no text" : name);
}

static Status refuse_saelens(const struct BundleInside *inside, const json_t *document) {
  const char *reshape = word(document, "reshape_activations");
  TRY(refuse_normalisation(inside, document));
  if (reshape[0] != '\0' && strcmp(reshape, "none") != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: reshape_activations is %s: only none is read",
                 inside->config, reshape);
  }
  return refuse_flag(inside, document, "finetuning_scaling_factor");
}

/* Files older than version 6 say topk by the name of an activation function. */
static Status find_architecture(const struct BundleInside *inside, const json_t *document,
                                const char **name) {
  const char *old = word(document, "activation_fn_str");
  const char *function = old[0] != '\0' ? old : word(document, "activation_fn");
  *name = word(document, "architecture");
  if ((*name)[0] == '\0' && field(document, "metadata") == NULL) {
    *name = "standard";
  }
  if (strcmp(function, "topk") == 0) {
    *name = "topk";
  } else if (function[0] != '\0' && strcmp(function, "relu") != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: activation function %s: relu and topk are read",
                 inside->config, function);
  }
  return OK;
}

static Status set_topk(Bundle *bundle, const json_t *document) {
  const json_t *old = field(document, "activation_fn_kwargs");
  const bool is_old = field(document, "k") == NULL && old != NULL;
  TRY(whole_number(bundle->inside, is_old ? old : document, "k", &bundle->k));
  bundle->architecture = BUNDLE_TOPK;
  bundle->stated_l0 = (double)bundle->k;
  bundle->inside->layout = &BUNDLE_LAYOUT_PLAIN;
  return flag(bundle->inside, document, "rescale_acts_by_decoder_norm", false,
              &bundle->norm_counts);
}

/* What BatchTopK learns is a threshold: at inference it is a JumpReLU. */
static Status set_batchtopk(Bundle *bundle, const json_t *document) {
  bundle->architecture = BUNDLE_JUMPRELU;
  bundle->inside->layout = &BUNDLE_LAYOUT_BATCHTOPK;
  TRY(positive(bundle->inside, document, "k", &bundle->stated_l0));
  return flag(bundle->inside, document, "rescale_acts_by_decoder_norm", false,
              &bundle->norm_counts);
}

static bool is_batchtopk(const char *name) {
  return strcmp(name, "batchtopk") == 0 || strcmp(name, "matryoshka_batchtopk") == 0;
}

/* A BatchTopK that was saved as a JumpReLU remembers its k. */
static void set_jumprelu(Bundle *bundle, const json_t *metadata) {
  const json_t *details = field(metadata, "training_architecture_details");
  const double k = json_number_value(field(details, "k"));
  bundle->architecture = BUNDLE_JUMPRELU;
  bundle->inside->layout = &BUNDLE_LAYOUT_JUMPRELU;
  if (is_batchtopk(word(metadata, "training_architecture")) && k > 0) {
    bundle->stated_l0 = k;
  }
}

static Status set_architecture(Bundle *bundle, const json_t *document, const json_t *metadata) {
  const char *name;
  TRY(find_architecture(bundle->inside, document, &name));
  if (strcmp(name, "topk") == 0) {
    return set_topk(bundle, document);
  }
  if (is_batchtopk(name)) {
    return set_batchtopk(bundle, document);
  }
  if (strcmp(name, "jumprelu") == 0) {
    set_jumprelu(bundle, metadata);
  } else if (strcmp(name, "standard") == 0) {
    bundle->architecture = BUNDLE_RELU;
    bundle->inside->layout = &BUNDLE_LAYOUT_PLAIN;
  } else if (strcmp(name, "gated") == 0) {
    bundle->architecture = BUNDLE_GATED;
    bundle->inside->layout = &BUNDLE_LAYOUT_GATED;
  } else {
    return RAISE(
        ERR_UNSUPPORTED,
        "%s: architecture '%s' is not read: standard, topk, jumprelu, gated, batchtopk and "
        "matryoshka_batchtopk are",
        bundle->inside->config, name);
  }
  return OK;
}

static Status understand_saelens(Bundle *bundle, const json_t *document, int64_t *latents,
                                 int64_t *width) {
  struct BundleInside *inside = bundle->inside;
  const json_t *nested = field(document, "metadata");
  const json_t *metadata = nested == NULL ? document : nested;
  const char *hook = word(metadata, "hook_name");
  TRY(whole_number(inside, document, "d_sae", latents));
  TRY(whole_number(inside, document, "d_in", width));
  TRY(refuse_saelens(inside, document));
  TRY(flag(inside, document, "apply_b_dec_to_input", true, &bundle->subtract_b_dec));
  TRY(set_architecture(bundle, document, metadata));
  return set_origin(bundle, word(metadata, "model_name"),
                    hook[0] != '\0' ? hook : word(metadata, "hook_point"));
}

/* Gemma Scope, both. */

/* The announced ranges of active latents a row; the middle of a factor is its geometric mean. */
static void take_class(Bundle *bundle) {
  static const struct {
    const char *name, *note;
    double least, most;
  } CLASSES[] = {{"l0_small", " (l0_small: 10 to 20)", 10, 20},
                 {"l0_medium", " (l0_medium: 30 to 60)", 30, 60},
                 {"l0_big", " (l0_big: 90 to 150)", 90, 150}};
  const struct BundleInside *inside = bundle->inside;
  for (int i = 0; i < 3; i++) {
    if (strstr(names_of(inside), CLASSES[i].name) != NULL) {
      bundle->stated_l0 = sqrt(CLASSES[i].least * CLASSES[i].most);
      bundle->inside->l0_note = CLASSES[i].note;
    }
  }
}

static Status understand_gemma_scope(Bundle *bundle) {
  struct BundleInside *inside = bundle->inside;
  const int64_t l0 = number_behind(names_of(inside), "average_l0_");
  if (strstr(names_of(inside), "embedding/width_") != NULL) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: dictionaries of the embedding are not read: they take rows of another scale "
                 "and belong to no layer",
                 inside->weights);
  }
  bundle->stated_l0 = l0 > 0 ? (double)l0 : (double)NAN;
  TRY(set_origin(bundle, "", ""));
  bundle->layer = number_behind(names_of(inside), "layer_");
  return OK;
}

static Status refuse_transcoder(const struct BundleInside *inside, const json_t *document) {
  const char *in = word(document, "hf_hook_point_in");
  const char *out = word(document, "hf_hook_point_out");
  TRY(refuse_flag(inside, document, "affine_connection"));
  const bool is_named = strstr(names_of(inside), "transcoder") != NULL;
  if (is_named || (out[0] != '\0' && strcmp(in, out) != 0)) {
    return RAISE(ERR_UNSUPPORTED, "%s is a transcoder (%s to %s): only autoencoders are read",
                 inside->weights, in, out);
  }
  return OK;
}

static Status understand_config_2(Bundle *bundle, const json_t *document) {
  struct BundleInside *inside = bundle->inside;
  const char *architecture = word(document, "architecture");
  const double l0 = json_number_value(field(document, "l0"));
  if (strcmp(architecture, "jump_relu") != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: architecture '%s' is not read: jump_relu is", inside->config,
                 architecture);
  }
  if (l0 > 0) {
    bundle->stated_l0 = l0;
    inside->l0_note = "";
  }
  return set_origin(bundle, word(document, "model_name"), word(document, "hf_hook_point_in"));
}

static Status understand_gemma_scope_2(Bundle *bundle, const json_t *document) {
  struct BundleInside *inside = bundle->inside;
  TRY(refuse_transcoder(inside, document));
  take_class(bundle);
  if (document != NULL) {
    return understand_config_2(bundle, document);
  }
  TRY(set_origin(bundle, "", ""));
  const bool is_residual =
      strstr(names_of(inside), "attn_out") == NULL && strstr(names_of(inside), "mlp_out") == NULL;
  bundle->layer = is_residual ? number_behind(names_of(inside), "layer_") : -1;
  return OK;
}

static Status set_gemma(Bundle *bundle, const json_t *document) {
  struct BundleInside *inside = bundle->inside;
  const bool is_lower = tensor_find(inside->file, "w_enc") != NULL;
  const bool is_second = inside->kind == BUNDLE_GEMMA_SCOPE_2;
  bundle->architecture = BUNDLE_JUMPRELU;
  inside->layout = is_second || is_lower ? &BUNDLE_LAYOUT_LOWER : &BUNDLE_LAYOUT_JUMPRELU;
  return is_second ? understand_gemma_scope_2(bundle, document) : understand_gemma_scope(bundle);
}

/* Llama Scope. */

static Status refuse_llama(const struct BundleInside *inside, const json_t *document) {
  const char *norm = word(document, "norm_activation");
  const char *function = word(document, "act_fn");
  const char *in = word(document, "hook_point_in");
  const char *out = word(document, "hook_point_out");
  TRY(refuse_flag(inside, document, "use_glu_encoder"));
  TRY(refuse_flag(inside, document, "apply_decoder_bias_to_pre_encoder"));
  if (norm[0] != '\0' && strcmp(norm, "dataset-wise") != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: norm_activation is %s: dataset-wise is read", inside->config,
                 norm);
  }
  if (function[0] != '\0' && strcmp(function, "jumprelu") != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s: act_fn is %s: jumprelu is read", inside->config, function);
  }
  if (out[0] != '\0' && strcmp(in, out) != 0) {
    return RAISE(ERR_UNSUPPORTED, "%s is a transcoder (%s to %s): only autoencoders are read",
                 inside->config, in, out);
  }
  return OK;
}

static Status understand_llama(Bundle *bundle, const json_t *document, int64_t *latents,
                               int64_t *width) {
  struct BundleInside *inside = bundle->inside;
  double norm;
  double threshold;
  TRY(whole_number(inside, document, "d_sae", latents));
  TRY(whole_number(inside, document, "d_model", width));
  TRY(refuse_llama(inside, document));
  TRY(positive(inside, field(document, "dataset_average_activation_norm"), "in", &norm));
  TRY(positive(inside, document, "jump_relu_threshold", &threshold));
  bundle->architecture = BUNDLE_JUMPRELU;
  inside->layout = &BUNDLE_LAYOUT_LLAMA;
  bundle->input_scale = sqrt((double)*width) / norm;
  inside->threshold = threshold * bundle->input_scale;
  const double k = json_number_value(field(document, "top_k"));
  bundle->stated_l0 = k > 0 ? k : (double)NAN;
  return set_origin(bundle, "", word(document, "hook_point_in"));
}

Status bundle_understand(Bundle *bundle, const json_t *document, int64_t *latents, int64_t *width) {
  switch (bundle->inside->kind) {
    case BUNDLE_SAELENS:
      return understand_saelens(bundle, document, latents, width);
    case BUNDLE_LLAMA_SCOPE:
      return understand_llama(bundle, document, latents, width);
    default:
      return set_gemma(bundle, document);
  }
}
