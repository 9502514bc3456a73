/* cleave-families: what becomes of every feature when the dictionary grows, and the families that come of it. */
#include <unistd.h>

#include "families_run.h"
#include "log.h"
#include "memory.h"

/* Is there no table missing? On the rank that looks. */
static Status has_tables(const Stage *stage, bool *has_all) {
  for (int which = 0; which < FAMILIES_TABLES; ++which) {
    char *path = NULL;
    TRY(stage_path(stage, &path, "%s", FAMILIES_TABLE[which]));
    *has_all = *has_all && access(path, F_OK) == 0;
    MEMORY_FREE(path);
  }
  return OK;
}

/* The tables get their names after families.h5: where one is missing, all are made again. */
static Status claim(FamiliesRun *run, const Stamp *stamp, const char *path, bool *go) {
  Stage *stage = run->stage;
  bool has_all = true;
  TRY(stage_claim(stage, stamp, path, go));
  TRY_ALL(run->team, run->team->rank == 0 ? has_tables(stage, &has_all) : OK);
  if (team_any(run->team, !has_all) && !*go && !stage->is_check) {
    log_info("a table is missing: all are made again");
    *go = true;
  }
  return OK;
}

/* Tables of an earlier run must not stand beside a newer families.h5. */
static Status remove_tables(const Stage *stage) {
  for (int which = 0; which < FAMILIES_TABLES; ++which) {
    char *path = NULL;
    TRY(stage_path(stage, &path, "%s", FAMILIES_TABLE[which]));
    (void)unlink(path);
    MEMORY_FREE(path);
  }
  return OK;
}

static Status write_all(FamiliesRun *run, const FamiliesMembers *members, FamiliesTables *tables,
                        const char *path, const Stamp *stamp) {
  TRY(families_tables_make(tables, run, members));
  families_say(run);
  TRY_ALL(run->team, run->team->rank == 0 ? remove_tables(run->stage) : OK);
  TRY(families_write(run, path, stamp));
  stage_wrote(run->stage, path);
  return families_tables_publish(tables, run);
}

static Status publish(FamiliesRun *run, const char *path, const Stamp *stamp) {
  FamiliesMembers members = {0};
  FamiliesTables tables = {0};
  Status status = families_members_open(&members, run);
  if (status == OK) {
    status = write_all(run, &members, &tables, path, stamp);
  }
  families_tables_abandon(&tables);
  families_members_close(&members);
  return status;
}

static Status work(FamiliesRun *run, const char *path) {
  Stamp stamp;
  bool go = false;
  TRY(families_stamp(run, &stamp));
  TRY(families_check(run));
  TRY(claim(run, &stamp, path, &go));
  if (!go) {
    const bool is_asked = stage_flag(run->stage, "--top") != NULL && !run->stage->is_check;
    return is_asked ? families_say_top(run) : OK;
  }
  TRY(families_read_features(run));
  TRY(families_find_duplicates(run));
  TRY(families_judge_pairs(run));
  TRY(families_match_twins(run));
  TRY(families_follow_chains(run));
  TRY(families_link_levels(run));
  TRY(families_cover(run));
  TRY(families_count_tokens(run));
  TRY(families_grow_trees(run));
  TRY(families_count_all(run));
  TRY(publish(run, path, &stamp));
  return families_say_top(run);
}

static Status run_families(Stage *stage) {
  FamiliesRun run = {0};
  char *path = NULL;
  Status status = families_open(&run, stage);
  if (status == OK) {
    status = team_agree(&stage->team, stage_path(stage, &path, "families.h5"));
  }
  if (status == OK) {
    status = work(&run, path);
  }
  MEMORY_FREE(path);
  families_close(&run);
  return status;
}

static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                &SETTINGS_FAMILIES, NULL};

static const StageFlag FLAGS[] = {
    {"--top", "N", "print so many of the largest families (default 5)"}, {0}};

static const StageSpec STAGE = {
    .name = "families",
    .purpose = "give every feature a status, and group features into splitting families",
    .reads = "neighbours.h5, codes, dictionaries, activations.h5",
    .writes = "families.h5, features.csv, families.csv, families.jsonl",
    .next = "report",
    .sections = SECTIONS,
    .flags = FLAGS,
    .run = run_families,
};

int main(int argc, char **argv) {
  return stage_main(argc, argv, &STAGE);
}
