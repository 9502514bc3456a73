/* What --check says of outputs. */
#include <stdio.h>
#include <string.h>

#include "lock.h"
#include "log.h"
#include "memory.h"
#include "stage.h"

enum { TAIL = 512 };

/* The last line of the stage's log, once: how far the run that makes the outputs has come. */
static void print_progress(const Stage *stage) {
  static bool is_told;
  char tail[TAIL + 1];
  char *path = NULL;
  if (is_told || stage_path(stage, &path, "logs/%s.log", stage->spec->name) != OK) {
    return;
  }
  FILE *file = fopen(path, "r");
  MEMORY_FREE(path);
  if (file == NULL) {
    return;
  }
  is_told = true;
  if (fseek(file, -TAIL, SEEK_END) != 0) {
    rewind(file);
  }
  size_t length = fread(tail, 1, TAIL, file);
  fclose(file);
  while (length > 0 && tail[length - 1] == '\n') {
    length--;
  }
  tail[length] = '\0';
  const char *line = strrchr(tail, '\n');
  printf("%-10s %s\n", "", line == NULL ? tail : line + 1);
}

void stage_print_state(Stage *stage, const char *path, bool is_there, bool is_current) {
  if (stage->team.rank == 0) {
    const bool is_held = !is_current && lock_is_held(stage->settings.run.folder, path);
    printf("%-10s %-44s %s\n", stage->spec->name, path,
           is_current ? "up to date"
           : is_held  ? "being made"
           : is_there ? "made with other settings"
                      : "absent");
    if (is_held) {
      print_progress(stage);
    }
  }
  if (!is_current) {
    stage->check = is_there ? ERR_STALE : ERR_MISSING;
  }
}

void stage_skip(const Stage *stage, const char *output, const char *why) {
  if (!stage->is_check) {
    log_info("%s: %s", output, why);
  } else if (stage->team.rank == 0) {
    printf("%-10s %-44s %s\n", stage->spec->name, output, why);
  }
}
