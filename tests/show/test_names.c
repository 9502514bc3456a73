#include <stdio.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "names.h"
#include "schema.h"
#include "toy_run.h"
#include "toy_team.h"

static Team team;
static Atlas atlas;

static void open_toy(void) {
  static bool is_written;
  team = toy_team(MPI_COMM_WORLD);
  CU_ASSERT(is_written || toy_run_write(&team, check_folder(), 4, TOY_TREES) == OK);
  is_written = true;
  CU_ASSERT(atlas_open(&atlas, &team, check_folder(), TOY_DECLARED, TOY_DICTIONARIES, true) == OK);
}

/* Open labels.csv with this content. */
static Status open_labels(const char *bytes, Names **names) {
  char path[1024];
  Text text = {0};
  snprintf(path, sizeof(path), "%s/labels.csv", check_folder());
  team_barrier(&team);
  if (team.rank == 0) {
    CU_ASSERT(text_append(&text, bytes, (int64_t)strlen(bytes)) == OK);
    CU_ASSERT(text_write_file(&text, path) == OK);
    text_clear(&text);
  }
  team_barrier(&team);
  return names_open(names, &atlas, path);
}

static bool is_label(const Names *names, int dictionary, int64_t id, const char *expected,
                     bool automatic) {
  Text label = {0};
  bool is_automatic = false;
  const bool is_right = names_of(names, &atlas, dictionary, id, &label, &is_automatic) == OK &&
                        strcmp(text_chars(&label), expected) == 0 && is_automatic == automatic;
  text_clear(&label);
  return is_right;
}

static void test_users_labels_replace_automatic_ones(void) {
  Names *names = NULL;
  open_toy();
  CU_ASSERT(open_labels("dictionary,feature,label\n16,3,animals\r\n64-b,63,\"a, \"\"b\"\"\nc\"\n\n"
                        "other,1,elsewhere\n16,3,beasts\n256,0,\n",
                        &names) == OK);
  CU_ASSERT(names_count(names) == 3);
  CU_ASSERT(is_label(names, 0, 3, "beasts", false)); /* the last counts */
  CU_ASSERT(is_label(names, 2, 63,
                     "a, \"b\"\xe2\x86\xb5"
                     "c",
                     false));
  CU_ASSERT(is_label(names, 3, 0, "", false));
  names_close(&names);
  CU_ASSERT(open_labels("16,3,no heading", &names) == OK);
  CU_ASSERT(is_label(names, 0, 3, "no heading", false));
  names_close(&names);
  atlas_close(&atlas);
}

static void test_mistakes_are_named_with_their_line(void) {
  static const struct {
    const char *bytes, *place;
  } CASES[] = {{"dictionary,feature,label\n16,x,y\n", ":2:"},
               {"16,16,too far\n", ":1:"},
               {"16,3\n", ":1:"},
               {"16,1,a\n16,2,\"b\n", ":2:"},
               {"16,1,\"a\"b\n", ":1:"},
               {"16,1,a\n\n16,-1,c\n", ":3:"}};
  open_toy();
  for (int i = 0; i < (int)(sizeof(CASES) / sizeof(CASES[0])); ++i) {
    Names *names = NULL;
    CU_ASSERT(open_labels(CASES[i].bytes, &names) == ERR_FORMAT);
    CU_ASSERT(names == NULL);
    CU_ASSERT(team.rank != 0 || strstr(status_why(), CASES[i].place) != NULL);
  }
  Names *names = NULL;
  CU_ASSERT(names_open(&names, &atlas, "/nowhere/labels.csv") == ERR_MISSING);
  atlas_close(&atlas);
}

static void test_automatic_labels_are_words(void) {
  Names *names = NULL;
  open_toy();
  CU_ASSERT(names_open(&names, &atlas, "") == OK);
  Text label = {0};
  bool is_automatic = false;
  const int64_t words = 243; /* the fillers stand behind the topics' words */
  const uint32_t tokens[ATLAS_LABEL_TOKENS] = {0, (uint32_t)words + 8, (uint32_t)words + 13,
                                               (uint32_t)words + 20, 0};
  CU_ASSERT(names_label(names, &atlas, 0, 0, tokens, &label, &is_automatic) == OK);
  /* a word, a line break, half a character, an escape sequence; the repeated word stands once */
  CU_ASSERT_STRING_EQUAL(text_chars(&label),
                         "one \xc2\xb7 \xe2\x86\xb5 \xc2\xb7 <E4 B8> \xc2\xb7 \xe2\x90\x9b[31m");
  CU_ASSERT(is_automatic);
  text_clear(&label);
  const uint32_t none[ATLAS_LABEL_TOKENS] = {SCHEMA_NO_ID, 0, 0, 0, 0};
  CU_ASSERT(names_label(names, &atlas, 0, 0, none, &label, NULL) == OK);
  CU_ASSERT(label.length == 0);
  const uint32_t outside[ATLAS_LABEL_TOKENS] = {4000000, SCHEMA_NO_ID, 0, 0, 0};
  CU_ASSERT(names_label(names, &atlas, 0, 0, outside, &label, NULL) == OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&label), "\xef\xbf\xbd");
  text_clear(&label);
  names_close(&names);
  atlas_close(&atlas);
}

static const CheckFact FACTS[] = {
    {"the user's labels replace automatic ones", test_users_labels_replace_automatic_ones},
    {"mistakes in labels.csv are named with their line", test_mistakes_are_named_with_their_line},
    {"automatic labels are words, whatever the tokens are", test_automatic_labels_are_words},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "names", FACTS);
}
