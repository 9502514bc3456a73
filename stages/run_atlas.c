#include "run_atlas.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

_Static_assert((int)SETTINGS_LEVELS <= (int)ATLAS_LEVELS_MOST, "an atlas holds all levels");

Status run_atlas_open(Stage *stage, bool whole, Atlas *atlas) {
  const Settings *settings = &stage->settings;
  AtlasDeclared *declared = NULL;
  TRY_NEW(&stage->team, &declared, settings->count, "the declared dictionaries");
  for (int64_t i = 0; i < settings->count; ++i) {
    const DictionarySettings *one = &settings->dictionaries[i];
    declared[i] = (AtlasDeclared){.name = one->name,
                                  .control_of = one->control_of,
                                  .latents = one->latents,
                                  .neuronpedia = one->neuronpedia};
  }
  const Status status =
      atlas_open(atlas, &stage->team, settings->run.folder, declared, (int)settings->count, whole);
  MEMORY_FREE(declared);
  return status;
}

Status run_atlas_dictionary(const Stage *stage, const Atlas *atlas, int *dictionary) {
  const char *name = stage_flag(stage, "--dictionary");
  *dictionary = name != NULL        ? atlas_find(atlas, name)
                : atlas->levels > 0 ? atlas->of_level[atlas->levels - 1]
                                    : -1;
  return *dictionary >= 0
             ? OK
             : RAISE(ERR_USAGE, "--dictionary %s: run.yaml declares no such dictionary",
                     name != NULL ? name : "");
}

Status run_atlas_feature(const Stage *stage, const Atlas *atlas, int *dictionary, int64_t *id) {
  const char *text = stage_flag(stage, "--feature"), *slash = strrchr(text, '/');
  char *end = NULL, *name = NULL;
  if (slash == NULL || slash[1] < '0' || slash[1] > '9') {
    return RAISE(ERR_USAGE, "--feature %s: expected NAME/NUMBER, as 8k/312", text);
  }
  *id = strtoll(slash + 1, &end, 10);
  TRY(memory_copy_text(&name, text));
  name[slash - text] = '\0';
  *dictionary = atlas_find(atlas, name);
  MEMORY_FREE(name);
  if (*end != '\0' || *dictionary < 0) {
    return RAISE(ERR_USAGE, "--feature %s: run.yaml declares no such dictionary", text);
  }
  if (*id >= atlas->dictionaries[*dictionary].latents) {
    return RAISE(ERR_USAGE, "--feature %s: the dictionary has features 0 to %lld", text,
                 (long long)atlas->dictionaries[*dictionary].latents - 1);
  }
  return OK;
}
