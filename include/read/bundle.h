#ifndef BUNDLE_H
#define BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** A dictionary folder of another tool, understood. Recognised from the files it holds:
 *    SAELens        cfg.json, sae_weights.safetensors: standard, topk, jumprelu, gated,
 *                   (matryoshka_)batchtopk
 *    Gemma Scope 2  params.safetensors, config.json where there is one
 *    Gemma Scope    params.npz
 *    Llama Scope    hyperparams.json, checkpoints/final.safetensors
 *  Strict: exactly the tensors of the architecture, of shapes that fit each other and the
 *  configuration; what would change the meaning and is not read (normalised activations,
 *  transcoders, ...) is refused by name.
 *  With a row x times input_scale (less b_dec, where subtract_b_dec):
 *    score = encoder . x + encoder bias
 *    relu      activation = score where score > 0
 *    topk      the k largest scores (norm_counts: scores times the decoder row's norm), then relu
 *    jumprelu  activation = score where score > max(threshold, 0) (norm_counts: score times norm >
 *              threshold)
 *    gated     where score > 0: relu(e^log_gain (score - encoder bias) + magnitude bias)
 *    rebuilt   sum activation times decoder row, + decoder bias
 *  ranks   all local */
typedef enum BundleArchitecture {
  BUNDLE_RELU,
  BUNDLE_TOPK,
  BUNDLE_JUMPRELU,
  BUNDLE_GATED
} BundleArchitecture;

typedef enum BundlePart {
  BUNDLE_ENCODER,        /* [latents, width] */
  BUNDLE_DECODER,        /* [latents, width]; rows of any norm */
  BUNDLE_ENCODER_BIAS,   /* [latents]; gated: the gate's */
  BUNDLE_DECODER_BIAS,   /* [width] */
  BUNDLE_THRESHOLD,      /* [latents]; jumprelu, also where the folder holds one for all */
  BUNDLE_LOG_GAIN,       /* [latents]; gated */
  BUNDLE_MAGNITUDE_BIAS, /* [latents]; gated */
  BUNDLE_FINETUNING,     /* [latents]; where there is one: factors, read only if all are 1 */
  BUNDLE_PARTS
} BundlePart;

typedef struct Bundle {
  BundleArchitecture architecture;
  int64_t latents, width;
  int64_t k; /* topk alone, else 0 */
  bool subtract_b_dec, norm_counts;
  double input_scale;
  int64_t layer; /* rows are the residual stream after it (0-based); -1: unknown, or another site */
  double stated_l0; /* active latents a row that the folder states; nan: it does not */
  char *source;     /* a sentence: what was understood */
  struct BundleInside *inside;
} Bundle;

enum { BUNDLE_WIDTH_MOST = 1 << 20 };

/** path    in      the folder, or params.safetensors, params.npz, sae_weights.safetensors in it
 *  fails   ERR_MISSING (no such folder, none of the files), ERR_FORMAT (a file is not what it
 *          says), ERR_UNSUPPORTED (valid but not read: names what, and what helps), ERR_MEMORY */
Status bundle_open(Bundle **out, const char *path) MUST_USE;
/** NULL is fine. */
void bundle_close(Bundle **bundle);
/** The word for an architecture in dictionaries/NAME.h5. */
const char *bundle_architecture(BundleArchitecture architecture);

/** The files whose content makes the dictionary: weights first, then the configuration, if there is
 *  one. */
int bundle_files(const Bundle *bundle);
const char *bundle_file(const Bundle *bundle, int index);

bool bundle_has(const Bundle *bundle, BundlePart part);
/** Elements [first, first + count) along latents (of the decoder bias: along width) of a part that
 *  the bundle has, widened, and in the orientation above whatever the file's is. Reads only those.
 *  fails   ERR_FORMAT (a value is not finite; BUNDLE_FINETUNING: not 1), ERR_FILE, ERR_UNSUPPORTED
 *          (still packed) */
Status bundle_read(Bundle *bundle, BundlePart part, int64_t first, int64_t count,
                   float *out) MUST_USE;

/** Deflated members of an .npz are read from unpacked copies: one rank unpacks, then each says
 *  where the copy lies. The copy must stay until bundle_close().
 *  fails   ERR_FORMAT, ERR_SPACE, ERR_FILE */
bool bundle_is_packed(const Bundle *bundle, BundlePart part);
Status bundle_unpack(Bundle *bundle, BundlePart part, const char *path) MUST_USE;
Status bundle_use_unpacked(Bundle *bundle, BundlePart part, const char *path) MUST_USE;

#endif
