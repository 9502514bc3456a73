/* make_toy_run FOLDER [DOCUMENTS]: a toy run on disk, with the run.yaml of cleave-report. */

#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv) {
  Team team;
  if (team_open(&team, &argc, &argv) != OK || argc < 2) {
    fprintf(stderr, "usage: make_toy_run FOLDER [DOCUMENTS]\n");
    return ERR_USAGE;
  }
  Status status =
      toy_run_write(&team, argv[1], argc > 2 ? strtol(argv[2], NULL, 10) : 60, TOY_TREES);
  status = team_agree(&team, status == OK && team.rank == 0 ? write_yaml(argv[1]) : status);
  team_close(&team);
  return (int)status;
}
