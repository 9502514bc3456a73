/* cleave-import: dictionaries, rows and codes that were made elsewhere, into cleave's own files. */
#include <string.h>

#include "import_dictionary.h"
#include "log.h"
#include "stage.h"

static Status check_only(const Stage *stage) {
  const char *only = stage_flag(stage, "--only");
  if (only != NULL && settings_find(&stage->settings, only) < 0) {
    return RAISE(ERR_USAGE, "--only %s: run.yaml declares no dictionary of that name", only);
  }
  return OK;
}

static Status import_dictionaries(Stage *stage, int64_t *imported) {
  const char *only = stage_flag(stage, "--only");
  for (int64_t i = 0; i < stage->settings.count; i++) {
    const char *name = stage->settings.dictionaries[i].name;
    if (!settings_is_trained(&stage->settings, i) && (only == NULL || strcmp(only, name) == 0)) {
      TRY(import_dictionary(stage, i));
      ++*imported;
    }
  }
  return OK;
}

static Status run(Stage *stage) {
  int64_t imported = 0;
  TRY_ALL(&stage->team, check_only(stage));
  TRY(import_dictionaries(stage, &imported));
  if (imported == 0) {
    stage_skip(stage, "dictionaries/", "no dictionary is imported");
  }
  return OK;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_IMPORT,
                                                  &SETTINGS_DICTIONARY, NULL};
  static const StageFlag FLAGS[] = {{"--only", "NAME", "import this dictionary alone"},
                                    {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "import",
      .purpose = "dictionaries, activations and codes that other tools made",
      .reads = "other tools' files: dictionaries.import, import.activations, dictionaries.codes",
      .writes = "dictionaries/*.h5, activations.h5, codes/*.h5",
      .next = "train",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
