/* cleave-families: what becomes of every feature when the dictionary grows, and the families that come of it. */
#include <unistd.h>

#include "families_run.h"
#include "log.h"
#include "memory.h"

static const char *const TABLES[] = {"features.csv", "families.csv", "families.jsonl"};

static Status is_there(const Stage *stage, const char *name, bool *found) {
  char *path = NULL;
  TRY(stage_path(stage, &path, "%s", name));
  *found = access(path, F_OK) == 0;
  MEMORY_FREE(path);
  return OK;
}

/* families.h5 is written last, so it vouches for the tables, unless somebody removed one. */
static Status claim(FamiliesRun *run, const Stamp *stamp, const char *path, bool *go) {
  Stage *stage = run->stage;
  TRY(stage_claim(stage, stamp, path, go));
  bool has_all = true;
  for (size_t i = 0; i < sizeof TABLES / sizeof TABLES[0]; ++i) {
    bool found = true;
    TRY_ALL(run->team, run->team->rank == 0 ? is_there(stage, TABLES[i], &found) : OK);
    has_all = has_all && !team_any(run->team, !found);
  }
  if (!*go && !stage->is_check && !has_all) {
    log_info("a table is missing: all are made again");
    *go = true;
  }
  return OK;
}

static Status publish(FamiliesRun *run, const char *path, const Stamp *stamp) {
  FamiliesMembers members = {0};
  Status status = families_members_open(&members, run);
  if (status == OK) {
    status = families_write_tables(run, &members);
  }
  if (status == OK) {
    status = families_write(run, path, stamp);
  }
  if (status == OK) {
    status = families_say(run, &members);
  }
  families_members_close(&members);
  return status;
}

static Status work(FamiliesRun *run, const char *path) {
  const Stamp stamp = families_stamp(run);
  bool go = false;
  TRY(claim(run, &stamp, path, &go));
  if (!go) {
    return OK;
  }
  TRY(families_read_features(run));
  TRY(families_judge_pairs(run));
  TRY(families_link_levels(run));
  TRY(families_count_tokens(run));
  TRY(families_grow_trees(run));
  TRY(publish(run, path, &stamp));
  stage_wrote(run->stage, path);
  return OK;
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

static const StageSpec STAGE = {
    .name = "families",
    .purpose = "give every feature a status, and group features into splitting families",
    .reads = "neighbours.h5, codes, activations.h5",
    .writes = "families.h5, features.csv, families.csv, families.jsonl",
    .next = "report",
    .sections = SECTIONS,
    .run = run_families,
};

int main(int argc, char **argv) {
  return stage_main(argc, argv, &STAGE);
}
