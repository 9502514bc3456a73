#include "bundle.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_inside.h"
#include "memory.h"
#include "text.h"

enum { CONFIG_LIMIT = 16 << 20 };

static const struct {
  const char *label, *weights, *config;
  bool needs_config;
} KINDS[BUNDLE_KINDS] = {
    [BUNDLE_SAELENS] = {"SAELens", "sae_weights.safetensors", "cfg.json", true},
    [BUNDLE_GEMMA_SCOPE_2] = {"Gemma Scope 2", "params.safetensors", "config.json", false},
    [BUNDLE_GEMMA_SCOPE] = {"Gemma Scope", "params.npz", NULL, false},
    [BUNDLE_LLAMA_SCOPE] = {"Llama Scope", "checkpoints/final.safetensors", "hyperparams.json",
                            true},
};

static const char *const ARCHITECTURES[] = {[BUNDLE_RELU] = "relu",
                                            [BUNDLE_TOPK] = "topk",
                                            [BUNDLE_JUMPRELU] = "jumprelu",
                                            [BUNDLE_GATED] = "gated"};

const char *bundle_architecture(BundleArchitecture architecture) {
  return ARCHITECTURES[architecture];
}

/* Which files. */

static bool is_file(const char *folder, const char *name) {
  char path[PATH_MAX];
  const int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
  return length < (int)sizeof(path) && access(path, F_OK) == 0;
}

static Status find_kind(struct BundleInside *inside) {
  int found = BUNDLE_KINDS;
  for (int kind = 0; kind < BUNDLE_KINDS; kind++) {
    if (!is_file(inside->folder, KINDS[kind].weights)) {
      continue;
    }
    if (found < BUNDLE_KINDS) {
      return RAISE(ERR_UNSUPPORTED, "%s holds both %s and %s: point import at one of the files",
                   inside->folder, KINDS[found].weights, KINDS[kind].weights);
    }
    found = kind;
  }
  if (found == BUNDLE_KINDS) {
    return RAISE(ERR_MISSING,
                 "%s holds no dictionary that is understood: sae_weights.safetensors with cfg.json "
                 "(SAELens), params.safetensors (Gemma Scope 2), params.npz (Gemma Scope), or "
                 "checkpoints/final.safetensors with hyperparams.json (Llama Scope)",
                 inside->folder);
  }
  inside->kind = (BundleKind)found;
  return text_join_path(&inside->weights, inside->folder, KINDS[found].weights);
}

/* import points at the weights themselves: they may have been given another name. */
static Status take_file(struct BundleInside *inside) {
  const char *slash = strrchr(inside->folder, '/');
  const char *name = slash == NULL ? inside->folder : slash + 1;
  const size_t length = strlen(name);
  TRY(memory_copy_text(&inside->weights, inside->folder));
  inside->kind = BUNDLE_GEMMA_SCOPE_2;
  if (strcmp(name, KINDS[BUNDLE_SAELENS].weights) == 0) {
    inside->kind = BUNDLE_SAELENS;
  } else if (length > 4 && strcmp(name + length - 4, ".npz") == 0) {
    inside->kind = BUNDLE_GEMMA_SCOPE;
  }
  if (slash == NULL) {
    MEMORY_FREE(inside->folder);
    return memory_copy_text(&inside->folder, ".");
  }
  inside->folder[slash - inside->folder] = '\0';
  return OK;
}

static void strip_slashes(char *path) {
  for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--) {
    path[length - 1] = '\0';
  }
}

static Status find_files(struct BundleInside *inside, const char *given) {
  struct stat about;
  if (stat(given, &about) != 0) {
    return RAISE(errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_FILE, "import %s: %s",
                 given, strerror(errno));
  }
  TRY(memory_copy_text(&inside->folder, given));
  strip_slashes(inside->folder);
  TRY(S_ISDIR(about.st_mode) ? find_kind(inside) : take_file(inside));
  const char *config = KINDS[inside->kind].config;
  if (config != NULL && is_file(inside->folder, config)) {
    return text_join_path(&inside->config, inside->folder, config);
  }
  if (KINDS[inside->kind].needs_config) {
    return RAISE(ERR_MISSING, "%s: %s stands beside no %s, which says what its tensors mean",
                 inside->folder, KINDS[inside->kind].weights, config);
  }
  return OK;
}

/* Reading the configuration. */

