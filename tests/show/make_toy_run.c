/* make_toy_run FOLDER DOCUMENTS [hub|paged]: a toy run on disk, with the run.yaml of cleave-report.
 * hub: all of the largest dictionary in one family. paged: with a report whose table of families is
 * too large for the page to hold. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "names.h"
#include "page.h"
#include "text.h"
#include "toy_run.h"

static Status write_yaml(const char *folder) {
  Text yaml = {0};
  char path[1024];
  snprintf(path, sizeof(path), "%s/run.yaml", folder);
  TRY(text_printf(&yaml,
                  "folder: %s\nharvest: {model: toy.gguf, text: [toy.txt], layer: 14}\n"
                  "train: {k: 4}\ndictionaries:\n",
                  folder));
  for (int i = 0; i < TOY_DICTIONARIES; ++i) {
    TRY(text_printf(&yaml, "  - {name: %s, latents: %lld", TOY_DECLARED[i].name,
                    (long long)TOY_DECLARED[i].latents));
    TRY(TOY_DECLARED[i].control_of[0] == '\0'
            ? text_printf(&yaml, "}\n")
            : text_printf(&yaml, ", seed: 2, control_of: %s}\n", TOY_DECLARED[i].control_of));
  }
  const Status status = text_write_file(&yaml, path);
  text_clear(&yaml);
  return status;
}

static Status write_paged(Team *team, const char *folder) {
  const PageSettings settings = {
      .title = "paged", .strips = 4, .strip_side = 8, .neighbours = 16, .table_most = 8};
  Stamp stamp;
  Atlas atlas;
  Names *names = NULL;
  PageTotals totals;
  char path[1024];
  snprintf(path, sizeof(path), "%s/report", folder);
  stamp_open(&stamp, "paged");
  TRY(atlas_open(&atlas, team, folder, TOY_DECLARED, TOY_DICTIONARIES, true));
  Status status = names_open(&names, &atlas, "");
  if (status == OK) {
    status = page_write(&atlas, names, path, &settings, &stamp, &totals);
    names_close(&names);
  }
  atlas_close(&atlas);
  return status;
}

int main(int argc, char **argv) {
  Team team;
  if (team_open(&team, &argc, &argv) != OK || argc < 3) {
    fprintf(stderr, "usage: make_toy_run FOLDER DOCUMENTS [hub|paged]\n");
    return ERR_USAGE;
  }
  const char *kind = argc > 3 ? argv[3] : "";
  const ToyShape shape = strcmp(kind, "hub") == 0 ? TOY_HUB : TOY_TREES;
  Status status = toy_run_write(&team, argv[1], strtol(argv[2], NULL, 10), shape);
  status = team_agree(&team, status == OK && team.rank == 0 ? write_yaml(argv[1]) : status);
  if (status == OK && strcmp(kind, "paged") == 0) {
    status = write_paged(&team, argv[1]);
  }
  team_close(&team);
  return (int)status;
}
