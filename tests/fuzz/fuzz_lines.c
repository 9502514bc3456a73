/* Any bytes as a text, .jsonl or gzip file: an error or documents of UTF-8 text without a 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"
#include "memory.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *const NAMES[] = {"a.txt", "a.jsonl", "a.gz", "a.jsonl.gz"};
enum { NAME_COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };
static char g_folder[256];

static void remove_folder(void) {
  for (int i = 0; i < NAME_COUNT; i++) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", g_folder, NAMES[i]);
    unlink(path);
  }
  rmdir(g_folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(g_folder, sizeof(g_folder), "%s/fuzz-lines-XXXXXX", base);
  ASSERT(mkdtemp(g_folder) != NULL);
  atexit(remove_folder);
  return 0;
}

static void check_document(const Text *document) {
  ASSERT(document->length > 0 && !memchr(document->bytes, 0, (size_t)document->length));
  for (int64_t i = 0; i < document->length;) {
    const int size = text_utf8_length(document->bytes + i, document->length - i);
    ASSERT(size > 0);
    i += size;
  }
}

static void read_documents(char *path) {
  const ConfigTexts paths = {&path, 1};
  Lines *lines;
  Text document = {0};
  bool is_end = false;
  ASSERT(lines_open(&lines, &paths, "text") == OK);
  while (!is_end && lines_next(lines, &document, &is_end) == OK) {
    if (!is_end) {
      check_document(&document);
    }
  }
  lines_close(&lines);
  text_clear(&document);
}

/* The first byte chooses the name. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size == 0) {
    return 0;
  }
  char path[512];
  snprintf(path, sizeof(path), "%s/%s", g_folder, NAMES[bytes[0] % NAME_COUNT]);
  FILE *file = fopen(path, "wb");
  ASSERT(file != NULL);
  ASSERT(fwrite(bytes + 1, 1, size - 1, file) == size - 1);
  ASSERT(fclose(file) == 0);
  read_documents(path);
  ASSERT(memory_blocks() == 0);
  return 0;
}
