#ifndef BUNDLE_INSIDE_H
#define BUNDLE_INSIDE_H

#include <jansson.h>

#include "bundle.h"
#include "tensor.h"

/** Shared by the files of bundle.h alone.  ranks: all local. */

typedef enum BundleKind {
  BUNDLE_SAELENS,
  BUNDLE_GEMMA_SCOPE_2,
  BUNDLE_GEMMA_SCOPE,
  BUNDLE_LLAMA_SCOPE,
  BUNDLE_KINDS
} BundleKind;

/** What a file of one architecture holds, by part: all that have a name, and nothing else. */
typedef struct BundleLayout {
  const char *names[BUNDLE_PARTS];
  bool by_column[BUNDLE_PARTS]; /* the matrix is stored transposed */
  bool is_single[BUNDLE_PARTS]; /* one value for all latents */
  bool may_lack[BUNDLE_PARTS];
} BundleLayout;

struct BundleInside {
  BundleKind kind;
  char *folder;           /* as given: its names state facts */
  char *weights, *config; /* paths; config may be NULL */
  TensorFile *file;
  const BundleLayout *layout;
  const Tensor *parts[BUNDLE_PARTS]; /* NULL: not there */
  TensorFile *copies[BUNDLE_PARTS];  /* unpacked; NULL: read from `file` */
  double threshold;                  /* where it is in the configuration; nan: a tensor */
  const char *l0_note;               /* how the folder puts it, "" */
  char *model, *site;                /* "" unknown */
};

/** Understand the configuration and the folder's name: architecture, k, scale, layer, ... and which
 *  layout the weights must have.
 *  document  in      NULL: the folder holds none
 *  latents, width  out  as the configuration states them; 0: it does not */
Status bundle_understand(Bundle *bundle, const json_t *document, int64_t *latents,
                         int64_t *width) MUST_USE;

/** Find the layout's tensors, set latents and width, check names, types and shapes. */
Status bundle_check_tensors(Bundle *bundle) MUST_USE;

extern const BundleLayout BUNDLE_LAYOUT_PLAIN, BUNDLE_LAYOUT_JUMPRELU, BUNDLE_LAYOUT_BATCHTOPK,
    BUNDLE_LAYOUT_GATED, BUNDLE_LAYOUT_LOWER, BUNDLE_LAYOUT_LLAMA;

#endif
