/* cleave-compare: the nearest features of every feature, between dictionaries and inside each. */
#include <stdio.h>

#include "compare_run.h"
#include "memory.h"
#include "schema.h"
#include "stamp.h"

static Stamp stamp_of(const Compare *compare) {
  Stamp stamp;
  stamp_open(&stamp, "compare 1");
  stamp_add_fingerprint(&stamp,
                        config_fingerprint(&SETTINGS_COMPARE, &compare->stage->settings.compare));
  for (int64_t i = 0; i < compare->count; i++) {
    const Dictionary *one = &compare->dictionaries[i];
    stamp_add_text(&stamp, one->settings->name);
    stamp_add_text(&stamp, one->settings->control_of);
    stamp_add_text(&stamp, archive_content(one->file));
    stamp_add_text(&stamp, one->codes != NULL ? archive_content(one->codes) : "no codes");
  }
  return stamp;
}

/* The table at the end. */

static Status print_pair(Compare *compare, Archive *made, const SettingsPair *pair) {
  static const char *const KEYS[] = {"median_best", "null_median", "null_999",
                                     "share_40",    "share_50",    "share_70"};
  const char *child = compare->dictionaries[pair->child].settings->name;
  const char *parent = compare->dictionaries[pair->parent].settings->name;
  char group[COMPARE_NAME];
  compare_name_group(group, "pair", child, parent);
  double value[6];
  for (int i = 0; i < 6; i++) {
    TRY(archive_get_real(made, group, KEYS[i], &value[i]));
  }
  if (compare->team->rank == 0) {
    char title[COMPARE_NAME];
    snprintf(title, sizeof(title), "%s -> %s", child, parent);
    printf("%-22s %7.3f %9.3f %9.3f %7.1f%% %7.1f%% %7.1f%%\n", title, value[0], value[1], value[2],
           100 * value[3], 100 * value[4], 100 * value[5]);
  }
  return OK;
}

static Status print_warning(Compare *compare, Archive *made, const SettingsPair *pair) {
  const char *child = compare->dictionaries[pair->child].settings->name;
  const char *parent = compare->dictionaries[pair->parent].settings->name;
  char group[COMPARE_NAME];
  compare_name_group(group, "pair", child, parent);
  char *warning = NULL;
  TRY(archive_get_text(made, group, "warning", &warning));
  if (warning[0] != '\0' && compare->team->rank == 0) {
    printf("  %s: the median of %s -> %s is less than %.2f above the null's\n", warning, child,
           parent, COMPARE_UNDERTRAINED);
  }
  MEMORY_FREE(warning);
  return OK;
}

static Status print_table(Compare *compare, const char *path) {
  Archive *made = NULL;
  TRY(archive_open(compare->team, path, SCHEMA_NEIGHBOURS, "cleave-compare", &made));
  Status status = OK;
  if (compare->team->rank == 0) {
    printf("%-22s %7s %9s %9s %8s %8s %8s\n", "best cosine", "median", "null", "its 99.9%",
           ">= .40", ">= .50", ">= .70");
  }
  for (int64_t i = 0; i < compare->pair_count && status == OK; i++) {
    status = print_pair(compare, made, &compare->pairs[i]);
  }
  for (int64_t i = 0; i < compare->pair_count && status == OK; i++) {
    status = print_warning(compare, made, &compare->pairs[i]);
  }
  fflush(stdout);
  archive_close(&made);
  return status;
}

static Status work(Compare *compare, const char *path) {
  TRY(compare_open(compare));
  const Stamp stamp = stamp_of(compare);
  char text[32];
  bool go = false;
  TRY(stage_claim(compare->stage, &stamp, path, &go));
  if (go) {
    TRY(compare_write(compare, path, stamp_text(&stamp, text)));
    stage_wrote(compare->stage, path);
  }
  return compare->stage->is_check ? OK : print_table(compare, path);
}

static Status run(Stage *stage) {
  Compare compare = {.stage = stage, .team = &stage->team};
  char *path = NULL;
  Status status = team_agree(compare.team, stage_path(stage, &path, "neighbours.h5"));
  if (status == OK) {
    status = work(&compare, path);
  }
  compare_close(&compare);
  MEMORY_FREE(path);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_COMPARE, NULL};
  static const StageSpec SPEC = {
      .name = "compare",
      .purpose = "exact nearest features between dictionaries and inside each, with a null",
      .reads = "dictionaries/*.h5, codes/*.h5 (optional)",
      .writes = "neighbours.h5",
      .next = "families",
      .sections = SECTIONS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
