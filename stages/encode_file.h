#ifndef ENCODE_FILE_H
#define ENCODE_FILE_H

#include <stdint.h>

#include "archive.h"
#include "encode.h"
#include "settings.h"
#include "status.h"
#include "team.h"

/** Writes codes/NAME.h5 from a finished encoding. */
typedef struct EncodeFile {
  Team *team;
  const char *path, *name;
  const char *stamp, *dictionary, *activations; /* attributes: checksums of what it was made from */
  const EncodeSettings *settings;
  uint64_t key; /* of the examples drawn */
  const Sae *sae;
  int64_t k, rows;
  const int64_t *token_rows; /* [vocabulary] */
  int64_t vocabulary;
} EncodeFile;

/** Alive features with fewer firings than this cannot be judged; below the share a dictionary
 *  has too little text. */
enum { ENCODE_FILE_FIRINGS = 30 };
#define ENCODE_FILE_SHARE 0.70

/** ranks   collective
 *  encode  in/out  all rows encoded; its firings are brought into memory
 *  fails   ERR_SPACE, ERR_FILE, ERR_MEMORY; no file then */
Status encode_file_write(const EncodeFile *file, Encode *encode) MUST_USE;

#endif
