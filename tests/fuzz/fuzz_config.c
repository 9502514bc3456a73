/* Any bytes as run.yaml and as overrides: an error or a result, never a crash, and what is printed reads back. */
#include <math.h>
#include <string.h>

#include "config.h"
#include "memory.h"

typedef struct Values {
  char *name;
  int64_t count, kind;
  double rate;
  bool flag;
  ConfigTexts texts;
} Values;

static const ConfigRow ROWS[] = {
    {"name", CONFIG_TEXT, offsetof(Values, name), "", 0, 0, "", "a name", true},
    {"count", CONFIG_INTEGER, offsetof(Values, count), "1", 0, 9e18, "", "a count", true},
    {"kind", CONFIG_CHOICE, offsetof(Values, kind), "a", 0, 0, "a|b", "a choice", true},
    {"rate", CONFIG_REAL, offsetof(Values, rate), "0", -INFINITY, INFINITY, "", "a rate", true},
    {"flag", CONFIG_FLAG, offsetof(Values, flag), "true", 0, 0, "", "a flag", true},
    {"texts", CONFIG_TEXTS, offsetof(Values, texts), "", 0, 0, "", "texts", true},
};
enum { ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };
static const ConfigSection SECTIONS[] = {
    {"", ROWS, ROW_COUNT, false}, {"map", ROWS, ROW_COUNT, false}, {"list", ROWS, ROW_COUNT, true}};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Fills `values` from the first item when the section is a list; printed and read again the same. */
static void expect_round_trip(const ConfigSection *section, const Values *values) {
  Text yaml = {0};
  Config *config = NULL;
  Values back;
  ASSERT(!section->is_list || text_printf(&yaml, "list:\n") == OK);
  ASSERT(config_print(section, values, &yaml) == OK);
  ASSERT(config_parse(&config, "printed", yaml.bytes, yaml.length) == OK);
  ASSERT(config_check(config, SECTIONS, 3) == OK);
  ASSERT(config_fill(config, section, 0, &back) == OK);
  ASSERT(config_fingerprint(section, values) == config_fingerprint(section, &back));
  config_clear(section, &back);
  config_destroy(&config);
  text_clear(&yaml);
}

static void fill_all(const Config *config) {
  for (int i = 0; i < 3; ++i) {
    const ConfigSection *section = &SECTIONS[i];
    const int64_t items = section->is_list ? config_items(config, section->name) : 1;
    for (int64_t item = 0; item < items; ++item) {
      Values values;
      char place[CONFIG_PLACE];
      config_place(config, section->name, item, "count", place);
      if (config_fill(config, section, item, &values) == OK) {
        expect_round_trip(section, &values);
      }
      config_clear(section, &values);
    }
  }
}

/* The bytes are a file, then, each behind a 0xff, overrides. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  Text text = {0};
  Config *config = NULL;
  ASSERT(text_append(&text, (const char *)bytes, (int64_t)size) == OK);
  char *split = memchr(text.bytes, 0xff, size);
  const int64_t length = split != NULL ? split - text.bytes : (int64_t)size;
  if (config_parse(&config, "run.yaml", text.bytes, length) == OK) {
    for (int position = 1; split != NULL; ++position) {
      char *argument = split + 1;
      split = memchr(argument, 0xff, (size_t)(text.bytes + size - argument));
      if (split != NULL) {
        *split = '\0';
      }
      if (config_override(config, argument, position) != OK) {
        continue;
      }
    }
    if (config_check(config, SECTIONS, 3) == OK) {
      fill_all(config);
    }
    config_destroy(&config);
  }
  text_clear(&text);
  ASSERT(memory_blocks() == 0);
  return 0;
}
