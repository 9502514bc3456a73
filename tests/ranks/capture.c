#include "capture.h"

#include <stdio.h>
#include <unistd.h>

static int g_saved;
static FILE *g_file;

void capture_begin(void) {
  fflush(stderr);
  g_saved = dup(STDERR_FILENO);
  g_file = tmpfile();
  dup2(fileno(g_file), STDERR_FILENO);
}

const char *capture_end(void) {
  static char text[8192];
  fflush(stderr);
  dup2(g_saved, STDERR_FILENO);
  close(g_saved);
  rewind(g_file);
  text[fread(text, 1, sizeof(text) - 1, g_file)] = '\0';
  fclose(g_file);
  return text;
}