static Status load_document(const struct BundleInside *inside, json_t **document) {
  Text text = {0};
  json_error_t error;
  *document = NULL;
  if (inside->config == NULL) {
    return OK;
  }
  TRY(text_read_file(&text, inside->config, CONFIG_LIMIT));
  *document = json_loadb(text_chars(&text), (size_t)text.length, JSON_REJECT_DUPLICATES, &error);
  text_clear(&text);
  if (*document == NULL) {
    return RAISE(ERR_FORMAT, "%s:%d: %s", inside->config, error.line, error.text);
  }
  if (!json_is_object(*document)) {
    return RAISE(ERR_FORMAT, "%s: expected an object with the dictionary's configuration",
                 inside->config);
  }
  return OK;
}

static Status check_stated(const Bundle *bundle, int64_t latents, int64_t width) {
  const struct BundleInside *inside = bundle->inside;
  if ((latents > 0 && latents != bundle->latents) || (width > 0 && width != bundle->width)) {
    return RAISE(ERR_FORMAT,
                 "%s states %lld latents of width %lld, but %s holds %lld of width %lld",
                 inside->config, (long long)latents, (long long)width, inside->weights,
                 (long long)bundle->latents, (long long)bundle->width);
  }
  if (bundle->architecture == BUNDLE_TOPK && bundle->k > bundle->latents) {
    return RAISE(ERR_FORMAT, "%s: k = %lld of %lld latents", inside->config, (long long)bundle->k,
                 (long long)bundle->latents);
  }
  return OK;
}

static Status describe_origin(const Bundle *bundle, Text *text) {
  const struct BundleInside *inside = bundle->inside;
  if (bundle->layer >= 0) {
    TRY(text_printf(text, "after layer %lld", (long long)bundle->layer));
  } else {
    TRY(text_printf(text, "layer not stated"));
  }
  if (inside->site[0] != '\0') {
    TRY(text_printf(text, " (%s)", inside->site));
  }
  return inside->model[0] == '\0' ? OK : text_printf(text, " of %s", inside->model);
}

static Status describe(const Bundle *bundle, Text *text) {
  const struct BundleInside *inside = bundle->inside;
  char matrix[64];
  TRY(text_printf(text, "%s %s, decoder %s, b_dec %s, ", KINDS[inside->kind].label,
                  bundle_architecture(bundle->architecture),
                  tensor_describe(inside->parts[BUNDLE_DECODER], matrix),
                  bundle->subtract_b_dec ? "subtracted" : "not subtracted"));
  if (bundle->input_scale != 1) {
    TRY(text_printf(text, "rows times %.6g, ", bundle->input_scale));
  }
  if (isnan(bundle->stated_l0)) {
    TRY(text_printf(text, "L0 not stated, "));
  } else {
    TRY(text_printf(text, "L0 %.4g stated%s, ", bundle->stated_l0, inside->l0_note));
  }
  return describe_origin(bundle, text);
}

static Status understand(Bundle *bundle) {
  int64_t latents = 0;
  int64_t width = 0;
  json_t *document;
  Text text = {0};
  Status status = load_document(bundle->inside, &document);
  if (status == OK) {
    status = bundle_understand(bundle, document, &latents, &width);
  }
  json_decref(document);
  TRY(status);
  TRY(bundle_check_tensors(bundle));
  TRY(check_stated(bundle, latents, width));
  status = describe(bundle, &text);
  if (status == OK) {
    status = memory_copy_text(&bundle->source, text_chars(&text));
  }
  text_clear(&text);
  return status;
}

static Status open_all(Bundle *bundle, const char *path) {
  struct BundleInside *inside;
  TRY(MEMORY_NEW(&bundle->inside, 1, "a dictionary folder"));
  inside = bundle->inside;
  inside->threshold = (double)NAN;
  inside->l0_note = "";
  bundle->input_scale = 1;
  bundle->layer = -1;
  bundle->stated_l0 = (double)NAN;
  TRY(find_files(inside, path));
  TRY(tensor_open(&inside->file, inside->weights));
  return understand(bundle);
}

Status bundle_open(Bundle **out, const char *path) {
  Bundle *bundle;
  *out = NULL;
  TRY(MEMORY_NEW(&bundle, 1, "a dictionary folder"));
  const Status status = open_all(bundle, path);
  if (status != OK) {
    bundle_close(&bundle);
  }
  *out = bundle;
  return status;
}

