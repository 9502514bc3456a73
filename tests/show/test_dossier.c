#include <string.h>

#include "check.h"
#include "dossier.h"
#include "glyph.h"
#include "memory.h"
#include "toy_run.h"
#include "toy_team.h"

static Team team;
static Atlas atlas;
static Names *names;

static void open_toy(void) {
  static bool is_written;
  team = toy_team(MPI_COMM_WORLD);
  CU_ASSERT(is_written || toy_run_write(&team, check_folder(), 8, TOY_TREES) == OK);
  is_written = true;
  CU_ASSERT(atlas_open(&atlas, &team, check_folder(), TOY_DECLARED, TOY_DICTIONARIES, false) == OK);
  CU_ASSERT(names_open(&names, &atlas, "") == OK);
}

static void close_toy(void) {
  names_close(&names);
  atlas_close(&atlas);
}

static DossierView view_of(int64_t columns) {
  return (DossierView){.atlas = &atlas,
                       .names = names,
                       .style = STRIP_PLAIN,
                       .columns = columns,
                       .examples = 5,
                       .side = columns / 2};
}

static void test_no_line_is_wider_than_the_terminal(void) {
  open_toy();
  for (int64_t columns = 40; columns < 140; columns += 33) {
    const DossierView view = view_of(columns);
    for (int64_t id = 0; id < 64; id += 3) {
      Text out = {0};
      CU_ASSERT(dossier_write(&view, 1, id, &out) == OK);
      for (const char *line = text_chars(&out); *line != '\0';) {
        const int64_t length = (int64_t)strcspn(line, "\n");
        CU_ASSERT(glyph_columns(line, length) <= columns);
        line += length + (line[length] == '\n' ? 1 : 0);
      }
      text_clear(&out);
    }
  }
  close_toy();
}

static void test_a_feature_is_told_with_its_parent_and_children(void) {
  Text out = {0};
  open_toy();
  const DossierView view = view_of(110);
  CU_ASSERT(dossier_write(&view, 1, 41, &out) == OK);
  static const char *const SAID[] = {"64/41  ",
                                     "(automatic label)",
                                     "activation 0 ",
                                     "split of 16/10  ",
                                     "P(parent | child)",
                                     "in the family of 16/10",
                                     "split_k: ",
                                     "256/",
                                     "near  ",
                                     "      0.80 256/", /* nearest in the larger one */
                                     "strongest",
                                     "|9]]",
                                     "by strength"};
  for (int i = 0; i < (int)(sizeof(SAID) / sizeof(SAID[0])); ++i) {
    CU_ASSERT(strstr(text_chars(&out), SAID[i]) != NULL);
  }
  text_clear(&out);
  close_toy();
}

static void test_a_dead_feature_is_said_to_be_dead(void) {
  Text out = {0};
  open_toy();
  const DossierView view = view_of(110);
  CU_ASSERT(dossier_write(&view, 3, 255, &out) == OK);
  CU_ASSERT(strstr(text_chars(&out), "dead: it fires on none of the rows") != NULL);
  CU_ASSERT(strstr(text_chars(&out), "strongest") == NULL);
  text_clear(&out);
  close_toy();
}

static const CheckFact FACTS[] = {
    {"no line is wider than the terminal", test_no_line_is_wider_than_the_terminal},
    {"a feature is told with its parent and children",
     test_a_feature_is_told_with_its_parent_and_children},
    {"a dead feature is said to be dead", test_a_dead_feature_is_said_to_be_dead},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "dossier", FACTS);
}
