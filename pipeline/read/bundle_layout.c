#include <stdio.h>
#include <string.h>

#include "bundle_inside.h"

/* Which tensors each architecture has, and how they lie. */

#define MATRICES \
  [BUNDLE_ENCODER] = "W_enc", [BUNDLE_DECODER] = "W_dec", [BUNDLE_DECODER_BIAS] = "b_dec"

const BundleLayout BUNDLE_LAYOUT_PLAIN = {
    .names = {MATRICES, [BUNDLE_ENCODER_BIAS] = "b_enc", [BUNDLE_FINETUNING] = "scaling_factor"},
    .by_column = {[BUNDLE_ENCODER] = true},
    .may_lack = {[BUNDLE_FINETUNING] = true}};

const BundleLayout BUNDLE_LAYOUT_JUMPRELU = {
    .names = {MATRICES, [BUNDLE_ENCODER_BIAS] = "b_enc", [BUNDLE_THRESHOLD] = "threshold",
              [BUNDLE_FINETUNING] = "scaling_factor"},
    .by_column = {[BUNDLE_ENCODER] = true},
    .may_lack = {[BUNDLE_FINETUNING] = true}};

const BundleLayout BUNDLE_LAYOUT_BATCHTOPK = {
    .names = {MATRICES, [BUNDLE_ENCODER_BIAS] = "b_enc", [BUNDLE_THRESHOLD] = "topk_threshold"},
    .by_column = {[BUNDLE_ENCODER] = true},
    .is_single = {[BUNDLE_THRESHOLD] = true}};

const BundleLayout BUNDLE_LAYOUT_GATED = {
    .names = {MATRICES, [BUNDLE_ENCODER_BIAS] = "b_gate", [BUNDLE_LOG_GAIN] = "r_mag",
              [BUNDLE_MAGNITUDE_BIAS] = "b_mag", [BUNDLE_FINETUNING] = "scaling_factor"},
    .by_column = {[BUNDLE_ENCODER] = true},
    .may_lack = {[BUNDLE_FINETUNING] = true}};

const BundleLayout BUNDLE_LAYOUT_LOWER = {.names = {[BUNDLE_ENCODER] = "w_enc",
                                                    [BUNDLE_DECODER] = "w_dec",
                                                    [BUNDLE_ENCODER_BIAS] = "b_enc",
                                                    [BUNDLE_DECODER_BIAS] = "b_dec",
                                                    [BUNDLE_THRESHOLD] = "threshold"},
                                          .by_column = {[BUNDLE_ENCODER] = true}};

const BundleLayout BUNDLE_LAYOUT_LLAMA = {.names = {[BUNDLE_ENCODER] = "encoder.weight",
                                                    [BUNDLE_DECODER] = "decoder.weight",
                                                    [BUNDLE_ENCODER_BIAS] = "encoder.bias",
                                                    [BUNDLE_DECODER_BIAS] = "decoder.bias"},
                                          .by_column = {[BUNDLE_DECODER] = true}};

static Status find_parts(struct BundleInside *inside) {
  for (int part = 0; part < BUNDLE_PARTS; part++) {
    const char *name = inside->layout->names[part];
    if (name == NULL) {
      continue;
    }
    inside->parts[part] = tensor_find(inside->file, name);
    if (inside->parts[part] == NULL && !inside->layout->may_lack[part]) {
      return RAISE(ERR_FORMAT, "%s: tensor %s is missing", inside->weights, name);
    }
  }
  return OK;
}

static bool is_part(const struct BundleInside *inside, const Tensor *tensor) {
  for (int part = 0; part < BUNDLE_PARTS; part++) {
    if (inside->parts[part] == tensor) {
      return true;
    }
  }
  return false;
}

/* A tensor that nobody asks for changes the meaning of those that are read: a transcoder's skip
   connection, say. */
