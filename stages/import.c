/* cleave-import: dictionaries, rows and codes that were made elsewhere, into cleave's own files. */
#include "import_codes.h"
#include "import_dictionary.h"
#include "import_rows.h"
#include "log.h"
#include "stage.h"

static Status import_dictionaries(Stage *stage, int64_t *imported) {
  for (int64_t i = 0; i < stage->settings.count; i++) {
    if (!settings_is_trained(&stage->settings, i) && stage_is_wanted(stage, i)) {
      TRY(import_dictionary(stage, i));
      ++*imported;
    }
  }
  return OK;
}

/* Codes need the rows and the dictionary. */
static Status import_all_codes(Stage *stage) {
  for (int64_t i = 0; i < stage->settings.count; i++) {
    if (!settings_is_encoded(&stage->settings, i) && stage_is_wanted(stage, i)) {
      TRY(import_codes(stage, i));
    }
  }
  return OK;
}

static Status run(Stage *stage) {
  const bool has_rows = !settings_harvests(&stage->settings);
  int64_t imported = 0;
  TRY_ALL(&stage->team, stage_check_only(stage));
  TRY(import_dictionaries(stage, &imported));
  if (has_rows) {
    TRY(import_rows(stage));
  }
  TRY(import_all_codes(stage));
  if (imported == 0 && !has_rows) {
    stage_skip(stage, "dictionaries/", "no dictionary is imported");
  }
  return OK;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_IMPORT,
                                                  &SETTINGS_DICTIONARY, &SETTINGS_ENCODE, NULL};
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
