/* cleave-inspect: one feature, all features of a text, or those for a word, in the terminal. */

#include "inspect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atlas.h"
#include "memory.h"
#include "names.h"
#include "run_atlas.h"
#include "search.h"

enum { TOP = 20, TOP_TEXT = 10, TOP_MOST = 1000000 };

/* mpirun gives every program a terminal of its own as standard output, whatever its own output is:
 * under mpirun nothing is known, and marks are plain. */
static StripStyle style_of_terminal(const Stage *stage) {
  const char *refused = getenv("NO_COLOR");
  if (stage_flag(stage, "--colour") != NULL) {
    return STRIP_COLOUR;
  }
  const bool is_plain = (refused != NULL && refused[0] != '\0') ||
                        getenv("OMPI_COMM_WORLD_SIZE") != NULL || !isatty(STDOUT_FILENO);
  return is_plain ? STRIP_PLAIN : STRIP_COLOUR;
}

static Status show_feature(Stage *stage, DossierView *view, Text *out) {
  int dictionary = 0;
  int64_t id = 0;
  view->examples = TOP;
  TRY_ALL(&stage->team, stage_integer(stage, "--top", 1, TOP_MOST, &view->examples));
  TRY_ALL(&stage->team, run_atlas_feature(stage, view->atlas, &dictionary, &id));
  TRY_ALL(&stage->team, stage->team.rank == 0 ? dossier_write(view, dictionary, id, out) : OK);
  return OK;
}

static Status show_text(Stage *stage, DossierView *view, Text *out) {
  int dictionary = 0;
  int64_t most = TOP_TEXT;
  TRY_ALL(&stage->team, stage_integer(stage, "--top", 1, TOP_MOST, &most));
  TRY_ALL(&stage->team, run_atlas_dictionary(stage, view->atlas, &dictionary));
  return inspect_text(stage, view, dictionary, stage_flag(stage, "--text"), most, out);
}

static Status show_batch(Stage *stage, const DossierView *view, Text *out) {
  int dictionary = 0;
  int64_t most = TOP_TEXT;
  TRY_ALL(&stage->team, stage_integer(stage, "--top", 1, TOP_MOST, &most));
  TRY_ALL(&stage->team, run_atlas_dictionary(stage, view->atlas, &dictionary));
  return inspect_batch(stage, view, dictionary, stage_flag(stage, "--batch"), most, out);
}

static Status write_hit(const DossierView *view, const SearchHit *hit, Text *line, Text *out) {
  const char *name = view->atlas->dictionaries[hit->dictionary].name;
  TRY(text_printf(line, "%3lld of %-3lld %-6s %s/%lld  ", (long long)hit->near,
                  (long long)hit->examples, hit->in_label ? "label" : "", name,
                  (long long)hit->id));
  TRY(names_of(view->names, view->atlas, hit->dictionary, hit->id, line, NULL));
  return dossier_line(view, line, out);
}

static Status write_hits(const DossierView *view, const SearchHit *hits, int64_t found,
                         int64_t most, Text *out) {
  Text line = {0};
  Status status = OK;
  for (int64_t i = 0; status == OK && i < found && i < most; ++i) {
    status = write_hit(view, &hits[i], &line, out);
  }
  text_clear(&line);
  return status;
}

static Status search_all(const Stage *stage, const DossierView *view, int64_t most, Text *out) {
  const char *word = stage_flag(stage, "--search");
  SearchHit *hits = NULL;
  int64_t found = 0, where = 0;
  if (word[0] == '\0') {
    return RAISE(ERR_USAGE, "--search: there is no word");
  }
  TRY(search_word(view->atlas, word, &hits, &found, &where));
  Status status =
      text_printf(out,
                  "the word stands in the text %lld times; %lld features, by how many of their\n"
                  "strongest examples stand near it, or with it in their label\n",
                  (long long)where, (long long)found);
  if (status == OK) {
    status = write_hits(view, hits, found, most, out);
  }
  MEMORY_FREE(hits);
  return status;
}

static Status show_search(Stage *stage, const DossierView *view, Text *out) {
  int64_t most = TOP;
  TRY_ALL(&stage->team, stage_integer(stage, "--top", 1, TOP_MOST, &most));
  TRY_ALL(&stage->team, stage->team.rank == 0 ? search_all(stage, view, most, out) : OK);
  return OK;
}

static Status show(Stage *stage, const Atlas *atlas, const Names *names) {
  const int64_t columns = stage_columns();
  DossierView view = {.atlas = atlas,
                      .names = names,
                      .style = style_of_terminal(stage),
                      .columns = columns,
                      .side = columns / 2};
  Text out = {0};
  Status status = stage_flag(stage, "--feature") != NULL  ? show_feature(stage, &view, &out)
                  : stage_flag(stage, "--search") != NULL ? show_search(stage, &view, &out)
                  : stage_flag(stage, "--batch") != NULL  ? show_batch(stage, &view, &out)
                                                          : show_text(stage, &view, &out);
  status = status == OK ? stage_answer(stage, &out) : status;
  text_clear(&out);
  return status;
}

static Status run(Stage *stage) {
  Atlas atlas;
  Names *names = NULL;
  const int asked =
      (stage_flag(stage, "--feature") != NULL) + (stage_flag(stage, "--text") != NULL) +
      (stage_flag(stage, "--search") != NULL) + (stage_flag(stage, "--batch") != NULL);
  TRY_ALL(&stage->team, asked == 1 ? OK
                                   : RAISE(ERR_USAGE,
                                           "say what to show: --feature NAME/NUMBER, "
                                           "--text \"...\", --batch FILE or --search WORD"));
  TRY(run_atlas_open(stage, false, &atlas));
  Status status = names_open(&names, &atlas, stage->settings.report.labels);
  status = status == OK ? show(stage, &atlas, names) : status;
  names_close(&names);
  atlas_close(&atlas);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_REPORT, NULL};
  static const StageFlag FLAGS[] = {
      {"--feature", "NAME/ID", "this feature: statistics, status, family, examples"},
      {"--text", "TEXT", "what fires on a text of your own (runs the model)"},
      {"--batch", "FILE", "the strongest features of each of many texts, as JSON lines"},
      {"--search", "WORD", "features whose label or strongest examples have to do with a word"},
      {"--dictionary", "NAME", "of --text and --batch; the largest level when not given"},
      {"--top", "N", "strongest examples, or features of a text or a search"},
      {"--out", "FILE", "the answer goes there"},
      {"--colour", NULL, "24-bit colour under mpirun too, and where the output is no terminal"},
      {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "inspect",
      .purpose = "a feature, all features of a text, or those for a word, in the terminal",
      .reads = "activations.h5, codes/*.h5, families.h5 where it is there",
      .writes = "nothing, or the file of --out",
      .next = "",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
