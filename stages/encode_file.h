#ifndef ENCODE_FILE_H
#define ENCODE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "codes.h"
#include "encode_pca.h"
#include "settings.h"
#include "status.h"
#include "team.h"

/** Writes codes/NAME.h5 from finished codes, wherever they were made. */
typedef struct EncodeFile {
  Team *team;
  const char *path, *name;
  const char *stamp, *dictionary, *activations; /* attributes: checksums of what it was made from */
  const EncodeSettings *settings;
  uint64_t key; /* of the examples drawn: random_key(seed, "examples", name) */
  int64_t latents;
  const uint8_t *is_zero; /* [own latents] 1: the decoder row is zero (sae_file_zero_rows) */
  int64_t k;              /* of topk, else 0 */
  int64_t rows;
  const int64_t *token_rows; /* [vocabulary] rows of each token */
  int64_t vocabulary;        /* 0: tokens are not known, so features have no label */
  double explained_variance; /* nan: not known */
  const EncodePca *pca;      /* the yardstick for it; NULL: not known */
  bool is_import;            /* of the dictionary: then the gate looks at it */
  double stated_l0;          /* active latents a row that its maker states; nan: nobody does */
} EncodeFile;

/** Alive features with fewer firings than this cannot be judged; below the share a dictionary
 *  has too little text. */
enum { ENCODE_FILE_FIRINGS = 30 };
#define ENCODE_FILE_SHARE 0.70

/** ranks   collective
 *  codes   in/out  all rows; its firings are brought into memory
 *  fails   ERR_SPACE, ERR_FILE, ERR_MEMORY; no file then */
Status encode_file_write(const EncodeFile *file, Codes *codes) MUST_USE;

#endif
