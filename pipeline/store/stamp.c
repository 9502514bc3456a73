#include "stamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attribute.h"
#include "hdf.h"
#include "memory.h"
#include "random.h"

enum { BLOCK = 1 << 20 };

void stamp_open(Stamp *stamp, const char *maker) {
  stamp->hash = random_hash(maker, (int64_t)strlen(maker), 0);
}

void stamp_add_fingerprint(Stamp *stamp, uint64_t fingerprint) {
  stamp->hash = random_hash(&fingerprint, (int64_t)sizeof(fingerprint), stamp->hash);
}

void stamp_add_text(Stamp *stamp, const char *text) {
  stamp->hash = random_hash(text, (int64_t)strlen(text), stamp->hash);
}

/* Blocks are chained by their hashes; the last one's length tells the file's. */
static Status hash_stream(FILE *file, const char *path, char *block, uint64_t *hash) {
  size_t got;
  do {
    got = fread(block, 1, BLOCK, file);
    *hash = random_hash(block, (int64_t)got, *hash);
  } while (got == BLOCK);
  return ferror(file) ? RAISE(ERR_FILE, "%s: %s", path, strerror(errno)) : OK;
}

static Status hash_file(const char *path, uint64_t *hash) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return RAISE(errno == ENOENT ? ERR_MISSING : ERR_FILE, "%s: %s", path, strerror(errno));
  }
  char *block;
  Status status = MEMORY_NEW(&block, BLOCK, "a block of a file");
  if (status == OK) {
    status = hash_stream(file, path, block, hash);
  }
  MEMORY_FREE(block);
  fclose(file);
  return status;
}

Status stamp_add_file(Stamp *stamp, Team *team, const char *path) {
  uint64_t hash = stamp->hash;
  TRY_ALL(team, team->rank == 0 ? hash_file(path, &hash) : OK);
  team_broadcast(team, &hash, (int64_t)sizeof(hash), 0);
  stamp->hash = hash;
  return OK;
}

const char *stamp_text(const Stamp *stamp, char *out) {
  snprintf(out, 17, "%016" PRIx64, stamp->hash);
  return out;
}

/* The file's stamp; NULL when it has none. */
static Status read_stamp(const char *path, char **found) {
  hid_t file;
  *found = NULL;
  TRY(hdf_open_here(path, "--force replaces it", &file));
  const Status status = attribute_read_text(file, "/", "stamp", found);
  H5Fclose(file);
  return status == ERR_FORMAT ? OK : status;
}

static Status check_here(const Stamp *stamp, const char *path, bool force, bool *done) {
  char *found, wanted[17];
  const Status status = read_stamp(path, &found);
  if (status == ERR_MISSING || (status == ERR_FORMAT && force)) {
    return OK;
  }
  if (status == ERR_FORMAT) {
    return ERR_STALE; /* with its reason */
  }
  TRY(status);
  *done = found != NULL && strcmp(found, stamp_text(stamp, wanted)) == 0;
  MEMORY_FREE(found);
  if (!*done && !force) {
    return RAISE(ERR_STALE, "%s was made with other settings or inputs: --force replaces it", path);
  }
  return OK;
}

Status stamp_check(const Stamp *stamp, Team *team, const char *path, bool force, bool *done) {
  *done = false;
  TRY_ALL(team, team->rank == 0 ? check_here(stamp, path, force, done) : OK);
  team_broadcast(team, done, (int64_t)sizeof(*done), 0);
  return OK;
}
