#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "config.h"

typedef struct Top {
  char *folder;
  int64_t seed;
} Top;

typedef struct Train {
  int64_t k, batch, kind;
  double rate;
  bool resume;
  char *note;
  ConfigTexts texts;
} Train;

typedef struct Item {
  char *name;
  int64_t latents;
} Item;

#define AT(type, field) offsetof(type, field)

static const ConfigRow TOP_ROWS[] = {
    {"folder", CONFIG_TEXT, AT(Top, folder), NULL, 0, 0, "folder", "where the run lives", false},
    {"seed", CONFIG_INTEGER, AT(Top, seed), "1", 0, 9e18, "", "of every random choice", true},
};
static const ConfigRow TRAIN_ROWS[] = {
    {"k", CONFIG_INTEGER, AT(Train, k), "32", 1, 4096, "", "active latents a row", true},
    {"batch", CONFIG_INTEGER, AT(Train, batch), "1e3", 1, 1e9, "rows",
     "rows a step; a long sentence that has to be broken somewhere because it does not fit", true},
    {"kind", CONFIG_CHOICE, AT(Train, kind), "topk", 0, 0, "topk|relu|jump_relu", "architecture",
     true},
    {"rate", CONFIG_REAL, AT(Train, rate), "2e-4", 0, INFINITY, "", "step size", true},
    {"resume", CONFIG_FLAG, AT(Train, resume), "true", 0, 0, "", "go on from a checkpoint", false},
    {"note", CONFIG_TEXT, AT(Train, note), "", 0, 0, "", "a remark", false},
    {"texts", CONFIG_TEXTS, AT(Train, texts), "[a.txt, 'b c']", 0, 0, "files", "what is read",
     true},
};
static const ConfigRow ITEM_ROWS[] = {
    {"name", CONFIG_TEXT, AT(Item, name), NULL, 0, 0, "", "its name", true},
    {"latents", CONFIG_INTEGER, AT(Item, latents), NULL, 1, 1e12, "", "rows", true},
};

#define SECTION(name, rows, is_list) \
  { name, rows, (int64_t)(sizeof(rows) / sizeof((rows)[0])), is_list }
static const ConfigSection SECTIONS[] = {
    SECTION("", TOP_ROWS, false),
    SECTION("train", TRAIN_ROWS, false),
    SECTION("dictionaries", ITEM_ROWS, true),
};
static const ConfigSection *const TOP = &SECTIONS[0], *const TRAIN = &SECTIONS[1],
                                  *const LIST = &SECTIONS[2];

static Status parse(Config **config, const char *yaml) {
  return config_parse(config, "run.yaml", yaml, (int64_t)strlen(yaml));
}

/* Everything a program does with a file: parse, one override (or NULL), check, fill all. */
static Status use(const char *yaml, const char *override) {
  Config *config = NULL;
  Top top = {0};
  Train train = {0};
  Status status = parse(&config, yaml);
  if (status == OK && override != NULL) {
    status = config_override(config, override, 3);
  }
  if (status == OK) {
    status = config_check(config, SECTIONS, 3);
  }
  if (status == OK) {
    status = config_fill(config, TOP, 0, &top);
  }
  if (status == OK) {
    status = config_fill(config, TRAIN, 0, &train);
  }
  for (int64_t i = 0; status == OK && i < config_items(config, "dictionaries"); ++i) {
    Item item = {0};
    status = config_fill(config, LIST, i, &item);
    config_clear(LIST, &item);
  }
  config_clear(TOP, &top);
  config_clear(TRAIN, &train);
  config_destroy(&config);
  return status;
}

static void expect_message(const char *yaml, const char *override, const char *wanted) {
  status_set_why("nothing");
  CU_ASSERT_EQUAL(use(yaml, override), ERR_CONFIG);
  if (strstr(status_why(), wanted) == NULL) {
    fprintf(stderr, "wanted: %s\nfound:  %s\n", wanted, status_why());
    CU_FAIL("another message");
  }
}

static void expect_train(const char *yaml, Train *train) {
  Config *config = NULL;
  CU_ASSERT_EQUAL(parse(&config, yaml), OK);
  CU_ASSERT_EQUAL(config_fill(config, TRAIN, 0, train), OK);
  config_destroy(&config);
}

