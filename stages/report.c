/* cleave-report: the run as a folder of files that a browser opens from disk. */

#include <string.h>

#include "atlas.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "page.h"
#include "run_atlas.h"
#include "stage.h"

static const char *title_of(const Stage *stage) {
  const char *folder = stage->settings.run.folder;
  const char *slash = strrchr(folder, '/');
  if (stage->settings.report.title[0] != '\0') {
    return stage->settings.report.title;
  }
  return slash == NULL || slash[1] == '\0' ? folder : slash + 1;
}

static Status stamp_of(Stage *stage, const Atlas *atlas, Stamp *stamp) {
  const char *labels = stage->settings.report.labels;
  stamp_open(stamp, "report 4");
  stamp_add_fingerprint(stamp, config_fingerprint(&SETTINGS_REPORT, &stage->settings.report));
  stamp_add_text(stamp, title_of(stage));
  stamp_add_text(stamp, archive_content(atlas->activations));
  for (int i = 0; i < atlas->count; ++i) {
    stamp_add_text(stamp, atlas->dictionaries[i].name);
    stamp_add_text(stamp, atlas->dictionaries[i].neuronpedia);
    stamp_add_text(stamp, archive_content(atlas->dictionaries[i].codes));
    if (atlas->dictionaries[i].evaluation != NULL) {
      stamp_add_text(stamp, archive_content(atlas->dictionaries[i].evaluation));
    }
    if (atlas->dictionaries[i].training != NULL) {
      TRY(stamp_add_file(stamp, &stage->team, atlas->dictionaries[i].training));
    }
  }
  stamp_add_text(stamp, archive_content(atlas->neighbours));
  stamp_add_text(stamp, archive_content(atlas->families));
  page_add_stamp(stamp);
  return labels[0] == '\0' ? OK : stamp_add_file(stamp, &stage->team, labels);
}

/* As stage_claim(), for a folder. */
static Status claim(Stage *stage, const Stamp *stamp, const char *folder, bool *go) {
  bool is_there = false, is_current = false;
  TRY(stage_lock(stage, folder));
  TRY(page_check(&stage->team, folder, stamp, &is_there, &is_current));
  *go = !is_current && !stage->is_check;
  if (stage->is_check) {
    stage_print_state(stage, folder, is_there, is_current);
  } else if (is_current) {
    log_info("%s is up to date", folder);
  } else if (is_there && !stage->force) {
    TRY_ALL(&stage->team, RAISE(ERR_STALE,
                                "%s was made from other inputs or settings; run cleave-report "
                                "with --force to replace it",
                                folder));
  }
  return *go ? stage_note_settings(stage) : OK;
}

static Status write(Stage *stage, const Atlas *atlas, const char *folder, const Stamp *stamp) {
  const PageSettings settings = {.title = title_of(stage),
                                 .strips = stage->settings.report.strips,
                                 .strip_side = stage->settings.report.strip_side,
                                 .neighbours = stage->settings.report.neighbours};
  Names *names = NULL;
  PageTotals totals = {0};
  char files[32], bytes[32], took[STAGE_TOOK];
  TRY(names_open(&names, atlas, stage->settings.report.labels));
  if (stage->settings.report.labels[0] != '\0') {
    log_info("%s: %lld labels of this run's features", stage->settings.report.labels,
             (long long)names_count(names));
  }
  const Status status = page_write(atlas, names, folder, &settings, stamp, &totals);
  names_close(&names);
  TRY(status);
  stage_took(stage, took);
  log_info("wrote %s (%s files, %s) %s: open %s/index.html in a browser", folder,
           text_of_count(totals.files, files), text_of_bytes((double)totals.bytes, bytes), took,
           folder);
  return OK;
}

static Status work(Stage *stage, const Atlas *atlas, const char *folder) {
  Stamp stamp;
  bool go = false;
  TRY(stamp_of(stage, atlas, &stamp));
  TRY(claim(stage, &stamp, folder, &go));
  return go ? write(stage, atlas, folder, &stamp) : OK;
}

static Status run(Stage *stage) {
  Atlas atlas;
  char *folder = NULL;
  TRY(run_atlas_open(stage, true, &atlas));
  Status status = team_agree(&stage->team, stage_path(stage, &folder, "report"));
  status = status == OK ? work(stage, &atlas, folder) : status;
  MEMORY_FREE(folder);
  atlas_close(&atlas);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_REPORT, NULL};
  static const StageSpec SPEC = {
      .name = "report",
      .purpose = "a report that a browser opens from disk",
      .reads =
          "activations.h5, codes/*.h5, neighbours.h5, families.h5; training/, evaluation/ if there",
      .writes = "report/index.html and its shards",
      .next = "",
      .sections = SECTIONS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