static Status check_others(const struct BundleInside *inside) {
  for (int64_t i = 0; i < tensor_count(inside->file); i++) {
    const Tensor *tensor = tensor_at(inside->file, i);
    const bool is_skip =
        strcmp(tensor->name, "affine_skip_connection") == 0 || strcmp(tensor->name, "W_skip") == 0;
    if (is_skip) {
      return RAISE(ERR_UNSUPPORTED, "%s: tensor %s makes it a skip transcoder: not read",
                   inside->weights, tensor->name);
    }
    if (!is_part(inside, tensor)) {
      return RAISE(ERR_FORMAT, "%s: tensor %.200s has no place in this architecture: not read",
                   inside->weights, tensor->name);
    }
  }
  return OK;
}

static bool is_real(TensorType type) {
  return type == TENSOR_F64 || type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16;
}

/* The shape that a part must have, as text. */
static void print_wanted(const int64_t *shape, int dims, char text[64]) {
  if (dims == 0) {
    snprintf(text, 64, "one value");
  } else if (dims == 1) {
    snprintf(text, 64, "[%lld]", (long long)shape[0]);
  } else {
    snprintf(text, 64, "[%lld, %lld]", (long long)shape[0], (long long)shape[1]);
  }
}

static bool has_shape(const Tensor *tensor, const int64_t *shape, int dims) {
  if (dims == 0) {
    return tensor->count == 1 && tensor->dims <= 1;
  }
  bool is_same = tensor->dims == dims;
  for (int i = 0; is_same && i < dims; i++) {
    is_same = tensor->shape[i] == shape[i];
  }
  return is_same;
}

static Status check_part(const Bundle *bundle, BundlePart part) {
  const struct BundleInside *inside = bundle->inside;
  const Tensor *tensor = inside->parts[part];
  const bool is_matrix = part == BUNDLE_ENCODER || part == BUNDLE_DECODER;
  const bool is_turned = inside->layout->by_column[part];
  const int64_t rows = is_turned ? bundle->width : bundle->latents;
  const int64_t shape[2] = {part == BUNDLE_DECODER_BIAS ? bundle->width : rows,
                            is_turned ? bundle->latents : bundle->width};
  const int dims = inside->layout->is_single[part] ? 0 : (is_matrix ? 2 : 1);
  char found[64];
  char wanted[64];
  if (!has_shape(tensor, shape, dims)) {
    print_wanted(shape, dims, wanted);
    return RAISE(ERR_FORMAT, "%s: %s is %s, expected %s", inside->weights, tensor->name,
                 tensor_describe(tensor, found), wanted);
  }
  if (!is_real(tensor->type)) {
    return RAISE(ERR_FORMAT, "%s: %s is %s, expected F32, F16, BF16 or F64", inside->weights,
                 tensor->name, tensor_describe(tensor, found));
  }
  return OK;
}

/* The decoder tells the sizes; everything else must fit them. */
static Status take_sizes(Bundle *bundle) {
  const struct BundleInside *inside = bundle->inside;
  const Tensor *decoder = inside->parts[BUNDLE_DECODER];
  const int rows = inside->layout->by_column[BUNDLE_DECODER] ? 1 : 0;
  char found[64];
  if (decoder->dims != 2) {
    return RAISE(ERR_FORMAT, "%s: %s is %s, expected a matrix", inside->weights, decoder->name,
                 tensor_describe(decoder, found));
  }
  bundle->latents = decoder->shape[rows];
  bundle->width = decoder->shape[1 - rows];
  if (bundle->latents < 1 || bundle->width < 1 || bundle->width > BUNDLE_WIDTH_MOST) {
    return RAISE(ERR_FORMAT, "%s: %s is %s: no dictionary has that shape", inside->weights,
                 decoder->name, tensor_describe(decoder, found));
  }
  return OK;
}

Status bundle_check_tensors(Bundle *bundle) {
  TRY(find_parts(bundle->inside));
  TRY(check_others(bundle->inside));
  TRY(take_sizes(bundle));
  for (int part = 0; part < BUNDLE_PARTS; part++) {
    if (bundle->inside->parts[part] != NULL) {
      TRY(check_part(bundle, (BundlePart)part));
    }
  }
  return OK;
}