static void test_defaults_fill_what_is_not_given(void) {
  static const char *const EMPTY[] = {"", "# nothing\n", "---\n", "train:\n", "train: {}", "~"};
  for (size_t i = 0; i < sizeof(EMPTY) / sizeof(EMPTY[0]); ++i) {
    Train train;
    memset(&train, 0xab, sizeof(train));
    expect_train(EMPTY[i], &train);
    CU_ASSERT_EQUAL(train.k, 32);
    CU_ASSERT_EQUAL(train.batch, 1000);
    CU_ASSERT_EQUAL(train.kind, 0);
    CU_ASSERT_EQUAL(train.rate, 2e-4);
    CU_ASSERT_TRUE(train.resume);
    CU_ASSERT_STRING_EQUAL(train.note, "");
    CU_ASSERT_EQUAL(train.texts.count, 2);
    CU_ASSERT_STRING_EQUAL(train.texts.items[1], "b c");
    config_clear(TRAIN, &train);
    CU_ASSERT_PTR_NULL(train.note);
    config_clear(TRAIN, &train);
  }
}

static void test_values_are_read_by_their_type(void) {
  Train train;
  expect_train(
      "train:\n  k: 7\n  batch: 2.5e3 # rows\n  kind: jump_relu\n  rate: 1\n  resume: false\n"
      "  note: \"a: b\\n\"\n  texts: one\n",
      &train);
  CU_ASSERT_EQUAL(train.k, 7);
  CU_ASSERT_EQUAL(train.batch, 2500);
  CU_ASSERT_EQUAL(train.kind, 2);
  CU_ASSERT_EQUAL(train.rate, 1);
  CU_ASSERT_FALSE(train.resume);
  CU_ASSERT_STRING_EQUAL(train.note, "a: b\n");
  CU_ASSERT_EQUAL(train.texts.count, 1);
  CU_ASSERT_STRING_EQUAL(train.texts.items[0], "one");
  config_clear(TRAIN, &train);
}

static void test_integers_may_be_written_in_several_ways(void) {
  static const struct {
    const char *yaml;
    int64_t value;
  } CASES[] = {{"1000", 1000},     {"1e6", 1000000}, {"1E+6", 1000000}, {"1.5e3", 1500},
               {"2.50e2", 250},    {"1500e-2", 15},  {"+4", 4},         {"5.", 5},
               {"1000.000", 1000}, {"0.5e1", 5}};
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); ++i) {
    char yaml[64];
    Train train;
    snprintf(yaml, sizeof(yaml), "train: {batch: %s}", CASES[i].yaml);
    expect_train(yaml, &train);
    CU_ASSERT_EQUAL(train.batch, CASES[i].value);
    config_clear(TRAIN, &train);
  }
}

static void test_what_is_no_integer_is_refused(void) {
  static const char *const CASES[] = {"1_000", "1.5", "1e-1", "0x10", "010", "ten", "'7'",
                                      "",      "~",   "[1]",  "{}",   ".5",  "1e",  "-5x",
                                      "true",  "1 2", ".inf", "nan",  "0o7", "--1", "1e3.0"};
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); ++i) {
    char yaml[64];
    snprintf(yaml, sizeof(yaml), "folder: x\ntrain:\n  k: %s\n", CASES[i]);
    expect_message(yaml, NULL, "run.yaml:3: train.k: an integer is wanted, found ");
  }
}

static void test_what_is_out_of_range_says_the_range(void) {
  expect_message("folder: x\ntrain:\n  k: 0\n", NULL,
                 "run.yaml:3: train.k: 0 is out of range 1 .. 4096");
  expect_message("train: {k: 99999999999999999999}\nfolder: x", NULL,
                 "run.yaml:1: train.k: 99999999999999999999 is out of range 1 .. 4096");
  expect_message("folder: x\ntrain: {batch: 1e400}", NULL,
                 "train.batch: 1e400 is out of range 1 .. 1e9 rows");
  expect_message("folder: x\ntrain: {batch: 1e99999999999999}", NULL, "is out of range");
  expect_message("folder: x\ntrain: {rate: -1e-9}", NULL, "train.rate: -1e-9 is out of range >= 0");
  expect_message("folder: x\ntrain: {rate: 1e999}", NULL, "train.rate: 1e999 is out of range >= 0");
  expect_message("folder: x\nseed: -1", NULL, "run.yaml:2: seed: -1 is out of range >= 0");
}

