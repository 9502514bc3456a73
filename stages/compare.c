/* cleave-compare: the nearest features of every feature, between dictionaries and inside each. */
#include <stdio.h>

#include "compare_run.h"
#include "compare_work.h"
#include "log.h"
#include "lowp.h"
#include "memory.h"
#include "schema.h"
#include "stamp.h"

static Stamp stamp_of(const Compare *compare) {
  Stamp stamp;
  stamp_open(&stamp, "compare 2");
  stamp_add_fingerprint(&stamp, (uint64_t)compare->stage->settings.run.seed);
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

/* The steps. */

/* Pairs of rows that are left of a step. Inside a dictionary a panel meets its own rows and later
 * ones. */
static int64_t pairs_left(const Compare *compare, const Dictionary *one, int64_t done,
                          int64_t parents) {
  int64_t left = parents > 0 ? (one->latents - done) * parents : 0;
  while (parents == 0 && done < one->latents) {
    const Shard part = compare_panel(compare, one, done);
    left += shard_count(part) * (one->latents - done);
    done = part.past;
  }
  return left;
}

/* A pair's null children count too: they also meet all parents. */
static Status add_left(Compare *compare, const char *kind, int64_t index, const Dictionary *one,
                       int64_t parents) {
  Step step = {.children = one->latents};
  bool is_done = false;
  snprintf(step.name, sizeof(step.name), "%s-%lld", kind, (long long)index);
  TRY(compare_work_find(compare, &step, &is_done));
  compare->bar.total += pairs_left(compare, one, step.done, parents);
  compare->bar.total += is_done ? 0 : compare->stage->settings.compare.draws * parents;
  return OK;
}

static Status begin_progress(Compare *compare) {
  progress_open(&compare->bar, compare->team, "neighbours", "pairs", 0);
  compare->watch.bar = &compare->bar;
  for (int64_t i = 0; i < compare->count; i++) {
    const Dictionary *one = &compare->dictionaries[i];
    if (settings_has_self(&compare->stage->settings, one->latents)) {
      TRY(add_left(compare, "self", i, one, 0));
    }
  }
  for (int64_t i = 0; i < compare->pair_count; i++) {
    const SettingsPair *pair = &compare->pairs[i];
    TRY(add_left(compare, "pair", i, &compare->dictionaries[pair->child],
                 compare->dictionaries[pair->parent].latents));
  }
  return OK;
}

static Status make_steps(Compare *compare) {
  TRY(compare_work_open(compare));
  TRY(begin_progress(compare));
  for (int64_t i = 0; i < compare->count; i++) {
    TRY(compare_describe(compare, &compare->dictionaries[i]));
    TRY(compare_work_pause(compare));
  }
  for (int64_t i = 0; i < compare->count; i++) {
    if (settings_has_self(&compare->stage->settings, compare->dictionaries[i].latents)) {
      TRY(compare_self(compare, &compare->dictionaries[i]));
      TRY(compare_work_pause(compare));
    }
  }
  for (int64_t i = 0; i < compare->pair_count; i++) {
    TRY(compare_pair(compare, i));
    TRY(compare_work_pause(compare));
  }
  progress_close(&compare->bar, compare->bar.total);
  return OK;
}

static Status make(Compare *compare, const char *path) {
  const char *why = NULL;
  lowp_open(&why);
  log_info("%s", why);
  TRY(make_steps(compare));
  TRY(compare_write(compare, path));
  stage_wrote(compare->stage, path);
  return OK;
}

static Status work(Compare *compare, const char *path) {
  TRY(compare_open(compare));
  const char *features = stage_flag(compare->stage, "--of");
  if (features != NULL) {
    compare->stage->is_answer = true;
    return compare_of(compare, features);
  }
  const Stamp stamp = stamp_of(compare);
  bool go = false;
  stamp_text(&stamp, compare->stamp);
  TRY(stage_claim(compare->stage, &stamp, path, &go));
  if (go) {
    TRY(make(compare, path));
  }
  if (!compare->stage->is_check) {
    TRY(compare_work_remove(compare)); /* also what a run that was killed at the very end left */
  }
  return compare->stage->is_check ? OK : print_table(compare, path);
}

static Status run(Stage *stage) {
  Compare compare = {.stage = stage, .team = &stage->team};
  char *path = NULL;
  TRY_OWN(&stage->team, &path, stage_path(stage, &path, "neighbours.h5"));
  const Status status = work(&compare, path);
  compare_close(&compare);
  MEMORY_FREE(path);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_COMPARE, NULL};
  static const StageFlag FLAGS[] = {
      {"--of", "IDS", "print the nearest features of these alone, e.g. 16k/1234,16k/77"},
      {"--top", "N", "with --of: so many from each dictionary (default: 10)"},
      {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "compare",
      .purpose = "exact nearest features between dictionaries and inside each, with a null",
      .reads = "dictionaries/*.h5, codes/*.h5 (optional)",
      .writes = "neighbours.h5",
      .next = "families",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  stage_catch_signals(); /* first: a warning may come early */
  return stage_main(argc, argv, &SPEC);
}
