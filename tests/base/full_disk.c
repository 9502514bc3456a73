/* Fills the file system of the folder given by a spool and by a text. Exit code 0: both said ERR_SPACE. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "spool.h"
#include "text.h"

enum { PIECE = 1 << 20, PIECES = 64 };

static bool fill_by_spool(const char *folder, const char *piece) {
  Spool *spool = NULL;
  Status status = spool_open(&spool, folder);
  for (int i = 0; i < PIECES && status == OK; ++i) {
    status = spool_append(spool, piece, PIECE);
  }
  spool_close(&spool);
  printf("spool: %s: %s\n", status_name(status), status_why());
  return status == ERR_SPACE && strstr(status_why(), "no space left") != NULL;
}

static bool fill_by_text(const char *folder, const char *piece) {
  Text text = {0};
  char path[1024], part[1100];
  snprintf(path, sizeof(path), "%s/text", folder);
  snprintf(part, sizeof(part), "%s.part", path);
  Status status = OK;
  for (int i = 0; i < PIECES && status == OK; ++i) {
    status = text_append(&text, piece, PIECE);
  }
  if (status == OK) {
    status = text_write_file(&text, path);
  }
  text_clear(&text);
  printf("text: %s: %s\n", status_name(status), status_why());
  return status == ERR_SPACE && access(path, F_OK) != 0 && access(part, F_OK) != 0;
}

int main(int argc, char **argv) {
  char *piece = NULL;
  if (argc != 2 || MEMORY_NEW(&piece, PIECE, "bytes") != OK) {
    return 2;
  }
  const bool spool_says = fill_by_spool(argv[1], piece);
  const bool text_says = fill_by_text(argv[1], piece);
  MEMORY_FREE(piece);
  return spool_says && text_says && memory_blocks() == 0 ? 0 : 1;
}