static void test_wrong_types_say_what_is_wanted(void) {
  expect_message("folder: x\ntrain: {rate: fast}", NULL,
                 "train.rate: a number is wanted, found fast");
  expect_message("folder: x\ntrain: {resume: yes}", NULL,
                 "train.resume: true or false is wanted, found yes");
  expect_message("folder: x\ntrain: {kind: gelu}", NULL,
                 "train.kind: one of topk|relu|jump_relu is wanted, found gelu");
  expect_message("folder: x\ntrain: {kind: top}", NULL, "is wanted, found top");
  expect_message("folder: x\ntrain: {kind: ''}", NULL, "is wanted, found the text ''");
  expect_message("folder: [x]", NULL, "run.yaml:1: folder: a text is wanted, found a sequence");
  expect_message("folder:", NULL, "folder: a text is wanted, found nothing");
  expect_message("folder: x\ntrain: {texts: [a, [b]]}", NULL, "a text is wanted, found a sequence");
  expect_message("folder: x\ntrain: {texts: {a: b}}", NULL,
                 "a text or a sequence of texts is wanted, found a map");
  expect_message("folder: x\ntrain: 5", NULL,
                 "run.yaml:2: train: a map of keys is wanted, found 5");
  expect_message("folder: x\ntrain: [a]", NULL, "train: a map of keys is wanted, found a sequence");
  expect_message("folder: x\ndictionaries: {a: b}", NULL, "dictionaries: a list of maps");
  expect_message("folder: x\ndictionaries: [a]", NULL,
                 "run.yaml:2: dictionaries: a map of keys is wanted, found a");
  expect_message("just words", NULL, "run.yaml:1: keys and values");
  expect_message("- a\n- b", NULL, "run.yaml:1: keys and values");
}

static void test_a_required_key_is_asked_for(void) {
  expect_message("seed: 1", NULL, "folder: must be given: where the run lives");
  expect_message("folder: x\ndictionaries:\n  - {name: a, latents: 1}\n  - {name: b}\n", NULL,
                 "run.yaml:4: dictionaries.b.latents: must be given");
  expect_message("folder: x\ndictionaries:\n  - latents: 5\n", NULL,
                 "run.yaml:3: dictionaries[0].name: must be given");
}

static void test_unknown_keys_get_a_suggestion(void) {
  expect_message("folder: x\n\ntrain:\n  bacth: 5\n", NULL,
                 "run.yaml:4: train.bacth: no such key; did you mean train.batch?");
  expect_message("folder: x\ntrian:\n  k: 5\n", NULL,
                 "run.yaml:2: trian: no such key; did you mean train?");
  expect_message("foldr: x", NULL, "run.yaml:1: foldr: no such key; did you mean folder?");
  expect_message("folder: x\nbatch: 5", NULL, "batch: no such key; did you mean train.batch?");
  expect_message("folder: x\ntrain: {latents: 5}", NULL, "did you mean dictionaries.latents?");
  expect_message("folder: x\ndictionaries: [{name: 8k, latent: 5}]", NULL,
                 "dictionaries.8k.latent: no such key; did you mean dictionaries.latents?");
  expect_message("folder: x\ntrain: {zzzzzz: 5}", NULL,
                 "train.zzzzzz: no such key; --help lists them");
  expect_message("folder: x\n'': 5", NULL, "no such key");
}

static void test_yaml_beyond_plain_trees_is_refused(void) {
  expect_message("folder: x\nseed: 1\nfolder: y", NULL,
                 "run.yaml:3: folder: the key is there already, on line 1");
  expect_message("folder: &a x", NULL, "run.yaml:1: an anchor");
  expect_message("folder: x\ntrain: &a {k: 1}", NULL, "run.yaml:2: an anchor");
  expect_message("folder: *a", NULL, "run.yaml:1: an alias");
  expect_message("folder: !!str x", NULL, "run.yaml:1: a tag");
  expect_message("? [a, b]\n: c", NULL, "a key must be a word");
  expect_message("folder: x\n---\nseed: 1\n", NULL, "run.yaml:2: a second document");
  expect_message("folder: \"a\\0b\"", NULL, "run.yaml:1: a text holds a NUL byte");
  expect_message("folder: [[[[[[[[[[[[[[[[[[[[[x", NULL, "run.yaml:1: nested too deep");
}