static void close_inside(struct BundleInside *inside) {
  for (int part = 0; part < BUNDLE_PARTS; part++) {
    tensor_close(&inside->copies[part]);
  }
  tensor_close(&inside->file);
  MEMORY_FREE(inside->folder);
  MEMORY_FREE(inside->weights);
  MEMORY_FREE(inside->config);
  MEMORY_FREE(inside->model);
  MEMORY_FREE(inside->site);
}

void bundle_close(Bundle **handle) {
  Bundle *bundle = *handle;
  if (bundle == NULL) {
    return;
  }
  if (bundle->inside != NULL) {
    close_inside(bundle->inside);
  }
  MEMORY_FREE(bundle->inside);
  MEMORY_FREE(bundle->source);
  MEMORY_FREE(*handle);
}

int bundle_files(const Bundle *bundle) {
  return bundle->inside->config == NULL ? 1 : 2;
}

const char *bundle_file(const Bundle *bundle, int index) {
  return index == 0 ? bundle->inside->weights : bundle->inside->config;
}

/* Reading the weights. */

bool bundle_has(const Bundle *bundle, BundlePart part) {
  const bool is_constant = part == BUNDLE_THRESHOLD && !isnan(bundle->inside->threshold);
  return is_constant || bundle->inside->parts[part] != NULL;
}

static void fill(float value, int64_t count, float *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = value;
  }
}

/* The tolerance of the tool that once wrote such factors. */
static Status check_ones(const Bundle *bundle, int64_t first, int64_t count, const float *factors) {
  for (int64_t i = 0; i < count; i++) {
    if (!(fabs((double)factors[i] - 1) <= 1e-5 + 1e-8)) {
      return RAISE(ERR_UNSUPPORTED,
                   "%s: %s of latent %lld is %g: finetuned factors other than 1 are not read; fold "
                   "them into the weights",
                   bundle->inside->weights, bundle->inside->layout->names[BUNDLE_FINETUNING],
                   (long long)(first + i), (double)factors[i]);
    }
  }
  return OK;
}

Status bundle_read(Bundle *bundle, BundlePart part, int64_t first, int64_t count, float *out) {
  struct BundleInside *inside = bundle->inside;
  const Tensor *tensor = inside->parts[part];
  TensorFile *file = inside->copies[part] != NULL ? inside->copies[part] : inside->file;
  const bool is_matrix = part == BUNDLE_ENCODER || part == BUNDLE_DECODER;
  ASSERT(bundle_has(bundle, part));
  if (tensor == NULL) {
    fill((float)inside->threshold, count, out);
  } else if (inside->layout->is_single[part]) {
    float value = 0;
    TRY(tensor_read_real(file, tensor, 0, 1, &value));
    fill(value, count, out);
  } else if (is_matrix && inside->layout->by_column[part]) {
    return tensor_read_columns(file, tensor, first, count, out);
  } else {
    const int64_t row = is_matrix ? bundle->width : 1;
    TRY(tensor_read_real(file, tensor, first * row, count * row, out));
  }
  return part == BUNDLE_FINETUNING ? check_ones(bundle, first, count, out) : OK;
}

bool bundle_is_packed(const Bundle *bundle, BundlePart part) {
  const Tensor *tensor = bundle->inside->parts[part];
  return tensor != NULL && tensor->is_packed;
}

Status bundle_unpack(Bundle *bundle, BundlePart part, const char *path) {
  return tensor_unpack(bundle->inside->file, bundle->inside->parts[part], path);
}

static bool is_alike(const Tensor *copy, const Tensor *packed) {
  bool is_same = copy->type == packed->type && copy->dims == packed->dims;
  for (int i = 0; is_same && i < copy->dims; i++) {
    is_same = copy->shape[i] == packed->shape[i];
  }
  return is_same && !copy->is_packed;
}

Status bundle_use_unpacked(Bundle *bundle, BundlePart part, const char *path) {
  struct BundleInside *inside = bundle->inside;
  TRY(tensor_open(&inside->copies[part], path));
  const Tensor *copy = tensor_at(inside->copies[part], 0);
  if (tensor_count(inside->copies[part]) != 1 || !is_alike(copy, inside->parts[part])) {
    return RAISE(ERR_FORMAT, "%s is not the copy of %s in %s that was unpacked", path,
                 inside->layout->names[part], inside->weights);
  }
  inside->parts[part] = copy;
  return OK;
}