static void test_damaged_yaml_names_its_line(void) {
  expect_message("folder: x\ntrain: {k: 5\nseed: 1\n", NULL, "run.yaml:3: this is no YAML: ");
  expect_message("folder: x\n\ttrain: 5\n", NULL, "run.yaml:2: this is no YAML: ");
  expect_message("folder: \xff\xfe", NULL, "run.yaml:1: this is no YAML: ");
}

static void test_overrides_win_over_the_file(void) {
  Config *config = NULL;
  Train train;
  CU_ASSERT_EQUAL(parse(&config, "train: {k: 5, note: x}"), OK);
  CU_ASSERT_EQUAL(config_override(config, "train.k=6", 1), OK);
  CU_ASSERT_EQUAL(config_override(config, "train.k=7", 2), OK);
  CU_ASSERT_EQUAL(config_override(config, "train.note=", 3), OK);
  CU_ASSERT_EQUAL(config_override(config, "train.texts=[a=b, c]", 4), OK);
  CU_ASSERT_EQUAL(config_fill(config, TRAIN, 0, &train), OK);
  CU_ASSERT_EQUAL(train.k, 7);
  CU_ASSERT_STRING_EQUAL(train.note, "");
  CU_ASSERT_EQUAL(train.texts.count, 2);
  CU_ASSERT_STRING_EQUAL(train.texts.items[0], "a=b");
  config_clear(TRAIN, &train);
  config_destroy(&config);
}

static void test_overrides_make_what_is_missing(void) {
  static const char *const FILES[] = {"", "train:", "train: {batch: 5}", "seed: 3"};
  for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); ++i) {
    Config *config = NULL;
    Train train;
    CU_ASSERT_EQUAL(parse(&config, FILES[i]), OK);
    CU_ASSERT_EQUAL(config_override(config, "train.k=9", 1), OK);
    CU_ASSERT_EQUAL(config_fill(config, TRAIN, 0, &train), OK);
    CU_ASSERT_EQUAL(train.k, 9);
    config_clear(TRAIN, &train);
    config_destroy(&config);
  }
}

static void test_overrides_reach_items_by_name(void) {
  Config *config = NULL;
  Item item;
  CU_ASSERT_EQUAL(parse(&config,
                        "dictionaries:\n  - {name: a, latents: 1}\n"
                        "  - {name: a.b, latents: 2}\n"),
                  OK);
  CU_ASSERT_EQUAL(config_override(config, "dictionaries.a.b.latents=20", 1), OK);
  CU_ASSERT_EQUAL(config_override(config, "dictionaries.a.latents=10", 2), OK);
  CU_ASSERT_EQUAL(config_items(config, "dictionaries"), 2);
  for (int64_t i = 0; i < 2; ++i) {
    CU_ASSERT_EQUAL(config_fill(config, LIST, i, &item), OK);
    CU_ASSERT_EQUAL(item.latents, i == 0 ? 10 : 20);
    config_clear(LIST, &item);
  }
  config_destroy(&config);
}

static void test_wrong_overrides_name_the_argument(void) {
  const char *yaml = "folder: x\ndictionaries: [{name: a, latents: 1}]";
  expect_message(yaml, "train.k", "argument 3: train.k: key.path=value is wanted");
  expect_message(yaml, "train.k=0", "argument 3: train.k: 0 is out of range 1 .. 4096");
  expect_message(yaml, "train.kk=0", "argument 3: train.kk: no such key; did you mean train.k?");
  expect_message(yaml, "train.k=[1", "argument 3: this is no YAML: ");
  expect_message(yaml, "train.k=", "argument 3: train.k: an integer is wanted, found the text ''");
  expect_message(yaml, "=5", "argument 3: =5: a path of keys is wanted");
  expect_message(yaml, "train.=5", "argument 3: train.=5: a path of keys is wanted");
  expect_message(yaml, "train..k=5", "a path of keys is wanted");
  expect_message(yaml, "folder.k=5", "the path goes on behind a value that has no keys");
  expect_message(yaml, "dictionaries.b.latents=5", "no item of the list has that name");
  expect_message(yaml, "dictionaries.a=5", "no item of the list has that name");
  expect_message(yaml, "train=5", "argument 3: train: a map of keys is wanted, found 5");
  expect_message(yaml, "train.k=1\n--- 2", "a second document");
}

static void test_places_lead_to_the_line(void) {
  Config *config = NULL;
  char place[CONFIG_PLACE];
  const char *yaml =
      "folder: x\ntrain:\n  k: 5\ndictionaries:\n  - name: a\n    latents: 3\n  - {}\n";
  CU_ASSERT_EQUAL(parse(&config, yaml), OK);
  CU_ASSERT_EQUAL(config_override(config, "train.batch=5", 4), OK);
  CU_ASSERT_STRING_EQUAL(config_place(config, "train", 0, "k", place), "run.yaml:3: train.k");
  CU_ASSERT_STRING_EQUAL(config_place(config, "train", 0, "rate", place), "run.yaml:2: train.rate");
  CU_ASSERT_STRING_EQUAL(config_place(config, "train", 0, "batch", place),
                         "argument 4: train.batch");
  CU_ASSERT_STRING_EQUAL(config_place(config, "other", 0, "k", place), "run.yaml: other.k");
  CU_ASSERT_STRING_EQUAL(config_place(config, "", 0, "folder", place), "run.yaml:1: folder");
  CU_ASSERT_STRING_EQUAL(config_place(config, "dictionaries", 0, "latents", place),
                         "run.yaml:6: dictionaries.a.latents");
  CU_ASSERT_STRING_EQUAL(config_place(config, "dictionaries", 1, "latents", place),
                         "run.yaml:7: dictionaries[1].latents");
  CU_ASSERT_TRUE(config_is_given(config, "train", 0, "k"));
  CU_ASSERT_TRUE(config_is_given(config, "train", 0, "batch"));
  CU_ASSERT_FALSE(config_is_given(config, "train", 0, "rate"));
  CU_ASSERT_FALSE(config_is_given(config, "dictionaries", 1, "latents"));
  CU_ASSERT_FALSE(config_is_given(config, "dictionaries", 9, "latents"));
  config_destroy(&config);
  CU_ASSERT_PTR_NULL(config);
  config_destroy(&config);
}

static void test_what_is_printed_reads_back_alike(void) {
  static const char *const NOTES[] = {"''",     "true",
                                      "8",      "\"a\\nb\\\"c\\\\\"",
                                      "1e5",    "'# no'",
                                      "null x", "\"\\x7f\\u2028\\uFFFE\"",
                                      "plain",  "\"\\U0001F600\"",
                                      "'- x'",  "na\xc3\xafve"};
  for (size_t i = 0; i < sizeof(NOTES) / sizeof(NOTES[0]); ++i) {
    Text yaml = {0}, printed = {0}, again = {0};
    Train train, back;
    CU_ASSERT_EQUAL(text_printf(&yaml, "train: {k: 3, rate: 0.1, note: %s, texts: [%s, b]}",
                                NOTES[i], NOTES[i]),
                    OK);
    expect_train(text_chars(&yaml), &train);
    CU_ASSERT_EQUAL(config_print(TRAIN, &train, &printed), OK);
    expect_train(text_chars(&printed), &back);
    CU_ASSERT_EQUAL(config_print(TRAIN, &back, &again), OK);
    CU_ASSERT_STRING_EQUAL(text_chars(&printed), text_chars(&again));
    CU_ASSERT_STRING_EQUAL(train.note, back.note);
    CU_ASSERT_STRING_EQUAL(train.texts.items[0], back.texts.items[0]);
    CU_ASSERT_EQUAL(train.rate, back.rate);
    CU_ASSERT_EQUAL(config_fingerprint(TRAIN, &train), config_fingerprint(TRAIN, &back));
    config_clear(TRAIN, &train);
    config_clear(TRAIN, &back);
    text_clear(&yaml);
    text_clear(&printed);
    text_clear(&again);
  }
}

static void test_printed_sections_look_like_this(void) {
  Text text = {0};
  Train train;
  Top top = {.folder = (char[]){"runs/a b"}, .seed = 5};
  Item item = {.name = (char[]){"8k"}, .latents = 8192};
  expect_train("train: {rate: 1e-5, texts: []}", &train);
  CU_ASSERT_EQUAL(config_print(TOP, &top, &text), OK);
  CU_ASSERT_EQUAL(config_print(TRAIN, &train, &text), OK);
  CU_ASSERT_EQUAL(config_print(LIST, &item, &text), OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&text),
                         "folder: \"runs/a b\"\nseed: 5\n"
                         "train:\n  k: 32\n  batch: 1000\n  kind: topk\n  rate: 1.0e-05\n"
                         "  resume: true\n  note: \"\"\n  texts: []\n"
                         "  - {name: \"8k\", latents: 8192}\n");
  config_clear(TRAIN, &train);
  text_clear(&text);
}

static void test_help_fits_its_columns(void) {
  Text text = {0};
  CU_ASSERT_EQUAL(config_help(TOP, &text), OK);
  CU_ASSERT_EQUAL(config_help(TRAIN, &text), OK);
  CU_ASSERT_EQUAL(config_help(LIST, &text), OK);
  CU_ASSERT_PTR_NOT_NULL(strstr(
      text_chars(&text), "  k       32              1 .. 4096            active latents a row\n"));
  CU_ASSERT_PTR_NOT_NULL(strstr(text_chars(&text), "dictionaries (a list)"));
  CU_ASSERT_PTR_NOT_NULL(strstr(text_chars(&text), "required"));
  int64_t width = 0;
  for (const char *at = text_chars(&text); *at != '\0'; ++at) {
    width = *at == '\n' ? 0 : width + 1;
    CU_ASSERT_TRUE(width <= 96);
  }
  text_clear(&text);
}

static void test_the_fingerprint_sees_results_alone(void) {
  Train train;
  expect_train("", &train);
  const uint64_t before = config_fingerprint(TRAIN, &train);
  train.resume = false;
  train.rate = 2e-4;
  CU_ASSERT_EQUAL(config_fingerprint(TRAIN, &train), before);
  train.rate = 3e-4;
  CU_ASSERT_NOT_EQUAL(config_fingerprint(TRAIN, &train), before);
  train.rate = 2e-4;
  train.kind = 1;
  CU_ASSERT_NOT_EQUAL(config_fingerprint(TRAIN, &train), before);
  train.kind = 0;
  train.texts.items[0][0] = 'x';
  CU_ASSERT_NOT_EQUAL(config_fingerprint(TRAIN, &train), before);
  config_clear(TRAIN, &train);
}

static void test_a_failed_fill_leaves_nothing(void) {
  Config *config = NULL;
  Train train;
  memset(&train, 0xab, sizeof(train));
  CU_ASSERT_EQUAL(parse(&config, "train: {note: abc, texts: [a, b, []]}"), OK);
  CU_ASSERT_EQUAL(config_fill(config, TRAIN, 0, &train), ERR_CONFIG);
  CU_ASSERT_PTR_NULL(train.note);
  CU_ASSERT_PTR_NULL(train.texts.items);
  CU_ASSERT_EQUAL(train.k, 0);
  config_destroy(&config);
}

static const CheckFact FACTS[] = {
    {"defaults fill what is not given", test_defaults_fill_what_is_not_given},
    {"values are read by their type", test_values_are_read_by_their_type},
    {"integers may be written in several ways", test_integers_may_be_written_in_several_ways},
    {"what is no integer is refused", test_what_is_no_integer_is_refused},
    {"what is out of range says the range", test_what_is_out_of_range_says_the_range},
    {"wrong types say what is wanted", test_wrong_types_say_what_is_wanted},
    {"a required key is asked for", test_a_required_key_is_asked_for},
    {"unknown keys get a suggestion", test_unknown_keys_get_a_suggestion},
    {"YAML beyond plain trees is refused", test_yaml_beyond_plain_trees_is_refused},
    {"damaged YAML names its line", test_damaged_yaml_names_its_line},
    {"overrides win over the file", test_overrides_win_over_the_file},
    {"overrides make what is missing", test_overrides_make_what_is_missing},
    {"overrides reach items by name", test_overrides_reach_items_by_name},
    {"wrong overrides name the argument", test_wrong_overrides_name_the_argument},
    {"places lead to the line", test_places_lead_to_the_line},
    {"what is printed reads back alike", test_what_is_printed_reads_back_alike},
    {"printed sections look like this", test_printed_sections_look_like_this},
    {"help fits its columns", test_help_fits_its_columns},
    {"the fingerprint sees results alone", test_the_fingerprint_sees_results_alone},
    {"a failed fill leaves nothing", test_a_failed_fill_leaves_nothing},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "config", FACTS);
}
